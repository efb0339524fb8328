//! Requantise, ReLU and 2x2 max pool of one column, Eqs. (Q3) and (Q4).
//!
//! `y = clamp((acc * m + 2^(s-1)) >> s, lo, 127)`, product in 49 bits, one rounding, ties toward +infinity; then the
//! largest of the four values from `pool_first_i` to `pool_last_i` (of one value when both are set). `m` and `s` must be
//! valid one cycle before the sum (they are read beside it). Latency 5 from `sum_i` to `value_o`; one value per cycle.

use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Requantise {
    pub clk_i: Wire<In>,
    pub valid_i: Wire<In>,
    pub sum_i: Wire<In>,
    pub m_i: Wire<In>,
    pub s_i: Wire<In>,
    pub relu_i: Wire<In>,
    pub pool_first_i: Wire<In>,
    pub pool_last_i: Wire<In>,
    pub valid_o: Wire<Out>,
    pub value_o: Wire<Out>,
}

impl Default for Requantise {
    fn default() -> Self {
        Self {
            clk_i: Wire::new(1),
            valid_i: Wire::new(1),
            sum_i: Wire::new(32),
            m_i: Wire::new(16),
            s_i: Wire::new(6),
            relu_i: Wire::new(1),
            pool_first_i: Wire::new(1),
            pool_last_i: Wire::new(1),
            valid_o: Wire::new(1),
            value_o: Wire::new(8),
        }
    }
}

impl Logic for Requantise {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom(
            "requantise",
            "Requantise, ReLU and 2x2 max pool of one column (Q3, Q4); latency 5.",
            "reg [4:1] valid;
// Flags beside the value: relu, first and last of a pool window.
reg [2:0] flags_1;
reg [2:0] flags_2;
reg [2:0] flags_3;
reg [1:0] flags_4;
reg [5:0] s_1;
reg [5:0] s_2;
reg [31:0] product_low;
reg signed [32:0] product_high;
reg [48:0] product;
// Its floor over 2^s, and the place below, which rounds; its sign, and whether 8 bits are too few for the floor,
// which is known in two parts.
reg [7:0] kept;
reg rounds;
reg sign;
reg [1:0] exceeds;
reg signed [7:0] clamped;
reg signed [7:0] largest;
reg valid_q;
// Shifted by the places of each bit of s, 32 first. What may still be shifted tells how many places must be kept; those above
// are sign, or the floor does not fit.
wire negative = product[48];
wire [49:0] shifted_0 = {product, 1'b0};
wire [39:0] shifted_32 = s_2[5] ? {{22{negative}}, shifted_0[49:32]} : shifted_0[39:0];
wire [23:0] shifted_16 = s_2[4] ? shifted_32[39:16] : shifted_32[23:0];
wire [15:0] shifted_8 = s_2[3] ? shifted_16[23:8] : shifted_16[15:0];
wire [11:0] shifted_4 = s_2[2] ? shifted_8[15:4] : shifted_8[11:0];
wire [9:0] shifted_2 = s_2[1] ? shifted_4[11:2] : shifted_4[9:0];
wire [8:0] shifted_1 = s_2[0] ? shifted_2[9:1] : shifted_2[8:0];
wire [6:0] above = {~s_2[5] & |(shifted_0[48:40] ^ {9{negative}}), ~s_2[4] & |(shifted_32[39:24] ^ {16{negative}}),
  ~s_2[3] & |(shifted_16[23:16] ^ {8{negative}}), ~s_2[2] & |(shifted_8[15:12] ^ {4{negative}}),
  ~s_2[1] & |(shifted_4[11:10] ^ {2{negative}}), ~s_2[0] & (shifted_2[9] ^ negative), shifted_1[8] ^ negative};
// 127 is the largest, rounded or not.
wire saturates = (|exceeds) | (~sign & &kept[6:0]);
wire [7:0] nearest = kept + {7'd0, rounds};
wire signed [7:0] best = (flags_4[1] | (clamped > largest)) ? clamped : largest;
assign valid_o = valid_q;
assign value_o = largest;
always @(posedge clk_i) begin
  valid <= {valid[3:1], valid_i};
  valid_q <= valid[4] & flags_4[0];
  if (valid_i) begin
    product_low <= {16'd0, sum_i[15:0]} * {16'd0, m_i};
    product_high <= $signed({{17{sum_i[31]}}, sum_i[31:16]}) * $signed({17'd0, m_i});
    s_1 <= s_i;
    flags_1 <= {relu_i, pool_first_i, pool_last_i};
  end
  if (valid[1]) begin
    product <= {product_high + {17'd0, product_low[31:16]}, product_low[15:0]};
    s_2 <= s_1;
    flags_2 <= flags_1;
  end
  if (valid[2]) begin
    {kept, rounds} <= shifted_1;
    sign <= negative;
    exceeds <= {|above[6:3], |above[2:0]};
    flags_3 <= flags_2;
  end
  if (valid[3]) begin
    if (sign & flags_3[2]) clamped <= 8'sd0;
    else if (saturates) clamped <= {sign, {7{~sign}}};
    else clamped <= nearest;
    flags_4 <= flags_3[1:0];
  end
  if (valid[4]) largest <= best;
end
"
            .to_owned(),
        )
    }
}
