//! The official binary layout: records of one label byte and 3,072 pixel bytes, 10,000 to a file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use crate::DatasetError;
use crate::images::{IMAGE_BYTES, Images};

/// Bytes of one record.
pub(crate) const RECORD_BYTES: usize = 1 + IMAGE_BYTES;

/// Checks that `path` is a file of exactly `records` records.
pub(crate) fn check_size(path: &Path, records: usize) -> Result<(), DatasetError> {
    let expected = (records * RECORD_BYTES) as u64;
    let found = match std::fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(DatasetError::MissingFile { path: path.into() });
        }
        Err(e) => return Err(DatasetError::io("read", path)(e)),
    };
    if found == expected { Ok(()) } else { Err(DatasetError::FileSize { path: path.into(), expected, found }) }
}

/// Reads the records of `range` from a file of `records` records.
pub(crate) fn read(path: &Path, records: usize, range: Range<usize>) -> Result<Images, DatasetError> {
    check_size(path, records)?;
    let mut bytes = vec![0; range.len() * RECORD_BYTES];
    let mut file = File::open(path).map_err(DatasetError::io("open", path))?;
    file.seek(SeekFrom::Start((range.start * RECORD_BYTES) as u64)).map_err(DatasetError::io("read", path))?;
    file.read_exact(&mut bytes).map_err(DatasetError::io("read", path))?;
    decode(path, range.start, &bytes)
}

/// Splits whole records into labels and pixels; `first` is the number of the first record, for messages.
pub(crate) fn decode(path: &Path, first: usize, bytes: &[u8]) -> Result<Images, DatasetError> {
    let records = bytes.chunks_exact(RECORD_BYTES);
    if !records.remainder().is_empty() {
        let expected = (records.len() * RECORD_BYTES) as u64;
        return Err(DatasetError::FileSize { path: path.into(), expected, found: bytes.len() as u64 });
    }
    let mut pixels = Vec::with_capacity(records.len() * IMAGE_BYTES);
    let mut labels = Vec::with_capacity(records.len());
    for (i, record) in records.enumerate() {
        if record[0] > 9 {
            return Err(DatasetError::Label { path: path.into(), record: first + i, found: record[0].into() });
        }
        labels.push(record[0]);
        pixels.extend_from_slice(&record[1..]);
    }
    Ok(Images::new(pixels, labels))
}
