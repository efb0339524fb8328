//! Rows of one or more folders as one file for other programs: Parquet or CSV.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hafnia_files::same_file;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::record::RecordWriter as _;
use serde_json::{Value, json};

use crate::lines::{columns, fields};
use crate::{Results, Row, SweepError};

/// Rows of a row group, the unit in which readers work in parallel: as many as DuckDB writes.
const GROUP: usize = 122_880;

/// The rows of one or more folders, one after the other.
#[derive(Debug)]
pub struct Table {
    /// The rows, in the order of the folders.
    pub rows: Vec<Row>,
    /// What was read.
    inputs: Vec<PathBuf>,
    /// For each folder its number of rows, its plan and its sweep file.
    sweeps: Vec<Value>,
}

impl Table {
    /// Key of the metadata of the Parquet file: a JSON list with `rows`, `plan` and `sweep` for each folder.
    pub const METADATA: &str = "hafnia";

    /// Reads folders.
    ///
    /// # Errors
    /// A folder is named twice, or a file of it is missing or damaged.
    pub fn read(folders: &[PathBuf]) -> Result<Self, SweepError> {
        let mut table = Self { rows: Vec::new(), inputs: Vec::new(), sweeps: Vec::new() };
        for (i, folder) in folders.iter().enumerate() {
            if folders[..i].iter().any(|earlier| same_file(earlier, folder)) {
                return Err(SweepError::Twice(folder.clone()));
            }
            let Results { plan, sweep, rows, .. } = Results::read(folder)?;
            table.inputs.extend(Results::FILES.map(|name| folder.join(name)));
            table.sweeps.push(json!({ "rows": rows.len(), "plan": plan, "sweep": sweep }));
            table.rows.extend(rows);
        }
        Ok(table)
    }

    /// Writes the rows as Parquet: text as UTF-8, counters as unsigned integers of their width, rates as doubles.
    ///
    /// # Errors
    /// `path` is a file that was read, or cannot be written; what it held before is then still there.
    pub fn write_parquet(&self, path: &Path) -> Result<(), SweepError> {
        self.write(path, &self.parquet().expect("rows fit their own schema and memory can be written"))
    }

    /// Writes the rows as CSV, a header and the columns of `rows.csv` without the checksum.
    ///
    /// # Errors
    /// As [`Table::write_parquet`].
    pub fn write_csv(&self, path: &Path) -> Result<(), SweepError> {
        let lines = std::iter::once(columns()).chain(self.rows.iter().map(|row| fields(row, false)));
        self.write(path, lines.map(|line| line + "\n").collect::<String>().as_bytes())
    }

    fn parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let sweeps = Value::from(self.sweeps.clone()).to_string();
        let metadata = vec![KeyValue::new(Self::METADATA.to_owned(), sweeps)];
        let properties = Arc::new(WriterProperties::builder().set_key_value_metadata(Some(metadata)).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), self.rows.as_slice().schema()?, properties)?;
        for rows in self.rows.chunks(GROUP) {
            let mut group = writer.next_row_group()?;
            rows.write_to_row_group(&mut group)?;
            group.close()?;
        }
        writer.into_inner()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), SweepError> {
        if self.inputs.iter().any(|input| same_file(input, path)) {
            return Err(SweepError::OwnFile(path.to_owned()));
        }
        hafnia_files::write(path, bytes).map_err(SweepError::io("write", path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;
    use tempfile::NamedTempFile;

    use super::*;

    /// Rows whose values are all different, with the extremes of every type.
    fn table(count: u64) -> Table {
        let row = |i: u64| Row {
            model: format!("a \"quoted\", name {i}"),
            ber_requested: f64::from_bits(1 + i),
            top1: 1.0 / (3 + i) as f64,
            first: u32::MAX,
            bit_mask: u8::MAX,
            layer_mask: 1 << 31,
            flips: u64::MAX - i,
            seed: 1 << 63,
            silent_weights: Some(u64::MAX - i),
            ..Row::default()
        };
        Table { rows: (0..count).map(row).collect(), inputs: Vec::new(), sweeps: vec![json!({ "rows": count })] }
    }

    fn reader(table: &Table) -> SerializedFileReader<File> {
        let file = NamedTempFile::new().unwrap();
        table.write_parquet(file.path()).unwrap();
        SerializedFileReader::new(File::open(file.path()).unwrap()).unwrap()
    }

    #[test]
    fn parquet_gives_back_every_row_and_the_plan() {
        let table = table(GROUP as u64 + 1);
        let reader = reader(&table);
        let same = |field: &Field, cell: &str| match field {
            Field::Null => cell.is_empty(),
            Field::Str(text) => text == cell,
            Field::Double(number) => cell.parse::<f64>().is_ok_and(|cell| cell.to_bits() == number.to_bits()),
            number => number.to_string() == cell,
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        table.rows.iter().for_each(|row| writer.serialize(row).unwrap());
        let text = writer.into_inner().unwrap();
        let mut rows = 0;
        for (cells, read) in csv::Reader::from_reader(&text[..]).records().zip(reader.get_row_iter(None).unwrap()) {
            let (cells, read) = (cells.unwrap(), read.unwrap());
            assert!(read.len() == cells.len(), "{read}");
            assert!(read.get_column_iter().zip(&cells).all(|((_, field), cell)| same(field, cell)), "{read}");
            rows += 1;
        }
        assert_eq!((reader.num_row_groups(), rows), (2, table.rows.len()));
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert_eq!((metadata[0].key.as_str(), metadata[0].value.as_deref()), ("hafnia", Some("[{\"rows\":122881}]")));
    }

    #[test]
    fn parquet_and_csv_have_the_columns_of_a_row_even_without_rows() {
        for count in [0, 1] {
            let table = table(count);
            let schema = reader(&table).metadata().file_metadata().schema_descr_ptr();
            let names: Vec<_> = schema.columns().iter().map(|column| column.name().to_owned()).collect();
            let file = NamedTempFile::new().unwrap();
            table.write_csv(file.path()).unwrap();
            let csv = std::fs::read_to_string(file.path()).unwrap();
            assert_eq!((csv.lines().next(), csv.lines().count() as u64), (Some(names.join(",").as_str()), 1 + count));
        }
    }
}
