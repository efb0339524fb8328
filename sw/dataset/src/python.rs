//! The Python layout: pickled dictionaries with `data`, a numpy `uint8` array `[N, 3072]`, and `labels`, a list of `N`.

use std::path::Path;

use crate::DatasetError;
use crate::images::{IMAGE_BYTES, Images};
use crate::pickle::{Id, Pickle, Value};

/// The largest file that is read into memory; the official batches have 31 MB.
const LARGEST: u64 = 64 << 20;

/// Reads one batch file and checks that it has `records` records.
pub(crate) fn read(path: &Path, records: usize) -> Result<Images, DatasetError> {
    let bytes = match hafnia_files::read(path, LARGEST) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(fault(path, "file size", format!("at most {LARGEST} bytes"), "more")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(DatasetError::MissingFile { path: path.into() });
        }
        Err(e) => return Err(DatasetError::io("read", path)(e)),
    };
    let images = decode(path, &bytes)?;
    if images.len() != records {
        return Err(fault(path, "`labels`", format!("{records} entries"), images.len()));
    }
    Ok(images)
}

/// Decodes the bytes of one batch file; `path` is for messages.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Images, DatasetError> {
    let pickle = Pickle::parse(bytes)
        .map_err(|f| fault(path, &format!("byte {}", f.offset), "a pickle of protocol 2 to 4", f.found))?;
    let batch = Batch { path, pickle };
    let labels = batch.labels()?;
    let pixels = batch.pixels(labels.len())?;
    Ok(Images::new(pixels, labels))
}

fn fault(path: &Path, field: &str, expected: impl ToString, found: impl ToString) -> DatasetError {
    DatasetError::Pickle {
        path: path.into(),
        field: field.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

struct Batch<'a> {
    path: &'a Path,
    pickle: Pickle<'a>,
}

impl Batch<'_> {
    fn entry(&self, key: &str) -> Result<Id, DatasetError> {
        let Value::Dict(entries) = self.pickle.get(self.pickle.root()) else {
            return Err(fault(self.path, "root", "a dictionary", "another value"));
        };
        // As in Python, the last entry of a key counts.
        let entry = entries.iter().rev().find(|(k, _)| self.pickle.is_string(*k, key));
        entry.map(|e| e.1).ok_or_else(|| fault(self.path, &format!("`{key}`"), "an entry", "none"))
    }

    fn labels(&self) -> Result<Vec<u8>, DatasetError> {
        let Some(items) = self.pickle.items(self.entry("labels")?) else {
            return Err(fault(self.path, "`labels`", "a list", "another value"));
        };
        let label = |(record, id): (usize, &Id)| match self.pickle.get(*id) {
            Value::Int(n @ 0..=9) => Ok(*n as u8),
            Value::Int(n) => Err(DatasetError::Label { path: self.path.into(), record, found: *n }),
            _ => Err(fault(self.path, &format!("label {record}"), "a number", "another value")),
        };
        items.iter().enumerate().map(label).collect()
    }

    /// The pixels `[count, 3072]`, row-major whichever way numpy stored them.
    fn pixels(&self, count: usize) -> Result<Vec<u8>, DatasetError> {
        let array = self.array(self.entry("data")?)?;
        let size = count * IMAGE_BYTES;
        if array.shape != [count as i64, IMAGE_BYTES as i64] {
            let expected = format!("shape [{count}, {IMAGE_BYTES}], one row for each label");
            return Err(fault(self.path, "`data`", expected, format!("{:?}", array.shape)));
        }
        if array.bytes.len() != size {
            return Err(fault(self.path, "`data`", format!("{size} bytes"), array.bytes.len()));
        }
        if !array.column_major {
            return Ok(array.bytes);
        }
        let transposed = (0..size).map(|i| array.bytes[i % IMAGE_BYTES * count + i / IMAGE_BYTES]);
        Ok(transposed.collect())
    }

    /// Takes apart `numpy.core.multiarray._reconstruct(..)` with the state `(version, shape, dtype, column-major,
    /// bytes)`.
    fn array(&self, id: Id) -> Result<Array, DatasetError> {
        let not_array = || fault(self.path, "`data`", "a numpy array", "another value");
        let Value::Object { callable, state: Some(state), .. } = self.pickle.get(id) else { return Err(not_array()) };
        let Value::Global(name) = self.pickle.get(*callable) else { return Err(not_array()) };
        if !matches!(name.as_str(), "numpy.core.multiarray _reconstruct" | "numpy._core.multiarray _reconstruct") {
            return Err(not_array());
        }
        let Some(&[_, shape, dtype, order, bytes]) = self.pickle.items(*state) else { return Err(not_array()) };
        if !self.is_u8(dtype) {
            return Err(fault(self.path, "`data`", "numpy type `u1` (uint8)", "another type"));
        }
        let size = |id: &Id| if let Value::Int(n) = self.pickle.get(*id) { Some(*n) } else { None };
        let shape: Option<Vec<i64>> =
            self.pickle.items(shape).filter(|s| s.len() <= 8).and_then(|s| s.iter().map(size).collect());
        Ok(Array {
            shape: shape.ok_or_else(not_array)?,
            column_major: matches!(self.pickle.get(order), Value::Bool(true)),
            bytes: self.pickle.bytes(bytes).ok_or_else(not_array)?,
        })
    }

    fn is_u8(&self, dtype: Id) -> bool {
        let Value::Object { callable, args, .. } = self.pickle.get(dtype) else { return false };
        let is_dtype = matches!(self.pickle.get(*callable), Value::Global(name) if name == "numpy dtype");
        let first = self.pickle.items(*args).and_then(|a| a.first());
        is_dtype && first.is_some_and(|&a| self.pickle.is_string(a, "u1"))
    }
}

struct Array {
    shape: Vec<i64>,
    column_major: bool,
    bytes: Vec<u8>,
}
