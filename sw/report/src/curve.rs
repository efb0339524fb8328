//! Accuracy against bit-error rate: rows of one setup, seeds put together.

use hafnia_sweep::{Row, mean_interval, rate_interval};
use serde::Serialize;

use crate::midpoint::{Midpoints, midpoints};
use crate::setup::{Setup, grouped};

/// Top-1 of a network that guesses: CIFAR-10 and the digits have ten classes each.
pub const CHANCE: f64 = 0.1;

/// One curve.
#[derive(Debug, Serialize)]
pub struct Curve {
    /// What it is of.
    #[serde(flatten)]
    pub setup: Setup,
    /// Top-1 at rate 0, if the sweep has it.
    pub clean: Option<f64>,
    /// The rates, lowest first.
    pub points: Vec<Point>,
    /// Rates at which half of the accuracy above chance is left.
    pub midpoints: Option<Midpoints>,
}

/// One rate.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Bit-error rate asked for.
    pub ber: f64,
    /// Top-1 of each seed, in the order of the rows.
    #[serde(skip)]
    pub top1: Vec<f64>,
    /// Seeds.
    pub seeds: usize,
    /// Mean top-1.
    pub mean: f64,
    /// Half the width of its 95% interval by Student's t over the seeds; one seed has none.
    pub half_width: Option<f64>,
    /// Flips / cells read that were at risk, all seeds together.
    pub ber_measured: f64,
    /// Its 99.9% Wilson score interval.
    pub ber_interval: (f64, f64),
    /// What the decoder of weights did; none without a code, and where the rows do not tell.
    pub weights: Option<Decoded>,
    /// What that of biases did.
    pub biases: Option<Decoded>,
}

/// What a decoder did, all images and seeds together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decoded {
    /// Check cells read wrong.
    pub flips_check: u64,
    /// Units in which it corrected errors.
    pub corrected: u64,
    /// Units in which it detected errors that it did not correct.
    pub detected: u64,
    /// Units read wrong without being detected; none from the hardware.
    pub silent: Option<u64>,
}

impl Point {
    /// Returns the lower end of the interval of the mean, cut at 0; the mean where there is none.
    pub fn low(&self) -> f64 {
        (self.mean - self.half_width.unwrap_or(0.0)).max(0.0)
    }

    /// Returns the upper end, cut at 1.
    pub fn high(&self) -> f64 {
        (self.mean + self.half_width.unwrap_or(0.0)).min(1.0)
    }
}

/// Draws a curve through the rows of each setup, in the order of the rows.
pub fn curves(rows: &[Row]) -> Vec<Curve> {
    let groups = grouped(rows, |row| Setup::of(row));
    let mut curves: Vec<_> = groups.into_iter().map(|(setup, rows)| curve(setup, &rows)).collect();
    let clean: Vec<_> = curves.iter().filter_map(|c| Some((c.setup.without_noise(), c.clean?))).collect();
    for curve in &mut curves {
        // No noise is drawn at rate 0, so a mask without a row of its own takes that of another.
        let same = || clean.iter().find(|(setup, _)| *setup == curve.setup.without_noise());
        curve.clean = curve.clean.or_else(|| Some(same()?.1));
        curve.midpoints = curve.clean.and_then(|clean| midpoints(clean, CHANCE, curve.noisy()));
    }
    curves
}

/// Draws the curve of a setup through its rows, without midpoints.
pub fn curve(setup: Setup, rows: &[&Row]) -> Curve {
    let rates = grouped(rows.iter().copied(), |row| row.ber_requested);
    let mut points: Vec<_> = rates.into_iter().map(|(ber, rows)| point(ber, &rows)).collect();
    points.sort_by(|a, b| a.ber.total_cmp(&b.ber));
    let clean = points.first().filter(|point| point.ber == 0.0).map(|point| point.mean);
    Curve { setup, clean, points, midpoints: None }
}

