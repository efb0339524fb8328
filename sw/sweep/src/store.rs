//! The folder of a sweep: `plan.json`, all that the rows depend on; `sweep.toml`, a copy of the sweep file; `rows.csv`, one
//! durable row a finished point; `shards`, files of rows of parts of the sweep; and `difference.txt` while an audit that
//! found one has ended the sweep.
//!
//! A row is appended in one piece and forced to the disk before the next point begins; a line that a crash cut off is
//! dropped when the sweep is resumed.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lines::{header, line, rows_to_extend, whole_rows};
use crate::shard::{self, Known, Shard};
use crate::{Plan, Point, Row, SweepError};

/// The files of a folder.
const ROWS: &str = "rows.csv";
const PLAN: &str = "plan.json";
const SWEEP: &str = "sweep.toml";
const DIFFERENCE: &str = "difference.txt";

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
    /// What an audit found that ended the sweep.
    pub difference: Option<String>,
}

impl Results {
    /// The files that a sweep keeps in its folder.
    pub const FILES: [&str; 4] = [ROWS, PLAN, SWEEP, DIFFERENCE];

    /// Reads a folder.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self, SweepError> {
        let text = |name: &str| {
            let path = folder.join(name);
            let text = hafnia_files::read_text(&path, LARGEST).map_err(SweepError::io("read", &path))?;
            Ok::<_, SweepError>((path, text))
        };
        if !folder.join(ROWS).exists() {
            let unmerged = !shard::files(folder)?.is_empty();
            let error = if unmerged { SweepError::Unmerged } else { SweepError::NoSweep };
            return Err(error(folder.to_owned()));
        }
        let (path, rows) = text(ROWS)?;
        let (rows, _) = whole_rows(&path, &rows)?;
        let mut known = HashSet::new();
        if let Some(again) = rows.iter().position(|row| !known.insert(row.key())) {
            let reason = "an earlier line is of the same point".to_owned();
            return Err(SweepError::Row { path, line: again + 2, reason });
        }
        let (path, plan) = text(PLAN)?;
        let difference = folder.join(DIFFERENCE).exists().then(|| text(DIFFERENCE)).transpose()?;
        let difference = difference.map(|(_, text)| text.trim_end().to_owned());
        Ok(Self { plan: plan_of(&path, &plan)?, sweep: text(SWEEP)?.1, rows, difference })
    }
}

/// An open folder, and in it the file of rows of the whole sweep or of a shard. No other process can write to that file.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    shard: Option<Shard>,
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Lines that are not written yet.
    pending: String,
    /// Rows of the file.
    rows: Vec<Row>,
    /// Rows of all files of the folder.
    pub(crate) known: Known,
}

/// Where the row of a point comes from.
pub(crate) enum Origin {
    /// It was there.
    Found,
    /// A shard had it.
    Merged,
}

impl Store {
    /// Opens `folder` for `plan` or a shard of it, makes it where it is not there, and reads the rows that are.
    ///
    /// # Errors
    /// Rows are there and `resume` is false; the folder belongs to another plan; a row is damaged; another process writes
    /// to the same file; or it cannot be written.
    pub fn open(folder: &Path, plan: &Plan, shard: Option<Shard>, resume: bool) -> Result<Self, SweepError> {
        let path = shard.map_or_else(|| folder.join(ROWS), |shard| shard.path(folder));
        let place = path.parent().unwrap_or(folder);
        if folder.exists() && !folder.is_dir() {
            return Err(SweepError::NoFolder(folder.to_owned()));
        }
        std::fs::create_dir_all(place).map_err(SweepError::io("create", place))?;
        let file = locked(&path)?;
        let text = hafnia_files::read_text(&path, LARGEST).map_err(SweepError::io("read", &path))?;
        let (rows, length) = rows_to_extend(&path, &text)?;
        if !rows.is_empty() && !resume {
            return Err(SweepError::NotEmpty(folder.to_owned()));
        }
        if rows.is_empty() {
            let alone = shard.is_none() && shard::files(folder)?.is_empty();
            write_plan(folder, plan, if alone { hafnia_files::write } else { hafnia_files::write_new })?;
        }
        check_plan(&folder.join(PLAN), &plan.facts)?;
        let known = Known::new(plan);
        let folder = folder.to_owned();
        let mut store = Self { folder, shard, path, file, length, pending: String::new(), rows, known };
        store.refresh(plan)?;
        if shard.is_none() && store.known.count() > 0 && !resume {
            return Err(SweepError::NotEmpty(store.folder));
        }
        store.cut()?;
        if store.length == 0 {
            store.pending = header();
            store.flush()?;
        }
        Ok(store)
    }

    /// Reads again the rows of the files that others may write to.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, or two files disagree.
    pub(crate) fn refresh(&mut self, plan: &Plan) -> Result<(), SweepError> {
        let mut known = Known::new(plan);
        let whole = self.folder.join(ROWS);
        for path in whole.exists().then_some(whole).into_iter().chain(shard::files(&self.folder)?) {
            let text = hafnia_files::read_text(&path, LARGEST).map_err(SweepError::io("read", &path))?;
            known.add(&path, rows_to_extend(&path, &text)?.0)?;
        }
        self.known = known;
        Ok(())
    }

