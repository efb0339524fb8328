//! Weights in the order in which the kernels read them, and what belongs to each output channel.

use hafnia_config::shape::{LayerKind, LayerShape};

use super::kernel::LANES;
use super::map::{GROUP, OFFSET};
use super::read::Hit;
use crate::network::Layer;
use crate::read::Place;

/// The constants of [`LANES`] output channels, for requantisation, Eq. (Q3).
#[derive(Clone, Debug)]
pub(super) struct Constants {
    /// Bias, less what [`OFFSET`] adds to the sum: `bias - 128 * (sum of the channel's weights)`.
    pub start: [i32; LANES],
    pub m: [i64; LANES],
    pub half: [i64; LANES],
    pub s: [i64; LANES],
}

/// One layer's weights, packed: blocks of output channels; in each, steps of [`GROUP`] input channels of one tap; in each,
/// [`GROUP`] bytes for each output channel.
#[derive(Clone, Debug)]
pub struct PackedLayer {
    pub(super) shape: LayerShape,
    /// Steps: taps x groups of input channels.
    pub(super) depth: usize,
    /// Lanes-wide vectors of output channels in a block, 1 or 2.
    pub(super) vectors: usize,
    pub(super) bytes: Vec<i8>,
    pub(super) constants: Vec<Constants>,
}

impl PackedLayer {
    /// Packs a layer.
    pub fn new(layer: &Layer) -> Self {
        let shape = layer.shape;
        let (kernels, channels, taps_y, taps_x) = layer.weights.dim();
        let vectors = if kernels > LANES { 2 } else { 1 };
        let depth = taps_y * taps_x * channels.div_ceil(GROUP);
        let blocks = kernels.div_ceil(vectors * LANES);
        let none = Constants { start: [0; LANES], m: [0; LANES], half: [0; LANES], s: [0; LANES] };
        let bytes = vec![0; blocks * depth * vectors * LANES * GROUP];
        let mut packed = Self { shape, depth, vectors, bytes, constants: vec![none; blocks * vectors] };
        for ((k, c, r, s), &weight) in layer.weights.indexed_iter() {
            let at = packed.position(k, c, r * taps_x + s);
            packed.bytes[at] = weight;
        }
        for (k, &bias) in layer.bias.iter().enumerate() {
            let sum: i32 = layer.weights.index_axis(ndarray::Axis(0), k).iter().map(|&w| i32::from(w)).sum();
            let constants = &mut packed.constants[k / LANES];
            constants.start[k % LANES] = bias.wrapping_sub(i32::from(OFFSET) * sum);
            if let Some(scale) = layer.scale.get(k) {
                constants.m[k % LANES] = scale.m.into();
                constants.half[k % LANES] = 1 << (scale.s - 1);
                constants.s[k % LANES] = scale.s.into();
            }
        }
        packed
    }

    /// Returns a stored bit.
    pub fn bit(&self, Place { k, c, tap, bit }: Place) -> bool {
        self.bytes[self.position(k, c, tap)] >> bit & 1 == 1
    }

    /// Flips the bits that a read flips; twice is nothing.
    pub fn toggle(&mut self, hit: &Hit) {
        let step = self.step(hit.c.into(), hit.tap.into());
        let mut cells = hit.cells;
        while cells != 0 {
            let weight = cells.trailing_zeros() / 8;
            let flips = (cells >> (8 * weight)) as u8;
            cells &= !(0xff << (8 * weight));
            let k = (hit.k + weight) as usize;
            let at = self.at(k, step) + usize::from(hit.c) % GROUP;
            let before = self.bytes[at];
            let after = before ^ flips as i8;
            self.bytes[at] = after;
            let start = &mut self.constants[k / LANES].start[k % LANES];
            *start = start.wrapping_sub(i32::from(OFFSET) * (i32::from(after) - i32::from(before)));
        }
    }

    /// Position of a weight.
    fn position(&self, k: usize, c: usize, tap: usize) -> usize {
        self.at(k, self.step(c, tap)) + c % GROUP
    }

    /// Step of an input channel and tap.
    fn step(&self, c: usize, tap: usize) -> usize {
        tap * (self.shape.in_channels as usize).div_ceil(GROUP) + c / GROUP
    }

    /// Position of the bytes of an output channel in a step.
    fn at(&self, k: usize, step: usize) -> usize {
        // One vector or two, so the width is a power of two; a division would take longer than the rest.
        let (block, wide) = ((k / LANES) >> (self.vectors - 1), self.vectors * LANES);
        ((block * self.depth + step) * wide + (k & (wide - 1))) * GROUP
    }

    /// Taps of the kernel, in each direction.
    pub(super) fn side(&self) -> usize {
        if self.shape.kind == LayerKind::Conv3x3 { 3 } else { 1 }
    }
}
