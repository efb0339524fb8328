//! The lines of a file of rows. Each ends with the CRC-32 of what stands before it, so a line that a crash cut off is known.

use std::path::Path;

use csv::StringRecord;

use crate::{Row, SweepError};

/// The last column.
const CHECKSUM: &str = "crc32";

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
    format!("{},{CHECKSUM}\n", columns())
}

/// Returns the line of a row.
pub(crate) fn line(row: &Row) -> String {
    let fields = fields(row, false);
    format!("{fields},{:08x}\n", crc32fast::hash(fields.as_bytes()))
}

/// Reads the rows of a file that more may be added to, as [`whole_rows`] does.
pub(crate) fn rows_to_extend(path: &Path, text: &str) -> Result<(Vec<Row>, u64), SweepError> {
    let found = whole_rows(path, text)?;
    match text.split_inclusive('\n').next().filter(|first| found.1 > 0 && *first != header()) {
        None => Ok(found),
        Some(first) => {
            let columns = columns();
            let known: Vec<&str> = first.trim_end().split(',').collect();
            let lacks = columns.split(',').find(|column| !known.contains(column)).unwrap_or_default().to_owned();
            Err(SweepError::OlderRows { path: path.to_owned(), lacks })
        }
    }
}

/// Reads the rows of a file, of this version or an earlier one, and returns them with the number of bytes of whole lines. A
/// last line that is not whole is left out; any other is an error.
pub(crate) fn whole_rows(path: &Path, text: &str) -> Result<(Vec<Row>, u64), SweepError> {
    let damaged = |line: usize, reason: String| SweepError::Row { path: path.to_owned(), line, reason };
    let (mut rows, mut length, mut names) = (Vec::new(), 0, StringRecord::new());
    let count = text.split_inclusive('\n').count();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let read = if i == 0 {
            header_names(line).map(|found| names = found)
        } else {
            row(line, &names).map(|row| rows.push(row))
        };
        match read {
            Ok(()) => {}
            Err(_) if i + 1 == count && !line.ends_with('\n') => break,
            Err(reason) => return Err(damaged(i + 1, reason)),
        }
        length += line.len() as u64;
    }
    Ok((rows, length))
}

/// Reads a header: the columns of this version, or those of an earlier one, which had no others.
fn header_names(line: &str) -> Result<StringRecord, String> {
    let header = header();
    let mut ours = header.trim_end().split(',');
    let mut theirs = line.strip_suffix('\n').into_iter().flat_map(|line| line.split(',')).peekable();
    let known = theirs.peek().is_some() && theirs.all(|name| ours.any(|our| our == name)) && ours.next().is_none();
    let reason = "it is not the header that this version or an earlier one gives a sweep's rows";
    known
        .then(|| line.trim_end().split(',').filter(|&name| name != CHECKSUM).collect())
        .ok_or_else(|| reason.to_owned())
}

/// Reads a line with the columns `names`.
fn row(line: &str, names: &StringRecord) -> Result<Row, String> {
    let (fields, crc) = line.strip_suffix('\n').and_then(|line| line.rsplit_once(',')).ok_or("it has no checksum")?;
    if crc != format!("{:08x}", crc32fast::hash(fields.as_bytes())) {
        return Err(format!("its checksum is {crc}, its content has another"));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(fields.as_bytes());
    let record = reader.records().next().ok_or("it is empty")?.map_err(|e| e.to_string())?;
    if record.len() != names.len() {
        return Err(format!("it has {} fields, and the header names {}", record.len(), names.len()));
    }
    record.deserialize(Some(names)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose header and rows lack the columns in `without`.
    fn file(rows: &[Row], without: &[&str]) -> String {
        let columns = columns();
        let kept = |line: &str| {
            let pairs = columns.split(',').zip(line.split(',')).filter(|(name, _)| !without.contains(name));
            pairs.map(|(_, field)| field.to_owned()).collect::<Vec<_>>().join(",")
        };
        let line = |row: &Row| {
            let fields = kept(&fields(row, false));
            format!("{fields},{:08x}\n", crc32fast::hash(fields.as_bytes()))
        };
        kept(&columns) + ",crc32\n" + &rows.iter().map(line).collect::<String>()
    }

    #[test]
    fn columns_of_a_later_version_are_absent_in_earlier_rows_which_none_can_be_added_to() {
        let row = Row { correct: 7, stall_weights: 5, audited: 3, version: "1".to_owned(), ..Row::default() };
        let today = Row { silent_weights: Some(9), ..row.clone() };
        let read = |text: &str| whole_rows(Path::new("rows.csv"), text);
        assert_eq!(file(std::slice::from_ref(&today), &[]), header() + &line(&today));
        assert_eq!(read(&file(std::slice::from_ref(&today), &[])).unwrap().0, std::slice::from_ref(&today));
        let older = file(&[today], &["silent_weights", "silent_biases"]);
        assert_eq!(read(&older).unwrap(), (vec![row.clone()], older.len() as u64));
        let refused = rows_to_extend(Path::new("rows.csv"), &older).unwrap_err().to_string();
        assert!(refused.contains("rows.csv") && refused.contains("`silent_weights`"), "{refused}");
        // Cut off within the header, it has no row yet.
        assert_eq!(rows_to_extend(Path::new("rows.csv"), &older[..40]).unwrap(), (vec![], 0));
        for (without, reason) in [("crc32", "not the header"), ("correct", "missing field `correct`")] {
            let text = file(std::slice::from_ref(&row), &[without]);
            let text = if without == "crc32" { text.replacen(",crc32", "", 1) } else { text };
            assert!(read(&text).unwrap_err().to_string().contains(reason));
        }
        let swapped = header().replacen("model,model_sha256", "model_sha256,model", 1) + &line(&row);
        assert!(read(&swapped).unwrap_err().to_string().contains("line 1"));
    }
}
