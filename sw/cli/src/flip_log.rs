//! The flip log: CSV, in read order, the same file from every engine.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hafnia_config::flip::Flip;

use crate::console::Failure;

/// A flip log that is being written beside its place.
pub struct FlipLog {
    path: PathBuf,
    file: std::io::BufWriter<tempfile::NamedTempFile>,
}

impl FlipLog {
    /// Starts a log that will be at `path`.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |e: std::io::Error| failure(path, &e);
        // A temporary file would be the owner's alone.
        let mode = std::fs::Permissions::from_mode(0o644);
        let file = tempfile::Builder::new().permissions(mode).tempfile_in(folder).map_err(failed)?;
        let mut file = std::io::BufWriter::new(file);
        writeln!(file, "{}", Flip::CSV_HEADER).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds flips.
    pub fn write(&mut self, flips: &[Flip]) -> Result<(), Failure> {
        flips.iter().try_for_each(|flip| writeln!(self.file, "{flip}")).map_err(|e| failure(&self.path, &e))
    }

    /// Puts the whole log in its place.
    pub fn finish(self) -> Result<(), Failure> {
        let Self { path, file } = self;
        let file = file.into_inner().map_err(|e| failure(&path, e.error()))?;
        file.persist(&path).map(drop).map_err(|e| failure(&path, &e.error))
    }
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("cannot write the flip log {}: {error}", path.display()),
        "pass a path in a folder that exists, may be written to and has space; nothing was left half written",
    )
}
