//! Why a report cannot be made.

use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A folder is not that of a sweep.
    #[error(transparent)]
    Sweep(Box<hafnia_sweep::SweepError>),
    /// A folder has no row.
    #[error("{0} has no finished row; run `hafnia sweep FILE -o {0} --resume` first")]
    Empty(PathBuf),
    /// Two folders have the same point with two results.
    #[error(
        "{one} and {other} both hold {setup} at rate {ber:e}, seed {seed}, with top-1 {first} and {second}; they come of \
         different programs or data: report on one of them"
    )]
    Conflict {
        /// The folder read first.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// Network, preset and engine.
        setup: String,
        /// Rate asked for.
        ber: f64,
        /// Run seed.
        seed: u64,
        /// Top-1 in the first folder.
        first: f64,
        /// Top-1 in the other.
        second: f64,
    },
    /// A rate to compare prices at is in no sweep.
    #[error("no setup has a row at rate {ber:e}; the rates are {known}")]
    UnknownRate {
        /// The rate.
        ber: f64,
        /// The rates that there are.
        known: String,
    },
    /// No row is of a setup that could be chosen.
    #[error(
        "no row is of a whole network under noise: all are of rate 0, or of one bit or one layer at risk; sweep rates above 0 \
         with all bits and layers at risk"
    )]
    NoQuestion,
    /// No row is of what was chosen.
    #[error("no row is of what `--model`, `--sites` and `--cells` choose; the rows are of: {known}")]
    NotAsked {
        /// What the rows are of.
        known: String,
    },
    /// There is no top-1 to compare with.
    #[error(
        "no row of {network} is of rate 0 without faults of cells, so what is lost is not known; sweep it with `ber = [0]` on the \
         same images to another folder, and name both"
    )]
    NoClean {
        /// The network and its images.
        network: String,
    },
    /// The page would be written over a file that it is made of.
    #[error("{0} belongs to a sweep that the report is made of; give the report a file of its own")]
    Input(PathBuf),
    /// A file could not be written.
    #[error("cannot write {path}: {source}; what was there is untouched")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ReportError {
    /// Returns a closure that names the file.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}
