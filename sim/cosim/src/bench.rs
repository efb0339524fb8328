//! Measures the array's utilisation by the hardware's own counters, the speed of the simulation, and what driving it
//! from Rust costs over a bare C++ loop.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hafnia_config::schedule::MAX_BATCH;
use hafnia_config::shape::LayerKind;
use hafnia_config::{Elaborated, presets};
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, Armed, Depth};
use hafnia_golden::fast::Engine;
use hafnia_golden::network::Network;
use hafnia_golden::run::Golden;
use hafnia_verilate::Model;
use ndarray::Array3;
use rayon::prelude::*;

use crate::{CosimError, Plan};

/// What the simulated hardware did with one hardware batch.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Useful MACs of the convolutions / (their cycles x rows x cols), from the hardware's counters.
    pub utilisation: f64,
    /// Useful MACs of the whole network.
    pub macs: u64,
    /// Clock cycles of the whole network.
    pub cycles: u64,
    /// Times of the batch driven from Rust: images and program in, logits and counters out.
    pub driven: Vec<Duration>,
    /// Times of the layer program alone in a bare C++ loop, each measured just before its partner in `driven`.
    pub bare: Vec<Duration>,
}

/// Runs a batch `repeats` times each way on one hardware, on one core. `images` must not be more than a batch.
///
/// # Errors
/// If the hardware cannot be run.
pub fn simulated(
    plan: &Plan<'_>,
    model: &Model,
    images: &[Array3<i8>],
    repeats: usize,
) -> Result<Simulated, CosimError> {
    let mut accel = Accel::open(SimTransport::new(model.dut()?)?, plan.hw, plan.network, plan.schedule)?;
    accel.set_noise(plan.noise.clone(), plan.seed)?;
    let mut measured = Simulated { utilisation: 0.0, macs: 0, cycles: 0, driven: Vec::new(), bare: Vec::new() };
    for _ in 0..repeats {
        let program = accel.stage(0, images)?;
        let Armed { start, stream, max_cycles } = accel.arm(0, &program)?;
        measured.bare.push(accel.link().dut.bare_run((start, 1), max_cycles, &stream)?.time);
        let begin = Instant::now();
        let run = accel.batch(0, images, Depth::Logits)?;
        measured.driven.push(begin.elapsed());
        let sum = |of: fn(&hafnia_config::regs::LayerCounters) -> u32, kind: Option<LayerKind>| -> u64 {
            let of_kind = |layer: usize| kind.is_none_or(|kind| plan.schedule.layers[layer].shape.kind == kind);
            run.counters.iter().filter(|(layer, _)| of_kind(*layer)).map(|(_, c)| u64::from(of(c))).sum()
        };
        let conv = Some(LayerKind::Conv3x3);
        let pes = u64::from(plan.hw.rows * plan.hw.cols);
        measured.utilisation = sum(|c| c.macs, conv) as f64 / (sum(|c| c.cycles, conv) * pes) as f64;
        measured.macs = sum(|c| c.macs, None);
        measured.cycles = sum(|c| c.cycles, None);
    }
    Ok(measured)
}

/// The golden network without noise on all threads of the pool, an engine each.
pub struct Clean {
    engines: Vec<Mutex<Engine>>,
}

impl Clean {
    /// Images that one thread takes at a time.
    const AT_ONCE: usize = 8;

    /// Packs the network.
    pub fn new(network: &Network) -> Self {
        let engine = Engine::new(network);
        Self { engines: (0..rayon::current_num_threads()).map(|_| Mutex::new(engine.clone())).collect() }
    }

    /// Runs a batch and returns the logits and the time.
    pub fn run(&self, images: &[Array3<i8>]) -> (Vec<Vec<i32>>, Duration) {
        let begin = Instant::now();
        let forward = |images: &[Array3<i8>]| own(&self.engines).forward(images);
        let logits = images.par_chunks(Self::AT_ONCE).flat_map_iter(forward).collect();
        (logits, begin.elapsed())
    }
}

/// The golden network with read noise on all threads of the pool, a model each.
pub struct Noisy<'a> {
    models: Vec<Mutex<Golden<'a>>>,
    /// Images that one thread takes at a time: whole batches.
    at_once: usize,
}

impl<'a> Noisy<'a> {
    /// Packs the network.
    pub fn new(plan: &Plan<'a>) -> Self {
        let model = Golden::new(plan.network, plan.hw, plan.schedule, &plan.noise, plan.seed);
        let models = (0..rayon::current_num_threads()).map(|_| Mutex::new(model.clone())).collect();
        let batch = plan.schedule.batch as usize;
        Self { models, at_once: Clean::AT_ONCE.next_multiple_of(batch) }
    }

    /// Runs images, the data set's first, and returns the time.
    pub fn run(&self, images: &[Array3<i8>]) -> Duration {
        let begin = Instant::now();
        images.par_chunks(self.at_once).enumerate().for_each(|(number, images)| {
            let first = (number * self.at_once) as u32;
            std::hint::black_box(own(&self.models).batches(first, images, Depth::Logits));
        });
        begin.elapsed()
    }
}

/// Returns what belongs to this thread of the pool.
fn own<T>(of_threads: &[Mutex<T>]) -> MutexGuard<'_, T> {
    let thread = rayon::current_thread_index().unwrap_or(0);
    of_threads[thread].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a configuration whose memories let as many images as a hardware batch may hold share each read of VGG-A's layers.
///
/// # Panics
/// Never: the preset is there, and its memories may be as large.
pub fn shared_reads() -> Elaborated {
    let mut config = presets::find("8x8").expect("the preset is there");
    config.memory.map_words = MAX_BATCH * 32 * 32 * 64 / config.array.rows;
    config.memory.accumulator_words = MAX_BATCH * 32 * 32;
    config.validate().expect("the memories may be as large")
}

/// Returns the times that the golden model takes for the batches of some images on one core, and, each measured just before,
/// those of its clean passes.
pub fn golden(plan: &Plan<'_>, images: &[Array3<i8>], repeats: usize) -> [Vec<Duration>; 2] {
    let mut golden = Golden::new(plan.network, plan.hw, plan.schedule, &plan.noise, plan.seed);
    let mut engine = Engine::new(plan.network);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..repeats {
        let begin = Instant::now();
        for images in images.chunks(Clean::AT_ONCE) {
            std::hint::black_box(engine.forward(images));
        }
        times[1].push(begin.elapsed());
        let begin = Instant::now();
        std::hint::black_box(golden.batches(0, images, Depth::Logits));
        times[0].push(begin.elapsed());
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafnia_config::schedule::Schedule;
    use hafnia_config::shape::Vgg;

    #[test]
    fn every_layer_of_the_largest_vgg_can_share_reads_among_a_whole_batch() {
        let hw = shared_reads();
        let schedule = Schedule::new(&hw, &Vgg::E.layers(1), None).expect("it fits");
        assert_eq!(schedule.batch, MAX_BATCH);
        assert!(schedule.layers.iter().all(|layer| layer.read_group == MAX_BATCH));
    }
}
