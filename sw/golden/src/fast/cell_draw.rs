//! Draws of the cells of a lane, see [`crate::cells`], all at once.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::{CELL_ROUNDS, ROTATIONS, pair_constant};

use super::draw::has_wide_draw;

/// Pairs of cells of the largest lane.
pub(super) const PAIRS: usize = 32;

/// The cells of a lane that hold data: up to 64.
#[derive(Clone, Debug)]
pub(super) struct LaneCells {
    /// What is mixed into both halves of a word's hash, for each pair.
    pub constants: [[u32; PAIRS]; 2],
    /// The cells.
    all: u64,
    wide: bool,
}

impl LaneCells {
    /// Returns the lanes of the words of a site.
    pub fn of(hw: &Elaborated, site: Site) -> Vec<Self> {
        let port = hw.port(site);
        let (cells, wide) = (8 * port.lane_bytes, has_wide_draw());
        assert!(
            port.cells.is_multiple_of(2) && cells <= 64,
            "a lane starts with a pair and has up to 64 cells of data"
        );
        let lane = |l| {
            let pairs: [_; PAIRS] = std::array::from_fn(|j| pair_constant(l * port.cells / 2 + j as u32));
            let constants = [0, 1].map(|half| pairs.map(|pair| pair[half]));
            Self { constants, all: u64::MAX >> (64 - cells), wide }
        };
        (0..port.lanes).map(lane).collect()
    }

    /// Returns, for each of some thresholds in rising order, the cells whose draw is below it, given the hash of the word.
    pub fn below<const N: usize>(&self, word: [u32; 2], thresholds: [u32; N]) -> [u64; N] {
        let below = match self.wide {
            // SAFETY: it is only set where the processor has what the function is compiled for.
            #[cfg(target_arch = "x86_64")]
            true => unsafe { super::x86::cells_below_avx512(&self.constants, word, thresholds) },
            _ => below(&self.constants, word, thresholds),
        };
        // The highest threshold stands for always.
        std::array::from_fn(|n| if thresholds[n] == u32::MAX { self.all } else { below[n] & self.all })
    }
}

/// The cells whose draws are less than the thresholds.
fn below<const N: usize>(constants: &[[u32; PAIRS]; 2], word: [u32; 2], thresholds: [u32; N]) -> [u64; N] {
    let (mut a, mut b) = (constants[0].map(|c| c ^ word[0]), constants[1].map(|c| c ^ word[1]));
    for _ in 0..CELL_ROUNDS {
        for (a, b) in a.iter_mut().zip(&mut b) {
            *a = a.rotate_right(ROTATIONS.0).wrapping_add(*b);
            *b = b.rotate_left(ROTATIONS.1) ^ *a;
        }
    }
    // Most words have none, which is quickly seen.
    let least = a.iter().zip(&b).fold(u32::MAX, |least, (&a, &b)| least.min(a).min(b));
    if least >= thresholds[N - 1] {
        return [0; N];
    }
    let bits = |t: u32| {
        let pair = |(a, b): (&u32, &u32)| u64::from(*a < t) | u64::from(*b < t) << 1;
        a.iter().zip(&b).rev().fold(0, |bits, draws| bits << 2 | pair(draws))
    };
    thresholds.map(bits)
}

#[cfg(test)]
mod tests {
    use hafnia_config::accel::ArrayConfig;
    use hafnia_config::presets;

    use super::*;
    use crate::cells::draw;

    #[test]
    fn cells_of_a_lane_are_drawn_for_as_one_by_one() {
        for (cols, weights_per_codeword) in [(16, 8), (5, 4), (9, 2), (3, 1)] {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows: 4, cols };
            config.protection.weights_per_codeword = weights_per_codeword;
            let hw = config.validate().unwrap();
            let (lanes, n) = (LaneCells::of(&hw, Site::Weights), 8 * weights_per_codeword);
            for (l, lane) in (0..).zip(&lanes) {
                let plain = LaneCells { wide: false, ..lane.clone() };
                for i in 0..2000u32 {
                    let word = [i.wrapping_mul(0x9e37_79b9), i.wrapping_mul(0x85eb_ca6b)];
                    for thresholds in [[0, 1 << 20, 1 << 26], [1 << 27, 1 << 31, u32::MAX]] {
                        let want = thresholds.map(|t| {
                            let is = |cell: u32| hafnia_config::fault::below(draw(word, l * n + cell), t);
                            (0..n).filter(|&cell| is(cell)).fold(0, |mask, cell| mask | 1 << cell)
                        });
                        assert_eq!(lane.below(word, thresholds), want, "{cols} columns, lane {l}");
                        assert_eq!(plain.below(word, thresholds), want, "{cols} columns, lane {l}");
                    }
                }
            }
        }
    }
}
