//! A deep memory of one read and one write port: banks of block RAM, each as deep as one block is at its full width of 9 bits.
//!
//! Read latency [`CODE_MEMORY_LATENCY`]; one word per cycle each way. Addresses, data and enables reach the blocks, which are far
//! apart, from registers, and what a bank holds waits in two: the block's own (`hafnia-pnr` puts it there), and one that is 0 unless
//! the bank was read. Without a read the word is 0. A word read in the cycle in which it is written is undefined: no user of this block does so.

use hafnia_config::accel::CODE_MEMORY_LATENCY;
use rust_hdl::core::prelude::*;

use crate::copy::Copy;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct BankedRam {
    pub clk_i: Wire<In>,
    pub write_i: Wire<In>,
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    pub read_data_o: Wire<Out>,
    /// Addresses, for each bank.
    addresses: Vec<Copy>,
    _width_bits: u32,
    _depth_words: u32,
    _text: String,
}

/// Bits of an address within a bank.
const BANK_BITS: usize = 11;
const BANK_WORDS: u32 = 1 << BANK_BITS;
const _: () = assert!(CODE_MEMORY_LATENCY == 5, "address, block, its output, bank and choice have a register each");

impl BankedRam {
    /// Returns a memory of `depth_words` words of `width_bits` bits.
    pub fn new(width_bits: u32, depth_words: u32) -> Self {
        let address_bits = 32 - (depth_words - 1).leading_zeros();
        let mut memory = Self {
            clk_i: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(address_bits),
            write_data_i: Wire::new(width_bits),
            read_i: Wire::new(1),
            read_address_i: Wire::new(address_bits),
            read_data_o: Wire::new(width_bits),
            addresses: Vec::new(),
            _width_bits: width_bits,
            _depth_words: depth_words,
            _text: String::new(),
        };
        memory._text = memory.text(address_bits as usize);
        memory
    }

    fn text(&mut self, address: usize) -> String {
        let (width, depth) = (self._width_bits, self._depth_words);
        let (top, banks) = (width - 1, depth.div_ceil(BANK_WORDS));
        let is = |port: &str, bank: u32| match banks {
            1 => format!("{port}_i"),
            _ => {
                format!("{port}_i & ({port}_address_i[{}:{BANK_BITS}] == {}'d{bank})", address - 1, address - BANK_BITS)
            }
        };
        let mut text = format!(
            "reg [{top}:0] write_data;\nreg [{top}:0] read_data;\nassign read_data_o = read_data;\n\
             always @(posedge clk_i) write_data <= write_data_i;\n"
        );
        for bank in 0..banks {
            let last = (depth - bank * BANK_WORDS).min(BANK_WORDS) - 1;
            let bits = last.max(1).ilog2() + 1;
            let mut addresses = Copy::new(2 * bits);
            addresses.clk_i.connect();
            let of = |port: &str| format!("{port}_address_i[{}:0]", bits - 1);
            text += &addresses
                .data_i
                .drive(&format!("addresses_{bank}_data_i"), &format!("{{{}, {}}}", of("read"), of("write")));
            self.addresses.push(addresses);
            let at = |low| format!("addresses_{bank}_data_o[{}:{low}]", low + bits - 1);
            text += &format!(
                "(* ram_style = \"block\", no_rw_check *)
reg [{top}:0] words_{bank} [0:{last}];
reg [{top}:0] fetched_{bank};
reg [{top}:0] held_{bank};
reg [{top}:0] chosen_{bank};
reg write_{bank};
reg read_{bank};
reg was_read_{bank};
reg was_held_{bank};
always @(posedge clk_i) begin
  write_{bank} <= {};
  read_{bank} <= {};
  was_read_{bank} <= read_{bank};
  was_held_{bank} <= was_read_{bank};
  if (write_{bank}) words_{bank}[{}] <= write_data;
  if (read_{bank}) fetched_{bank} <= words_{bank}[{}];
  held_{bank} <= fetched_{bank};
  chosen_{bank} <= was_held_{bank} ? held_{bank} : {width}'d0;
end
",
                is("write", bank),
                is("read", bank),
                at(0),
                at(bits),
            );
        }
        let chosen: Vec<_> = (0..banks).map(|bank| format!("chosen_{bank}")).collect();
        text += &format!("always @(posedge clk_i) read_data <= {};\n", chosen.join(" | "));
        text
    }
}

impl Logic for BankedRam {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let summary = format!("One write and one read port; read latency {CODE_MEMORY_LATENCY}.");
        custom(&format!("banked_ram_{}x{}", self._depth_words, self._width_bits), &summary, self._text.clone())
    }
}
