//! The lines of a file of rows. Each ends with the CRC-32 of what stands before it, so a line that a crash cut off is known.

use std::path::Path;

use crate::{Row, SweepError};

/// Returns the fields of a row as CSV, without the end of the line.
pub(crate) fn fields(row: &Row, header: bool) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    writer.serialize(row).expect("a row is plain data");
    let text = String::from_utf8(writer.into_inner().expect("memory can be written")).expect("CSV of text is text");
    text.trim_end().to_owned()
}

/// Returns the names of the columns that a row has, as CSV.
pub(crate) fn columns() -> String {
    fields(&Row::default(), true).lines().next().unwrap_or_default().to_owned()
}

/// Returns the first line.
pub(crate) fn header() -> String {
    columns() + ",crc32\n"
}

/// Returns the line of a row.
pub(crate) fn line(row: &Row) -> String {
    let fields = fields(row, false);
    format!("{fields},{:08x}\n", crc32fast::hash(fields.as_bytes()))
}

/// Reads the rows of a file and returns them with the number of bytes of whole lines. A last line that is not whole is
/// left out; any other is an error.
pub(crate) fn whole_rows(path: &Path, text: &str) -> Result<(Vec<Row>, u64), SweepError> {
    let damaged = |line: usize, reason: String| SweepError::Row { path: path.to_owned(), line, reason };
    let (mut rows, mut length) = (Vec::new(), 0);
    let count = text.split_inclusive('\n').count();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let row = if i == 0 {
            if line == header() {
                Ok(None)
            } else {
                Err("it is not the header that this version gives a sweep's rows".to_owned())
            }
        } else {
            row(line).map(Some)
        };
        match row {
            Ok(row) => rows.extend(row),
            Err(_) if i + 1 == count && !line.ends_with('\n') => break,
            Err(reason) => return Err(damaged(i + 1, reason)),
        }
        length += line.len() as u64;
    }
    Ok((rows, length))
}

/// Reads a line.
fn row(line: &str) -> Result<Row, String> {
    let (fields, crc) = line.strip_suffix('\n').and_then(|line| line.rsplit_once(',')).ok_or("it has no checksum")?;
    if crc != format!("{:08x}", crc32fast::hash(fields.as_bytes())) {
        return Err(format!("its checksum is {crc}, its content has another"));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(fields.as_bytes());
    let record = reader.deserialize().next().ok_or("it is empty")?;
    record.map_err(|e| e.to_string())
}
