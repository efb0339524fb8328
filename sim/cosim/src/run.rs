//! A run over images on one engine, batch by batch, in parallel and in an order that does not depend on it.

use hafnia_config::flip::Flip;
use hafnia_config::regs::LayerCounters;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, Depth};
use hafnia_golden::clean::LayerOutput;
use hafnia_golden::conv::arg_max;
use hafnia_golden::run::{Golden, aligned_batches};
use hafnia_verilate::Model;
use ndarray::{Array1, Array3};
use rayon::prelude::*;

use crate::compare::{Difference, compare};
use crate::verify::{CosimError, Verify, values};

/// What computes.
#[derive(Clone, Copy)]
pub enum Engine<'m> {
    /// The golden model.
    Golden,
    /// The simulated hardware; only the logits are read back.
    Sim(&'m Model),
    /// Both, every layer compared.
    Both(&'m Model),
}

/// What one hardware batch gave.
#[derive(Clone, Debug, Default)]
pub struct BatchReport {
    /// Data-set number of its first image.
    pub first: u32,
    /// Logits of its images.
    pub logits: Vec<Array1<i32>>,
    /// Flips in read order.
    pub flips: Vec<Flip>,
    /// Counters of each descriptor, with its layer.
    pub counters: Vec<(usize, LayerCounters)>,
    /// Values compared, with [`Engine::Both`].
    pub values: u64,
    /// The first difference, with [`Engine::Both`].
    pub difference: Option<Difference>,
}

impl BatchReport {
    /// Returns the class of each image.
    pub fn classes(&self) -> impl Iterator<Item = usize> + '_ {
        self.logits.iter().map(|logits| arg_max(logits.view()))
    }
}

/// Runs `images` (quantised ifmaps, the first with the data set's number `first`) and shows each batch to `sink`, in
/// order; `sink` returns false to stop. `jobs` batches are computed at once, the simulated ones on a hardware each.
///
/// # Errors
/// If the hardware cannot be run.
pub fn run(
    plan: &Verify<'_>,
    engine: Engine<'_>,
    first: u32,
    images: &[Array3<i8>],
    jobs: usize,
    sink: &mut dyn FnMut(BatchReport) -> bool,
) -> Result<(), CosimError> {
    let batches = aligned_batches(first..first + images.len() as u32, plan.schedule.batch);
    let workers: Result<Vec<_>, _> =
        (0..jobs.clamp(1, batches.len().max(1))).map(|_| Worker::new(plan, engine)).collect();
    let mut workers = workers?;
    for wave in batches.chunks(workers.len()) {
        let reports: Result<Vec<_>, _> = workers
            .par_iter_mut()
            .zip(wave)
            .map(|(worker, range)| {
                let part = &images[(range.start - first) as usize..(range.end - first) as usize];
                worker.batch(range.start, part)
            })
            .collect();
        for report in reports? {
            if !sink(report) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One golden model, one hardware, or both.
struct Worker<'a> {
    golden: Option<Golden<'a>>,
    accel: Option<Accel<'a, SimTransport>>,
    timed: bool,
    seed: u64,
}

impl<'a> Worker<'a> {
    fn new(plan: &Verify<'a>, engine: Engine<'_>) -> Result<Self, CosimError> {
        let golden = Golden::new(plan.network, plan.hw, plan.schedule, plan.thresholds.clone(), plan.seed);
        let (golden, model) = match engine {
            Engine::Golden => (Some(golden), None),
            Engine::Sim(model) => (None, Some(model)),
            Engine::Both(model) => (Some(golden), Some(model)),
        };
        let accel = match model {
            None => None,
            Some(model) => {
                let mut accel = Accel::open(SimTransport::new(model.dut()?)?, plan.hw, plan.network, plan.schedule)?;
                accel.set_noise(plan.thresholds.clone())?;
                Some(accel)
            }
        };
        Ok(Self { golden, accel, timed: plan.schedule.resident, seed: plan.seed })
    }

    fn batch(&mut self, first: u32, images: &[Array3<i8>]) -> Result<BatchReport, CosimError> {
        let want = self.golden.as_ref().map(|golden| golden.batch(first, images));
        let depth = if want.is_some() { Depth::EveryLayer } else { Depth::Logits };
        let got = match &mut self.accel {
            None => None,
            Some(accel) => Some(accel.batch(first, images, self.seed, depth)?),
        };
        let mut report = BatchReport { first, ..BatchReport::default() };
        if let (Some(got), Some(want)) = (&got, &want) {
            report.difference = compare(got, want, self.timed);
            report.values = values(want);
        }
        // The hardware's own results where there is hardware.
        let (outputs, flips, counters) = match (got, want) {
            (Some(got), _) => (got.outputs, got.flips, got.counters),
            (None, Some(want)) => (want.outputs, want.flips, want.counters),
            (None, None) => unreachable!("an engine computes"),
        };
        report.logits =
            outputs.into_iter().next_back().map_or_else(Vec::new, |head| head.into_iter().map(logits).collect());
        report.flips = flips;
        report.counters = counters;
        Ok(report)
    }
}

fn logits(output: LayerOutput) -> Array1<i32> {
    match output {
        LayerOutput::Logits(logits) => logits,
        LayerOutput::Map(_) => unreachable!("the last layer is the head"),
    }
}
