//! The scrubber: it walks the weights word by word while layers run, and has what the code corrects written back.

use serde::{Deserialize, Serialize};

/// The epoch of the draws of its first walk, Eqs. (16) and (18) of `docs/fault-model.md`: no programming has as many pulses.
pub const FIRST_EPOCH: u32 = 256;

/// The word that is scrubbed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its address, which is its place in the model's image.
    pub address: u32,
    /// The epoch of its draws, which names the walk.
    pub epoch: u32,
}

impl Default for Place {
    fn default() -> Self {
        Self { address: 0, epoch: FIRST_EPOCH }
    }
}

impl Place {
    /// Returns the place after this one, in a memory of which `words` hold weights.
    #[must_use]
    pub const fn next(self, words: u32) -> Self {
        let Self { address, epoch } = self;
        if address + 1 == words {
            Self { address: 0, epoch: epoch.wrapping_add(1) }
        } else {
            Self { address: address + 1, epoch }
        }
    }
}

/// What scrubbing took, see the registers SCRUB_WORDS and on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Words read.
    pub words: u64,
    /// Units (codewords of secded, weights of the other codes) in which the decoder corrected errors.
    pub corrected: u64,
    /// Units in which it detected errors that it did not correct.
    pub detected: u64,
    /// Pulses that cells got.
    pub pulses: u64,
}

impl Scrubbed {
    /// How many counts there are.
    pub const COUNT: usize = 4;
    /// Their names, in order.
    pub const NAMES: [&str; Self::COUNT] = ["words", "corrected", "detected", "pulses"];

    /// Returns the counts in order.
    pub const fn values(&self) -> [u64; Self::COUNT] {
        [self.words, self.corrected, self.detected, self.pulses]
    }

    /// Returns the counts that the hardware holds.
    pub fn from_words(words: [u32; Self::COUNT]) -> Self {
        let [words, corrected, detected, pulses] = words.map(u64::from);
        Self { words, corrected, detected, pulses }
    }
}

impl std::ops::AddAssign for Scrubbed {
    fn add_assign(&mut self, other: Self) {
        self.words += other.words;
        self.corrected += other.corrected;
        self.detected += other.detected;
        self.pulses += other.pulses;
    }
}
