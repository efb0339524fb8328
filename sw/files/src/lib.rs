//! Writes files so that a name never holds half of one: beside the place, then renamed into it. Reads files of bounded size.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that takes its place when it is finished. Dropped before that, it leaves no trace.
///
/// A path that is no regular file, such as a pipe or `/dev/stdout`, is written as it stands: to rename over it would
/// destroy it. Behind a symbolic link, the file that it points to is replaced.
pub struct WholeFile {
    sink: BufWriter<Sink>,
}

enum Sink {
    Beside { file: NamedTempFile, place: PathBuf },
    Stream(File),
}

impl WholeFile {
    /// Starts a file that will be at `path`.
    ///
    /// # Errors
    /// `path` is a folder, or nothing can be written where it lies.
    pub fn create(path: &Path) -> io::Result<Self> {
        let sink = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => Sink::Stream(File::options().write(true).open(path)?),
            found => {
                let place = if found.is_ok() { path.canonicalize()? } else { path.to_owned() };
                Sink::Beside { file: temporary(&place)?, place }
            }
        };
        Ok(Self { sink: BufWriter::new(sink) })
    }

    /// Puts the whole file in its place, once it is on the disk.
    ///
    /// # Errors
    /// The rest cannot be written, or the file not be renamed; what was at the path before is still there.
    pub fn finish(self) -> io::Result<()> {
        match self.sink.into_inner().map_err(io::IntoInnerError::into_error)? {
            Sink::Stream(_) => Ok(()),
            Sink::Beside { file, place } => {
                file.as_file().sync_all()?;
                file.persist(place).map(drop).map_err(|e| e.error)
            }
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside { file, .. } => file.write(bytes),
            Self::Stream(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside { file, .. } => file.flush(),
            Self::Stream(file) => file.flush(),
        }
    }
}

/// Writes `bytes` to `path`, all or nothing.
///
/// # Errors
/// As [`WholeFile::create`] and [`WholeFile::finish`].
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Writes `bytes` to `path`, all or nothing, unless something is there; of several processes at once one writes.
///
/// # Errors
/// Nothing can be written where it lies.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => Err(e.error),
        _ => Ok(()),
    }
}

/// Whether both paths lead to one existing file: to write the one would destroy the other.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// A file `.<name>.<random>.part` beside `place`, for whoever finds it after a crash, with the rights of any new file; as a
/// rule temporary files are the owner's alone.
fn temporary(place: &Path) -> io::Result<NamedTempFile> {
    let folder = place.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(&prefix).suffix(".part").tempfile_in(folder)
}

/// Reads a file of at most `limit` bytes; none if it holds more. A device that never ends is read no further than that.
///
/// # Errors
/// The file cannot be opened or read.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// Reads a text file of at most `limit` bytes.
///
/// # Errors
/// As [`read`]; a longer file, or one that is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let bytes = read(path, limit)?.ok_or_else(|| io::Error::other(format!("it has more than {limit} bytes")))?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn unfinished_files_leave_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(&[b'x'; 100_000]).unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_finished_file_has_all_bytes_and_the_rights_of_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("a"), folder.path().join("b"));
        write(&ours, b"new").unwrap();
        fs::write(&plain, b"new").unwrap();
        assert_eq!(fs::read(&ours).unwrap(), b"new");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn a_new_file_takes_the_place_of_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for bytes in ["first", "second"] {
            write_new(&path, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        }
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(write_new(&path.join("b"), b"x").unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(same_file(&link, &file) && !same_file(&link, &folder.path().join("no")));
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_pipe_is_written_and_stays_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, b"new").unwrap();
        assert_eq!(reader.join().unwrap(), b"new");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(names(folder.path()), ["pipe"]);
    }

    #[test]
    fn no_more_is_read_than_allowed() {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), "12345").unwrap();
        assert_eq!(read(file.path(), 5).unwrap().as_deref(), Some(&b"12345"[..]));
        assert_eq!(read(file.path(), 4).unwrap(), None);
        assert_eq!(read(Path::new("/dev/zero"), 1 << 20).unwrap(), None);
        assert!(read_text(file.path(), 4).unwrap_err().to_string().contains("more than 4 bytes"));
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path(), b"new").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
