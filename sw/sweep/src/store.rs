//! The folder of a sweep: `plan.json`, all that the rows depend on; `sweep.toml`, a copy of the sweep file; and `rows.csv`,
//! one durable row a finished point.
//!
//! A row is appended in one piece and forced to the disk before the next point begins. Each line ends with the CRC-32 of
//! what stands before it, so a line that a crash cut off is known, and dropped when the sweep is resumed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Plan, Point, Row, SweepError};

/// The largest file of a folder that is read, in bytes: a million rows.
const LARGEST: u64 = 1 << 30;

/// What a folder holds, finished or not.
#[derive(Debug)]
pub struct Results {
    /// `plan.json`.
    pub plan: Value,
    /// The sweep file.
    pub sweep: String,
    /// The finished rows, in order.
    pub rows: Vec<Row>,
}

impl Results {
    /// The files that are read.
    pub(crate) const FILES: [&str; 3] = ["rows.csv", "plan.json", "sweep.toml"];

    /// Reads a folder.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self, SweepError> {
        let [rows, plan, sweep] = Self::FILES;
        let text = |name: &str| {
            let path = folder.join(name);
            let text = hafnia_files::read_text(&path, LARGEST).map_err(SweepError::io("read", &path))?;
            Ok::<_, SweepError>((path, text))
        };
        let (path, rows) = text(rows)?;
        let (rows, _) = whole_rows(&path, &rows)?;
        let (path, plan) = text(plan)?;
        Ok(Self { plan: plan_of(&path, &plan)?, sweep: text(sweep)?.1, rows })
    }
}

/// An open folder. No other process can write to it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    rows: Vec<Row>,
}

impl Store {
    /// Opens `folder` for `plan`, makes it where it is not there, and reads the rows that are.
    ///
    /// # Errors
    /// Rows are there and `resume` is false; the folder belongs to another plan; a row is damaged; another process writes
    /// to it; or it cannot be written.
    pub fn open(folder: &Path, plan: &Plan, resume: bool) -> Result<Self, SweepError> {
        std::fs::create_dir_all(folder).map_err(SweepError::io("create", folder))?;
        let path = folder.join("rows.csv");
        let options = OpenOptions::new().read(true).append(true).create(true).clone();
        let mut file = options.open(&path).map_err(SweepError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SweepError::Busy(folder.to_owned())),
            Err(TryLockError::Error(e)) => return Err(SweepError::io("lock", &path)(e)),
        }
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_string(&mut text))
            .map_err(SweepError::io("read", &path))?;
        let (rows, length) = whole_rows(&path, &text)?;
        if !rows.is_empty() && !resume {
            return Err(SweepError::NotEmpty(folder.to_owned()));
        }
        let stored = folder.join("plan.json");
        if rows.is_empty() {
            let json = serde_json::to_string_pretty(&plan.facts).expect("facts are plain data") + "\n";
            for (name, text) in [("sweep.toml", &plan.text), ("plan.json", &json)] {
                let path = folder.join(name);
                hafnia_files::write(&path, text.as_bytes()).map_err(SweepError::io("write", &path))?;
            }
        } else {
            check_plan(&stored, &plan.facts)?;
        }
        let mut store = Self { path, file, length, rows };
        store.cut()?;
        if store.length == 0 {
            store.append_line(&header())?;
        }
        Ok(store)
    }

    /// Returns the finished rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns the row of `point`, which must be row `number`.
    pub(crate) fn check(&self, row: &Row, point: &Point, number: usize) -> Result<Row, SweepError> {
        if row.same_point(&point.row) {
            return Ok(row.clone());
        }
        let reason = format!(
            "it is of rate {}, seed {}, where the plan has rate {}, seed {}",
            row.ber_requested,
            row.seed,
            point.ber(),
            point.seed()
        );
        Err(SweepError::Row { path: self.path.clone(), line: number + 2, reason })
    }

    /// Checks that no row follows the last point.
    pub(crate) fn check_end(&self, rows: usize) -> Result<(), SweepError> {
        if rows == self.rows.len() {
            return Ok(());
        }
        let reason = "the plan has no such point".to_owned();
        Err(SweepError::Row { path: self.path.clone(), line: rows + 2, reason })
    }

    /// Adds a row; when this returns, it is on the disk.
    ///
    /// # Errors
    /// The row cannot be written; the file then holds the rows before it and nothing else.
    pub fn append(&mut self, row: Row) -> Result<(), SweepError> {
        self.append_line(&line(&row))?;
        self.rows.push(row);
        Ok(())
    }

    fn append_line(&mut self, line: &str) -> Result<(), SweepError> {
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.cut()?;
            return Err(SweepError::io("write", &self.path)(source));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Cuts off what is no whole line.
    fn cut(&mut self) -> Result<(), SweepError> {
        self.file.set_len(self.length).map_err(SweepError::io("shorten", &self.path))
    }
}

