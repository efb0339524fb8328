//! A run over images on one engine, batch by batch, in parallel and in an order that does not depend on it.

use std::ops::Range;
use std::path::PathBuf;

use hafnia_config::flip::{Flip, FlipCounts};
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::LayerCounters;
use hafnia_config::scrub::Scrubbed;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, BatchRun, Depth, DriverError, Transport};
use hafnia_golden::clean::LayerOutput;
use hafnia_golden::prefix::CleanMaps;
use hafnia_golden::run::{BatchResult, Golden, aligned_batches};
use hafnia_verilate::Model;
use ndarray::{Array1, Array3};
use rayon::prelude::*;

use crate::compare::{Difference, compare};
use crate::remote::{Link, Remote};
use crate::{CosimError, Plan};

/// What computes.
#[derive(Clone, Copy)]
pub enum Engine<'m> {
    /// The golden model, to this depth.
    Golden(Depth),
    /// The hardware; only the logits are read back.
    Hardware(Device<'m>),
    /// Both, every layer compared.
    Both(Device<'m>),
}

/// Hardware of either kind.
#[derive(Clone, Copy)]
pub enum Device<'m> {
    /// Simulated.
    Simulated(&'m Hardware),
    /// On a board.
    Board(&'m Remote),
}

impl<'m> From<&'m Hardware> for Device<'m> {
    fn from(hardware: &'m Hardware) -> Self {
        Self::Simulated(hardware)
    }
}

impl Device<'_> {
    fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Simulated(hardware) => hardware.trace.as_ref(),
            Self::Board(_) => None,
        }
    }
}

/// Test images as a network takes them.
#[derive(Clone, Copy)]
pub struct Ifmaps<'a> {
    /// The data set's number of the first.
    pub first: u32,
    /// Quantised ifmaps `[C, H, W]`.
    pub images: &'a [Array3<i8>],
    /// Their undisturbed passes, which make the golden model faster and change no result.
    pub clean: Option<&'a CleanMaps>,
}

impl Ifmaps<'_> {
    /// Returns the hardware batches in which a run takes them, as numbers of images.
    pub fn batches(&self, plan: &Plan<'_>) -> Vec<Range<u32>> {
        aligned_batches(self.first..self.first + self.images.len() as u32, plan.schedule.batch)
    }
}

/// Simulated hardware, and whether its waveform is written.
pub struct Hardware {
    /// The built model; with a trace, one that was built for its format.
    pub model: Model,
    /// The part of the run to write as a waveform.
    pub trace: Option<Trace>,
}

/// A waveform file and its window. Cycles count from the moment at which the network is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// VCD or FST file, by extension.
    pub path: PathBuf,
    /// First cycle.
    pub from: u64,
    /// Number of cycles.
    pub count: u64,
}

impl From<Model> for Hardware {
    fn from(model: Model) -> Self {
        Self { model, trace: None }
    }
}

/// What one hardware batch gave.
#[derive(Clone, Debug, Default)]
pub struct BatchReport {
    /// Data-set number of its first image.
    pub first: u32,
    /// Number of its images.
    pub images: u32,
    /// Logits of its images; none where a test's layers end without a head.
    pub logits: Vec<Array1<i32>>,
    /// Flips in read order; none of the golden model at [`Depth::Logits`].
    pub flips: Vec<Flip>,
    /// Counters of each descriptor, with its layer.
    pub counters: Vec<(usize, LayerCounters)>,
    /// Flips by site, direction and bit of a byte.
    pub flip_counts: FlipCounts,
    /// Of the golden model, units of weights and biases that were read wrong without any being detected.
    pub silent: Option<[u64; 2]>,
    /// What programming weights and biases took, with write-verify.
    pub programmed: Option<[Programmed; 2]>,
    /// What scrubbing took, where the hardware has a scrubber.
    pub scrubbed: Option<Scrubbed>,
    /// With [`Engine::Both`], the number of ofmap values and logits compared.
    pub compared: u64,
    /// With [`Engine::Both`], the first difference.
    pub difference: Option<Found>,
}

/// A difference and when it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What differs.
    pub difference: Difference,
    /// First and last cycle of its layer's run, counted from the moment at which the network is loaded.
    pub cycles: (u64, u64),
}

/// Runs `ifmaps` and shows each batch to `sink`, in order; `sink` returns false to stop. `jobs` batches are computed at
/// once, the simulated ones on a hardware each; with a trace, one.
///
/// # Errors
/// If the hardware cannot be run.
pub fn run(
    plan: &Plan<'_>,
    engine: Engine<'_>,
    ifmaps: Ifmaps<'_>,
    jobs: usize,
    sink: &mut dyn FnMut(BatchReport) -> bool,
) -> Result<(), CosimError> {
    run_batches(plan, engine, ifmaps, &ifmaps.batches(plan), jobs, sink)
}

