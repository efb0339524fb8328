//! Codes, fast, by their linearity: check cells are an XOR of those of each byte of data, and what a decoder makes of a codeword
//! depends on which cells are wrong alone. [`Codec`] states the same plainly.

use hafnia_config::protect::{Codeword, Decoding};

use crate::codec::{Codec, Decoded};

/// Encodes and decodes the codewords of a site.
#[derive(Clone, Debug)]
pub struct Linear {
    codec: Codec,
    /// For each byte of data, the codeword of each value with all others 0.
    encoded: Vec<[u128; 256]>,
    /// Where the code has a syndrome: what each cell adds to it.
    columns: Vec<usize>,
    /// Data cells that have copies, where the code has copies.
    copied: u64,
}

impl Linear {
    /// Returns the codec; none for data without a code.
    pub fn new(word: &Codeword) -> Option<Self> {
        let codec = Codec::new(word)?;
        let encoded = (0..word.data_bits).step_by(8).map(|first| {
            let mut table = [0; 256];
            for value in 1..table.len() {
                let lowest = value & value.wrapping_neg();
                table[value] = match value == lowest {
                    true => codec.encode((value as u64) << first),
                    false => table[value ^ lowest] ^ table[lowest],
                };
            }
            table
        });
        let encoded = encoded.collect();
        let (mut columns, mut copied) = (Vec::new(), 0);
        match word.decoding {
            Decoding::Majority => copied = word.checks.iter().fold(0, |copied, cell| copied | cell),
            _ => columns = (0..word.cells()).map(|cell| word.column(cell) as usize).collect(),
        }
        Some(Self { codec, encoded, columns, copied })
    }

    /// Returns the codeword's description.
    pub const fn word(&self) -> &Codeword {
        self.codec.word()
    }

    /// Returns what the cells hold for `data`.
    pub fn encode(&self, data: u64) -> u128 {
        self.encoded.iter().zip(data.to_le_bytes()).fold(0, |cells, (table, byte)| cells ^ table[usize::from(byte)])
    }

    /// Returns what is read of the codeword of `data` with these cells wrong.
    pub fn decode(&self, data: u64, errors: u128) -> Decoded {
        let wrong = (errors & self.word().data_cells()) as u64;
        match self.word().decoding {
            Decoding::Plain => Decoded { data: data ^ wrong, ..Decoded::default() },
            Decoding::Parity => self.codec.check_parities(self.syndrome(errors), data ^ wrong),
            Decoding::Syndrome(on_detected) => self.codec.correct(self.syndrome(errors), data ^ wrong, on_detected),
            Decoding::Majority => self.vote(data, wrong, errors),
        }
    }

    fn syndrome(&self, errors: u128) -> usize {
        ones(errors).fold(0, |syndrome, cell| syndrome ^ self.columns[cell])
    }

    fn vote(&self, data: u64, wrong: u64, errors: u128) -> Decoded {
        let checks = &self.word().checks;
        let mut copies = [0; 2];
        for check in ones(errors >> self.word().data_bits) {
            copies[usize::from(check >= checks.len() / 2)] |= checks[check];
        }
        let ([one, other], first) = (copies, wrong & self.copied);
        let majority = first & one | first & other | one & other;
        let differ = (first | one | other) & !(first & one & other);
        let data = data ^ majority ^ wrong & !self.copied;
        Decoded { data, corrected: self.word().units_with(differ), detected: 0 }
    }
}

/// The numbers of the bits that are set.
pub(super) fn ones(mut mask: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (mask != 0).then(|| mask.trailing_zeros() as usize)?;
        mask &= mask - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use hafnia_config::protect::{Code, OnDetected};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Codewords of every code with no wrong cell to all of them, for random data.
    #[test]
    fn codewords_are_those_of_the_plain_codec() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = 0;
        for (units, bits) in [(1, 8), (2, 8), (4, 8), (8, 8), (1, 32)] {
            for on_detected in [OnDetected::Pass, OnDetected::Zero] {
                for word in Code::all().filter_map(|code| Codeword::new(code, units, bits, on_detected)) {
                    let Some(linear) = Linear::new(&word) else { continue };
                    seen += 1;
                    for share in (0..=64).map(|n| f64::from(n) / 64.0) {
                        for _ in 0..20 {
                            let data = rng.random::<u64>() & word.data_cells() as u64;
                            let wrong = (0..word.cells()).filter(|_| rng.random_bool(share));
                            let errors = wrong.fold(0, |errors, cell| errors | 1u128 << cell);
                            let stored = linear.codec.encode(data);
                            assert_eq!(linear.encode(data), stored);
                            let plain = linear.codec.decode(stored ^ errors);
                            assert_eq!(linear.decode(data, errors), plain, "{}, {errors:x} of {data:x}", word.code);
                        }
                    }
                }
            }
        }
        assert!(seen > 40, "{seen} codes");
    }
}
