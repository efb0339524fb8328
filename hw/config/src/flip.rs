//! The record of one flipped bit, the same from every engine.

use std::fmt;

use crate::fault::Site;
use crate::protect::Codeword;

/// One flipped bit of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flip {
    /// Layer number, from 0.
    pub layer: u32,
    /// Read group of the layer.
    pub group: u32,
    /// Memory that was read.
    pub site: Site,
    /// Word, counted in the order of the site's reads in the run of the layer over the group, from 0.
    pub word: u32,
    /// Bit within the word: `8 * column + bit` of a weight, bit of a bias, `8 * row + bit` of an activation; from the bits of
    /// data on the check cells, codeword after codeword.
    pub bit: u32,
    /// The stored bit; what was read is its opposite.
    pub before: bool,
}

impl Flip {
    /// First line of a flip log.
    pub const CSV_HEADER: &'static str = "site,layer,address,read_index,bit,before,after";
}

/// One line of a flip log, without the line end.
impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (u8::from(self.before), u8::from(!self.before));
        let Self { layer, group, site, word, bit, .. } = self;
        write!(f, "{site},{layer},{word},{group},{bit},{before},{after}")
    }
}

/// Polynomial of the CRC-32 of IEEE 802.3, highest power left out.
pub const SIGNATURE_POLYNOMIAL: u32 = 0x04c1_1db7;

/// Returns the bit of a signature that the flip of this bit of a word turns: each 32 bits lie five further on than those before.
pub const fn signature_bit(bit: u32) -> u32 {
    (bit + 5 * (bit / 32)) % 32
}

/// Returns the signatures of flips in the order of a flip log, by site in the order of [`Site::ALL`]: what the hardware, which
/// lists no flips, keeps of them. Equation (20) of `docs/fault-model.md`.
pub fn signatures(flips: &[Flip]) -> [u32; 3] {
    let mut signatures = [0_u32; 3];
    for word in flips.chunk_by(|a, b| (a.layer, a.group, a.site, a.word) == (b.layer, b.group, b.site, b.word)) {
        let signature = &mut signatures[word[0].site as usize];
        let turned = word.iter().fold(word[0].word, |turned, flip| turned ^ 1 << signature_bit(flip.bit));
        let carry = if *signature >> 31 == 1 { SIGNATURE_POLYNOMIAL } else { 0 };
        *signature = *signature << 1 ^ carry ^ turned;
    }
    signatures
}

/// Flips by site, direction and bit of a byte; those of check cells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlipCounts {
    /// By site in the order of [`Site::ALL`]; stored 0s read as 1 by bit of a byte, then stored 1s read as 0.
    pub counts: [[u64; 16]; 3],
    /// Check cells by site: stored 0s read as 1, then stored 1s read as 0.
    pub checks: [[u64; 2]; 3],
}

impl FlipCounts {
    /// Counts flips of the cells in `flips`, 8 to a byte, which hold `stored`.
    pub fn add(&mut self, site: Site, flips: u128, stored: u128) {
        let counts = &mut self.counts[site as usize];
        if flips.count_ones() > 16 {
            for bit in 0..8 {
                let here = flips & (u128::from_ne_bytes([1; 16]) << bit);
                counts[bit] += u64::from((here & !stored).count_ones());
                counts[bit + 8] += u64::from((here & stored).count_ones());
            }
            return;
        }
        let mut rest = flips;
        while rest != 0 {
            let cell = rest.trailing_zeros();
            rest &= rest - 1;
            counts[(cell % 8 + 8 * (stored >> cell & 1) as u32) as usize] += 1;
        }
    }

    /// Counts flips of the cells of a codeword, check cells too, which hold `stored`.
    pub fn add_codeword(&mut self, site: Site, word: &Codeword, flips: u128, stored: u128) {
        self.add(site, flips & word.data_cells(), stored);
        let checks = flips & word.check_cells();
        let counts = &mut self.checks[site as usize];
        counts[0] += u64::from((checks & !stored).count_ones());
        counts[1] += u64::from((checks & stored).count_ones());
    }

    /// Counts the flip of one bit of a byte that holds `stored`.
    pub fn add_one(&mut self, site: Site, bit: u32, stored: u8) {
        self.counts[site as usize][(bit % 8 + 8 * u32::from(stored >> (bit % 8) & 1)) as usize] += 1;
    }

    /// Returns the number of all.
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().chain(self.checks.iter().flatten()).sum()
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Self) {
        let sums = self.counts.iter_mut().flatten().chain(self.checks.iter_mut().flatten());
        for (sum, count) in sums.zip(other.counts.iter().flatten().chain(other.checks.iter().flatten())) {
            *sum += count;
        }
    }

    /// Returns the flips of a site in one direction, `before` being what was stored, by bit of a byte.
    pub fn of(&self, site: Site, before: bool) -> [u64; 8] {
        std::array::from_fn(|bit| self.counts[site as usize][bit + 8 * usize::from(before)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip(site: Site, word: u32, bit: u32) -> Flip {
        Flip { layer: 0, group: 0, site, word, bit, before: false }
    }

    #[test]
    fn a_signature_tells_which_bits_flipped_and_in_what_order() {
        use Site::{Biases, Weights};
        let flips = [flip(Weights, 5, 0), flip(Weights, 5, 33), flip(Biases, 9, 31), flip(Weights, 7, 1)];
        // 5 with bits 0 and 6 turned; a step, then 7 with bit 1 turned.
        assert_eq!(signatures(&flips), [(5 ^ 0x41) << 1 ^ 7 ^ 2, 9 ^ 1 << 31, 0]);
        // The highest bit comes around.
        let around = [flip(Biases, 9, 31), flip(Biases, 0, 0)];
        assert_eq!(signatures(&around)[1], 18 ^ SIGNATURE_POLYNOMIAL ^ 1);
        let swapped = [flip(Weights, 7, 1), flip(Weights, 5, 0), flip(Weights, 5, 33)];
        assert_ne!(signatures(&swapped)[0], signatures(&flips)[0]);
    }

    #[test]
    fn flips_few_and_many_are_counted_by_direction_and_bit() {
        for (flips, stored) in [(0x8001_u128, 0x8000_u128), (u128::MAX, 0x0f << 64)] {
            let mut counts = FlipCounts::default();
            counts.add(Site::Biases, flips, stored);
            counts.merge(&counts.clone());
            for bit in 0..8 {
                let cells = (0..128).filter(|cell| cell % 8 == bit && flips >> cell & 1 == 1);
                let (ones, zeros): (Vec<_>, Vec<_>) = cells.partition(|cell| stored >> cell & 1 == 1);
                assert_eq!(counts.of(Site::Biases, true)[bit], 2 * ones.len() as u64);
                assert_eq!(counts.of(Site::Biases, false)[bit], 2 * zeros.len() as u64);
            }
            assert_eq!(counts.counts[Site::Weights as usize], [0; 16]);
        }
    }
}