/// Runs some of the batches of `ifmaps`, see [`run`]. Where weights are scrubbed, what a batch gives depends on those before
/// it: then one hardware runs them all, and `batches` must be the first ones.
///
/// # Errors
/// If the hardware cannot be run.
pub fn run_batches(
    plan: &Plan<'_>,
    engine: Engine<'_>,
    ifmaps: Ifmaps<'_>,
    batches: &[Range<u32>],
    jobs: usize,
    sink: &mut dyn FnMut(BatchReport) -> bool,
) -> Result<(), CosimError> {
    let Ifmaps { first, images, clean } = ifmaps;
    let device = match engine {
        Engine::Golden(_) => None,
        Engine::Hardware(device) | Engine::Both(device) => Some(device),
    };
    let ages = plan.noise.cells.scrub_period.is_some();
    let alone = device.is_some_and(|device| ages || device.trace().is_some() || matches!(device, Device::Board(_)));
    let jobs = if alone { 1 } else { jobs.clamp(1, batches.len().max(1)) };
    let golden = matches!(engine, Engine::Golden(_) | Engine::Both(_))
        .then(|| Golden::new(plan.network, plan.hw, plan.schedule, &plan.noise, plan.seed))
        .map(|golden| golden.starting_from(clean).beginning_at(first));
    let mut workers = (0..jobs).map(|_| Worker::new(plan, engine, golden.clone())).collect::<Result<Vec<_>, _>>()?;
    // Logits are small and soon there, so that a worker is given many batches at a time.
    let share = if matches!(engine, Engine::Golden(Depth::Logits)) { 16 } else { 1 };
    let part = |range: &Range<u32>| &images[(range.start - first) as usize..(range.end - first) as usize];
    for wave in batches.chunks(jobs * share) {
        let work = |(worker, ranges): (&mut Worker<'_>, &[Range<u32>])| worker.batches(ranges, part);
        let shares = wave.par_chunks(wave.len().div_ceil(jobs));
        let reports: Result<Vec<_>, _> = workers.par_iter_mut().zip(shares).map(work).collect();
        for report in reports?.into_iter().flatten() {
            if !sink(report) {
                return workers.iter_mut().try_for_each(|worker| worker.end_trace().map(drop));
            }
        }
    }
    for worker in &mut workers {
        if let Some((trace, cycles)) = worker.end_trace()?.filter(|(trace, cycles)| *cycles <= trace.from) {
            return Err(CosimError::WindowMissed { path: trace.path.clone(), from: trace.from, cycles });
        }
    }
    Ok(())
}

/// One golden model, one hardware, or both.
struct Worker<'a> {
    golden: Option<Golden<'a>>,
    accel: Option<Accel<'a, Link>>,
    depth: Depth,
    /// Clock cycle at which the network was loaded.
    loaded: u64,
    /// Words that stream in wait for each other's pulses.
    late: bool,
    /// What is traced.
    trace: Option<&'a Trace>,
}

impl<'a> Worker<'a> {
    fn new(plan: &'a Plan<'a>, engine: Engine<'a>, golden: Option<Golden<'a>>) -> Result<Self, CosimError> {
        let (device, depth) = match engine {
            Engine::Golden(depth) => (None, depth),
            Engine::Hardware(device) => (Some(device), Depth::Logits),
            Engine::Both(device) => (Some(device), Depth::EveryLayer),
        };
        let waits = matches!(device, Some(Device::Board(_))) || plan.hw.config.protection.write_verify;
        let late = waits && !plan.schedule.resident;
        let mut worker = Self { golden, accel: None, depth, loaded: 0, late, trace: None };
        let Some(device) = device else { return Ok(worker) };
        let link = match device {
            Device::Simulated(hardware) => Link::Simulated(SimTransport::new(hardware.model.dut()?)?),
            Device::Board(remote) => Link::Board(remote.open(plan.hw)?),
        };
        let mut accel = Accel::open(link, plan.hw, plan.network, plan.schedule)?;
        accel.set_noise(plan.noise.clone(), plan.seed)?;
        if let (Link::Simulated(SimTransport { dut, .. }), Device::Simulated(hardware)) = (accel.link(), device) {
            worker.loaded = dut.cycle();
            if let Some(Trace { path, from, count }) = &hardware.trace {
                let begin = worker.loaded.saturating_add(*from);
                dut.trace_start(path, begin, begin.saturating_add(*count))?;
            }
            worker.trace = hardware.trace.as_ref();
        }
        worker.accel = Some(accel);
        Ok(worker)
    }

