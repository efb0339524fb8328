//! Sums over the batches of a run.

use hafnia_config::fault::AtRisk;
use hafnia_config::regs::LayerCounters;
use hafnia_golden::conv::arg_max;

use crate::run::BatchReport;

/// Standard normal quantile of a two-sided 99.9% interval.
const Z: f64 = 3.290_526_731_491_926;

/// What a run gave in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    at_risk: AtRisk,
    /// Images.
    pub images: u64,
    /// Images whose largest logit is that of their label.
    pub correct: u64,
    /// Counters summed over all descriptors, in the order of [`LayerCounters::NAMES`].
    pub counters: [u64; LayerCounters::COUNT],
    /// Cells read that were at risk.
    pub cells_at_risk: u64,
    /// Cycles of each layer, summed over its descriptors.
    pub layer_cycles: Vec<u64>,
    /// Ofmap values and logits compared.
    pub compared: u64,
}

impl Totals {
    /// Returns the totals of no batch, of a run in which these cells are at risk.
    pub fn new(at_risk: AtRisk) -> Self {
        let counters = [0; LayerCounters::COUNT];
        Self { at_risk, images: 0, correct: 0, counters, cells_at_risk: 0, layer_cycles: Vec::new(), compared: 0 }
    }

    /// Adds a batch; `labels` are those of its images.
    pub fn add(&mut self, batch: &BatchReport, labels: &[u8]) {
        self.images += u64::from(batch.images);
        self.compared += batch.compared;
        let classes = batch.logits.iter().map(|logits| arg_max(logits.view()));
        self.correct += classes.zip(labels).filter(|(class, label)| *class == usize::from(**label)).count() as u64;
        for (layer, counters) in &batch.counters {
            if self.layer_cycles.len() <= *layer {
                self.layer_cycles.resize(layer + 1, 0);
            }
            self.layer_cycles[*layer] += u64::from(counters.cycles);
            let bits = self.at_risk.bits_in(*layer as u32).count_ones();
            self.cells_at_risk += u64::from(counters.cells_read) / 8 * u64::from(bits);
            for (sum, value) in self.counters.iter_mut().zip(counters.values()) {
                *sum += u64::from(value);
            }
        }
    }

    /// Returns one counter by its name in [`LayerCounters::NAMES`].
    ///
    /// # Panics
    /// If there is no such counter.
    pub fn counter(&self, name: &str) -> u64 {
        let index = LayerCounters::NAMES.iter().position(|n| *n == name);
        self.counters[index.expect("callers name counters of the list")]
    }

    /// Returns top-1, from 0 to 1.
    pub fn top1(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }

    /// Returns the measured bit-error rate: flips / cells read that were at risk.
    pub fn ber_measured(&self) -> f64 {
        self.counter("flips") as f64 / self.cells_at_risk as f64
    }

    /// Returns the [`rate_interval`] of the bit-error rate.
    pub fn ber_interval(&self) -> (f64, f64) {
        rate_interval(self.counter("flips"), self.cells_at_risk)
    }
}

/// Returns the 99.9% Wilson score interval of a bit-error rate: the rates under which the flips counted would not be a
/// surprise of one in a thousand.
pub fn rate_interval(flips: u64, cells: u64) -> (f64, f64) {
    let (n, p) = (cells as f64, flips as f64 / cells as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // At both ends the bound is exact and rounding would move it inside.
    let low = if p == 0.0 { 0.0 } else { (centre - half) / scale };
    let high = if p == 1.0 { 1.0 } else { (centre + half) / scale };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside values: statsmodels 0.15, `proportion_confint(12, 10000, 0.001, "wilson")` and the same of 0 in 500.
    #[test]
    fn the_interval_is_the_wilson_score_interval() {
        for (flips, cells, want) in
            [(12, 10_000, (0.000_479_574_287, 0.002_999_415_431)), (0, 500, (0.0, 0.021_196_127_397))]
        {
            let (low, high) = rate_interval(flips, cells);
            assert!((low - want.0).abs() < 1e-12 && (high - want.1).abs() < 1e-12, "{low} {high}");
        }
    }
}
