//! Curves from rows: mean top-1 over seeds against the bit-error rate, one curve for each setup of the plan.

use std::collections::BTreeMap;

use hafnia_sweep::{Row, rate};

/// What tells rows of one model on one preset apart, beside rate and seed.
type Parts = [String; 10];

fn parts(row: &Row) -> Parts {
    [
        row.model_sha256.get(..8).unwrap_or_default().to_owned(),
        format!("batch {}", row.batch),
        row.sites.clone(),
        row.direction().to_owned(),
        format!("bits {:#04x}", row.bit_mask),
        format!("layers {:#x}", row.layer_mask),
        row.cells.clone(),
        row.engine.clone(),
        row.draws.clone(),
        row.protection.clone(),
    ]
}

/// The curves of a sweep.
pub struct Curves {
    /// The rates of the plan, ascending, each once.
    pub rates: Vec<f64>,
    /// The curves, in the order of the plan.
    pub list: Vec<Curve>,
    /// Which parts a name needs.
    told: [bool; 10],
}

/// One curve.
pub struct Curve {
    /// Model, preset and what else tells it apart.
    pub name: String,
    /// For each rate the sum of top-1 over its seeds, and their number.
    sums: Vec<(f64, u32)>,
}

impl Curves {
    /// Returns the empty curves of a plan, given the rows of its points.
    pub fn new<'a>(points: impl Iterator<Item = &'a Row> + Clone) -> Self {
        let mut rates: Vec<f64> = points.clone().map(|row| row.ber_requested).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let (mut told, mut firsts) = ([false; 10], BTreeMap::new());
        for row in points.clone() {
            let first: &mut Parts = firsts.entry((&row.model, &row.preset)).or_insert_with(|| parts(row));
            for (told, (first, this)) in told.iter_mut().zip(first.iter().zip(parts(row))) {
                *told |= *first != this;
            }
        }
        let mut curves = Self { rates, list: Vec::new(), told };
        points.for_each(|row| _ = curves.curve(row));
        curves
    }

    /// Returns the name of the curve that a row belongs to.
    pub fn name(&self, row: &Row) -> String {
        let told = parts(row).into_iter().zip(self.told).filter_map(|(part, told)| told.then_some(part));
        [row.model.clone(), row.preset.clone()].into_iter().chain(told).collect::<Vec<_>>().join(" ")
    }

    /// Adds a finished row. One of no point of the plan is left out; the sweep itself tells of it.
    pub fn add(&mut self, row: &Row) {
        if let Some(at) = self.rates.iter().position(|&rate| rate == row.ber_requested) {
            let (sum, count) = &mut self.curve(row).sums[at];
            (*sum, *count) = (*sum + row.top1, *count + 1);
        }
    }

    /// Returns the points of a curve: rate, and mean top-1 from 0 to 1.
    pub fn points(&self, curve: &Curve) -> impl Iterator<Item = (f64, f64)> {
        let means = curve.sums.iter().map(|&(sum, count)| sum / f64::from(count));
        self.rates.iter().copied().zip(means).filter(|(_, mean)| !mean.is_nan())
    }

    fn curve(&mut self, row: &Row) -> &mut Curve {
        let name = self.name(row);
        let at = self.list.iter().position(|curve| curve.name == name).unwrap_or_else(|| {
            self.list.push(Curve { name, sums: vec![(0.0, 0); self.rates.len()] });
            self.list.len() - 1
        });
        &mut self.list[at]
    }
}

/// Says what a finished row found.
pub fn line(name: &str, row: &Row) -> String {
    format!("{name} ber {} seed {}: {:.1} %", rate(row.ber_requested), row.seed, 100.0 * row.top1)
}

/// The horizontal axis: powers of ten, and left of them the rate 0 if the plan has it.
pub struct Axis {
    /// Exponent at the left end, or that of rate 0.
    pub first: i32,
    /// Exponent at the right end.
    pub last: i32,
    /// Whether the left end is rate 0.
    zero: bool,
}

