//! One MAC cell, weight-stationary.
//!
//! `psum_o = psum_i + weight * x`, three cycles after `x_i`; `x` and its tile switch move on to the next column after one.
//! The next tile's weight waits in a shadow register and becomes active with the first pixel of its tile.
//! Reset state: none; what the array holds before the first tile is never stored.

use rust_hdl::core::prelude::*;

use crate::emit::custom;

/// Bits of a partial sum: 16 rows of (-128)(-128) reach 2^18, which needs a sign bit and one more.
pub const PSUM_BITS: usize = 20;

/// See the module's text.
#[derive(LogicBlock, Default)]
pub struct Pe {
    pub clk_i: Signal<In, Clock>,
    pub x_i: Signal<In, Bits<8>>,
    pub switch_i: Signal<In, Bit>,
    pub load_i: Signal<In, Bit>,
    pub weight_i: Signal<In, Bits<8>>,
    pub psum_i: Signal<In, Bits<PSUM_BITS>>,
    pub x_o: Signal<Out, Bits<8>>,
    pub switch_o: Signal<Out, Bit>,
    pub psum_o: Signal<Out, Bits<PSUM_BITS>>,
    _soft: bool,
}

impl Pe {
    /// Returns a cell whose product is made of logic, or by a multiplier of the device.
    pub fn new(soft: bool) -> Self {
        Self { _soft: soft, ..Self::default() }
    }

    /// Marks every input as driven: the column's text assigns them all.
    pub fn connect_inputs(&mut self) {
        self.clk_i.connect();
        self.x_i.connect();
        self.switch_i.connect();
        self.load_i.connect();
        self.weight_i.connect();
        self.psum_i.connect();
    }
}

/// The product as a sum of `x` for each bit of the weight, the sign's against the others. Two neighbours are added at a time, each
/// time as few bits as can change: yosys makes carry chains of these, and of one long sum more than twice as much logic.
const SUM_OF_PARTS: &str = "\
wire [7:0] part_0 = x & {8{weight[0]}};
wire [7:0] part_1 = x & {8{weight[1]}};
wire [7:0] part_2 = x & {8{weight[2]}};
wire [7:0] part_3 = x & {8{weight[3]}};
wire [7:0] part_4 = x & {8{weight[4]}};
wire [7:0] part_5 = x & {8{weight[5]}};
wire [7:0] part_6 = x & {8{weight[6]}};
wire [7:0] part_7 = x & {8{weight[7]}};
wire [8:0] pair_0 = {{2{part_0[7]}}, part_0[7:1]} + {part_1[7], part_1};
wire [8:0] pair_2 = {{2{part_2[7]}}, part_2[7:1]} + {part_3[7], part_3};
wire [8:0] pair_4 = {{2{part_4[7]}}, part_4[7:1]} + {part_5[7], part_5};
wire [8:0] pair_6 = {{2{part_6[7]}}, part_6[7:1]} - {part_7[7], part_7};
wire [9:0] four_0 = {{2{pair_0[8]}}, pair_0[8:1]} + {pair_2, part_2[0]};
wire [9:0] four_4 = {{2{pair_4[8]}}, pair_4[8:1]} + {pair_6, part_6[0]};
wire [11:0] high = {{4{four_0[9]}}, four_0[9:2]} + {four_4, pair_4[0], part_4[0]};
wire [15:0] sum = {high, four_0[1:0], pair_0[0], part_0[0]};
";

impl Logic for Pe {
    fn update(&mut self) {}

    fn connect(&mut self) {
        self.x_o.connect();
        self.switch_o.connect();
        self.psum_o.connect();
    }

    fn hdl(&self) -> Verilog {
        let (name, summary) = match self._soft {
            true => ("pe_soft", "One MAC cell whose product is made of logic"),
            false => ("pe", "One MAC cell"),
        };
        custom(
            name,
            &format!("{summary}: psum_o = psum_i + weight * x, three cycles after x_i."),
            format!(
                "reg [7:0] x;
reg switch_q;
reg [7:0] shadow;
reg [7:0] weight;
reg [15:0] product;
reg [{top}:0] psum;
{parts}assign x_o = x;
assign switch_o = switch_q;
assign psum_o = psum;
always @(posedge clk_i) begin
  x <= x_i;
  switch_q <= switch_i;
  if (load_i) shadow <= weight_i;
  if (switch_i) weight <= shadow;
  product <= {product};
  psum <= psum_i + {{{{{pad}{{product[15]}}}}, product}};
end
",
                parts = if self._soft { SUM_OF_PARTS } else { "" },
                product = if self._soft { "sum" } else { "$signed(x) * $signed(weight)" },
                top = PSUM_BITS - 1,
                pad = PSUM_BITS - 16,
            ),
        )
    }
}
