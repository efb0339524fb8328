//! Runs the points that have no row yet.

use std::ops::ControlFlow;

use hafnia_cosim::{
    CleanMaps, Depth, Device, Engine as Computes, Hardware, Ifmaps, Plan as Experiment, Remote, Totals,
};
use hafnia_verilate::{Builder, Variant};
use ndarray::Array3;

use crate::audit::{audit, choose};
use crate::interval::mean_interval;
use crate::plan::{Plan, Setup};
use crate::spec::{Engine, Stop};
use crate::store::Origin;
use crate::{Configuration, Row, Store, SweepError};

/// Bytes of clean maps that are kept: enough for 10,000 images of a small network, and a sweep stays under 1 GiB.
const CLEAN_BYTES: usize = 256 << 20;

/// What a sweep runs on.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Builds the simulated hardware.
    pub builder: &'a Builder<'a>,
    /// Simulated hardware batches at once.
    pub jobs: usize,
    /// The board of the engine `fpga`.
    pub board: Option<&'a Remote>,
}

/// How far a sweep, or a shard of one, is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Points behind us: finished, or not needed.
    pub done: usize,
    /// Points of the plan, or of the shard.
    pub total: usize,
    /// Points whose rows were there.
    pub found: usize,
    /// Points whose rows a shard had.
    pub merged: usize,
    /// Points computed.
    pub computed: usize,
    /// Points that early stopping left out so far.
    pub left_out: usize,
}

/// Runs every point of `plan`, or of the shard that `store` is for, that has no row in the folder, in order, on
/// `machine`. Tells `progress` after each point, with its row if that was computed now, and ends early when it says
/// so. A run of the whole also takes over the rows of the shards.
///
/// # Errors
/// A row of the store is of another point; a point cannot be run; an audit found a difference; a row cannot be written;
/// `progress` ended the sweep before its last point. Rows that were finished stay.
pub fn run(
    plan: &Plan,
    store: &mut Store,
    machine: Machine<'_>,
    progress: &mut dyn FnMut(Progress, Option<&Row>) -> ControlFlow<()>,
) -> Result<Progress, SweepError> {
    let points = store.points(plan);
    let mut state = Progress { total: points.len(), ..Progress::default() };
    let (mut next, mut loaded): (usize, Option<Loaded>) = (0, None);
    // Top-1 of the seeds of the cell that is under way.
    let (mut cell, mut seeds) = (None, Vec::new());
    for number in points {
        let point = &plan.points[number];
        if cell != Some(point.cell) {
            (cell, seeds) = (Some(point.cell), Vec::new());
        }
        let mut computed = None;
        if plan.stop.is_some_and(|stop| narrow(&seeds, stop)) {
            state.left_out += 1;
        } else {
            let top1 = match store.take(point, next)? {
                Some((row, origin)) => {
                    match origin {
                        Origin::Found => state.found += 1,
                        Origin::Merged => state.merged += 1,
                    }
                    row.top1
                }
                None => {
                    let setup = match loaded.take().filter(|loaded| loaded.setup == point.setup) {
                        Some(loaded) => loaded,
                        None => Loaded::new(plan, point.setup, machine.builder)?,
                    };
                    let row = setup.run(plan, number, machine).inspect_err(|error| {
                        if matches!(error, SweepError::Differs { .. }) {
                            store.keep_difference(error);
                        }
                    })?;
                    loaded = Some(setup);
                    store.append(row.clone())?;
                    state.computed += 1;
                    computed.insert(row).top1
                }
            };
            seeds.push(top1);
            next += 1;
        }
        state.done += 1;
        if progress(state, computed.as_ref()).is_break() && state.done < state.total {
            return Err(SweepError::Stopped { done: state.done, total: state.total });
        }
    }
    store.finish(next)?;
    Ok(state)
}