impl Axis {
    /// Returns the shortest axis that holds all rates.
    pub fn new(rates: &[f64]) -> Self {
        let exponents = rates.iter().filter(|&&rate| rate > 0.0).map(|rate| {
            // 3e-4 lies between -4 and -3, 1e-4 at -4.
            let text = format!("{rate:e}");
            let (digits, exponent) = text.split_once('e').expect("it is written with an exponent");
            let exponent: i32 = exponent.parse().expect("an exponent is a number");
            (exponent, if digits == "1" { exponent } else { exponent + 1 })
        });
        let exponents: Vec<_> = exponents.collect();
        let zero = rates.contains(&0.0);
        let lowest = exponents.iter().map(|e| e.0).min().unwrap_or(0) - i32::from(zero);
        let highest = exponents.iter().map(|e| e.1).max().unwrap_or(0);
        Self { first: lowest, last: highest.max(lowest + 1), zero }
    }

    /// Returns where a rate stands.
    pub fn position(&self, rate: f64) -> f64 {
        if rate == 0.0 { f64::from(self.first) } else { rate.log10() }
    }

    /// Returns evenly spaced labels for an axis of `width` columns, the first at its left end, the last at its right.
    pub fn labels(&self, width: u16) -> Vec<String> {
        let steps = self.last - self.first;
        let fits = |step: &i32| steps % step == 0 && steps / step * 8 <= i32::from(width);
        let step = (1..steps).find(fits).unwrap_or(steps);
        let label = |e| if self.zero && e == self.first { "0".to_owned() } else { format!("1e{e}") };
        (0..=steps / step).map(|i| label(self.first + i * step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(preset: &str, ber: f64, seed: u64, top1: f64) -> Row {
        let fixed = Row { model: "vgg".into(), bit_mask: 255, layer_mask: 511, ..Row::default() };
        Row { preset: preset.into(), ber_requested: ber, seed, top1, ..fixed }
    }

    #[test]
    fn a_curve_is_the_mean_over_seeds_at_each_rate_that_has_rows() {
        let plan = [row("4x4", 1e-3, 1, 0.0), row("8x8", 0.0, 1, 0.0), row("8x8", 1e-3, 1, 0.0)];
        let mut curves = Curves::new(plan.iter());
        let stray = row("8x8", 1e-5, 1, 1.0);
        for finished in [row("8x8", 1e-3, 1, 0.5), row("8x8", 1e-3, 2, 0.75), row("8x8", 0.0, 1, 1.0), stray] {
            curves.add(&finished);
        }
        let found: Vec<_> = curves.list.iter().map(|c| (c.name.as_str(), curves.points(c).collect())).collect();
        assert_eq!(found, [("vgg 4x4", Vec::new()), ("vgg 8x8", vec![(0.0, 1.0), (1e-3, 0.625)])]);
        assert_eq!(line("vgg 8x8", &row("8x8", 1e-3, 4, 0.753)), "vgg 8x8 ber 1e-3 seed 4: 75.3 %");
    }

    #[test]
    fn names_tell_what_differs_within_a_model_and_preset_alone() {
        let mut plan = [row("4x4", 1e-3, 1, 0.0), row("8x8", 1e-3, 1, 0.0), row("8x8", 1e-3, 1, 0.0)];
        plan.iter_mut().zip([1, 2, 3]).for_each(|(row, batch)| row.batch = batch.min(2));
        (plan[1].bit_mask, plan[2].bit_mask) = (0x80, 0x01);
        let names: Vec<_> = Curves::new(plan.iter()).list.into_iter().map(|curve| curve.name).collect();
        assert_eq!(names, ["vgg 4x4 bits 0xff", "vgg 8x8 bits 0x80", "vgg 8x8 bits 0x01"]);
    }

    #[test]
    fn the_axis_holds_every_rate_and_labels_powers_of_ten() {
        for (rates, first, last, labels) in [
            (&[0.0, 1e-5, 0.5][..], -6, 0, &["0", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1e0"][..]),
            (&[3e-4, 1e-3], -4, -3, &["1e-4", "1e-3"]),
            (&[1e-3], -3, -2, &["1e-3", "1e-2"]),
            (&[0.0], -1, 0, &["0", "1e0"]),
        ] {
            let axis = Axis::new(rates);
            assert_eq!(
                (axis.first, axis.last, axis.labels(80)),
                (first, last, labels.iter().map(|&l| l.into()).collect())
            );
            assert!(rates.iter().all(|&r| (f64::from(first)..=f64::from(last)).contains(&axis.position(r))));
        }
        assert_eq!(Axis::new(&[0.0, 1e-5, 0.5]).labels(24), ["0", "1e-4", "1e-2", "1e0"]);
        assert_eq!(Axis::new(&[0.0, 1e-5, 0.5]).labels(3), ["0", "1e0"]);
    }
}