    /// Returns the rows of the file, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns the rows that any file of the folder has.
    pub fn known_rows(&self) -> impl Iterator<Item = &Row> {
        self.known.rows()
    }

    /// Returns the numbers of the points of `plan` that are this store's, in order.
    pub fn points(&self, plan: &Plan) -> Vec<usize> {
        let ours = |number: &usize| self.shard.is_none_or(|shard| shard.has(plan, *number));
        (0..plan.points.len()).filter(ours).collect()
    }

    /// Returns the row of `point`, if a file of the folder has it. Of the whole sweep the point is number `number` of those
    /// with a row; a row that only a shard has is taken over.
    pub(crate) fn take(&mut self, point: &Point, number: usize) -> Result<Option<(Row, Origin)>, SweepError> {
        if self.shard.is_none()
            && let Some(row) = self.rows.get(number)
        {
            self.check(row, point, number)?;
            return Ok(Some((row.clone(), Origin::Found)));
        }
        let Some(row) = self.known.get(point).cloned() else { return Ok(None) };
        if self.shard.is_some() {
            return Ok(Some((row, Origin::Found)));
        }
        self.pending.push_str(&line(&row));
        self.rows.push(row.clone());
        Ok(Some((row, Origin::Merged)))
    }

    /// Checks that `row`, number `number`, is of `point`.
    fn check(&self, row: &Row, point: &Point, number: usize) -> Result<(), SweepError> {
        if row.key() == point.row.key() {
            return Ok(());
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

    /// Writes what is still to be written, and checks that the whole sweep has `rows` rows and none after the last point.
    pub(crate) fn finish(&mut self, rows: usize) -> Result<(), SweepError> {
        self.flush()?;
        if self.shard.is_some() {
            return Ok(());
        }
        if rows == self.rows.len() {
            // Every point has passed its audit by now.
            let difference = self.folder.join(DIFFERENCE);
            return match std::fs::remove_file(&difference) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(SweepError::io("remove", &difference)(error))
                }
                _ => Ok(()),
            };
        }
        let reason = "the plan has no such point".to_owned();
        Err(SweepError::Row { path: self.path.clone(), line: rows + 2, reason })
    }

    /// Adds a row; when this returns, it is on the disk.
    ///
    /// # Errors
    /// The row cannot be written; the file then holds the rows before it and nothing else.
    pub fn append(&mut self, row: Row) -> Result<(), SweepError> {
        self.pending.push_str(&line(&row));
        self.flush()?;
        self.rows.push(row);
        Ok(())
    }

    /// Keeps the difference that ends the sweep, for reports on the folder.
    pub(crate) fn keep_difference(&self, difference: &SweepError) {
        // That it was found matters more than that it cannot be kept.
        _ = hafnia_files::write(&self.folder.join(DIFFERENCE), format!("{difference}\n").as_bytes());
    }

    /// Writes the pending lines in one piece.
    fn flush(&mut self) -> Result<(), SweepError> {
        let lines = std::mem::take(&mut self.pending);
        if lines.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.cut()?;
            return Err(SweepError::io("write", &self.path)(source));
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Cuts off what is no whole line.
    fn cut(&mut self) -> Result<(), SweepError> {
        self.file.set_len(self.length).map_err(SweepError::io("shorten", &self.path))
    }
}

/// Opens a file of rows for this process alone.
fn locked(path: &Path) -> Result<File, SweepError> {
    let options = OpenOptions::new().append(true).create(true).clone();
    let file = options.open(path).map_err(SweepError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SweepError::Busy(path.to_owned())),
        Err(TryLockError::Error(e)) => Err(SweepError::io("lock", path)(e)),
    }
}

/// Writes the sweep file, then the plan: a folder with a plan is whole.
fn write_plan(folder: &Path, plan: &Plan, write: fn(&Path, &[u8]) -> io::Result<()>) -> Result<(), SweepError> {
    let json = serde_json::to_string_pretty(&plan.facts).expect("facts are plain data") + "\n";
    for (name, text) in [(SWEEP, &plan.text), (PLAN, &json)] {
        let path = folder.join(name);
        write(&path, text.as_bytes()).map_err(SweepError::io("write", &path))?;
    }
    Ok(())
}

fn plan_of(path: &Path, text: &str) -> Result<Value, SweepError> {
    let reason = |e| SweepError::Spec { path: path.to_owned(), reason: format!("not the plan of a sweep: {e}") };
    serde_json::from_str(text).map_err(reason)
}

/// Compares the plan in the folder with that of now.
fn check_plan(path: &Path, now: &Value) -> Result<(), SweepError> {
    let text = hafnia_files::read_text(path, LARGEST).map_err(SweepError::io("read", path))?;
    match changed(&plan_of(path, &text)?, now) {
        None => Ok(()),
        Some((field, was, is)) => Err(SweepError::OtherPlan { path: path.to_owned(), field, was, is }),
    }
}

/// The first place where two plans differ, the number of points, which follows from the rest, last.
fn changed(was: &Value, is: &Value) -> Option<(String, String, String)> {
    let grid = |plan: &Value| {
        let mut plan = plan.clone();
        plan.as_object_mut().and_then(|facts| facts.remove("points"));
        plan
    };
    difference(&grid(was), &grid(is), "").or_else(|| difference(was, is, ""))
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
