//! The integer golden model: network, injector and counters, in the exact read order of the hardware.
//!
//! Equations (Q1) to (Q5) are those of `docs/numerics.md`, (1) to (17) those of `docs/fault-model.md`, (P2) to
//! (P5) those of `docs/protection.md`.
//! Invariant: no I/O, and no floats on the data path; the statistical draws alone use them, to find the next flip.

pub mod cells;
pub mod clean;
pub mod codec;
pub mod conv;
pub mod fast;
pub mod generator;
pub mod injector;
pub mod network;
pub mod port;
pub mod prefix;
pub mod read;
pub mod run;
