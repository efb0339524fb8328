//! Sums over the batches of a run.

use hafnia_config::fault::{AtRisk, Site};
use hafnia_config::flip::FlipCounts;
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::LayerCounters;
use hafnia_config::scrub::Scrubbed;
use hafnia_golden::conv::arg_max;
use hafnia_golden::fast::{Coded, Writes, check_cells};

use crate::Plan;
use crate::run::BatchReport;

/// Standard normal quantile of a two-sided 99.9% interval.
const Z: f64 = 3.290_526_731_491_926;

/// What a run gave in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    at_risk: AtRisk,
    /// By layer, the cells at risk of one read of the parameters that hold 0 and 1.
    held: Vec<[u64; 2]>,
    /// Where writes fail, the cells at risk of the parameters that a pulse left wrong and all of them, each those that are to
    /// hold 0 and 1.
    written: Option<[[u64; 2]; 2]>,
    /// Weights are programmed anew for every batch.
    streamed: bool,
    /// By layer, the check cells at risk of one read of the weights, and of the biases.
    checks: Vec<[u64; 2]>,
    /// Images.
    pub images: u64,
    /// Images whose largest logit is that of their label.
    pub correct: u64,
    /// Counters summed over all descriptors, in the order of [`LayerCounters::NAMES`].
    pub counters: [u64; LayerCounters::COUNT],
    /// Cells read that were at risk, by site in the order of [`Site::ALL`].
    pub cells_at_risk: [u64; 3],
    /// Weights' and biases' cells read that were at risk and held 0, and held 1.
    pub parameters_at_risk: [u64; 2],
    /// Flips by site, direction and bit of a byte.
    pub flip_counts: FlipCounts,
    /// Units of weights and biases read wrong without any being detected; of the golden model alone.
    pub silent: Option<[u64; 2]>,
    /// What programming weights and biases took in all, with write-verify: once where they are resident.
    pub programmed: Option<[Programmed; 2]>,
    /// What scrubbing took, where the hardware has a scrubber.
    pub scrubbed: Option<Scrubbed>,
    /// Cycles of each layer, summed over its descriptors.
    pub layer_cycles: Vec<u64>,
    /// Ofmap values and logits compared.
    pub compared: u64,
}

impl Totals {
    /// Returns the totals of no batch.
    pub fn new(plan: &Plan<'_>) -> Self {
        let at_risk = plan.noise.at_risk;
        let writes = Writes::new(plan.hw, &plan.noise, plan.seed);
        let stored = writes.as_ref().map(|writes| writes.network(plan.hw, plan.schedule, plan.network));
        let layers = 0..plan.network.layers.len();
        let parameters = Site::PROGRAMMED;
        let is_at_risk = |layer: usize, site| at_risk.bits_in(site, layer as u32) != 0;
        let checks_of = |layer: usize| {
            let counts = |site| match at_risk.checks && is_at_risk(layer, site) {
                true => check_cells(plan.hw, site, &plan.network.layers[layer]),
                false => [0; 2],
            };
            parameters.map(counts)
        };
        let checks: Vec<[[u64; 2]; 2]> = layers.clone().map(checks_of).collect();
        // Cells that are to hold 0 and 1, and those of them that writes left wrong.
        let meant = |layer: usize| {
            let data = parameters.map(|site| plan.network.held(layer, site, at_risk.bits_in(site, layer as u32)));
            add(data.into_iter().chain(checks[layer]))
        };
        let coded = parameters.map(|site| Coded::new(plan.hw, site, plan.schedule, plan.network, writes.as_ref()));
        let wrong = |layer: usize| {
            let of_site = |(site, coded): (Site, &Option<Coded>)| match (coded, &stored) {
                (Some(coded), _) => coded.wrong_in(layer),
                (None, Some(stored)) => plan.network.wrong_in(stored, layer, site, at_risk.bits_in(site, layer as u32)),
                (None, None) => [0; 2],
            };
            add(parameters.into_iter().zip(&coded).map(of_site))
        };
        let held = |layer: usize| {
            let ([zeros, ones], [risen, fallen]) = (meant(layer), wrong(layer));
            [zeros - risen + fallen, ones - fallen + risen]
        };
        Self {
            at_risk,
            written: stored.is_some().then(|| [add(layers.clone().map(wrong)), add(layers.clone().map(meant))]),
            held: layers.clone().map(held).collect(),
            checks: checks.iter().map(|sites| sites.map(|[zeros, ones]| zeros + ones)).collect(),
            parameters_at_risk: [0; 2],
            images: 0,
            correct: 0,
            counters: [0; LayerCounters::COUNT],
            cells_at_risk: [0; 3],
            flip_counts: FlipCounts::default(),
            silent: None,
            programmed: None,
            scrubbed: None,
            streamed: !plan.schedule.resident,
            layer_cycles: Vec::new(),
            compared: 0,
        }
    }

