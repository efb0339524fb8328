//! A sweep in parts: which points a shard computes, and the rows that the files of a folder hold together.
//!
//! Shard `I/N` writes `shards/I-of-N.csv`, a file like `rows.csv`. Points are dealt round-robin; with early stopping whole
//! cells are, as stopping needs the seeds of a cell in order.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::row::Key;
use crate::run::narrow;
use crate::{Plan, Point, Row, SweepError};

/// One part of a sweep: `2/4` is the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Returns part `index`, from 1, of `of`; none if there is no such part.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&index).then_some(Self { index, of })
    }

    /// Returns the shard of `of` to which a point of a plan falls.
    pub(crate) fn of_point(plan: &Plan, point: usize, of: u32) -> Self {
        Self { index: (dealt(plan, point) % of as usize) as u32 + 1, of }
    }

    /// Whether a point of a plan falls to this shard.
    pub(crate) fn has(self, plan: &Plan, point: usize) -> bool {
        Self::of_point(plan, point, self.of) == self
    }

    /// Returns its file of rows.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        shards(folder).join(format!("{}-of-{}.csv", self.index, self.of))
    }

    /// Returns the number of parts.
    pub(crate) fn of(self) -> u32 {
        self.of
    }

    /// Returns which part it is, from 1.
    pub(crate) fn index(self) -> u32 {
        self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let shard = parts.and_then(|(index, of)| Self::new(index, of));
        shard.ok_or_else(|| "write I/N with I from 1 to N, such as 2/4".to_owned())
    }
}

/// The number of what is dealt to shards: the point, or with early stopping its cell.
fn dealt(plan: &Plan, point: usize) -> usize {
    if plan.stop.is_some() { plan.points[point].cell } else { point }
}

/// Returns how many shards the points of `plan` can be dealt to, each getting some.
pub(crate) fn most_shards(plan: &Plan) -> u32 {
    let dealt: HashSet<_> = (0..plan.points.len()).map(|point| dealt(plan, point)).collect();
    u32::try_from(dealt.len()).unwrap_or(u32::MAX)
}

fn shards(folder: &Path) -> PathBuf {
    folder.join("shards")
}

/// Returns the files of all shards, whatever their number, in the order of their names.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, SweepError> {
    let folder = shards(folder);
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(SweepError::io("list", &folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(SweepError::io("list", &folder))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    Ok(paths)
}

/// The points of a plan, and the rows that the files of a folder hold for them.
#[derive(Debug)]
pub(crate) struct Known {
    rows: HashMap<Key, Option<(Row, Arc<Path>)>>,
}

impl Known {
    /// Knows the points of `plan` and no row.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { rows: plan.points.iter().map(|point| (point.row.key(), None)).collect() }
    }

    /// Adds the rows of a file.
    ///
    /// # Errors
    /// A row is no point of the plan, or another file has another result for its point.
    pub(crate) fn add(&mut self, path: &Path, rows: Vec<Row>) -> Result<(), SweepError> {
        let path: Arc<Path> = path.into();
        for (number, row) in rows.into_iter().enumerate() {
            let (ber, seed) = (row.ber_requested, row.seed);
            match self.rows.get_mut(&row.key()) {
                None => {
                    let reason = format!("it is of rate {ber}, seed {seed}, and the plan has no such point");
                    return Err(SweepError::Row { path: path.to_path_buf(), line: number + 2, reason });
                }
                Some(Some((first, one))) if *first != row => {
                    return Err(SweepError::Conflict { one: one.to_path_buf(), other: path.to_path_buf(), ber, seed });
                }
                Some(place) => *place = Some((row, path.clone())),
            }
        }
        Ok(())
    }

    /// Returns the row of a point.
    pub(crate) fn get(&self, point: &Point) -> Option<&Row> {
        self.rows.get(&point.row.key())?.as_ref().map(|(row, _)| row)
    }

    /// Returns the rows, in no order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values().flatten().map(|(row, _)| row)
    }

    /// Returns the number of points that have a row.
    pub(crate) fn count(&self) -> usize {
        self.rows().count()
    }

    /// Returns the numbers of the points that still need a row. With early stopping some of them may turn out not to.
    pub(crate) fn missing(&self, plan: &Plan) -> Vec<usize> {
        let (mut missing, mut first) = (Vec::new(), 0);
        for cell in plan.points.chunk_by(|a, b| a.cell == b.cell) {
            let mut seeds = Vec::new();
            for (number, point) in (first..).zip(cell) {
                if plan.stop.is_some_and(|stop| narrow(&seeds, stop)) {
                    break;
                }
                match self.get(point) {
                    Some(row) => seeds.push(row.top1),
                    None => missing.push(number),
                }
            }
            first += cell.len();
        }
        missing
    }
}
