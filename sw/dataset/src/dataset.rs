//! A data set with its two splits. Opening it looks at names and sizes; images are read when asked for.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::images::Images;
use crate::{DatasetError, binary, digits, python};

/// Records in each official batch file.
pub(crate) const BATCH_RECORDS: usize = 10_000;

const CIFAR10_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const DIGITS_CLASSES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// How the images are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `cifar-10-batches-bin`: fixed-size records.
    Binary,
    /// `cifar-10-batches-py`: pickled dictionaries.
    Python,
    /// Inside the program.
    BuiltIn,
}

/// Training or test images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Images for training and calibration.
    Train,
    /// Images for measuring accuracy.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "training",
            Self::Test => "test",
        })
    }
}

/// A data set of ten classes, its training and its test split.
#[derive(Debug)]
pub struct Dataset {
    layout: Layout,
    folder: PathBuf,
    /// Records in each batch file; 10,000 but for tests.
    batch_records: usize,
    /// The Python batch read last: decoding one takes as long as reading all of its images.
    last: Mutex<Option<(PathBuf, Arc<Images>)>>,
}

impl Dataset {
    /// Returns the built-in digits: 1,437 training and 360 test images.
    pub fn digits() -> Self {
        Self::new(Layout::BuiltIn, PathBuf::new(), 0)
    }

    /// Opens the CIFAR-10 batches in `folder`, or in `cifar-10-batches-bin` or `cifar-10-batches-py` below it.
    ///
    /// # Errors
    /// No batches there, a batch missing, or (binary layout) one of the wrong size.
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        Self::open_with(folder, BATCH_RECORDS)
    }

    pub(crate) fn open_with(folder: &Path, batch_records: usize) -> Result<Self, DatasetError> {
        let (layout, folder) = find(folder)?;
        let dataset = Self::new(layout, folder, batch_records);
        for path in dataset.all_files() {
            match layout {
                Layout::Binary => binary::check_size(&path, batch_records)?,
                _ if !path.is_file() => return Err(DatasetError::MissingFile { path }),
                _ => {}
            }
        }
        Ok(dataset)
    }

    fn new(layout: Layout, folder: PathBuf, batch_records: usize) -> Self {
        Self { layout, folder, batch_records, last: Mutex::new(None) }
    }

    /// Returns `cifar10` or `digits`.
    pub fn name(&self) -> &'static str {
        if self.layout == Layout::BuiltIn { "digits" } else { "cifar10" }
    }

    /// Returns the layout on disk.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the folder of the batch files; none for the built-in set.
    pub fn folder(&self) -> Option<&Path> {
        (self.layout != Layout::BuiltIn).then_some(self.folder.as_path())
    }

    /// Returns the names of the ten classes, in label order.
    pub fn classes(&self) -> &'static [&'static str] {
        if self.layout == Layout::BuiltIn { &DIGITS_CLASSES } else { &CIFAR10_CLASSES }
    }

    /// Returns the training split.
    pub fn train(&self) -> View<'_> {
        View { dataset: self, split: Split::Train }
    }

    /// Returns the test split.
    pub fn test(&self) -> View<'_> {
        View { dataset: self, split: Split::Test }
    }

    /// Returns the batch files of both splits.
    pub fn all_files(&self) -> Vec<PathBuf> {
        [Split::Train, Split::Test].into_iter().flat_map(|split| self.files(split)).collect()
    }

    /// The batch files of a split, in order.
    pub(crate) fn files(&self, split: Split) -> Vec<PathBuf> {
        let end = if self.layout == Layout::Binary { ".bin" } else { "" };
        match (self.layout, split) {
            (Layout::BuiltIn, _) => Vec::new(),
            (_, Split::Train) => (1..=5).map(|i| self.folder.join(format!("data_batch_{i}{end}"))).collect(),
            (_, Split::Test) => vec![self.folder.join(format!("test_batch{end}"))],
        }
    }

    fn len(&self, split: Split) -> usize {
        match (self.layout, split) {
            (Layout::BuiltIn, Split::Train) => digits::TRAIN,
            (Layout::BuiltIn, Split::Test) => digits::COUNT - digits::TRAIN,
            _ => self.files(split).len() * self.batch_records,
        }
    }

    fn read_batch(&self, path: &Path, range: Range<usize>) -> Result<Images, DatasetError> {
        if self.layout == Layout::Binary {
            return binary::read(path, self.batch_records, range);
        }
        // A poisoned lock only means that another reader panicked; the batch it holds is whole or absent.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = match &*last {
            Some((held, batch)) if held == path => batch.clone(),
            _ => Arc::new(python::read(path, self.batch_records)?),
        };
        *last = Some((path.into(), batch.clone()));
        drop(last);
        Ok(batch.select(&range.collect::<Vec<_>>()))
    }
}

/// One split of a data set.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    dataset: &'a Dataset,
    split: Split,
}

impl View<'_> {
    /// Returns which split this is.
    pub fn split(&self) -> Split {
        self.split
    }

    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.dataset.len(self.split)
    }

    /// Returns whether the split has no image; no known set has such a split.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads `count` images from number `first` on.
    ///
    /// # Errors
    /// A range past the end, or a file that cannot be read or is damaged.
    pub fn read(&self, first: usize, count: usize) -> Result<Images, DatasetError> {
        let (len, split) = (self.len(), self.split);
        let end = first.saturating_add(count);
        if end > len {
            return Err(DatasetError::Range { split, first, end, len });
        }
        if self.dataset.layout == Layout::BuiltIn {
            let offset = if split == Split::Test { digits::TRAIN } else { 0 };
            return Ok(digits::read(offset + first..offset + end));
        }
        let mut images = Images::default();
        let size = self.dataset.batch_records;
        for (i, path) in self.dataset.files(split).iter().enumerate() {
            let (start, stop) = (first.max(i * size), end.min((i + 1) * size));
            if start < stop {
                images.extend(&self.dataset.read_batch(path, start - i * size..stop - i * size)?);
            }
        }
        Ok(images)
    }

    /// Reads all images.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn all(&self) -> Result<Images, DatasetError> {
        self.read(0, self.len())
    }

    /// Reads the images with these numbers, in the order given.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn pick(&self, numbers: &[usize]) -> Result<Images, DatasetError> {
        let mut order: Vec<usize> = (0..numbers.len()).collect();
        // In file order, so that each Python batch is decoded once.
        order.sort_by_key(|&i| numbers[i]);
        let mut found = Images::default();
        for &i in &order {
            found.extend(&self.read(numbers[i], 1)?);
        }
        let mut place = vec![0; numbers.len()];
        order.iter().enumerate().for_each(|(at, &i)| place[i] = at);
        Ok(found.select(&place))
    }
}

/// The layout and folder of the batches at or below `folder`.
fn find(folder: &Path) -> Result<(Layout, PathBuf), DatasetError> {
    let below = [folder.to_path_buf(), folder.join("cifar-10-batches-bin"), folder.join("cifar-10-batches-py")];
    for path in below {
        // Any batch will do: a missing one is then named, rather than the folder called foreign.
        let holds = |end: &str| {
            (1..=5)
                .map(|i| format!("data_batch_{i}{end}"))
                .chain([format!("test_batch{end}")])
                .any(|name| path.join(name).is_file())
        };
        if holds(".bin") {
            return Ok((Layout::Binary, path));
        }
        if holds("") {
            return Ok((Layout::Python, path));
        }
    }
    Err(DatasetError::NotFound { path: folder.into() })
}