fn point(ber: f64, rows: &[&Row]) -> Point {
    let top1: Vec<f64> = rows.iter().map(|row| row.top1).collect();
    let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>();
    let (flips, cells) = (sum(|row| row.flips), sum(|row| row.cells_at_risk));
    let (mean, half_width) = mean_interval(&top1);
    let (ber_measured, ber_interval) = (flips as f64 / cells as f64, rate_interval(flips, cells));
    let weights =
        decoded(rows, |row| [row.flips_check_weights, row.corrected_weights, row.detected_weights, row.silent_weights]);
    let biases =
        decoded(rows, |row| [row.flips_check_biases, row.corrected_biases, row.detected_biases, row.silent_biases]);
    Point { ber, seeds: top1.len(), top1, mean, half_width, ber_measured, ber_interval, weights, biases }
}

/// Sums what rows tell of a decoder; `counts` gives check cells read wrong, corrected, detected and silent.
fn decoded(rows: &[&Row], counts: impl Fn(&Row) -> [Option<u64>; 4]) -> Option<Decoded> {
    let [flips_check, corrected, detected, silent] =
        std::array::from_fn(|i| rows.iter().map(|row| counts(row)[i]).sum::<Option<u64>>());
    Some(Decoded { flips_check: flips_check?, corrected: corrected?, detected: detected?, silent })
}

impl Curve {
    /// Returns the points with noise.
    pub fn noisy(&self) -> &[Point] {
        let first = self.points.iter().position(|point| point.ber > 0.0).unwrap_or(self.points.len());
        &self.points[first..]
    }

    /// Returns the point at this rate.
    pub fn at(&self, ber: f64) -> Option<&Point> {
        self.points.iter().find(|point| point.ber == ber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ber_requested: f64, top1: f64, bit_mask: u8) -> Row {
        let (flips, cells_at_risk) = ((ber_requested * 1e4) as u64, 10_000);
        Row { ber_requested, top1, bit_mask, flips, cells_at_risk, ..Row::default() }
    }

    #[test]
    fn seeds_are_put_together_and_rates_sorted() {
        let curves = curves(&[row(1e-2, 0.5, 255), row(0.0, 0.9, 255), row(1e-2, 0.7, 255)]);
        let curve = &curves[0];
        assert_eq!((curves.len(), curve.clean, curve.noisy().len()), (1, Some(0.9), 1));
        let point = curve.at(1e-2).expect("the rate is there");
        assert_eq!((point.seeds, point.mean, point.ber_measured), (2, 0.6, 0.01));
        // By hand: t(0.975, 1) = 12.706, standard error 0.1.
        assert!((point.half_width.expect("two seeds") - 1.2706).abs() < 1e-4);
    }

    #[test]
    fn what_decoders_did_is_summed_where_every_row_tells() {
        let coded = |silent_weights| {
            let [flips_check_weights, corrected_weights, detected_weights] = [7, 5, 0].map(Some);
            Row { flips_check_weights, corrected_weights, detected_weights, silent_weights, ..row(1e-2, 0.5, 255) }
        };
        let point = |rows: &[Row]| curves(rows)[0].points[0].clone();
        let golden = point(&[coded(Some(1)), coded(Some(2))]);
        let sum = Decoded { flips_check: 14, corrected: 10, detected: 0, silent: Some(3) };
        assert_eq!((golden.weights, golden.biases), (Some(sum.clone()), None));
        assert_eq!(point(&[coded(None), coded(Some(2))]).weights, Some(Decoded { silent: None, ..sum }));
        assert_eq!(point(&[coded(None), row(1e-2, 0.5, 255)]).weights, None);
    }

    #[test]
    fn a_mask_without_a_clean_row_takes_that_of_another() {
        let curves = curves(&[row(0.0, 0.9, 255), row(1e-2, 0.7, 0x80)]);
        assert_eq!(curves.iter().map(|c| c.clean).collect::<Vec<_>>(), [Some(0.9), Some(0.9)]);
    }
}
