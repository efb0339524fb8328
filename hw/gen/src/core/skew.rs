//! Delays lane `i` of a bundle by `i` cycles, so that what enters together leaves on a diagonal.

use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Skew {
    pub clk_i: Wire<In>,
    pub lanes_i: Wire<In>,
    pub lanes_o: Wire<Out>,
    _name: &'static str,
    _lanes: u32,
    _width_bits: u32,
}

impl Skew {
    /// Returns a skew of `lanes` lanes of `width_bits` bits, lane 0 lowest, in a module called `name`.
    pub fn new(name: &'static str, lanes: u32, width_bits: u32) -> Self {
        Self {
            clk_i: Wire::new(1),
            lanes_i: Wire::new(lanes * width_bits),
            lanes_o: Wire::new(lanes * width_bits),
            _name: name,
            _lanes: lanes,
            _width_bits: width_bits,
        }
    }
}

impl Logic for Skew {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let width = self._width_bits;
        let (mut registers, mut moves, mut outputs) = (String::new(), String::new(), Vec::new());
        for lane in 0..self._lanes {
            let input = format!("lanes_i[{}:{}]", width * lane + width - 1, width * lane);
            let stage = |n: u32| if n == 0 { input.clone() } else { format!("lane{lane}_{n}") };
            for n in 1..=lane {
                registers.push_str(&format!("reg [{}:0] {};\n", width - 1, stage(n)));
                moves.push_str(&format!("  {} <= {};\n", stage(n), stage(n - 1)));
            }
            outputs.insert(0, stage(lane));
        }
        let body = format!(
            "{registers}assign lanes_o = {{{}}};\nalways @(posedge clk_i) begin\n{moves}end\n",
            outputs.join(", ")
        );
        custom(self._name, "Delays lane i by i cycles.", body)
    }
}
