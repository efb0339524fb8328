//! Configuration of the accelerator: the one home of sizes, register map, layer program and fault parameters.
//!
//! Invariant: knows no HDL and does no I/O.

pub mod accel;
pub mod area;
pub mod board;
pub mod device;
pub mod digest;
pub mod fault;
pub mod flip;
pub mod link;
pub mod manifest;
pub mod presets;
pub mod price;
pub mod program;
pub mod programmed;
pub mod protect;
pub mod regs;
pub mod schedule;
pub mod scrub;
pub mod shape;

pub use accel::{AccelConfig, ConfigError, Elaborated};
