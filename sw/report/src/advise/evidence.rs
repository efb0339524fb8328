//! What the rows of a setup say of a rate.

use std::path::PathBuf;

use hafnia_config::device::Device;
use hafnia_config::fault::CellFaults;
use hafnia_sweep::Row;
use serde::Serialize;

use super::{Measured, Wanted};
use crate::Source;

/// The rows of a setup at the smallest swept rate that is not below the one asked for: accuracy falls with the rate.
#[derive(Debug, Serialize)]
pub struct Evidence {
    /// The rate of the rows.
    pub ber: f64,
    /// Run seeds, in the order of the rows.
    pub seeds: Vec<u64>,
    /// Mean top-1.
    pub mean: f64,
    /// Half the width of its 95% interval by Student's t over the seeds; one seed has none.
    pub half_width: Option<f64>,
    /// Whether no run of it depends on its seed, so that one is enough.
    pub exact: bool,
    /// The lower end of the interval, or what is exact; none of one seed that is not.
    pub low: Option<f64>,
    /// Points lost from clean top-1 down to there.
    pub loss: Option<f64>,
    /// Folders that hold the rows.
    pub folders: Vec<PathBuf>,
    /// Pairs of a row and an image that were run again on the simulated hardware and found equal.
    pub audited: u64,
    /// What programming took; none without the engines of write-verify.
    pub programming: Option<Programming>,
}

/// What it took to program weights and biases, and to scrub the weights, all rows together.
#[derive(Debug, Serialize)]
pub struct Programming {
    /// Cells that were programmed, each with one pulse or more.
    pub cells: u64,
    /// Pulses that they got after their first one.
    pub repeated: u64,
    /// Cells that were read wrong after their last pulse.
    pub give_ups: u64,
    /// Pulses that scrubbing gave to cells.
    pub scrubbed: u64,
    /// Pulses of a cell, in the mean.
    pub pulses_per_cell: f64,
    /// Those / the writes that a cell stands, where the device publishes them.
    pub endurance_share: Option<f64>,
}

impl Evidence {
    /// Returns the evidence for what is wanted; none where no rate that is high enough was swept.
    pub(super) fn of(one: &Measured<'_>, clean: f64, wanted: &Wanted, sources: &[Source]) -> Option<Self> {
        let point = one.curve.points.iter().find(|point| point.ber >= wanted.ber)?;
        let rows: Vec<_> = one.rows.iter().filter(|(_, row)| row.ber_requested == point.ber).collect();
        let exact = point.ber == 0.0 && one.curve.setup.cells.parse().is_ok_and(|cells| is_fixed(&cells));
        let low = (exact || point.half_width.is_some()).then(|| point.low());
        let holds = |source: &&Source| rows.iter().any(|(place, _)| source.first_held.contains(place));
        Some(Self {
            ber: point.ber,
            seeds: rows.iter().map(|(_, row)| row.seed).collect(),
            mean: point.mean,
            half_width: point.half_width,
            exact,
            low,
            loss: low.map(|low| 100.0 * (clean - low)),
            folders: sources.iter().filter(holds).map(|source| source.folder.clone()).collect(),
            audited: rows.iter().map(|(_, row)| row.audited).sum(),
            programming: Programming::of(rows.iter().map(|(_, row)| *row), wanted.device.as_ref()),
        })
    }
}

/// Whether faults of cells do not depend on the run seed: there are none, or those of one device that has no traps.
fn is_fixed(cells: &CellFaults) -> bool {
    cells.kinds().next().is_none() || cells.device_seed.is_some() && cells.telegraph.fraction == 0.0
}

impl Programming {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>, device: Option<&Device>) -> Option<Self> {
        let counts = rows.map(|row| {
            let cells = row.programmed_weights? + row.programmed_biases?;
            let repeated = row.repeated_weights? + row.repeated_biases?;
            let give_ups = row.give_ups_weights? + row.give_ups_biases?;
            Some([cells, repeated, give_ups, row.scrubbed_pulses.unwrap_or(0)])
        });
        let counts = counts.collect::<Option<Vec<_>>>()?;
        let [cells, repeated, give_ups, scrubbed] =
            [0, 1, 2, 3].map(|n| counts.iter().map(|counts| counts[n]).sum::<u64>());
        let pulses_per_cell = (cells + repeated + scrubbed) as f64 / cells as f64;
        let endurance_share = device.and_then(|device| Some(pulses_per_cell / device.endurance_cycles?));
        (cells > 0).then_some(Self { cells, repeated, give_ups, scrubbed, pulses_per_cell, endurance_share })
    }
}
