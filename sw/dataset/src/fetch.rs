//! Downloads and installs a data set: partial file, checksum, unpack beside, rename. Nothing is ever half installed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::DatasetError;
use crate::download;
use crate::images::hex;

/// A `.tar.gz` archive on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Its address.
    pub url: String,
    /// Its MD5, in lower-case hexadecimal.
    pub md5: String,
    /// The one folder in it.
    pub folder: String,
    /// How long one request may send bytes. A download that has not ended by then goes on with another request.
    pub patience: Duration,
}

impl Archive {
    /// Returns the official binary archive; address and checksum as on <https://www.cs.toronto.edu/~kriz/cifar.html>.
    pub fn cifar10() -> Self {
        Self {
            url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz".into(),
            md5: "c32a1d4ab5d03f1284b67883e8d87530".into(),
            folder: "cifar-10-batches-bin".into(),
            patience: Duration::from_secs(60),
        }
    }
}

/// What [`fetch`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchStep {
    /// Receiving the archive.
    Download,
    /// Computing its checksum.
    Check,
    /// Unpacking it.
    Unpack,
}

/// How far [`fetch`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress {
    /// The step.
    pub step: FetchStep,
    /// Bytes done in this step, those of an earlier run included.
    pub done: u64,
    /// Bytes in all, when known.
    pub total: Option<u64>,
}

/// The name of the file that [`fetch`] leaves beside the batches.
pub(crate) const SOURCE_FILE: &str = "hafnia-source.json";

/// Where an installed folder came from: written after the archive's checksum was found right.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub url: String,
    pub md5: String,
    /// SHA-256 of each file, by name.
    pub files: BTreeMap<String, String>,
}

/// Downloads `archive` and unpacks it as `into/<folder>`, which it returns. A folder that is there already is left as
/// it is.
///
/// A download that was cut is kept as `<archive>.part` and gone on with by the next call.
///
/// # Errors
/// A refused or cut connection, a wrong checksum (the download is removed), a damaged archive, a full disk, or another
/// process that is downloading to the same place.
pub fn fetch(archive: &Archive, into: &Path, report: &mut dyn FnMut(FetchProgress)) -> Result<PathBuf, DatasetError> {
    let target = into.join(&archive.folder);
    if target.is_dir() {
        return Ok(target);
    }
    std::fs::create_dir_all(into).map_err(DatasetError::io("create", into))?;
    let name = archive.url.rsplit('/').next().filter(|n| !n.is_empty()).unwrap_or("archive");
    let part = into.join(format!("{name}.part"));
    let mut lock = download::open(&part)?;
    // Another process may have finished between the first look and the lock.
    if !target.is_dir() {
        download::download(archive, &part, &mut lock, report)?;
        unpack(archive, &part, into, &target, report)?;
    }
    std::fs::remove_file(&part).map_err(DatasetError::io("remove", &part))?;
    Ok(target)
}

fn unpack(
    archive: &Archive,
    part: &Path,
    into: &Path,
    target: &Path,
    report: &mut dyn FnMut(FetchProgress),
) -> Result<(), DatasetError> {
    // Beside the target, so that the rename stays on one file system; removed again if anything fails.
    let beside = tempfile::tempdir_in(into).map_err(DatasetError::io("create a folder in", into))?;
    let folder = beside.path().join(&archive.folder);
    std::fs::create_dir(&folder).map_err(DatasetError::io("create", &folder))?;
    let files = unpack_files(archive, part, &folder, report)?;
    let source = Source { url: archive.url.clone(), md5: archive.md5.clone(), files };
    let json = serde_json::to_string_pretty(&source).expect("strings always serialise");
    let path = folder.join(SOURCE_FILE);
    std::fs::write(&path, json).map_err(DatasetError::io("write", &path))?;
    std::fs::rename(&folder, target).map_err(DatasetError::io("move into place", target))
}

/// Unpacks the regular files of the archive's folder and returns their checksums. Anything else in it is passed over.
fn unpack_files(
    archive: &Archive,
    part: &Path,
    folder: &Path,
    report: &mut dyn FnMut(FetchProgress),
) -> Result<BTreeMap<String, String>, DatasetError> {
    let damaged = |e: io::Error| DatasetError::Archive { path: part.into(), reason: e.to_string() };
    let file = File::open(part).map_err(DatasetError::io("open", part))?;
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    let (mut sums, mut done) = (BTreeMap::new(), 0);
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let Some(name) = file_name(&entry.path().map_err(damaged)?, &archive.folder) else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = folder.join(&name);
        let mut out =
            Hashing { file: File::create(&path).map_err(DatasetError::io("create", &path))?, hash: Sha256::new() };
        done += io::copy(&mut entry, &mut out).map_err(DatasetError::io("unpack", &path))?;
        out.file.sync_all().map_err(DatasetError::io("write", &path))?;
        sums.insert(name, hex(&out.hash.finalize()));
        report(FetchProgress { step: FetchStep::Unpack, done, total: None });
    }
    if sums.is_empty() {
        let reason = format!("there is no file in `{}`", archive.folder);
        return Err(DatasetError::Archive { path: part.into(), reason });
    }
    Ok(sums)
}

/// The name of a file that lies directly in `folder`; none for any other path, so none leads elsewhere.
fn file_name(path: &Path, folder: &str) -> Option<String> {
    let mut parts = path.components().filter(|c| !matches!(c, Component::CurDir));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Component::Normal(f)), Some(Component::Normal(name)), None) if f == folder => {
            name.to_str().map(Into::into)
        }
        _ => None,
    }
}

struct Hashing {
    file: File,
    hash: Sha256,
}

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
