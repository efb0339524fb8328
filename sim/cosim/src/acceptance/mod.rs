//! Acceptance of the read noise's draws: do cells flip at the requested rate, each flip independent of all others?
//!
//! A [`Source`] shows the flips of codewords, stream by stream; golden model, generated hardware and a generator that is known
//! to be bad are the same to the suite. Every statistic asks how likely a right generator gives a result as far from what
//! is expected, by exact tails of the binomial law where counts are small, so that rates from 0.5 to 1e-6 meet one bound.
//! `docs/fault-model.md` says what each statistic looks at and what the bounds add up to.

mod gaps;
mod golden;
mod hits;
mod pairs;
mod rtl;
mod single_step;
mod source;
mod starts;
mod tail;
mod tally;
mod together;

use rayon::prelude::*;

use crate::CosimError;
pub use golden::GoldenDraws;
pub use rtl::{RtlDraws, lane_design};
pub use single_step::SingleStep;
pub use source::{Hit, Shape, Source};
use tally::{STREAMS, Setting, Tally, WORDS};

/// How a run is made. The same suite gives the same verdict on the same source.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// Seed of the first streams; those after it are used too.
    pub seed: u64,
    /// Settings (source and rate) of the run: `hits` and `gaps` are bounded over all of them together.
    pub settings: usize,
    /// Least cell draws.
    pub draws: u64,
    /// Least flips that the rate lets expect: a low rate gets more draws.
    pub flips: u64,
    /// Streams whose starts are compared.
    pub starts: u32,
}

/// What the suite found of a source at its rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Name of the source.
    pub source: &'static str,
    /// Rate that was asked for.
    pub rate: f64,
    /// Cells drawn.
    pub draws: u64,
    /// Cells flipped.
    pub flips: u64,
    /// One entry for each statistic that has something to look at.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Returns whether every statistic is within its bound.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }

    /// Returns the statistics that are not.
    pub fn failed(&self) -> Vec<&'static str> {
        self.checks.iter().filter(|check| !check.passed()).map(|check| check.statistic).collect()
    }
}

/// The worst that one statistic found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Name of the statistic.
    pub statistic: &'static str,
    /// Things that it looked at, of which the worst is shown.
    pub looked_at: usize,
    /// What the worst is.
    pub worst: String,
    /// How bad the worst is.
    pub value: f64,
    /// What the value may be at most, or for a probability at least.
    pub bound: f64,
    /// Unit of value and bound.
    pub unit: Unit,
}

impl Check {
    /// Returns whether the worst is within its bound.
    pub fn passed(&self) -> bool {
        match self.unit {
            Unit::Probability => self.value >= self.bound,
            Unit::Sigma | Unit::Repeats => self.value <= self.bound,
        }
    }

    /// Shares an error probability among all that a statistic looks at in a run (Bonferroni): a right generator fails
    /// it in no more than that share of all runs, whether what is looked at is independent or not.
    fn shared(statistic: &'static str, looked_at: usize, (value, worst): (f64, String), error: f64) -> Self {
        Self { statistic, looked_at, worst, value, bound: error / looked_at as f64, unit: Unit::Probability }
    }
}

/// How a count is shown beside what is expected.
fn of(count: u64, expected: f64) -> String {
    if expected < 0.1 { format!("{count} of {expected:.0e}") } else { format!("{count} of {expected:.1}") }
}

/// What a statistic is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Probability of a result as far out, on either side.
    Probability,
    /// The same, as standard deviations of a normal law.
    Sigma,
    /// Things that are alike.
    Repeats,
}

impl Unit {
    /// Returns its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Probability => "probability",
            Unit::Sigma => "sigma",
            Unit::Repeats => "repeats",
        }
    }
}

impl Suite {
    /// Returns the suite of a source in software: 10,000 flips at any rate, and the starts of a million generators on two lanes
    /// of 64 cells.
    pub const fn of_software(seed: u64, settings: usize, draws: u64) -> Self {
        Self { seed, settings, draws, flips: 10_000, starts: 1 << 13 }
    }

    /// Returns the suite of simulated hardware, which draws the same as the golden model at a higher price.
    pub const fn of_hardware(seed: u64, settings: usize, draws: u64) -> Self {
        Self { seed, settings, draws, flips: 0, starts: 1 << 8 }
    }

    /// Judges a source.
    ///
    /// # Errors
    /// If the source fails.
    pub fn judge(&self, source: &dyn Source) -> Result<Verdict, CosimError> {
        let (shape, rate) = (source.shape(), source.rate());
        let draws = self.draws.max((self.flips as f64 / rate).ceil() as u64);
        let blocks = draws.div_ceil(STREAMS * u64::from(WORDS) * shape.cells_of_all_lanes()) as u32;
        let setting = Setting { shape, rate, blocks };
        let empty = || Ok(Tally::new(&setting));
        let add = |tally: Result<Tally, CosimError>, block: u32| {
            let mut tally = tally?;
            tally.add(source, self.seed, block)?;
            Ok(tally)
        };
        // Rayon keeps the order of the blocks, and every count is an integer: threads change no result.
        let tally = (0..blocks).into_par_iter().fold(empty, add).reduce(empty, |one, next| Ok(one?.then(next?)))?;
        let mut checks = tally.checks(&setting, self.settings);
        checks.push(starts::check(source, self.seed, self.starts)?);
        Ok(Verdict { source: source.name(), rate, draws: setting.draws(), flips: tally.flips(), checks })
    }
}
