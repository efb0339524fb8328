//! Bit-error rates by direction, and those that cannot be had.

use serde::{Deserialize, Serialize};

use super::{Kind, Site};

/// Probabilities that a read of a cell gives the other value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// A stored 0 is read as 1.
    pub p01: f64,
    /// A stored 1 is read as 0.
    pub p10: f64,
}

impl Rates {
    /// Returns the higher of the two.
    pub fn higher(self) -> f64 {
        self.p01.max(self.p10)
    }

    /// Returns the lower of the two.
    pub fn lower(self) -> f64 {
        self.p01.min(self.p10)
    }

    /// Whether both directions have one rate.
    pub fn is_even(self) -> bool {
        self.p01 == self.p10
    }
}

/// One rate for both directions.
impl From<f64> for Rates {
    fn from(p: f64) -> Self {
        Self { p01: p, p10: p }
    }
}

/// A bit-error rate that cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// It is no probability.
    #[error("bit-error rate {0} is outside [0, 1]; write a probability such as 1e-4")]
    NoProbability(f64),
    /// The thresholds of 32 bits would miss it by more than 1%.
    #[error(
        "bit-error rate {rate:e} is too low for codewords of {cells} cells: the thresholds have 32 bits and would miss \
         it by more than 1%; the least is {least:.1e}, or 0 for none"
    )]
    TooLow {
        /// The rate asked for.
        rate: f64,
        /// Cells of a codeword.
        cells: u32,
        /// The least rate.
        least: f64,
    },
    /// The lower of two rates is so far below the higher that the thresholds would miss it by more than 1%.
    #[error(
        "bit-error rate {lower:e} is too far below that of the other direction, {higher:e}: the thresholds have 32 bits and \
         would miss it by more than 1%; the least beside it is {least:.1e}, or 0 for none"
    )]
    TooUneven {
        /// The lower rate.
        lower: f64,
        /// The higher rate.
        higher: f64,
        /// The least lower rate.
        least: f64,
    },
    /// The configuration has no injector of the kind at the site.
    #[error(
        "configuration `{config}` leaves faults of kind `{kind}` of {site} out of the hardware, so none can be injected \
         there; put \"{kind}\" into `injector.{site}`, or take {site} from the sites at risk"
    )]
    NoInjector {
        /// The configuration.
        config: String,
        /// The kind.
        kind: Kind,
        /// The site.
        site: Site,
    },
    /// Writes are to be verified, and the hardware has nothing that does.
    #[error(
        "configuration `{config}` has no write-verify, so `max_pulses` has no effect there; set `protection.write_verify = true`, \
         or leave `max_pulses` out"
    )]
    NoWriteVerify {
        /// The configuration.
        config: String,
    },
    /// Weights are to be scrubbed where they cannot be.
    #[error("`scrub_period`: configuration `{config}` {reason}, or leave `scrub_period` out")]
    NoScrub {
        /// The configuration.
        config: String,
        /// What it does not do, and what to do about it.
        reason: &'static str,
    },
}
