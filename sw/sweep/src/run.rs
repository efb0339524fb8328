//! Runs the points that have no row yet.

use hafnia_cosim::{Engine as Computes, Hardware, Plan as Experiment, Totals, design};
use hafnia_verilate::{Builder, Variant};
use ndarray::Array3;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::plan::{Plan, Point, Setup};
use crate::spec::{Engine, Stop};
use crate::store::Origin;
use crate::{Row, Store, SweepError};

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

/// Runs every point of `plan`, or of the shard that `store` is for, that has no row in the folder, in order, `jobs` hardware
/// batches at once, and tells `progress` after each. A run of the whole also takes over the rows of the shards.
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
    let points = store.points(plan);
    let mut state = Progress { total: points.len(), ..Progress::default() };
    let (mut next, mut loaded): (usize, Option<Loaded>) = (0, None);
    // Top-1 of the seeds of the cell that is under way.
    let (mut cell, mut seeds) = (None, Vec::new());
    for point in points {
        if cell != Some(point.cell) {
            (cell, seeds) = (Some(point.cell), Vec::new());
        }
        if plan.stop.is_some_and(|stop| narrow(&seeds, stop)) {
            state.left_out += 1;
        } else {
            let row = match store.take(point, next)? {
                Some((row, origin)) => {
                    match origin {
                        Origin::Found => state.found += 1,
                        Origin::Merged => state.merged += 1,
                    }
                    row
                }
                None => {
                    let setup = match loaded.take().filter(|loaded| loaded.setup == point.setup) {
                        Some(loaded) => loaded,
                        None => Loaded::new(plan, point.setup, builder)?,
                    };
                    let row = setup.run(plan, point, jobs)?;
                    loaded = Some(setup);
                    store.append(row.clone())?;
                    state.computed += 1;
                    row
                }
            };
            seeds.push(row.top1);
            next += 1;
        }
        state.done += 1;
        progress(state);
    }
    store.finish(next)?;
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
    if top1.len() < stop.at_least {
        return false;
    }
    let n = top1.len() as f64;
    let mean = top1.iter().sum::<f64>() / n;
    let variance = top1.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = StudentsT::new(0.0, 1.0, n - 1.0).expect("two seeds or more").inverse_cdf(0.975);
    2.0 * t * (variance / n).sqrt() <= stop.width
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
