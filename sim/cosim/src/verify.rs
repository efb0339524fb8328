//! Golden against simulated hardware, batch by batch.

use hafnia_config::Elaborated;
use hafnia_config::fault::Thresholds;
use hafnia_config::flip::Flip;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, BatchRun, Depth, DriverError};
use hafnia_golden::clean::LayerOutput;
use hafnia_golden::network::Network;
use hafnia_golden::run::{BatchResult, Golden, aligned_batches};
use hafnia_verilate::Model;
use ndarray::Array3;

use crate::compare::{Difference, compare};

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CosimError {
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The simulation failed.
    #[error(transparent)]
    Verilate(#[from] hafnia_verilate::Error),
    /// The waveform window could not be read back.
    #[error("cannot read the waveform {path}: {reason}")]
    Waveform {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is compared.
pub struct Verify<'a> {
    /// The configuration.
    pub hw: &'a Elaborated,
    /// The network.
    pub network: &'a Network,
    /// Its schedule on the configuration.
    pub schedule: &'a Schedule,
    /// The noise.
    pub thresholds: Thresholds,
    /// The run seed.
    pub seed: u64,
}

/// What was compared and found equal.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Images.
    pub images: u32,
    /// Values of ofmaps and logits.
    pub values: u64,
    /// Flips, in read order.
    pub flips: Vec<Flip>,
    /// Counters summed over all descriptors.
    pub counters: LayerCounters,
}

/// The outcome.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is equal.
    Equal(Summary),
    /// Something differs.
    Differs {
        /// What.
        difference: Difference,
        /// Data-set number of the first image of the batch.
        first: u32,
        /// Clock cycles of the layer's run on the simulated hardware.
        cycles: (u64, u64),
    },
}

impl Verify<'_> {
    /// Runs `images` (quantised ifmaps, the first with the data set's number `first`) on a fresh instance of `model` and
    /// on the golden model. `progress` is told the images done. All flips are kept in the summary.
    ///
    /// # Errors
    /// If the hardware cannot be run; a difference is no error.
    pub fn run(
        &self,
        model: &Model,
        first: u32,
        images: &[Array3<i8>],
        progress: &mut dyn FnMut(u32),
    ) -> Result<Outcome, CosimError> {
        self.run_on(SimTransport::new(model.dut()?)?, first, images, progress)
    }

    /// The same on a transport that the caller prepared, e.g. with a trace window.
    ///
    /// # Errors
    /// If the hardware cannot be run; a difference is no error.
    pub fn run_on(
        &self,
        transport: SimTransport,
        first: u32,
        images: &[Array3<i8>],
        progress: &mut dyn FnMut(u32),
    ) -> Result<Outcome, CosimError> {
        let mut summary = Summary::default();
        let found = self.each_batch(transport, first, images, &mut |batch| {
            summary.add(batch.want, batch.want.outputs[0].len() as u32);
            progress(summary.images);
        })?;
        Ok(found.unwrap_or(Outcome::Equal(summary)))
    }

    /// Runs batch by batch and shows each equal batch to `sink`; stops at the first difference and returns it.
    ///
    /// # Errors
    /// If the hardware cannot be run; a difference is no error.
    pub fn each_batch(
        &self,
        transport: SimTransport,
        first: u32,
        images: &[Array3<i8>],
        sink: &mut dyn FnMut(EqualBatch<'_>),
    ) -> Result<Option<Outcome>, CosimError> {
        let golden = Golden::new(self.network, self.hw, self.schedule, self.thresholds.clone(), self.seed);
        let mut accel = Accel::open(transport, self.hw, self.network, self.schedule)?;
        accel.set_noise(self.thresholds.clone())?;
        for range in aligned_batches(first..first + images.len() as u32, self.schedule.batch) {
            let part = &images[(range.start - first) as usize..(range.end - first) as usize];
            let got = accel.batch(range.start, part, self.seed, Depth::EveryLayer)?;
            let want = golden.batch(range.start, part);
            if let Some(difference) = compare(&got, &want, self.schedule.resident) {
                let cycles = got.cycles.get(difference.layer()).copied().unwrap_or_default();
                return Ok(Some(Outcome::Differs { difference, first: range.start, cycles }));
            }
            sink(EqualBatch { first: range.start, got: &got, want: &want });
        }
        accel.link().dut.trace_stop()?;
        Ok(None)
    }
}

/// A batch on which hardware and golden model agree.
pub struct EqualBatch<'a> {
    /// Data-set number of its first image.
    pub first: u32,
    /// The hardware's results.
    pub got: &'a BatchRun,
    /// The golden model's results.
    pub want: &'a BatchResult,
}

impl Summary {
    fn add(&mut self, batch: &BatchResult, images: u32) {
        self.images += images;
        self.values += values(batch);
        self.flips.extend(&batch.flips);
        for (_, counters) in &batch.counters {
            self.counters.add(counters);
        }
    }
}

/// Returns the number of ofmap values and logits of a batch.
pub fn values(batch: &BatchResult) -> u64 {
    let length = |output: &LayerOutput| match output {
        LayerOutput::Map(map) => map.len(),
        LayerOutput::Logits(logits) => logits.len(),
    };
    batch.outputs.iter().flatten().map(|output| length(output) as u64).sum()
}
