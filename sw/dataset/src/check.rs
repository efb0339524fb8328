//! Checks every byte of an installed data set that can be checked, and says whether it is the official one.

use std::path::{Path, PathBuf};

use md5::Md5;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::dataset::BATCH_RECORDS;
use crate::fetch::{Archive, SOURCE_FILE, Source};
use crate::images::hex;
use crate::{Dataset, DatasetError, Layout, Split, binary, python};

/// Published MD5 of the Python batches (torchvision, `datasets/cifar.py`). The binary batches have none: only their
/// archive has.
const PYTHON_MD5: [(&str, &str); 6] = [
    ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
    ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
    ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
    ("data_batch_4", "634d18415352ddfa80567beed471001a"),
    ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    ("test_batch", "40351d587109b95175f43aff81a1287e"),
];

/// Whether files are those that the authors of CIFAR-10 published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Equal to the published checksum (Python layout), or to what was unpacked from the archive with the published
    /// checksum (binary layout, installed by `hafnia data fetch`).
    Official,
    /// Not equal to it. Accuracies may differ from published ones.
    Different,
    /// Nothing to compare with: a binary layout that `hafnia data fetch` did not install.
    Unknown,
    /// The set inside the program.
    BuiltIn,
}

/// What was found in one batch file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileCheck {
    /// File name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Records of each class, by label.
    pub class_counts: [u32; 10],
    /// Whether it is the official file.
    pub origin: Origin,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// What was found in a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// `cifar10` or `digits`.
    pub name: &'static str,
    /// Layout on disk.
    pub layout: Layout,
    /// Folder of the batch files; none for the built-in set.
    pub folder: Option<PathBuf>,
    /// Training images.
    pub train_images: usize,
    /// Test images.
    pub test_images: usize,
    /// SHA-256 of the test records, the same in either layout.
    pub test_sha256: Option<String>,
    /// Each batch file.
    pub files: Vec<FileCheck>,
    /// Official only if every file is.
    pub origin: Origin,
}

impl CheckReport {
    /// Returns whether no problem was found.
    pub fn is_ok(&self) -> bool {
        self.files.iter().all(|f| f.problem.is_none())
    }
}

/// Reads every file of `dataset` and reports sizes, labels, checksums and origin. A damaged file is a
/// [`FileCheck::problem`], so that one run names them all; a missing one, or a binary one of the wrong size, was
/// refused when the data set was opened.
///
/// # Errors
/// Only when files cannot be read at all.
pub fn check(dataset: &Dataset) -> Result<CheckReport, DatasetError> {
    let source = dataset.folder().and_then(official_source);
    let mut files = Vec::new();
    for path in dataset.files(Split::Train).iter().chain(&dataset.files(Split::Test)) {
        files.push(check_file(dataset.layout(), path, source.as_ref())?);
    }
    let ok = files.iter().all(|f| f.problem.is_none());
    Ok(CheckReport {
        name: dataset.name(),
        layout: dataset.layout(),
        folder: dataset.folder().map(Into::into),
        train_images: dataset.train().len(),
        test_images: dataset.test().len(),
        test_sha256: if ok { Some(dataset.test().all()?.sha256()) } else { None },
        origin: overall(&files),
        files,
    })
}

fn overall(files: &[FileCheck]) -> Origin {
    let has = |origin| files.iter().any(|f| f.origin == origin);
    match () {
        () if files.is_empty() => Origin::BuiltIn,
        () if has(Origin::Different) => Origin::Different,
        () if has(Origin::Unknown) => Origin::Unknown,
        () => Origin::Official,
    }
}

/// The record left by a fetch of the official archive; none if there is none, or it is of another archive.
fn official_source(folder: &Path) -> Option<Source> {
    let text = std::fs::read(folder.join(SOURCE_FILE)).ok()?;
    let source: Source = serde_json::from_slice(&text).ok()?;
    (source.md5 == Archive::cifar10().md5).then_some(source)
}

fn check_file(layout: Layout, path: &Path, source: Option<&Source>) -> Result<FileCheck, DatasetError> {
    let bytes = std::fs::read(path).map_err(DatasetError::io("read", path))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let sha256 = hex(&Sha256::digest(&bytes));
    let decoded = match layout {
        Layout::Python => python::read(path, BATCH_RECORDS),
        _ => binary::check_size(path, BATCH_RECORDS).and_then(|()| binary::decode(path, 0, &bytes)),
    };
    let mut class_counts = [0; 10];
    if let Ok(images) = &decoded {
        images.labels().iter().for_each(|&l| class_counts[usize::from(l)] += 1);
    }
    let origin = match layout {
        Layout::Python => python_origin(&name, &bytes),
        _ => source.map_or(Origin::Unknown, |s| same(s.files.get(&name) == Some(&sha256))),
    };
    let problem = decoded.err().map(|e| e.to_string());
    Ok(FileCheck { name, bytes: bytes.len() as u64, sha256, class_counts, origin, problem })
}

fn python_origin(name: &str, bytes: &[u8]) -> Origin {
    let found = hex(&Md5::digest(bytes));
    same(PYTHON_MD5.iter().any(|&(n, md5)| n == name && md5 == found))
}

fn same(equal: bool) -> Origin {
    if equal { Origin::Official } else { Origin::Different }
}
