//! The flip log: CSV, in read order, the same file from every engine.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use hafnia_config::flip::Flip;
use hafnia_files::WholeFile;

use crate::console::Failure;

/// A flip log that takes its place when it is finished.
pub struct FlipLog {
    path: PathBuf,
    file: WholeFile,
}

impl FlipLog {
    /// Starts a log that will be at `path`.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let begin = || {
            let mut file = WholeFile::create(path)?;
            writeln!(file, "{}", Flip::CSV_HEADER)?;
            Ok(Self { path: path.to_owned(), file })
        };
        begin().map_err(|e| failure(path, &e))
    }

    /// Adds flips.
    pub fn write(&mut self, flips: &[Flip]) -> Result<(), Failure> {
        flips.iter().try_for_each(|flip| writeln!(self.file, "{flip}")).map_err(|e| failure(&self.path, &e))
    }

    /// Puts the whole log in its place.
    pub fn finish(self) -> Result<(), Failure> {
        let Self { path, file } = self;
        file.finish().map_err(|e| failure(&path, &e))
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        format!("cannot write the flip log {}: {error}", path.display()),
        "pass a path in a folder that exists, may be written to and has space; nothing was left half written",
    )
}
