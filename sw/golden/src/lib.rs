//! The integer golden model: network, injector and counters, in the exact read order of the hardware.
//!
//! Equations (Q1) to (Q5) are those of `docs/numerics.md`, (1) to (8) those of `docs/fault-model.md`.
//! Invariant: no I/O, and no floats on the data path.

pub mod clean;
pub mod conv;
pub mod fast;
pub mod generator;
pub mod injector;
pub mod network;
pub mod prefix;
pub mod read;
pub mod run;
