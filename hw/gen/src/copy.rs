//! A register of which there are several with the same input, each near what it feeds.
//!
//! Synthesis makes one of equal registers, whose net then reaches across the device. [`KEEP`] keeps the module apart.

use rust_hdl::core::prelude::*;

use crate::emit::{KEEP, custom, range};
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Copy {
    pub clk_i: Wire<In>,
    pub data_i: Wire<In>,
    pub data_o: Wire<Out>,
    _bits: u32,
}

impl Copy {
    /// Returns a register of so many bits.
    pub fn new(bits: u32) -> Self {
        Self { clk_i: Wire::new(1), data_i: Wire::new(bits), data_o: Wire::new(bits), _bits: bits }
    }
}

impl Logic for Copy {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let bits = self._bits;
        let body =
            format!("reg {}data;\nassign data_o = data;\nalways @(posedge clk_i) data <= data_i;\n", range(bits));
        custom(&format!("{KEEP}{bits}"), "A register that stays one of several.", body)
    }
}