    /// Ends what is traced and checks that it was written; returns it with the cycles of the run.
    fn end_trace(&mut self) -> Result<Option<(&'a Trace, u64)>, CosimError> {
        let Some((accel, trace)) = self.accel.as_mut().zip(self.trace) else { return Ok(None) };
        let Link::Simulated(SimTransport { dut, .. }) = accel.link() else { return Ok(None) };
        dut.trace_stop()?;
        Ok(Some((trace, dut.cycle() - self.loaded)))
    }

    fn batches<'i>(
        &mut self,
        ranges: &[Range<u32>],
        images: impl Fn(&Range<u32>) -> &'i [Array3<i8>],
    ) -> Result<Vec<BatchReport>, CosimError> {
        let (depth, mut reports) = (self.depth, Vec::new());
        let Some(accel) = &mut self.accel else {
            let golden = self.golden.as_mut().expect("an engine computes");
            for run in ranges.chunk_by(|a, b| a.end == b.start) {
                let all = run[0].start..run[run.len() - 1].end;
                let results = golden.batches(all.start, images(&all), depth);
                assert_eq!(results.len(), run.len(), "ranges are hardware batches");
                reports.extend(run.iter().zip(results).map(|(range, result)| {
                    let BatchResult { outputs, flips, counters, flip_counts, silent, programmed, scrubbed, .. } =
                        result;
                    let report = report(range.start, outputs, flips, counters, flip_counts);
                    BatchReport { silent: Some(silent), programmed, scrubbed, ..report }
                }));
            }
            return Ok(reports);
        };
        for range in ranges {
            let images = images(range);
            let want = self.golden.as_mut().map(|golden| golden.batch(range.start, images, depth));
            reports.push(on_hardware(accel, range.start, images, depth, want, (self.loaded, self.late))?);
        }
        Ok(reports)
    }
}

/// Runs a batch on the hardware, and compares it with what the golden model gave, if that was run. The network was
/// loaded at cycle `loaded`; `late` tells whether the array may wait for weights.
fn on_hardware(
    accel: &mut Accel<'_, Link>,
    first: u32,
    images: &[Array3<i8>],
    depth: Depth,
    mut want: Option<BatchResult>,
    (loaded, late): (u64, bool),
) -> Result<BatchReport, CosimError> {
    if let (Link::Board(_), Some(want)) = (accel.link(), &mut want) {
        // A board lists no flips: its counts and its signatures say which they were.
        want.flips.clear();
    }
    let got = match (accel.batch(first, images, depth), &want) {
        (Err(DriverError::Unfinished { layer, status }), Some(_)) => {
            let now = accel.link().cycle().map_or(0, |cycle| cycle - loaded);
            let found = Found { difference: Difference::Unfinished { layer, status }, cycles: (now, now) };
            return Ok(BatchReport {
                first,
                images: images.len() as u32,
                difference: Some(found),
                ..BatchReport::default()
            });
        }
        (got, _) => got?,
    };
    let (mut compared, mut found) = (0, None);
    if let Some(want) = &want {
        compared = values(&got);
        found = compare(&got, want, late).map(|difference| {
            let (begin, end) = got.cycles.get(difference.layer()).copied().unwrap_or_default();
            Found { difference, cycles: (begin - loaded, end - loaded) }
        });
    }
    Ok(BatchReport {
        compared,
        silent: want.map(|want| want.silent),
        programmed: got.programmed,
        scrubbed: got.scrubbed,
        difference: found,
        ..report(first, got.outputs, got.flips, got.counters, got.flip_counts)
    })
}

fn report(
    first: u32,
    outputs: Vec<Vec<LayerOutput>>,
    flips: Vec<Flip>,
    counters: Vec<(usize, LayerCounters)>,
    flip_counts: FlipCounts,
) -> BatchReport {
    let head = outputs.into_iter().next_back().unwrap_or_default();
    let images = head.len() as u32;
    let logits = head.into_iter().filter_map(LayerOutput::into_logits).collect();
    BatchReport { first, images, logits, flips, counters, flip_counts, ..BatchReport::default() }
}

/// Returns the number of ofmap values and logits of a batch.
fn values(batch: &BatchRun) -> u64 {
    batch.outputs.iter().flatten().map(|output| output.len() as u64).sum()
}
