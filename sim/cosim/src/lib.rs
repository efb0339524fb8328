//! Runs the verilated accelerator beside the golden model.
//!
//! Invariant: the only crate that knows both; it states no equation of its own, it compares.

pub mod acceptance;
pub mod bench;
pub mod board;
mod compare;
mod error;
mod hardware;
mod plan;
pub mod random;
mod remote;
mod replay;
mod run;
pub mod terminal;
mod totals;
pub mod window;

pub use compare::{Difference, compare};
pub use error::CosimError;
pub use hafnia_driver::Depth;
pub use hafnia_golden::prefix::CleanMaps;
pub use hardware::{LARGEST_VERILOG, design};
pub use plan::Plan;
pub use remote::Remote;
pub use replay::{Replay, replay};
pub use run::{BatchReport, Device, Engine, Found, Hardware, Ifmaps, Trace, run, run_batches};
pub use totals::{Totals, rate_interval};
