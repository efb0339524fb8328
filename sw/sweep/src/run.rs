//! Runs the points that have no row yet.

use hafnia_cosim::{Engine as Computes, Hardware, Plan as Experiment, Totals, design};
use hafnia_verilate::{Builder, Variant};
use ndarray::Array3;

use crate::interval::mean_interval;
use crate::plan::{Plan, Point, Setup};
use crate::spec::{Engine, Stop};
use crate::{Row, Store, SweepError};

/// How far a sweep is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Points behind us: finished, or not needed.
    pub done: usize,
    /// Points of the plan.
    pub total: usize,
    /// Points that early stopping left out so far.
    pub left_out: usize,
}

/// Runs every point of `plan` that has no row in `store`, in order, `jobs` hardware batches at once, and tells `progress`
/// after each.
///
/// # Errors
/// A row of the store is of another point; a point cannot be run; a row cannot be written. Rows that were finished stay.
pub fn run(
    plan: &Plan,
    store: &mut Store,
    builder: &Builder<'_>,
    jobs: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Progress, SweepError> {
    let mut state = Progress { done: 0, total: plan.points.len(), left_out: 0 };
    let (mut next, mut loaded): (usize, Option<Loaded>) = (0, None);
    // Top-1 of the seeds of the cell that is under way.
    let (mut cell, mut seeds) = (None, Vec::new());
    for point in &plan.points {
        if cell != Some(point.cell) {
            (cell, seeds) = (Some(point.cell), Vec::new());
        }
        if plan.stop.is_some_and(|stop| narrow(&seeds, stop)) {
            state.left_out += 1;
        } else {
            let row = match store.rows().get(next) {
                Some(row) => store.check(row, point, next)?,
                None => {
                    let setup = match loaded.take().filter(|loaded| loaded.setup == point.setup) {
                        Some(loaded) => loaded,
                        None => Loaded::new(plan, point.setup, builder)?,
                    };
                    let row = setup.run(plan, point, jobs)?;
                    loaded = Some(setup);
                    store.append(row.clone())?;
                    row
                }
            };
            seeds.push(row.top1);
            next += 1;
        }
        state.done += 1;
        progress(state);
    }
    store.check_end(next)?;
    Ok(state)
}

/// What the points of one setup share.
struct Loaded {
    setup: usize,
    ifmaps: Vec<Array3<i8>>,
    hardware: Option<Hardware>,
}

impl Loaded {
    fn new(plan: &Plan, setup: usize, builder: &Builder<'_>) -> Result<Self, SweepError> {
        let Setup { model, hw, .. } = &plan.setups[setup];
        let ifmaps = plan.images.iter().map(|(pixels, _)| model.network.quantise_image(pixels)).collect();
        let hardware = match plan.engine {
            Engine::Golden => None,
            Engine::Sim => Some(builder.build(&design(hw), Variant::default())?.into()),
        };
        Ok(Self { setup, ifmaps, hardware })
    }

    fn run(&self, plan: &Plan, point: &Point, jobs: usize) -> Result<Row, SweepError> {
        let Setup { model, hw, schedule } = &plan.setups[self.setup];
        let (thresholds, seed) = (point.thresholds.clone(), point.seed());
        let experiment = Experiment { hw, network: &model.network, schedule, thresholds, seed };
        let engine = self.hardware.as_ref().map_or(Computes::Golden, Computes::Sim);
        let mut totals = Totals::default();
        hafnia_cosim::run(&experiment, engine, plan.first, &self.ifmaps, jobs, &mut |batch| {
            let start = (batch.first - plan.first) as usize;
            totals.add(&batch, &plan.images.labels()[start..start + batch.images as usize]);
            true
        })?;
        let mut row = point.row.clone();
        row.fill(&totals);
        Ok(row)
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
