//! Puts the bytes of an answer into a frame: flags, escapes and FCS.

use rust_hdl::core::prelude::*;

use super::frame::framing;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Framer {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub data_i: Wire<In>,
    pub valid_i: Wire<In>,
    /// The byte offered is the answer's last.
    pub last_i: Wire<In>,
    pub ready_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub valid_o: Wire<Out>,
    pub ready_i: Wire<In>,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            data_i: Wire::new(8),
            valid_i: Wire::new(1),
            last_i: Wire::new(1),
            ready_o: Wire::new(1),
            data_o: Wire::new(8),
            valid_o: Wire::new(1),
            ready_i: Wire::new(1),
        }
    }
}

const TEXT: &str = "// Between frames; in one; its FCS, byte by byte; its last flag.
localparam [1:0] IDLE = 2'd0, BODY = 2'd1, FCS = 2'd2, END = 2'd3;
reg [1:0] state;
reg [1:0] place;
reg [31:0] fcs;
reg escaping;
// The byte taken from the answer.
reg full;
reg [7:0] data;
reg last;
reg [7:0] plain;
always @(*) begin
  case (place)
    2'd0: plain = ~fcs[7:0];
    2'd1: plain = ~fcs[15:8];
    2'd2: plain = ~fcs[23:16];
    default: plain = ~fcs[31:24];
  endcase
  if (state == BODY) plain = data;
end
wire special = (plain == <FLAG>) | (plain == <ESCAPE>);
wire is_plain = (state == BODY) | (state == FCS);
// A special byte goes out in two.
wire first_half = is_plain & special & ~escaping;
assign valid_o = (state == BODY) | (state == IDLE) ? full : 1'b1;
assign data_o = ~is_plain ? <FLAG> : first_half ? <ESCAPE> : special ? plain ^ <XOR> : plain;
wire sent = valid_o & ready_i;
assign ready_o = ~full;
always @(posedge clk_i) begin
  if (~full) begin
    full <= valid_i;
    data <= data_i;
    last <= last_i;
  end else if ((state == BODY) & sent & ~first_half) full <= 1'b0;
  if (sent) begin
    escaping <= first_half;
    case (state)
      IDLE: begin
        state <= BODY;
        fcs <= 32'hffffffff;
        place <= 2'd0;
      end
      BODY: if (~first_half) begin
        fcs <= crc(fcs, data);
        if (last) state <= FCS;
      end
      FCS: if (~first_half) begin
        place <= place + 2'd1;
        if (place == 2'd3) state <= END;
      end
      default: state <= IDLE;
    endcase
  end
  if (rst_i) begin
    state <= IDLE;
    escaping <= 1'b0;
    full <= 1'b0;
  end
end
";

impl Logic for Framer {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("framer", "Frames of answers.", framing(TEXT))
    }
}
