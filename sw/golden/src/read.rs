//! One read of a layer's weights through the injector, in the hardware's order.
//!
//! Output folds of `cols` channels, then input folds of `rows` channels, then taps row-major, then the fold's channels:
//! each step reads one weight word, `cols` weights of one input channel and tap. A word is split into lanes of
//! `lane_weights` weights; cell `b` of a lane is bit `b % 8` of its weight `b / 8`.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, stream_key};
use hafnia_config::flip::Flip;
use hafnia_config::shape::LayerShape;
use ndarray::Array4;

use crate::injector::{Tree, seeded_lanes};

/// What a read gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Flipped bits, in read order.
    pub flips: Vec<Flip>,
    /// Weight words read.
    pub words: u32,
    /// Cells read: bits of real weights.
    pub cells: u32,
}

impl Read {
    /// A read of a layer without a flip.
    pub(crate) fn of(hw: &Elaborated, shape: &LayerShape) -> Self {
        let words = shape.out_channels.div_ceil(hw.cols) * shape.in_channels * shape.kind.taps();
        Self { flips: Vec::new(), words, cells: (shape.weights() * 8) as u32 }
    }
}

/// Where a bit of a weight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Output channel.
    pub k: usize,
    /// Input channel.
    pub c: usize,
    /// Tap, row-major.
    pub tap: usize,
    /// Bit of the weight.
    pub bit: u32,
}

/// One read of a layer: its number and its read group name the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Run seed.
    pub seed: u64,
    /// Layer number, from 0.
    pub layer: u32,
    /// Read group.
    pub group: u32,
}

/// Reads a layer's weights once. `flip` changes a bit and returns what is stored there.
pub fn read(
    hw: &Elaborated,
    shape: &LayerShape,
    stream: Stream,
    noise: &Noise,
    mut flip: impl FnMut(Place) -> bool,
) -> Read {
    let (kernels, channels) = (shape.out_channels as usize, shape.in_channels as usize);
    let (rows, cols, lane_weights) = (hw.rows as usize, hw.cols as usize, hw.lane_weights as usize);
    let Stream { seed, layer, group } = stream;
    let taps = shape.kind.taps() as usize;
    let mut read = Read::of(hw, shape);
    let bits = noise.at_risk.bits_in(layer);
    if !noise.enable || bits == 0 {
        return read;
    }
    let tree = Tree::new(hw.codeword_bits, noise);
    let mut lanes = seeded_lanes(stream_key(seed, layer, group), hw.lanes, &tree);
    let mut word = 0;
    for first_k in (0..kernels).step_by(cols) {
        let live = cols.min(kernels - first_k);
        for first_c in (0..channels).step_by(rows) {
            for tap in 0..taps {
                for c in first_c..channels.min(first_c + rows) {
                    for (l, lane) in lanes.iter_mut().enumerate() {
                        let mut mask = lane.draw();
                        while mask != 0 {
                            let cell = mask.trailing_zeros();
                            mask &= mask - 1;
                            let column = l * lane_weights + cell as usize / 8;
                            if column < live && bits >> (cell % 8) & 1 == 1 {
                                let before = flip(Place { k: first_k + column, c, tap, bit: cell % 8 });
                                let bit = 8 * column as u32 + cell % 8;
                                read.flips.push(Flip { layer, group, word, bit, before });
                            }
                        }
                    }
                    word += 1;
                }
            }
        }
    }
    read
}

/// Reads plain weights `[K, C, R, S]` once and returns them as read.
pub fn read_weights(
    hw: &Elaborated,
    shape: &LayerShape,
    weights: &Array4<i8>,
    stream: Stream,
    noise: &Noise,
) -> (Array4<i8>, Read) {
    let mut noisy = weights.clone();
    let width = weights.dim().3;
    let read = read(hw, shape, stream, noise, |Place { k, c, tap, bit }| {
        let weight = &mut noisy[[k, c, tap / width, tap % width]];
        *weight ^= (1u8 << bit) as i8;
        *weight >> bit & 1 == 0
    });
    (noisy, read)
}
