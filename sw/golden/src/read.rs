//! One read of a layer's weights through the injector, in the hardware's order.
//!
//! Output folds of `cols` channels, then input folds of `rows` channels, then taps row-major, then the fold's channels:
//! each step reads one weight word, `cols` weights of one input channel and tap. A word is split into lanes of
//! `lane_weights` weights; cell `b` of a lane is bit `b % 8` of its weight `b / 8`.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Thresholds, stream_key};
use hafnia_config::flip::Flip;
use ndarray::Array4;

use crate::injector::seeded_lanes;

/// What a read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The weights as read, `[K, C, R, S]`.
    pub weights: Array4<i8>,
    /// Flipped bits, in read order.
    pub flips: Vec<Flip>,
    /// Weight words read.
    pub words: u32,
    /// Cells read: bits of real weights.
    pub cells: u32,
}

/// Reads a layer's weights once. `layer` and `group` name the stream.
pub fn read_weights(
    hw: &Elaborated,
    weights: &Array4<i8>,
    layer: u32,
    group: u32,
    seed: u64,
    thresholds: &Thresholds,
) -> Read {
    let (kernels, channels, taps_y, taps_x) = weights.dim();
    let (rows, cols, lane_weights) = (hw.rows as usize, hw.cols as usize, hw.lane_weights as usize);
    let mut read = Read { weights: weights.clone(), flips: Vec::new(), words: 0, cells: 0 };
    let key = stream_key(seed, layer, group);
    let mut lanes =
        if thresholds.enable { seeded_lanes(key, hw.lanes, hw.codeword_bits, thresholds) } else { Vec::new() };
    for first_k in (0..kernels).step_by(cols) {
        let live = cols.min(kernels - first_k);
        for first_c in (0..channels).step_by(rows) {
            for (r, s) in (0..taps_y).flat_map(|r| (0..taps_x).map(move |s| (r, s))) {
                for c in first_c..channels.min(first_c + rows) {
                    for (l, lane) in lanes.iter_mut().enumerate() {
                        let mut mask = lane.draw();
                        while mask != 0 {
                            let cell = mask.trailing_zeros() as usize;
                            mask &= mask - 1;
                            let column = l * lane_weights + cell / 8;
                            if column < live {
                                let weight = &mut read.weights[[first_k + column, c, r, s]];
                                let before = *weight >> (cell % 8) & 1 == 1;
                                *weight ^= (1u8 << (cell % 8)) as i8;
                                let bit = (8 * column + cell % 8) as u32;
                                read.flips.push(Flip { layer, group, word: read.words, bit, before });
                            }
                        }
                    }
                    read.words += 1;
                    read.cells += 8 * live as u32;
                }
            }
        }
    }
    read
}
