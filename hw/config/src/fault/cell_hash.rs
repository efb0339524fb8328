//! Constants of the hash from which the draws of cells are taken, Eq. (11) of `docs/fault-model.md`. It is computed in
//! `hw/gen` and in `sw/golden`.
//!
//! A draw must be had for any cell at any time, whatever was read before, so no generator runs from one to the next.

use super::Site;
use super::key::cell_constant;

/// Rounds that mix address and epoch of a word.
pub const WORD_ROUNDS: u32 = 8;
/// Rounds that make the draws of two cells of the word.
pub const CELL_ROUNDS: u32 = 5;
/// A round, as in Speck64 (Beaulieu et al., The SIMON and SPECK families, 2013): `x` is rotated right by the first and `y`
/// added, the key is mixed in; `y` is rotated left by the second and `x` mixed in.
pub const ROTATIONS: (u32, u32) = (8, 3);

/// What a draw decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whether a cell is stuck or has a trap.
    Cell,
    /// Whether a pulse leaves it wrong.
    Write,
    /// Whether its trap holds a charge.
    Charge,
    /// Whether a read is wrong while it does.
    Read,
    /// Whether a cell is read wrong when a write is verified.
    Verify,
}

/// Returns what is mixed into word `i % 4` of the key in round `i` of a word's hash.
pub const fn tweak(purpose: Purpose, site: Site, round: u32) -> u32 {
    (purpose as u32) << 8 | (site as u32) << 4 | round
}

/// Returns what is mixed into both halves of a word's hash for its cells `2 pair` and `2 pair + 1`.
pub fn pair_constant(pair: u32) -> [u32; 2] {
    let constant = cell_constant(pair);
    [constant as u32, (constant >> 32) as u32]
}

/// Bit of the first hash word that tells feature-map memory B from A.
pub const MAP_B: u32 = 1 << 31;
/// Lowest bit of the layer in the second hash word.
pub const LAYER_SHIFT: u32 = 24;
/// Classes of words whose traps are drawn anew at the same times: addresses modulo so many.
pub const EPOCH_CLASSES: usize = 16;
