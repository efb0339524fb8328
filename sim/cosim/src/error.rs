//! Why hardware and golden model could not be run.

use std::path::PathBuf;

use hafnia_driver::DriverError;
use hafnia_driver::transport::serial::SerialError;

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
    /// A serial port cannot be opened.
    #[error(
        "cannot open the serial port {port}: {reason}; no other program may hold it, `ls /dev/ttyUSB* /dev/ttyACM*` lists those of boards \
         that are plugged in, and where the permission is missing, `sudo usermod -aG dialout $USER` and a new login give it"
    )]
    Port {
        /// The port.
        port: String,
        /// What the system said.
        reason: String,
    },
    /// No session could be opened with the board at a port.
    #[error("{port} at {baud} bit/s: {source}")]
    Session {
        /// The port.
        port: String,
        /// Its rate.
        baud: u32,
        /// What went wrong.
        source: SerialError,
    },
    /// Another board is at the port.
    #[error("the board at {port} is `{got}`, not `{want}`; pass `--board {got}`, or the port of the other")]
    OtherBoard {
        /// The port.
        port: String,
        /// Name of the board, or the hash of an unknown one.
        got: String,
        /// Name of the board that was asked for.
        want: String,
    },
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
