//! The counters of the running descriptor; saturating, cleared at its start, stored by the sequencer at its end.
//!
//! Cycles are counted as they pass. What else happens is added up in one cycle and counted in the next, while the layer drains
//! at the latest. The value of a counter leaves a cycle after it is selected.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::regs::LayerCounters;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Counters {
    pub clk_i: Wire<In>,
    pub clear_i: Wire<In>,
    /// A cycle of the descriptor passes.
    pub run_i: Wire<In>,
    pub pixel_i: Wire<In>,
    pub pixel_rows_i: Wire<In>,
    pub pixel_cols_i: Wire<In>,
    /// The pixel is padding: it is not read.
    pub padding_i: Wire<In>,
    /// The pixel is the first of an output fold, whose biases are read.
    pub fold_i: Wire<In>,
    pub stall_i: Wire<In>,
    pub word_i: Wire<In>,
    pub word_cols_i: Wire<In>,
    pub weight_flips_i: Wire<In>,
    pub bias_flips_i: Wire<In>,
    pub map_flips_i: Wire<In>,
    /// Units of data that decoders corrected, or found wrong.
    pub weights_corrected_i: Wire<In>,
    pub weights_detected_i: Wire<In>,
    pub biases_corrected_i: Wire<In>,
    pub biases_detected_i: Wire<In>,
    pub select_i: Wire<In>,
    pub value_o: Wire<Out>,
    /// Counters that are there, in the order of [`LayerCounters::NAMES`]; others are 0.
    _is_there: [bool; LayerCounters::COUNT],
}

impl Counters {
    /// Returns the counters of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let mut is_there = [true; LayerCounters::COUNT];
        for (name, is) in LayerCounters::NAMES.iter().zip(&mut is_there) {
            let of = |site| name.ends_with(&format!("corrected_{site}")) || name.ends_with(&format!("detected_{site}"));
            *is = !Site::ALL.into_iter().any(|site| of(site) && !hw.is_coded(site));
        }
        Self {
            clk_i: Wire::new(1),
            clear_i: Wire::new(1),
            run_i: Wire::new(1),
            pixel_i: Wire::new(1),
            pixel_rows_i: Wire::new(8),
            pixel_cols_i: Wire::new(8),
            padding_i: Wire::new(1),
            fold_i: Wire::new(1),
            stall_i: Wire::new(1),
            word_i: Wire::new(1),
            word_cols_i: Wire::new(8),
            weight_flips_i: Wire::new(8),
            bias_flips_i: Wire::new(8),
            map_flips_i: Wire::new(8),
            weights_corrected_i: Wire::new(8),
            weights_detected_i: Wire::new(8),
            biases_corrected_i: Wire::new(8),
            biases_detected_i: Wire::new(8),
            select_i: Wire::new(4),
            value_o: Wire::new(32),
            _is_there: is_there,
        }
    }
}

impl Logic for Counters {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        // What each counter adds, and when; in the order of `LayerCounters::NAMES`.
        let rules = [
            ("run_i", "10'd1"),
            ("pixel_i", "pes"),
            ("stall_i", "10'd1"),
            ("word_i", "10'd1"),
            ("word_i", "{word_cols_i[6:0], 3'd0}"),
            ("pixel_i & fold_i", "{pixel_cols_i[4:0], 5'd0}"),
            ("pixel_i & ~padding_i", "{pixel_rows_i[6:0], 3'd0}"),
            ("1'b1", "{2'd0, weight_flips_i}"),
            ("1'b1", "{2'd0, bias_flips_i}"),
            ("1'b1", "{2'd0, map_flips_i}"),
            ("1'b1", "{2'd0, weights_corrected_i}"),
            ("1'b1", "{2'd0, weights_detected_i}"),
            ("1'b1", "{2'd0, biases_corrected_i}"),
            ("1'b1", "{2'd0, biases_detected_i}"),
        ];
        let (mut registers, mut events, mut clears, mut adds, mut cases) =
            (String::new(), String::new(), String::new(), String::new(), String::new());
        for (i, (name, (when, amount))) in
            LayerCounters::NAMES.iter().zip(rules).enumerate().filter(|(i, _)| self._is_there[*i])
        {
            let (counted, added) = match when {
                "run_i" => (when.to_owned(), amount.to_owned()),
                _ => {
                    registers.push_str(&format!("reg {name}_is;\nreg [9:0] {name}_of;\n"));
                    events.push_str(&format!("  {name}_is <= {when} & ~clear_i;\n  {name}_of <= {amount};\n"));
                    (format!("{name}_is"), format!("{name}_of"))
                }
            };
            registers.push_str(&format!(
                "reg [31:0] {name};\nwire [32:0] {name}_next = {{1'b0, {name}}} + {{23'd0, {added}}};\n"
            ));
            clears.push_str(&format!("    {name} <= 32'd0;\n"));
            adds.push_str(&format!(
                "    if ({counted}) {name} <= {name}_next[32] ? 32'hffffffff : {name}_next[31:0];\n"
            ));
            cases.push_str(&format!("    4'd{i}: value <= {name};\n"));
        }
        custom(
            "counters",
            "Saturating counters of the running descriptor.",
            format!(
                "wire [9:0] pes = {{2'd0, pixel_rows_i}} * {{2'd0, pixel_cols_i}};
{registers}reg [31:0] value;
assign value_o = value;
always @(posedge clk_i) begin
  case (select_i)
{cases}    default: value <= 32'd0;
  endcase
{events}  if (clear_i) begin
{clears}  end else begin
{adds}  end
end
"
            ),
        )
    }
}
