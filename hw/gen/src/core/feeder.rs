//! Turns the sequencer's pixel commands into the array's left edge.
//!
//! A command waits until the weight path is one cycle ahead of it, reads the feature map, and blanks padding
//! pixels and unused rows. Latency from command to `x_o`: `weight_latency + 1`.

use hafnia_config::Elaborated;
use hafnia_config::accel::MAP_MEMORY_LATENCY;
use rust_hdl::core::prelude::*;

use super::control::Control;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Feeder {
    pub clk_i: Wire<In>,
    pub valid_i: Wire<In>,
    /// First pixel of a tile.
    pub switch_i: Wire<In>,
    pub padding_i: Wire<In>,
    pub address_i: Wire<In>,
    pub rows_i: Wire<In>,
    pub control_i: Wire<In>,
    pub read_o: Wire<Out>,
    pub address_o: Wire<Out>,
    /// High while a word is read that is no padding.
    pub word_o: Wire<Out>,
    /// Rows of that word in use.
    pub word_rows_o: Wire<Out>,
    pub pixel_i: Wire<In>,
    pub x_o: Wire<Out>,
    pub switch_o: Wire<Out>,
    pub control_o: Wire<Out>,
    _text: String,
}

impl Feeder {
    /// Returns the feeder of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let control = Control::new(hw).bits;
        Self {
            clk_i: Wire::new(1),
            valid_i: Wire::new(1),
            switch_i: Wire::new(1),
            padding_i: Wire::new(1),
            address_i: Wire::new(hw.map_address_bits),
            rows_i: Wire::new(hw.rows),
            control_i: Wire::new(control),
            read_o: Wire::new(1),
            address_o: Wire::new(hw.map_address_bits),
            word_o: Wire::new(1),
            word_rows_o: Wire::new(hw.rows),
            pixel_i: Wire::new(8 * hw.rows),
            x_o: Wire::new(8 * hw.rows),
            switch_o: Wire::new(1),
            control_o: Wire::new(control),
            _text: text(hw, control),
        }
    }
}

fn text(hw: &Elaborated, control: u32) -> String {
    // The cycles of the map memory and its port, and one of blanking, are the feeder's own.
    let port = if hw.config.injector.activations.at_reads() { hw.injector_latency } else { 0 };
    let wait = hw.weight_latency + 1 - (MAP_MEMORY_LATENCY + port + 1);
    let width = 3 + hw.map_address_bits + hw.rows + control;
    let mut text = format!(
        "wire [{top}:0] command_0 = {{control_i, rows_i, address_i, padding_i, switch_i & valid_i, valid_i}};\n",
        top = width - 1
    );
    let total = wait + MAP_MEMORY_LATENCY + port;
    for n in 1..=total {
        text.push_str(&format!("reg [{}:0] command_{n};\n", width - 1));
    }
    let a = hw.map_address_bits;
    let rows: Vec<String> = (0..hw.rows).rev().map(|r| format!("{{8{{rows[{r}]}}}}")).collect();
    text.push_str(&format!(
        "reg [{xtop}:0] x;
reg switch_q;
reg [{ctop}:0] control;
wire padding = command_{total}[2];
wire [{rtop}:0] rows = command_{total}[{}:{}];
assign read_o = command_{wait}[0];
assign address_o = command_{wait}[{}:3];
assign word_o = command_{wait}[0] & ~command_{wait}[2];
assign word_rows_o = command_{wait}[{}:{}];
assign x_o = x;
assign switch_o = switch_q;
assign control_o = control;
always @(posedge clk_i) begin
",
        2 + a + hw.rows,
        3 + a,
        2 + a,
        2 + a + hw.rows,
        3 + a,
        xtop = 8 * hw.rows - 1,
        ctop = control - 1,
        rtop = hw.rows - 1,
    ));
    for n in 1..=total {
        text.push_str(&format!("  command_{n} <= command_{};\n", n - 1));
    }
    text.push_str(&format!(
        "  x <= padding ? {}'d0 : pixel_i & {{{}}};\n  switch_q <= command_{total}[1];\n  control <= command_{total}[{}:{}];\nend\n",
        8 * hw.rows,
        rows.join(", "),
        width - 1,
        3 + a + hw.rows,
    ));
    text
}

impl Logic for Feeder {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("feeder", "Reads the feature map for the array; blanks padding and unused rows.", self._text.clone())
    }
}
