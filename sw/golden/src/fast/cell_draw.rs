//! Draws of the cells of a lane, see [`crate::cells`], all at once.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::{CELL_ROUNDS, ROTATIONS, pair_constant};

use super::draw::has_wide_draw;

/// Pairs of cells that are drawn for together.
pub(super) const PAIRS: usize = 32;

/// Thresholds of cells that have 0 and of those that have 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByValue {
    /// In rising order, as [`LaneCells::below`] takes them.
    pub rising: [u32; 2],
    /// Which of them cells that have 0 go by.
    of_zero: usize,
}

impl ByValue {
    pub fn new([zero, one]: [u32; 2]) -> Self {
        Self { rising: [zero.min(one), zero.max(one)], of_zero: usize::from(zero > one) }
    }

    /// The cells whose draws are below the threshold of their value, of those that are below each of the two.
    pub fn below(&self, rising: [u128; 2], values: u128) -> u128 {
        (rising[self.of_zero] & !values) | (rising[1 - self.of_zero] & values)
    }
}

/// The cells of a lane: up to 128.
#[derive(Clone, Debug)]
pub(super) struct LaneCells {
    /// What is mixed into both halves of a word's hash, for each pair.
    constants: Vec<[[u32; PAIRS]; 2]>,
    /// The lane begins with the second cell of a pair.
    shift: u32,
    /// The cells.
    all: u128,
    wide: bool,
}

impl LaneCells {
    /// Returns the lanes of the words of a site.
    pub fn of(hw: &Elaborated, site: Site) -> Vec<Self> {
        let port = hw.port(site);
        let (all, wide) = (u128::MAX >> (128 - port.cells), has_wide_draw());
        let lane = |l| {
            let (first, shift): (u32, u32) = (l * port.cells / 2, l * port.cells % 2);
            let constants = (0..(shift + port.cells).div_ceil(2 * PAIRS as u32)).map(|part| {
                let pairs: [_; PAIRS] = std::array::from_fn(|j| pair_constant(first + part * PAIRS as u32 + j as u32));
                [0, 1].map(|half| pairs.map(|pair| pair[half]))
            });
            Self { constants: constants.collect(), shift, all, wide }
        };
        (0..port.lanes).map(lane).collect()
    }

    /// Returns, for each of some thresholds in rising order, the cells whose draw is below it, given the hash of the word.
    pub fn below<const N: usize>(&self, word: [u32; 2], thresholds: [u32; N]) -> [u128; N] {
        let mut below = [0; N];
        for (part, constants) in self.constants.iter().enumerate() {
            let of_part = match self.wide {
                // SAFETY: it is only set where the processor has what the function is compiled for.
                #[cfg(target_arch = "x86_64")]
                true => unsafe { super::x86::cells_below_avx512(constants, word, thresholds) },
                _ => self::below(constants, word, thresholds),
            };
            below.iter_mut().zip(of_part).for_each(|(all, of)| *all |= u128::from(of) << (64 * part));
        }
        // The highest threshold stands for always.
        std::array::from_fn(|n| if thresholds[n] == u32::MAX { self.all } else { below[n] >> self.shift & self.all })
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
    use hafnia_config::accel::{ArrayConfig, ProtectionConfig};
    use hafnia_config::presets;
    use hafnia_config::protect::Code;

    use super::*;
    use crate::cells::draw;

    #[test]
    fn cells_of_a_lane_are_drawn_for_as_one_by_one() {
        let [parity, secded, tmr] = [Code::Parity, Code::Secded { data_bits: 8 }, Code::Tmr];
        for (cols, weights_per_codeword, code) in [
            (16, 8, Code::None),
            (5, 4, Code::None),
            (9, 2, Code::None),
            (3, 1, Code::None),
            (8, 8, parity),
            (3, 1, secded),
            (8, 4, tmr),
        ] {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows: 4, cols, soft_rows: 0 };
            config.protection = ProtectionConfig { code, weights_per_codeword, ..config.protection };
            let hw = config.validate().unwrap();
            let (lanes, n) = (LaneCells::of(&hw, Site::Weights), hw.codeword_bits);
            for (l, lane) in (0..).zip(&lanes) {
                let plain = LaneCells { wide: false, ..lane.clone() };
                for i in 0..2000u32 {
                    let word = [i.wrapping_mul(0x9e37_79b9), i.wrapping_mul(0x85eb_ca6b)];
                    for thresholds in [[0, 1 << 20, 1 << 26], [1 << 27, 1 << 31, u32::MAX]] {
                        let want = thresholds.map(|t| {
                            let is = |cell: u32| hafnia_config::fault::below(draw(word, l * n + cell), t);
                            (0..n).filter(|&cell| is(cell)).fold(0u128, |mask, cell| mask | 1 << cell)
                        });
                        assert_eq!(lane.below(word, thresholds), want, "{cols} columns, lane {l}");
                        assert_eq!(plain.below(word, thresholds), want, "{cols} columns, lane {l}");
                    }
                }
            }
        }
    }
}
