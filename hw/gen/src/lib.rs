//! Generates the accelerator: readable Verilog, manifest, register documentation and FuseSoC core file.
//!
//! Invariant: a pure function of the configuration, and the only user of rust-hdl. The same configuration gives the same
//! bytes. Blocks state structure and text; their behaviour is simulated as Verilog and compared with integer references.

mod board;
mod copy;
mod core;
mod emit;
mod host;
mod inject;
mod mem;
mod output;
mod protect;
mod top;
mod wire;

pub use emit::Module;
pub use inject::noise_bus::NoiseBus;
pub use output::{Generated, GeneratedBoard, WriteError, generate, generate_board};
