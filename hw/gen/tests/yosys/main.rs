//! What yosys makes of the generated Verilog: its area on an ECP5, and proofs.

#[path = "../common/mod.rs"]
mod common;

mod area;
mod formal;
