//! The seeding generator (LFSR113): one 32-bit word per cycle for the scan chain of the lanes.
//!
//! `load_i` takes the key; from the next cycle on `word_o` is the XOR of the four components, stepping while `shift_i`.

use hafnia_config::fault::{SEED_FIX, SEED_GENERATOR, SEED_LOW_BITS};
use rust_hdl::core::prelude::*;

use super::text::step;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Seeder {
    pub clk_i: Wire<In>,
    pub load_i: Wire<In>,
    pub key_i: Wire<In>,
    pub shift_i: Wire<In>,
    pub word_o: Wire<Out>,
}

impl Default for Seeder {
    fn default() -> Self {
        Self {
            clk_i: Wire::new(1),
            load_i: Wire::new(1),
            key_i: Wire::new(128),
            shift_i: Wire::new(1),
            word_o: Wire::new(32),
        }
    }
}

impl Logic for Seeder {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let mut body = String::new();
        for i in 0..SEED_GENERATOR.len() {
            body.push_str(&format!("reg [31:0] z{i};\n"));
        }
        body.push_str(&format!(
            "wire [31:0] word = z0 ^ z1 ^ z2 ^ z3;\n// A word without state bits would stop a component.\n\
             assign word_o = (word[31:{SEED_LOW_BITS}] == {}'d0) ? word | 32'h{SEED_FIX:08x} : word;\n",
            32 - SEED_LOW_BITS
        ));
        body.push_str("always @(posedge clk_i) begin\n  if (load_i) begin\n");
        for i in 0..SEED_GENERATOR.len() {
            body.push_str(&format!("    z{i} <= key_i[{}:{}];\n", 32 * i + 31, 32 * i));
        }
        body.push_str("  end else if (shift_i) begin\n");
        for (i, component) in SEED_GENERATOR.iter().enumerate() {
            body.push_str(&format!("    z{i} <= {};\n", step(&format!("z{i}"), component)));
        }
        body.push_str("  end\nend\n");
        custom("seeder", "Seeding generator LFSR113: one word a cycle for the lanes' scan chain.", body)
    }
}
