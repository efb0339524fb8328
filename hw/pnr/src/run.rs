//! Runs a tool in a folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How many of the last lines of a tool's output an error shows.
const SHOWN_LINES: usize = 12;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tool could not be started.
    #[error("cannot run {program}: {source}; `hafnia doctor` tells where tools are and how to get them")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The tool ended with a failure.
    #[error("{program} failed:\n{output}")]
    Failed {
        /// The program.
        program: PathBuf,
        /// The end of what it printed.
        output: String,
    },
    /// A file that the tool wrote cannot be read or lacks what is wanted.
    #[error("{path} does not tell {wanted}; the tool may be of another version than `scripts/setup --ecp5` installs")]
    Report {
        /// The file.
        path: PathBuf,
        /// What it should tell.
        wanted: &'static str,
    },
}

/// Runs a tool in `folder` to its end.
pub(crate) fn run(program: &Path, arguments: &[String], folder: &Path) -> Result<(), Error> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let output = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(Error::Failed { program: program.to_owned(), output })
}

/// Reads a JSON file that a tool wrote.
pub(crate) fn report(path: &Path, wanted: &'static str) -> Result<serde_json::Value, Error> {
    let text = std::fs::read_to_string(path).ok();
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    value.ok_or_else(|| Error::Report { path: path.to_owned(), wanted })
}
