//! Whether a folder holds every row that its plan asks for.

use crate::run::narrow;
use crate::{Results, Row, Stop};

impl Results {
    /// Returns the number of points in the plan; none in a plan of a version that did not write it down.
    pub fn points(&self) -> Option<u64> {
        self.plan["points"].as_u64()
    }

    /// Returns the number of points that have no row and that early stopping does not explain.
    pub fn missing(&self) -> Option<u64> {
        let stop: Option<Stop> = serde_json::from_value(self.plan["stop"].clone()).ok().flatten();
        let seeds = self.plan["seeds"].as_array().map_or(0, Vec::len);
        let left_out = |cell: &[Row]| {
            // A cell of one seed, as rate 0 has without faults of cells, has no interval: it is never narrow.
            let top1: Vec<f64> = cell.iter().map(|row| row.top1).collect();
            stop.filter(|&stop| narrow(&top1, stop)).map_or(0, |_| seeds.saturating_sub(cell.len()))
        };
        let left_out: usize = self.rows.chunk_by(Row::same_cell).map(left_out).sum();
        Some(self.points()?.saturating_sub((self.rows.len() + left_out) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn folder(points: u64, stop: Option<f64>, top1: &[(f64, f64)]) -> Results {
        let row = |(i, &(ber_requested, top1)): (usize, &(f64, f64))| Row {
            ber_requested,
            p01_requested: ber_requested,
            p10_requested: ber_requested,
            top1,
            seed: i as u64,
            ..Row::default()
        };
        let stop = stop.map(|width| json!({ "width": width, "at_least": 2 }));
        let plan = json!({ "points": points, "stop": stop, "seeds": [1, 2, 3, 4] });
        Results { plan, sweep: String::new(), rows: top1.iter().enumerate().map(row).collect(), difference: None }
    }

    #[test]
    fn what_early_stopping_left_out_is_not_missing() {
        // Rate 0, a cell that two seeds of four settle, and one that is under way.
        let rows = [(0.0, 0.8), (1e-3, 0.7), (1e-3, 0.7), (1e-2, 0.5), (1e-2, 0.3)];
        assert_eq!(folder(9, None, &rows).missing(), Some(4));
        assert_eq!(folder(9, Some(0.01), &rows).missing(), Some(2));
        assert_eq!(folder(9, Some(0.01), &rows[..4]).missing(), Some(3));
        assert_eq!(folder(5, Some(0.01), &rows[..3]).missing(), Some(0));
    }
}
