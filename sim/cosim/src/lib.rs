//! Runs the verilated accelerator beside the golden model.
//!
//! Invariant: the only crate that knows both; it states no equation of its own, it compares.

pub mod compare;
pub mod hardware;
pub mod replay;
pub mod run;
pub mod verify;
pub mod window;

pub use compare::{Difference, compare};
pub use hardware::design;
pub use verify::{CosimError, Outcome, Summary, Verify};
