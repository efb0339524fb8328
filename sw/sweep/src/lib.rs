//! A grid of experiments, point by point: [`Spec`] (TOML) -> [`Plan`] -> [`Store`] (one durable row a point) by [`run`], whole
//! or in [`Shard`]s, which [`Slurm`] spreads over machines.
//!
//! Points run in the order of the plan, each on all cores, so the rows are the same bytes whatever the number of jobs and
//! however often a sweep was interrupted.

mod audit;
mod complete;
mod configuration;
mod error;
mod export;
mod interval;
mod lines;
mod plan;
mod row;
mod run;
mod shard;
mod slurm;
mod spec;
mod store;

pub use audit::Divergence;
pub use configuration::Configuration;
pub use error::SweepError;
pub use export::Table;
pub use hafnia_cosim::rate_interval;
pub use interval::mean_interval;
pub use plan::{Plan, Point};
pub use row::{Row, rate};
pub use run::{Machine, Progress, run};
pub use shard::Shard;
pub use slurm::{Array, Slurm, WaitsFor};
pub use spec::{Engine, Spec, Stop, twice};
pub use store::{Results, Store};
