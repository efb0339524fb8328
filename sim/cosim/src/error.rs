//! Why hardware and golden model could not be run.

use std::path::PathBuf;

use hafnia_driver::DriverError;

/// An error of this crate. A difference between hardware and golden model is none: it is a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CosimError {
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The simulation failed.
    #[error(transparent)]
    Verilate(#[from] hafnia_verilate::Error),
    /// The run ended before the waveform's window began.
    #[error(
        "the run took {cycles} cycles, and the window of {path} begins at cycle {from}: the file is empty; choose an \
         earlier `--wave-window`"
    )]
    WindowMissed {
        /// The waveform file.
        path: PathBuf,
        /// First cycle of the window.
        from: u64,
        /// Cycles of the run.
        cycles: u64,
    },
    /// The waveform window could not be read back.
    #[error("cannot read the waveform {path}: {reason}")]
    Waveform {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
