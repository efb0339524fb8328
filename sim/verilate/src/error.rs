//! Everything that can go wrong between Verilog text and a running model.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate. Each message ends with what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error("`{tool}` was not found. {how_to_get}")]
    ToolMissing {
        /// Program name.
        tool: String,
        /// Where it comes from.
        how_to_get: &'static str,
    },
    /// Verilator refused the design.
    #[error("Verilator refuses `{top}`:\n{message}{log}")]
    Lint {
        /// Top module.
        top: String,
        /// The first errors and warnings.
        message: String,
        /// Where the whole output is.
        log: LogPath,
    },
    /// A tool ended with a failure.
    #[error("`{tool}` failed:\n{message}{log}")]
    ToolFailed {
        /// Program name.
        tool: String,
        /// The first lines of its output.
        message: String,
        /// Where the whole output is.
        log: LogPath,
    },
    /// No space left while building.
    #[error(
        "no space left for {path}. Free some space, or set HAFNIA_BUILD to a folder on another disk; nothing was left half written"
    )]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// A file or folder could not be used.
    #[error(
        "cannot {action} {path}: {source}. Check its permissions, or set HAFNIA_BUILD to a folder you can write to"
    )]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The list of ports does not fit the shim.
    #[error("the port list of `{top}` is wrong: {detail}. It must describe the ports of the generated top module")]
    Ports {
        /// Top module.
        top: String,
        /// Which port and why.
        detail: String,
    },
    /// A lint rule that always shows a wrong circuit was to be waived.
    #[error("`{top}` waives the lint rule {rule}, which is never waived. Fix the circuit instead")]
    WaiverRefused {
        /// Top module.
        top: String,
        /// Rule name.
        rule: &'static str,
    },
    /// A library that was just built cannot be opened.
    #[error("cannot load {path}: {reason}. Remove that folder and try again; see the build log in it")]
    Load {
        /// The shared library.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A port that the design does not have, or that points the other way.
    #[error("`{top}` has no {direction} port `{port}`")]
    UnknownPort {
        /// Top module.
        top: String,
        /// Wanted name.
        port: String,
        /// `input` or `top-level`.
        direction: &'static str,
    },
    /// A value that does not fit its port.
    #[error("the value for port `{port}` of {width_bits} bits has {words} words or too many bits")]
    PortValue {
        /// Port name.
        port: String,
        /// Port width.
        width_bits: u32,
        /// Words given.
        words: usize,
    },
    /// The design lacks the ports for a call.
    #[error("`{top}` has no {interface}, which this call needs")]
    NoInterface {
        /// Top module.
        top: String,
        /// Which ports.
        interface: &'static str,
    },
    /// The weight stream is not a whole number of stream words.
    #[error("a weight stream of {words} words of 32 bits is not a multiple of the {piece} that one transfer takes")]
    StreamLength {
        /// Words given.
        words: usize,
        /// Words of one transfer.
        piece: usize,
    },
    /// The bus answered with an error.
    #[error(
        "bus error at word address {address:#08x} in cycle {cycle} ({access}). Compare the address with registers.md"
    )]
    Bus {
        /// Failing word address.
        address: u32,
        /// `read` or `write`.
        access: &'static str,
        /// Cycle in which the burst ended.
        cycle: u64,
    },
    /// The bus did not answer.
    #[error(
        "no answer from the bus at word address {address:#08x} for {waited} cycles, until cycle {cycle} ({access}). \
         Trace the cycles before it to see which handshake stopped"
    )]
    BusTimeout {
        /// Word address of the oldest unanswered access.
        address: u32,
        /// `read` or `write`.
        access: &'static str,
        /// Cycles without progress.
        waited: u64,
        /// Cycle in which the burst was given up.
        cycle: u64,
    },
    /// The bus acknowledged more than was asked of it.
    #[error("the bus acknowledged an access that was never made, before word address {address:#08x}, in cycle {cycle}")]
    BusProtocol {
        /// Next word address.
        address: u32,
        /// Cycle.
        cycle: u64,
    },
    /// A burst that leaves the address space of the bus.
    #[error("a burst of {words} words at word address {address:#08x} leaves the address space of {bits} bits")]
    BusRange {
        /// First word address.
        address: u32,
        /// Burst length.
        words: usize,
        /// Width of the address port.
        bits: u32,
    },
    /// The model itself gave up: `$finish`, `$stop`, or logic that does not settle.
    #[error("the simulated design stopped in cycle {cycle}: {message}")]
    Model {
        /// What the model said.
        message: String,
        /// When.
        cycle: u64,
    },
    /// The Verilog is spread over several files.
    #[error("the Verilog of `{top}` includes another file, whose changes would go unseen; put all of it into one file")]
    Included {
        /// Top module.
        top: String,
    },
    /// The waveform could not be written.
    #[error("cannot write the waveform {path}: {reason}; pass a path in a folder that exists, and has space")]
    Waveform {
        /// Waveform file.
        path: PathBuf,
        /// What the system or the simulator said.
        reason: String,
    },
    /// A waveform was asked of a library that cannot write it.
    #[error(
        "cannot trace to {path}: the library was built for {built}. Build the variant `Variant::tracing` of this file"
    )]
    TraceVariant {
        /// Waveform file.
        path: PathBuf,
        /// Which format the library writes.
        built: &'static str,
    },
}

/// Where the whole output of a failed tool is, when it could be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPath(pub Option<PathBuf>);

impl std::fmt::Display for LogPath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(path) => write!(formatter, "\nThe whole output is in {}", path.display()),
            None => Ok(()),
        }
    }
}

impl Error {
    /// Names the file of an I/O error, and tells a full disk from the rest.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.to_path_buf();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Error::DiskFull { path },
            _ => Error::Io { action, path, source },
        }
    }
}
