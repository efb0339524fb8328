//! The folders that a report is made of, and what they say of themselves.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hafnia_sweep::{Results, Row};
use serde::Serialize;
use serde_json::Value;

use crate::ReportError;

/// One folder of a sweep.
#[derive(Debug, Serialize)]
pub struct Source {
    /// The folder, as it was named.
    pub folder: PathBuf,
    /// Finished rows.
    pub rows: usize,
    /// Those of the rows of all folders that it is the first to hold.
    #[serde(skip)]
    pub first_held: Range<usize>,
    /// Points of the plan, where the plan tells.
    pub points: Option<u64>,
    /// Points without a row that early stopping does not explain.
    pub missing: Option<u64>,
    /// What an audit found that ended the sweep.
    pub difference: Option<String>,
    /// Version of the program that made the plan.
    pub version: String,
    /// `plan.json`.
    #[serde(skip)]
    pub plan: Value,
    /// The sweep file.
    #[serde(skip)]
    pub sweep: String,
}

/// Reads the folders: what each is, and the rows of all, each point once.
///
/// # Errors
/// A folder that cannot be read or has no row; a point that two folders have with two results.
pub fn read(folders: &[PathBuf]) -> Result<(Vec<Source>, Vec<Row>), ReportError> {
    let (mut sources, mut rows) = (Vec::new(), Vec::<Row>::new());
    let mut known: HashMap<String, (usize, &Path)> = HashMap::new();
    for folder in folders {
        let results = Results::read(folder).map_err(|error| ReportError::Sweep(error.into()))?;
        if results.rows.is_empty() {
            return Err(ReportError::Empty(folder.clone()));
        }
        sources.push(Source {
            folder: folder.clone(),
            rows: results.rows.len(),
            first_held: rows.len()..rows.len(),
            points: results.points(),
            missing: results.missing(),
            difference: results.difference.clone(),
            version: results.plan["version"].as_str().unwrap_or("unknown").to_owned(),
            plan: results.plan,
            sweep: results.sweep,
        });
        for row in results.rows {
            let (first, one) = *known.entry(point(&row)).or_insert((rows.len(), folder));
            match rows.get(first) {
                Some(first) if first.correct != row.correct => return Err(conflict(first, one, &row, folder)),
                Some(_) => {}
                None => rows.push(row),
            }
        }
        sources.last_mut().expect("one was added").first_held.end = rows.len();
    }
    Ok((sources, rows))
}

/// Returns what is to be seen before the figures: rows that are missing, versions that differ.
pub fn warnings(sources: &[Source]) -> Vec<String> {
    let mut warnings: Vec<_> = sources.iter().filter_map(differs).collect();
    warnings.extend(sources.iter().filter(|source| source.difference.is_none()).filter_map(unfinished));
    if sources.iter().any(|source| source.version != sources[0].version) {
        let versions: Vec<_> = sources.iter().map(|s| format!("{} in {}", s.version, s.folder.display())).collect();
        warnings.push(format!("The rows come of different versions of the program: {}.", versions.join(", ")));
    }
    warnings
}

fn differs(source: &Source) -> Option<String> {
    let (folder, difference) = (source.folder.display(), source.difference.as_ref()?);
    Some(format!(
        "The simulated RTL and the golden model differ, which ended the sweep in {folder}: {difference}. To see it again, with \
         the command that replays it: hafnia sweep FILE -o {folder} --resume"
    ))
}

fn unfinished(source: &Source) -> Option<String> {
    let folder = source.folder.display();
    match (source.missing, source.points) {
        (Some(0), _) => None,
        (Some(missing), Some(points)) => Some(format!(
            "The sweep in {folder} is unfinished: {missing} of its {points} points have no row yet. Go on with: \
             hafnia sweep FILE -o {folder} --resume"
        )),
        _ => Some(format!("The plan in {folder} does not tell how many points it has, so rows may be missing.")),
    }
}

/// All that decides a result.
fn point(row: &Row) -> String {
    let images = (row.first, row.images, row.batch);
    let masks = (&row.sites, row.bit_mask, row.layer_mask);
    let noise = (row.p01_requested, row.p10_requested, &row.cells, row.seed, &row.draws);
    format!("{:?}", (&row.model_sha256, &row.config_hash, &row.engine, &row.data, images, masks, noise))
}

fn conflict(known: &Row, one: &Path, row: &Row, other: &Path) -> ReportError {
    ReportError::Conflict {
        one: one.to_owned(),
        other: other.to_owned(),
        setup: format!("{} on {} ({})", row.model, row.preset, row.engine),
        ber: row.ber_requested,
        seed: row.seed,
        first: known.top1,
        second: row.top1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(folder: &str, points: Option<u64>, missing: Option<u64>, version: &str) -> Source {
        let (folder, version) = (folder.into(), version.to_owned());
        let (difference, plan, sweep) = (None, Value::Null, String::new());
        Source { folder, rows: 1, first_held: 0..1, points, missing, difference, version, plan, sweep }
    }

    #[test]
    fn unfinished_sweeps_and_versions_that_differ_are_told() {
        assert_eq!(warnings(&[source("a", Some(9), Some(0), "1"), source("b", Some(9), Some(0), "1")]), [""; 0]);
        let warnings = warnings(&[source("a", Some(9), Some(2), "1"), source("b", None, None, "2")]);
        for (warning, phrase) in warnings.iter().zip(["2 of its 9 points", "plan in b", "1 in a, 2 in b"]) {
            assert!(warning.contains(phrase), "{warning}");
        }
        assert_eq!(warnings.len(), 3);
        let differs = Source { difference: Some("audit: rate 1e-3".to_owned()), ..source("a", Some(9), Some(2), "1") };
        let warnings = super::warnings(&[differs]);
        assert!(warnings.len() == 1 && warnings[0].contains("differ") && warnings[0].contains("audit: rate 1e-3"));
    }
}
