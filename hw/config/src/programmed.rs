//! What it took to program a memory of parameters with write-verify.

use serde::{Deserialize, Serialize};

/// Counts of the words of a site, see [`crate::regs::programmed_offset`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programmed {
    /// Words.
    pub words: u64,
    /// Pulses that cells got after their first one.
    pub repeated: u64,
    /// Cells that were read wrong after their last pulse.
    pub give_ups: u64,
}

impl Programmed {
    /// How many counts there are.
    pub const COUNT: usize = 3;
    /// Their names, in order.
    pub const NAMES: [&str; Self::COUNT] = ["words", "repeated", "give_ups"];

    /// Returns the counts in order.
    pub const fn values(&self) -> [u64; Self::COUNT] {
        [self.words, self.repeated, self.give_ups]
    }

    /// Returns the counts that the hardware holds.
    pub fn from_words(words: [u32; Self::COUNT]) -> Self {
        let [words, repeated, give_ups] = words.map(u64::from);
        Self { words, repeated, give_ups }
    }
}

impl std::ops::AddAssign for Programmed {
    fn add_assign(&mut self, other: Self) {
        self.words += other.words;
        self.repeated += other.repeated;
        self.give_ups += other.give_ups;
    }
}

impl std::iter::Sum for Programmed {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, counts| {
            sum += counts;
            sum
        })
    }
}
