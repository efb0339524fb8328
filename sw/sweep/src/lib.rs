//! A grid of experiments, point by point: [`Spec`] (TOML) -> [`Plan`] -> [`Store`] (one durable row a point) by [`run`].
//!
//! Points run in the order of the plan, each on all cores, so the rows are the same bytes whatever the number of jobs and
//! however often a sweep was interrupted.

mod complete;
mod error;
mod interval;
mod plan;
mod row;
mod run;
mod spec;
mod store;

pub use error::SweepError;
pub use hafnia_cosim::rate_interval;
pub use interval::mean_interval;
pub use plan::{Plan, Point};
pub use row::Row;
pub use run::{Progress, run};
pub use spec::{Engine, Spec, Stop};
pub use store::{Results, Store};
