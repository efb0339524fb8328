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
    _x: u8,
    _switch: bool,
    _shadow: u8,
    _weight: u8,
    _product: i16,
    _psum: u32,
}

impl Pe {
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

impl Logic for Pe {
    fn update(&mut self) {
        if self.clk_i.pos_edge() {
            // Registers take their values from right to left, so that each reads its source's old value.
            let psum: u32 = self.psum_i.val().to_u32();
            self._psum = psum.wrapping_add(self._product as u32) & ((1 << PSUM_BITS) - 1);
            self._product = i16::from(self._x as i8) * i16::from(self._weight as i8);
            if self.switch_i.val() {
                self._weight = self._shadow;
            }
            if self.load_i.val() {
                self._shadow = self.weight_i.val().to_u8();
            }
            self._switch = self.switch_i.val();
            self._x = self.x_i.val().to_u8();
        }
        self.x_o.next = self._x.to_bits();
        self.switch_o.next = self._switch;
        self.psum_o.next = self._psum.to_bits();
    }

    fn connect(&mut self) {
        self.x_o.connect();
        self.switch_o.connect();
        self.psum_o.connect();
    }

    fn hdl(&self) -> Verilog {
        custom(
            "pe",
            "One MAC cell: psum_o = psum_i + weight * x, three cycles after x_i.",
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
  product <= $signed(x) * $signed(weight);
  psum <= psum_i + {{{{{pad}{{product[15]}}}}, product}};
end
",
                top = PSUM_BITS - 1,
                pad = PSUM_BITS - 16,
            ),
        )
    }
}
