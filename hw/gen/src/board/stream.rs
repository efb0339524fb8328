//! The way into the weight-stream port: the host's transfers, piece by piece over the bus, and those of a memory.
//!
//! A memory controller is served first. Boards have none yet; its port ends at the top, where it is tied off.

use hafnia_config::Elaborated;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Stream {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub stb_i: Wire<In>,
    pub we_i: Wire<In>,
    pub adr_i: Wire<In>,
    pub dat_i: Wire<In>,
    pub ack_o: Wire<Out>,
    pub err_o: Wire<Out>,
    /// The transfer of before still waits for the array.
    pub stall_o: Wire<Out>,
    pub memory_valid_i: Wire<In>,
    pub memory_data_i: Wire<In>,
    pub memory_ready_o: Wire<Out>,
    pub valid_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub ready_i: Wire<In>,
    _bits: u32,
}

impl Stream {
    /// Returns the way to the stream of this accelerator.
    pub fn new(hw: &Elaborated) -> Self {
        let bits = hw.stream_bits();
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            stb_i: Wire::new(1),
            we_i: Wire::new(1),
            adr_i: Wire::new(address_bits(bits)),
            dat_i: Wire::new(32),
            ack_o: Wire::new(1),
            err_o: Wire::new(1),
            stall_o: Wire::new(1),
            memory_valid_i: Wire::new(1),
            memory_data_i: Wire::new(bits),
            memory_ready_o: Wire::new(1),
            valid_o: Wire::new(1),
            data_o: Wire::new(bits),
            ready_i: Wire::new(1),
            _bits: bits,
        }
    }
}

/// Bits of an address that name the piece of a transfer of `bits` bits, at least one.
fn address_bits(bits: u32) -> u32 {
    bits.div_ceil(32).next_power_of_two().ilog2().max(1)
}

impl Logic for Stream {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let bits = self._bits;
        let (pieces, address) = (bits.div_ceil(32), address_bits(bits));
        // A transfer of one piece is sent by any address.
        let is = |piece: u32| if pieces == 1 { "1'b1".to_owned() } else { format!("adr_i == {address}'d{piece}") };
        let keep: String = (0..pieces)
            .map(|piece| {
                let (low, wide) = (32 * piece, (bits - 32 * piece).min(32));
                format!("    if ({}) held[{}:{low}] <= dat_i[{}:0];\n", is(piece), low + wide - 1, wide - 1)
            })
            .collect();
        custom(
            "stream",
            "Transfers of weights from the host or a memory.",
            format!(
                "reg [{top}:0] held;
reg waits;
reg ack;
reg err;
wire access = stb_i & ~waits;
assign stall_o = waits;
assign ack_o = ack;
assign err_o = err;
assign valid_o = memory_valid_i | waits;
assign data_o = memory_valid_i ? memory_data_i : held;
assign memory_ready_o = ready_i;
always @(posedge clk_i) begin
  ack <= access & we_i;
  err <= access & ~we_i;
  if (ready_i & ~memory_valid_i) waits <= 1'b0;
  if (access & we_i) begin
{keep}    waits <= {sends};
  end
  if (rst_i) begin
    waits <= 1'b0;
    ack <= 1'b0;
    err <= 1'b0;
  end
end
",
                top = bits - 1,
                sends = is(pieces - 1),
            ),
        )
    }
}
