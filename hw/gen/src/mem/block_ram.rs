//! A memory of one read and one write port that infers block RAM.
//!
//! Read latency 2 (array, then output register); one word per cycle each way. A word read in the cycle in which it is
//! written is undefined: no user of this block does so.

use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct BlockRam {
    pub clk_i: Wire<In>,
    pub write_i: Wire<In>,
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    pub read_data_o: Wire<Out>,
    _width_bits: u32,
    _depth_words: u32,
}

impl BlockRam {
    /// Returns a memory of `depth_words` words of `width_bits` bits.
    pub fn new(width_bits: u32, depth_words: u32) -> Self {
        let address_bits = 32 - (depth_words - 1).leading_zeros();
        Self {
            clk_i: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(address_bits),
            write_data_i: Wire::new(width_bits),
            read_i: Wire::new(1),
            read_address_i: Wire::new(address_bits),
            read_data_o: Wire::new(width_bits),
            _width_bits: width_bits,
            _depth_words: depth_words,
        }
    }
}

impl Logic for BlockRam {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let (top, last) = (self._width_bits - 1, self._depth_words - 1);
        custom(
            &format!("block_ram_{}x{}", self._depth_words, self._width_bits),
            "One write and one read port; read latency 2.",
            format!(
                "(* ram_style = \"block\", no_rw_check *)
reg [{top}:0] words [0:{last}];
reg [{top}:0] fetched;
reg [{top}:0] read_data;
assign read_data_o = read_data;
always @(posedge clk_i) begin
  if (write_i) words[write_address_i] <= write_data_i;
  if (read_i) fetched <= words[read_address_i];
  read_data <= fetched;
end
"
            ),
        )
    }
}