    /// Adds a batch; `labels` are those of its images.
    pub fn add(&mut self, batch: &BatchReport, labels: &[u8]) {
        self.images += u64::from(batch.images);
        self.flip_counts.merge(&batch.flip_counts);
        if let Some([weights, biases]) = batch.programmed {
            let before =
                self.programmed.filter(|_| self.streamed).map_or_else(Programmed::default, |[before, _]| before);
            self.programmed = Some([[before, weights].into_iter().sum(), biases]);
        }
        if let Some(scrubbed) = batch.scrubbed {
            *self.scrubbed.get_or_insert_default() += scrubbed;
        }
        if let Some(silent) = batch.silent {
            let sums = self.silent.get_or_insert_default();
            sums.iter_mut().zip(silent).for_each(|(sum, silent)| *sum += silent);
        }
        self.compared += batch.compared;
        let classes = batch.logits.iter().map(|logits| arg_max(logits.view()));
        self.correct += classes.zip(labels).filter(|(class, label)| *class == usize::from(**label)).count() as u64;
        for (layer, counters) in &batch.counters {
            if self.layer_cycles.len() <= *layer {
                self.layer_cycles.resize(layer + 1, 0);
            }
            self.layer_cycles[*layer] += u64::from(counters.cycles);
            for (site, cells) in Site::ALL.into_iter().zip(&mut self.cells_at_risk) {
                let bits = self.at_risk.bits_in(site, *layer as u32).count_ones();
                *cells += u64::from(counters.cells(site)) / 8 * u64::from(bits);
            }
            for (cells, checks) in self.cells_at_risk.iter_mut().zip(self.checks[*layer]) {
                *cells += checks;
            }
            for (sum, cells) in self.parameters_at_risk.iter_mut().zip(self.held[*layer]) {
                *sum += cells;
            }
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

    /// Returns the cells read wrong at a site.
    pub fn flips(&self, site: Site) -> u64 {
        self.flips_of(site, false) + self.flips_of(site, true)
    }

    /// Returns those of them that held this value.
    pub fn flips_of(&self, site: Site, before: bool) -> u64 {
        let checks = self.flip_counts.checks[site as usize][usize::from(before)];
        self.flip_counts.of(site, before).iter().sum::<u64>() + checks
    }

    /// Returns the bits read wrong, and the cells read that were at risk, of all sites.
    pub fn all(&self) -> (u64, u64) {
        (Site::ALL.into_iter().map(|site| self.flips(site)).sum(), self.cells_at_risk.iter().sum())
    }

    /// Returns the measured bit-error rate: flips / cells read that were at risk.
    pub fn ber_measured(&self) -> f64 {
        let (flips, cells) = self.all();
        flips as f64 / cells as f64
    }

    /// Returns the cells read that were at risk and held 0; none where activations are at risk: what they hold is not counted.
    pub fn zeros_at_risk(&self) -> Option<u64> {
        (self.cells_at_risk[Site::Activations as usize] == 0).then_some(self.parameters_at_risk[0])
    }

    /// Returns the measured rates of both directions: flips / cells read that were at risk and held that value. None where no
    /// such cell was read or that is not known.
    pub fn directions_measured(&self) -> [Option<f64>; 2] {
        let known = self.zeros_at_risk().is_some();
        [false, true].map(|before| {
            let cells = self.parameters_at_risk[usize::from(before)];
            let flips: u64 = Site::ALL.map(|site| self.flips_of(site, before)).iter().sum();
            (known && cells > 0).then(|| flips as f64 / cells as f64)
        })
    }

    /// Returns the measured rates of write errors of parameters in both directions: cells at risk left wrong / cells written.
    /// None where writes do not fail or no such cell was written.
    pub fn writes_measured(&self) -> [Option<f64>; 2] {
        [0, 1].map(|to| {
            let [wrong, all] = self.written?;
            (all[to] > 0).then(|| wrong[to] as f64 / all[to] as f64)
        })
    }

    /// Returns the [`rate_interval`] of the bit-error rate.
    pub fn ber_interval(&self) -> (f64, f64) {
        let (flips, cells) = self.all();
        rate_interval(flips, cells)
    }
}

fn add(counts: impl Iterator<Item = [u64; 2]>) -> [u64; 2] {
    counts.fold([0; 2], |sum, of| [sum[0] + of[0], sum[1] + of[1]])
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
