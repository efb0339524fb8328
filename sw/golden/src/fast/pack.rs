//! Weights in the order in which the kernels read them, and what belongs to each output channel.

use hafnia_config::shape::{LayerKind, LayerShape};

use super::kernel::LANES;
use super::map::{GROUP, OFFSET};
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

    /// Flips a bit of a weight and returns what it was.
    pub fn flip(&mut self, Place { k, c, tap, bit }: Place) -> bool {
        let at = self.position(k, c, tap);
        let before = self.bytes[at];
        let after = before ^ (1u8 << bit) as i8;
        self.bytes[at] = after;
        let start = &mut self.constants[k / LANES].start[k % LANES];
        *start = start.wrapping_sub(i32::from(OFFSET) * (i32::from(after) - i32::from(before)));
        before >> bit & 1 == 1
    }

    /// Position of a weight.
    fn position(&self, k: usize, c: usize, tap: usize) -> usize {
        let wide = self.vectors * LANES;
        let groups = (self.shape.in_channels as usize).div_ceil(GROUP);
        let step = tap * groups + c / GROUP;
        ((k / wide * self.depth + step) * wide + k % wide) * GROUP + c % GROUP
    }

    /// Taps of the kernel, in each direction.
    pub(super) fn side(&self) -> usize {
        if self.shape.kind == LayerKind::Conv3x3 { 3 } else { 1 }
    }
}
