//! Why a sweep cannot be planned, run or resumed.

use std::path::{Path, PathBuf};

use crate::{Divergence, Point};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A file or folder could not be used.
    #[error("cannot {action} {path}: {source}{}", kept(action))]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sweep file is not one.
    #[error("{path}: {reason}")]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what may stand there.
        reason: String,
    },
    /// The engine `fpga` without a board.
    #[error("the sweep has points of the engine \"fpga\" and no board; pass --port and --board")]
    NoBoard,
    /// The results would go into a file.
    #[error("{0} is a file; the results need a folder of their own")]
    NoFolder(PathBuf),
    /// A folder is not that of a sweep.
    #[error("{0} holds no `rows.csv`; pass the folder that `hafnia sweep FILE -o DIR` wrote")]
    NoSweep(PathBuf),
    /// A folder has shards and no merged rows.
    #[error("{0} holds the rows of shards alone; merge them with `hafnia sweep FILE -o {0} --resume`")]
    Unmerged(PathBuf),
    /// The folder holds rows already.
    #[error("{0} holds rows of an earlier run; go on with `--resume`, or choose another folder")]
    NotEmpty(PathBuf),
    /// The folder belongs to another plan.
    #[error(
        "{path}: `{field}` was {was} when the rows were written and is {is} now; choose another folder, or restore it"
    )]
    OtherPlan {
        /// The plan in the folder.
        path: PathBuf,
        /// What differs.
        field: String,
        /// In the folder.
        was: String,
        /// Now.
        is: String,
    },
    /// A row is damaged, other than the last one.
    #[error("{path}, line {line}: {reason}; restore the file from a copy, or start in another folder")]
    Row {
        /// The file of rows.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// More rows would go beside those of an earlier version, which have fewer columns.
    #[error(
        "{path}: its rows are of an earlier version, without the column `{lacks}`, so none can be added; `hafnia report` and \
         `hafnia export` read them as they are, what is missing goes into another folder"
    )]
    OlderRows {
        /// The file of rows.
        path: PathBuf,
        /// The first column that they do not have.
        lacks: String,
    },
    /// Two files of rows disagree.
    #[error(
        "{other} has another result than {one} for rate {ber}, seed {seed}: the machines do not compute alike, or a file is \
         of another program; move the wrong file away and go on with `--resume`"
    )]
    Conflict {
        /// The file that was read first.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// Rate of the point.
        ber: f64,
        /// Its seed.
        seed: u64,
    },
    /// Another process writes to the file of rows.
    #[error("another sweep is writing to {0}; wait for it, or choose another folder")]
    Busy(PathBuf),
    /// The simulated hardware did not give what the row was made of.
    #[error(
        "audit: rate {:e}, seed {}, images {} to {}: {}; the row was not written",
        point.ber(), point.seed(), divergence.images.start, divergence.images.end - 1, divergence.what
    )]
    Differs {
        /// The point.
        point: Box<Point>,
        /// Where and what.
        divergence: Divergence,
    },
    /// Whoever runs the sweep ended it.
    #[error("stopped after {done} of {total} points; their rows stay, go on with `--resume`")]
    Stopped {
        /// Points behind us.
        done: usize,
        /// Points of the plan.
        total: usize,
    },
    /// A folder is exported twice.
    #[error("{0} is named twice, so each of its rows would be there twice; name each folder once")]
    Twice(PathBuf),
    /// An export would destroy what it was made from.
    #[error("{0} is a file of a sweep that is exported; give the output a file of its own")]
    OwnFile(PathBuf),
    /// A program of SLURM is not there.
    #[error(
        "cannot run `{program}`: {source}; with `--slurm` SLURM's own commands must be on the PATH; without SLURM run the \
         sweep here, or one `--shard I/N` on each machine; rows that were there are untouched"
    )]
    NoSlurm {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program of SLURM refused.
    #[error("{command}: {said}; rows that were there are untouched")]
    Slurm {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// SLURM cannot be told a path.
    #[error("{0} is not UTF-8 text or has a backslash, which SLURM cannot write to; choose another folder")]
    SlurmPath(PathBuf),
    /// Tasks for the folder are in the queue.
    #[error("tasks for {folder} are in SLURM's queue as `{name}` already; wait for them with\n  {command}")]
    Queued {
        /// The folder.
        folder: PathBuf,
        /// Name of the array.
        name: String,
        /// The command that waits.
        command: String,
    },
    /// Tasks ended without their rows.
    #[error(
        "shards {shards} are incomplete: {why}. Each has a log; that of the first, {log}, ends with\n{tail}\n\
         When the cause is gone, go on with\n  {command}"
    )]
    Lost {
        /// The shards.
        shards: String,
        /// Why they are not submitted again.
        why: String,
        /// Log of the first of them.
        log: PathBuf,
        /// The end of it.
        tail: String,
        /// The command that goes on.
        command: String,
    },
    /// A network does not run on a preset.
    #[error("{model} on {preset}: {source}")]
    Schedule {
        /// Name of the network.
        model: String,
        /// Name of the preset.
        preset: String,
        /// What does not fit.
        source: hafnia_config::schedule::ScheduleError,
    },
    /// The hardware could not be simulated.
    #[error(transparent)]
    Cosim(#[from] hafnia_cosim::CosimError),
    /// The simulated hardware could not be built.
    #[error(transparent)]
    Verilate(#[from] hafnia_verilate::Error),
}

impl SweepError {
    /// Returns a closure that names what was done to which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// What a failed write left, for an error message.
fn kept(action: &str) -> &'static str {
    if matches!(action, "read" | "list" | "find") { "" } else { "; rows that were there are untouched" }
}
