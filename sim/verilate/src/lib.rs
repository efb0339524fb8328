//! Builds generated Verilog into a shared library with Verilator, keeps it in a cache, and drives it.
//!
//! ```text
//! Design (Verilog + ports) -> verilator -> g++ with shim/shim.cpp -> model.so -> Model -> Dut { poke, peek, step, burst, run, trace }
//! ```
//!
//! Invariant: this crate knows the ports of the accelerator and the handshakes on them; it knows no registers, no layers
//! and no networks. Every loop over cycles runs inside the shared library, one call for a burst or a run.
//!
//! The shim stands where the crates `verilated` and `verilator` were expected: both stop at Verilator 4 and do not build
//! against Verilator 5, so the C ABI is our own (`shim/shim.cpp`).
//!
//! A cycle is: inputs are driven, the clock falls, outputs are sampled, the clock rises. [`Dut::cycle`] counts the rising
//! edges; in a trace, cycle `c` lasts from `10 c` to `10 c + 10` ns and everything is settled at `10 c + 5`;
//! signals are found below the scopes `top` and the name of the top module.

mod api;
mod build;
mod cache;
mod compile;
mod design;
mod dut;
mod error;
mod fst;
mod process;
mod toolchain;
pub mod tools;

pub use build::{Builder, Model, Notice, build_folder};
pub use design::{DEFAULT_WAIVERS, Design, Effort, NETLIST_WAIVERS, NEVER_WAIVED, Port, Trace, Unknowns, Variant};
pub use dut::{BareRun, Dut, FlipEvent, RunOutcome};
pub use error::Error;
