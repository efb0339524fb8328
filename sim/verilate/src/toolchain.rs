//! The Verilator and the C++ compiler that builds use.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::process;

/// What to do when Verilator is not there.
pub(crate) const GET_VERILATOR: &str =
    "Run `scripts/setup`, or `apt-get install verilator`, or set VERILATOR_ROOT to your own build";
/// What to do when there is no C++ compiler.
pub(crate) const GET_COMPILER: &str = "Run `scripts/setup`, or `apt-get install g++`, or set CXX to your compiler";

/// Paths and versions; everything in it is part of the cache key.
pub(crate) struct Toolchain {
    pub verilator: PathBuf,
    pub verilator_version: String,
    pub include: PathBuf,
    pub compiler: PathBuf,
    pub compiler_version: String,
}

impl Toolchain {
    /// Finds both tools. `VERILATOR_ROOT` and `CXX` are honoured.
    pub(crate) fn find() -> Result<Self, Error> {
        let verilator = verilator_program();
        let compiler = compiler_program();
        let ask = |program: &Path, arguments: &[&str], how| {
            process::run(Command::new(program).args(arguments), how, None).map(|text| first_line(&text))
        };
        let verilator_version = ask(&verilator, &["--version"], GET_VERILATOR)?;
        let root = ask(&verilator, &["--getenv", "VERILATOR_ROOT"], GET_VERILATOR)?;
        let compiler_version = ask(&compiler, &["--version"], GET_COMPILER)?;
        let include = PathBuf::from(root).join("include");
        Ok(Toolchain { verilator, verilator_version, include, compiler, compiler_version })
    }
}

/// `$VERILATOR_ROOT/bin/verilator` when it is there, else the `verilator` on the path.
pub(crate) fn verilator_program() -> PathBuf {
    let own = std::env::var_os("VERILATOR_ROOT").map(|root| PathBuf::from(root).join("bin/verilator"));
    own.filter(|program| program.is_file()).unwrap_or_else(|| PathBuf::from("verilator"))
}

/// `$CXX`, else `g++`.
pub(crate) fn compiler_program() -> PathBuf {
    std::env::var_os("CXX").filter(|name| !name.is_empty()).map_or_else(|| PathBuf::from("g++"), PathBuf::from)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