/// The fields of a row as CSV, without the end of the line.
pub(crate) fn fields(row: &Row, header: bool) -> String {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    writer.serialize(row).expect("a row is plain data");
    let text = String::from_utf8(writer.into_inner().expect("memory can be written")).expect("CSV of text is text");
    text.trim_end().to_owned()
}

/// The names of the columns that a row has, as CSV.
pub(crate) fn columns() -> String {
    fields(&Row::default(), true).lines().next().unwrap_or_default().to_owned()
}

fn header() -> String {
    columns() + ",crc32\n"
}

fn line(row: &Row) -> String {
    let fields = fields(row, false);
    format!("{fields},{:08x}\n", crc32fast::hash(fields.as_bytes()))
}

/// Reads the rows of a file and returns them with the number of bytes of whole lines. A last line that is not whole is
/// left out; any other is an error.
fn whole_rows(path: &Path, text: &str) -> Result<(Vec<Row>, u64), SweepError> {
    let damaged = |line: usize, reason: String| SweepError::Row { path: path.to_owned(), line, reason };
    let (mut rows, mut length) = (Vec::new(), 0);
    let count = text.split_inclusive('\n').count();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let row = if i == 0 {
            if line == header() { Ok(None) } else { Err("it is not the header of a sweep's rows".to_owned()) }
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

fn row(line: &str) -> Result<Row, String> {
    let (fields, crc) = line.strip_suffix('\n').and_then(|line| line.rsplit_once(',')).ok_or("it has no checksum")?;
    if crc != format!("{:08x}", crc32fast::hash(fields.as_bytes())) {
        return Err(format!("its checksum is {crc}, its content has another"));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(fields.as_bytes());
    let record = reader.deserialize().next().ok_or("it is empty")?;
    record.map_err(|e| e.to_string())
}

fn plan_of(path: &Path, text: &str) -> Result<Value, SweepError> {
    let reason = |e| SweepError::Spec { path: path.to_owned(), reason: format!("not the plan of a sweep: {e}") };
    serde_json::from_str(text).map_err(reason)
}

/// Compares the plan in the folder with that of now.
fn check_plan(path: &Path, now: &Value) -> Result<(), SweepError> {
    let text = hafnia_files::read_text(path, LARGEST).map_err(SweepError::io("read", path))?;
    match difference(&plan_of(path, &text)?, now, "") {
        None => Ok(()),
        Some((field, was, is)) => Err(SweepError::OtherPlan { path: path.to_owned(), field, was, is }),
    }
}

/// The first place where two values differ: its name, and both values.
fn difference(was: &Value, is: &Value, at: &str) -> Option<(String, String, String)> {
    let child = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let none = Value::Null;
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            keys.map(|key| difference(a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none), &child(key)))
                .find_map(|d| d)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.map(|(i, (a, b))| difference(a, b, &child(&i.to_string()))).find_map(|d| d)
        }
        _ => (was != is).then(|| (at.to_owned(), was.to_string(), is.to_string())),
    }
}
