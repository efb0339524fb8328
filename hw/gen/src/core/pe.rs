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

/// The product as a sum of `x`, shifted, for each bit of the weight; the sign's counts against the others.
fn sum_of_parts() -> String {
    let part = |bit: usize| match bit {
        0 => "(weight[0] ? {{8{x[7]}}, x} : 16'd0)".to_owned(),
        bit => format!("(weight[{bit}] ? {{{{{}{{x[7]}}}}, x, {bit}'d0}} : 16'd0)", 8 - bit),
    };
    let pair = |bit: usize, sign: &str| format!("({} {sign} {})", part(bit), part(bit + 1));
    format!("({} + {})\n    + ({} + {})", pair(0, "+"), pair(2, "+"), pair(4, "+"), pair(6, "-"))
}

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
assign x_o = x;
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
                product = if self._soft { sum_of_parts() } else { "$signed(x) * $signed(weight)".to_owned() },
                top = PSUM_BITS - 1,
                pad = PSUM_BITS - 16,
            ),
        )
    }
}
