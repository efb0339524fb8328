//! Weights in the order in which the kernels read them, and what belongs to each output channel.

use std::ops::Range;

use hafnia_config::fault::Site;
use hafnia_config::flip::FlipCounts;
use hafnia_config::shape::{LayerKind, LayerShape};

use super::kernel::LANES;
use super::map::{GROUP, OFFSET};
use super::read::Hit;
use crate::network::Layer;

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

/// What a layer held before bits were flipped.
#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    weights: Vec<(u32, i8)>,
    /// First vector of output channels, and where the sums of it and of those after it start.
    first: usize,
    starts: Vec<[i32; LANES]>,
}

impl Undo {
    /// Forgets what was there.
    pub(super) fn clear(&mut self) {
        self.weights.clear();
        self.starts.clear();
    }

    /// Whether nothing was changed.
    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
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

    /// Returns what the weights from output channel `k` on hold, of those that `cells` has a bit of; 8 bits each.
    pub(super) fn held(&self, k: u32, c: u16, tap: u16, cells: u128) -> u128 {
        let (step, within) = (self.step(c.into(), tap.into()), usize::from(c) % GROUP);
        let (mut held, mut rest) = (0, cells);
        while rest != 0 {
            let weight = rest.trailing_zeros() / 8;
            rest &= !(0xff << (8 * weight));
            let byte = self.bytes[self.at((k + weight) as usize, step) + within];
            held |= u128::from(byte as u8) << (8 * weight);
        }
        held
    }

    /// Returns the weights from output channel `k` on, up to `count` of them, 8 bits each.
    pub(super) fn lane(&self, k: u32, c: u16, tap: u16, count: u32) -> u64 {
        let (step, within) = (self.step(c.into(), tap.into()), usize::from(c) % GROUP);
        let live = k..self.shape.out_channels.min(k + count);
        let bytes = live.rev().map(|k| self.bytes[self.at(k as usize, step) + within] as u8);
        bytes.fold(0, |data, byte| data << 8 | u64::from(byte))
    }

    /// Returns the weights of an input channel and tap, from output channel `k` on.
    pub(super) fn column(&self, k: usize, c: usize, tap: usize) -> impl Iterator<Item = i8> {
        let (step, within) = (self.step(c, tap), c % GROUP);
        (k..self.shape.out_channels as usize).map(move |k| self.bytes[self.at(k, step) + within])
    }

    /// Adds to the bias of an output channel, two's complement.
    pub fn add_to_bias(&mut self, k: usize, difference: i32) {
        let start = &mut self.constants[k / LANES].start[k % LANES];
        *start = start.wrapping_add(difference);
    }

    /// Begins what [`PackedLayer::restore`] takes back: changes in these vectors of output channels.
    pub(super) fn begin(&self, vectors: Range<usize>, undo: &mut Undo) {
        undo.clear();
        undo.first = vectors.start;
        undo.starts.extend(self.constants[vectors].iter().map(|constants| constants.start));
    }

    /// Flips the bits that a read flips, adds to `undo` what was there, and counts in `counts`.
    pub(super) fn flip(&mut self, hit: &Hit, undo: &mut Undo, counts: &mut FlipCounts) {
        let step = self.step(hit.c.into(), hit.tap.into());
        // At low rates one, as a rule.
        if let Some(cell) = hit.only_cell() {
            let before = self.change(hit, step, cell / 8, 1 << (cell % 8), undo);
            return counts.add_one(Site::Weights, cell, before);
        }
        let (mut cells, mut stored) = (hit.cells, 0);
        while cells != 0 {
            let weight = cells.trailing_zeros() / 8;
            let flips = (cells >> (8 * weight)) as u8;
            cells &= !(0xff << (8 * weight));
            stored |= u128::from(self.change(hit, step, weight, flips, undo)) << (8 * weight);
        }
        counts.add(Site::Weights, hit.cells, stored);
    }

    /// Flips bits of a weight of a word and returns what it held.
    fn change(&mut self, hit: &Hit, step: usize, weight: u32, flips: u8, undo: &mut Undo) -> u8 {
        let k = (hit.k + weight) as usize;
        let at = self.at(k, step) + usize::from(hit.c) % GROUP;
        let before = self.bytes[at];
        let after = before ^ flips as i8;
        undo.weights.push((at as u32, before));
        self.bytes[at] = after;
        let start = &mut self.constants[k / LANES].start[k % LANES];
        *start = start.wrapping_sub(i32::from(OFFSET) * (i32::from(after) - i32::from(before)));
        before as u8
    }

    /// Begins to fetch the weights of a hit into the cache.
    pub fn prefetch(&self, hit: &Hit) {
        let weight = hit.cells.trailing_zeros() / 8;
        let at = self.at((hit.k + weight) as usize, self.step(hit.c.into(), hit.tap.into()));
        #[cfg(target_arch = "x86_64")]
        super::x86::prefetch(&self.bytes[at]);
        #[cfg(not(target_arch = "x86_64"))]
        let _ = self.bytes[at];
    }

    /// Takes back what was changed since [`PackedLayer::begin`], biases too.
    pub(super) fn restore(&mut self, undo: &Undo) {
        for &(at, before) in undo.weights.iter().rev() {
            self.bytes[at as usize] = before;
        }
        for (constants, start) in self.constants[undo.first..].iter_mut().zip(&undo.starts) {
            constants.start = *start;
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

    /// Blocks of output channels.
    pub(super) fn blocks(&self) -> usize {
        self.constants.len() / self.vectors
    }

    /// The weights of a block.
    pub(super) fn block(&self, block: usize) -> &[i8] {
        let size = self.depth * self.vectors * LANES * GROUP;
        &self.bytes[block * size..(block + 1) * size]
    }

    /// Taps of the kernel, in each direction.
    pub(super) fn side(&self) -> usize {
        if self.shape.kind == LayerKind::Conv3x3 { 3 } else { 1 }
    }
}