/// What the points of one setup share.
struct Loaded {
    setup: usize,
    ifmaps: Vec<Array3<i8>>,
    clean: Option<CleanMaps>,
    hardware: Option<Hardware>,
}

impl Loaded {
    fn new(plan: &Plan, setup: usize, builder: &Builder<'_>) -> Result<Self, SweepError> {
        let Setup { model, configuration: Configuration { hw, .. }, schedule, engine, .. } = &plan.setups[setup];
        let ifmaps: Vec<_> = plan.images.iter().map(|(pixels, _)| model.network.quantise_image(pixels)).collect();
        let clean = || CleanMaps::new(&model.network, plan.first, &ifmaps, schedule.batch, CLEAN_BYTES);
        let clean = (*engine == Engine::Golden).then(clean);
        let build = || builder.build(&plan.design(hw), Variant::default());
        let hardware = (*engine == Engine::Sim || plan.audit > 0.0).then(build).transpose()?.map(Hardware::from);
        Ok(Self { setup, ifmaps, clean, hardware })
    }

    fn run(&self, plan: &Plan, number: usize, machine: Machine<'_>) -> Result<Row, SweepError> {
        let point = &plan.points[number];
        let Setup { model, configuration: Configuration { hw, .. }, schedule, engine, .. } = &plan.setups[self.setup];
        let (noise, seed) = (point.noise.clone(), point.seed());
        let experiment = Experiment { hw, network: &model.network, schedule, noise, seed };
        let engine = match engine {
            Engine::Golden => Computes::Golden(Depth::Logits),
            Engine::Sim => Computes::Hardware(self.hardware().into()),
            Engine::Fpga => Computes::Hardware(Device::Board(machine.board.ok_or(SweepError::NoBoard)?)),
        };
        let ifmaps = Ifmaps { first: plan.first, images: &self.ifmaps, clean: self.clean.as_ref() };
        let batches = ifmaps.batches(&experiment);
        let chosen = match choose(number, plan.audit, &batches) {
            // Their weights are what scrubbing made of them in all the batches before.
            chosen if experiment.noise.cells.scrub_period.is_some() => batches[..chosen.len()].to_vec(),
            chosen => chosen,
        };
        let (mut totals, mut kept) = (Totals::new(&experiment), Vec::new());
        hafnia_cosim::run(&experiment, engine, ifmaps, machine.jobs, &mut |batch| {
            let start = (batch.first - plan.first) as usize;
            totals.add(&batch, &plan.images.labels()[start..start + batch.images as usize]);
            if chosen.get(kept.len()).is_some_and(|next| next.start == batch.first) {
                kept.push(batch);
            }
            true
        })?;
        let mut row = point.row.clone();
        row.fill(&totals, hw);
        if !chosen.is_empty() {
            row.audited = audit(&experiment, self.hardware(), ifmaps, &chosen, &kept, machine.jobs)?
                .map_err(|divergence| SweepError::Differs { point: Box::new(point.clone()), divergence })?;
        }
        Ok(row)
    }

    fn hardware(&self) -> &Hardware {
        self.hardware.as_ref().expect("built for what simulates or audits")
    }
}

/// Whether the 95% interval of the mean, by Student's t, is as narrow as asked.
pub(crate) fn narrow(top1: &[f64], stop: Stop) -> bool {
    top1.len() >= stop.at_least && mean_interval(top1).1.is_some_and(|half| 2.0 * half <= stop.width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside value: the tabulated quantile t(0.975, 3) = 3.182446; by hand the interval of these four is 0.041085 wide.
    #[test]
    fn the_interval_is_that_of_students_t() {
        let top1 = [0.7, 0.72, 0.71, 0.73];
        assert!(
            narrow(&top1, Stop { width: 0.04109, at_least: 2 }) && !narrow(&top1, Stop { width: 0.04108, at_least: 2 })
        );
        assert!(!narrow(&top1, Stop { width: 0.5, at_least: 5 }));
    }
}
