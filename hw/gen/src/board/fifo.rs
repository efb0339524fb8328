//! What came over the line while the bridge was at work.
//!
//! A byte that was damaged, or that follows one which found no room, is marked: the frame it is in cannot be whole.

use hafnia_config::link::FIFO_BYTES;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::mem::block_ram::BlockRam;
use crate::wire::Wire;

/// Bits of an entry: the byte, and above it the mark.
const ENTRY_BITS: u32 = 9;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Fifo {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub write_i: Wire<In>,
    pub data_i: Wire<In>,
    pub damaged_i: Wire<In>,
    /// A byte found no room.
    pub overrun_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub damaged_o: Wire<Out>,
    pub valid_o: Wire<Out>,
    pub take_i: Wire<In>,
    memory: BlockRam,
    _text: String,
}

const TEXT: &str = "reg [<A>:0] write_place;
reg [<A>:0] read_place;
reg [<L>:0] level;
reg gap;
// Steps of the read under way: in the memory, in its register, here.
reg [1:0] reading;
reg valid;
wire full = level[<L>];
wire write = write_i & ~full;
wire read = (level != <N>'d0) & ~valid & (reading == 2'd0);
assign overrun_o = write_i & full;
assign valid_o = valid;
assign data_o = memory_read_data_o[7:0];
assign damaged_o = memory_read_data_o[8];
always @(posedge clk_i) begin
  reading <= {reading[0], read};
  valid <= (valid & ~take_i) | reading[1];
  if (write) write_place <= write_place + <M>'d1;
  if (read) read_place <= read_place + <M>'d1;
  if (write & ~read) level <= level + <N>'d1;
  if (read & ~write) level <= level - <N>'d1;
  if (write_i) gap <= full;
  if (rst_i) begin
    write_place <= <M>'d0;
    read_place <= <M>'d0;
    level <= <N>'d0;
    gap <= 1'b0;
    reading <= 2'd0;
    valid <= 1'b0;
  end
end
";

impl Default for Fifo {
    fn default() -> Self {
        let bits = FIFO_BYTES.ilog2();
        let mut memory = BlockRam::new(ENTRY_BITS, FIFO_BYTES);
        memory.clk_i.connect();
        let mut text = TEXT
            .replace("<A>", &(bits - 1).to_string())
            .replace("<L>", &bits.to_string())
            .replace("<M>", &bits.to_string())
            .replace("<N>", &(bits + 1).to_string());
        for (port, name, from) in [
            (&mut memory.write_i, "write_i", "write"),
            (&mut memory.write_address_i, "write_address_i", "write_place"),
            (&mut memory.write_data_i, "write_data_i", "{damaged_i | gap, data_i}"),
            (&mut memory.read_i, "read_i", "read"),
            (&mut memory.read_address_i, "read_address_i", "read_place"),
        ] {
            text += &port.drive(&format!("memory_{name}"), from);
        }
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            write_i: Wire::new(1),
            data_i: Wire::new(8),
            damaged_i: Wire::new(1),
            overrun_o: Wire::new(1),
            data_o: Wire::new(8),
            damaged_o: Wire::new(1),
            valid_o: Wire::new(1),
            take_i: Wire::new(1),
            memory,
            _text: text,
        }
    }
}

impl Logic for Fifo {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom(
            "line_fifo",
            "Bytes from the line, with a mark on those behind which something is missing.",
            self._text.clone(),
        )
    }
}
