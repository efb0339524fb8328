//! Every way in which reading or fetching images can fail, each with the next step.

use std::path::{Path, PathBuf};

use crate::Split;

/// Why images could not be read, checked or fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// No data set was named, and none is installed.
    #[error(
        "no data set found: `{cache}` is empty; run `hafnia data fetch`, pass `--data DIR`, \
         or use the built-in set with `--data digits`"
    )]
    NoData {
        /// The per-user cache folder that was looked into.
        cache: PathBuf,
    },
    /// The folder holds no CIFAR-10 batches.
    #[error(
        "`{path}` holds no CIFAR-10 batches: expected `data_batch_1.bin` (binary layout) or `data_batch_1` \
         (Python layout) there, or in `cifar-10-batches-bin` or `cifar-10-batches-py` below; \
         pass the folder that holds them, or `--data digits`"
    )]
    NotFound {
        /// The folder.
        path: PathBuf,
    },
    /// One of the batch files is missing.
    #[error("`{path}` is missing: the set is five training batches and one test batch; unpack the archive again")]
    MissingFile {
        /// The missing file.
        path: PathBuf,
    },
    /// A batch file has the wrong size.
    #[error(
        "`{path}`: file size is {found} bytes, expected {expected}; the copy is incomplete or is not CIFAR-10, \
         unpack it again"
    )]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A label is outside the classes.
    #[error("`{path}`: label of record {record} is {found}, expected 0 to 9; the file is damaged or is not CIFAR-10")]
    Label {
        /// The file.
        path: PathBuf,
        /// Record number, from 0.
        record: usize,
        /// The label found.
        found: i64,
    },
    /// A Python batch does not hold what it should.
    #[error("`{path}`: {field}: expected {expected}, found {found}; the file is damaged or is not a CIFAR-10 batch")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The entry or opcode at fault.
        field: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Images past the end of a split were asked for.
    #[error(
        "images {first}..{end} are past the end of the {split} split, which has {len}; \
         {}",
        within(*first, *len)
    )]
    Range {
        /// The split.
        split: Split,
        /// First image asked for.
        first: usize,
        /// One past the last image asked for.
        end: usize,
        /// Images in the split.
        len: usize,
    },
    /// The per-user cache folder is unknown.
    #[error(
        "the per-user cache folder is unknown because no home directory is set; pass `--data DIR` or set `HAFNIA_DATA`"
    )]
    NoCache,
    /// Another process is downloading to the same place.
    #[error("another download is writing `{path}`; wait for it to end, then run this again")]
    Busy {
        /// The partial download.
        path: PathBuf,
    },
    /// The server could not be reached, or refused.
    #[error(
        "download of {url} failed: {reason}; check the connection or fetch the file by hand and unpack it into \
         the data folder"
    )]
    Http {
        /// The address.
        url: String,
        /// What the client reported.
        reason: String,
    },
    /// The connection ended before the whole file had arrived.
    #[error(
        "the connection to {url} ended after {got} of {expected} bytes; `{path}` is kept, run this again to go on \
         from there"
    )]
    Cut {
        /// The address.
        url: String,
        /// The partial download.
        path: PathBuf,
        /// Bytes so far.
        got: u64,
        /// Bytes in all.
        expected: u64,
    },
    /// The downloaded archive is not the one expected.
    #[error(
        "checksum of {url}: expected md5 {expected}, found {found}; the download was removed, run this again \
         (if it repeats, the server does not hold the official archive)"
    )]
    Checksum {
        /// The address.
        url: String,
        /// Published checksum.
        expected: String,
        /// Checksum of what arrived.
        found: String,
    },
    /// The archive could not be unpacked.
    #[error("`{path}`: {reason}; the archive was kept, nothing was installed")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("could not {action} `{path}`: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl DatasetError {
    /// Returns a closure that wraps an I/O error with what was being done to which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// What may be asked for instead of a range that begins with `first`.
fn within(first: usize, len: usize) -> String {
    match len.checked_sub(first) {
        Some(left @ 1..) => format!("ask for at most {left} from {first}"),
        _ => format!("the last image is {}", len.saturating_sub(1)),
    }
}
