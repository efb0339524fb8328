//! Runs a tool in a folder.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

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
    /// The caller wanted no more of it.
    #[error("{program} was stopped")]
    Stopped {
        /// The program.
        program: PathBuf,
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

/// Looks on while a tool runs.
pub trait Watch {
    /// Takes a line that it printed.
    fn line(&mut self, text: &str);

    /// Returns whether the tool is to be stopped; asked several times a second.
    fn stops(&self) -> bool;
}

/// Nobody looks on.
impl Watch for () {
    fn line(&mut self, _text: &str) {}

    fn stops(&self) -> bool {
        false
    }
}

/// How often a tool that prints nothing is asked after.
const PATIENCE: Duration = Duration::from_millis(100);

/// Runs a tool in `folder` to its end.
pub(crate) fn run(program: &Path, arguments: &[String], folder: &Path, watch: &mut dyn Watch) -> Result<(), Error> {
    let start = |source| Error::Start { program: program.to_owned(), source };
    let mut command = Command::new(program);
    // Both outputs into one pipe, in the order in which they are written.
    let (output, input) = std::io::pipe().map_err(start)?;
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.stdout(input.try_clone().map_err(start)?).stderr(input);
    let mut child = command.spawn().map_err(start)?;
    // The command holds the pipe's other end open.
    drop(command);
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
        lines.try_for_each(|bytes| sender.send(String::from_utf8_lossy(&bytes).into_owned()))
    });
    let mut last = VecDeque::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(text) => {
                watch.line(&text);
                if last.len() == SHOWN_LINES {
                    last.pop_front();
                }
                last.push_back(text);
            }
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if watch.stops() {
            child.kill().and_then(|()| child.wait()).map_err(start)?;
            return Err(Error::Stopped { program: program.to_owned() });
        }
    }
    if child.wait().map_err(start)?.success() {
        return Ok(());
    }
    Err(Error::Failed { program: program.to_owned(), output: Vec::from(last).join("\n") })
}

/// Returns the words of a command line without quotes.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Reads a JSON file that a tool wrote.
pub(crate) fn report(path: &Path, wanted: &'static str) -> Result<serde_json::Value, Error> {
    let text = std::fs::read_to_string(path).ok();
    let value = text.and_then(|text| serde_json::from_str(&text).ok());
    value.ok_or_else(|| Error::Report { path: path.to_owned(), wanted })
}
