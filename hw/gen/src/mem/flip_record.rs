//! The record of what an injector flipped: one word at a time, counts by bit of a byte and direction, and a signature.
//!
//! A word's record is at the outputs one cycle after the word, its number of flips three cycles later, when the counts hold them
//! for a cycle. The counts saturate; counts and signature start anew with `clear_i`.

use hafnia_config::accel::Port;
use hafnia_config::flip::{SIGNATURE_POLYNOMIAL, signature_bit};
use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// Bits of each count.
pub const COUNT_BITS: u32 = 32;

/// Returns the counts of such codewords: of stored 0s read as 1 by bit of a byte, then of stored 1s read as 0; then of the check
/// cells, where there are any, in the same order.
pub fn counts(word: &Codeword) -> u32 {
    if word.is_coded() { 18 } else { 16 }
}

/// Returns the 32-bit words of the record of such codewords that a host reads: the counts, then the signature.
pub fn words(word: &Codeword) -> u32 {
    counts(word) + 1
}

/// See the module's text.
#[derive(LogicBlock)]
pub struct FlipRecord {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub clear_i: Wire<In>,
    pub index_i: Wire<In>,
    /// The word as read, and what of it was flipped.
    pub word_i: Wire<In>,
    pub flips_i: Wire<In>,
    pub valid_o: Wire<Out>,
    pub index_o: Wire<Out>,
    pub before_o: Wire<Out>,
    pub mask_o: Wire<Out>,
    pub count_o: Wire<Out>,
    pub counts_o: Wire<Out>,
    _word: Codeword,
    _lanes: u32,
}

impl FlipRecord {
    /// Returns the record of words of so many codewords.
    pub fn new(word: &Codeword, lanes: u32) -> Self {
        let bits = word.cells() * lanes;
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            clear_i: Wire::new(1),
            index_i: Wire::new(32),
            word_i: Wire::new(bits),
            flips_i: Wire::new(bits),
            valid_o: Wire::new(1),
            index_o: Wire::new(32),
            before_o: Wire::new(bits),
            mask_o: Wire::new(bits),
            count_o: Wire::new(8),
            counts_o: Wire::new(words(word) * COUNT_BITS),
            _word: word.clone(),
            _lanes: lanes,
        }
    }

    /// Adds up each of the counts.
    fn sums(&self) -> String {
        let (mut text, word) = (String::new(), &self._word);
        let mut sum = |n: u32, direction: u32, is: &dyn Fn(u32) -> bool| {
            let of = (0..word.cells() * self._lanes).filter(|cell| is(cell % word.cells()));
            let terms = of.map(|cell| format!("{{7'd0, of_{direction}[{cell}]}}"));
            text.push_str(&format!("    sum_{n} <= {};\n", terms.collect::<Vec<_>>().join(" + ")));
        };
        for direction in 0..2 {
            for bit in 0..8 {
                sum(8 * direction + bit, direction, &|cell| cell < word.data_bits && cell % 8 == bit);
            }
            if word.is_coded() {
                sum(16 + direction, direction, &|cell| cell >= word.data_bits);
            }
        }
        text
    }
}

impl FlipRecord {
    /// What a word's flips turn of the signature, bit by bit.
    fn turned(&self) -> String {
        let cells = self._word.cells();
        let port = Port { lanes: self._lanes, lane_bytes: self._word.data_bits / 8, cells };
        let mut turned: [String; 32] = std::array::from_fn(|bit| format!("index[{bit}]"));
        for cell in 0..cells * self._lanes {
            turned[signature_bit(port.bit(cell / cells, cell % cells)) as usize] += &format!(" ^ mask[{cell}]");
        }
        turned.reverse();
        format!("{{{}}}", turned.join(", "))
    }
}

impl Logic for FlipRecord {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let bits = self._word.cells() * self._lanes;
        let (top, counts) = (bits - 1, counts(&self._word));
        let mut text = format!(
            "reg valid;\nreg [31:0] index;\nreg [{top}:0] stored;\nreg [{top}:0] mask;\nreg [7:0] count;\n\
             wire [{top}:0] of_1 = mask & stored;\nwire [{top}:0] of_0 = mask & ~stored;\n\
             // The sums of its flips are known a cycle later.\n\
             reg summed;\nreg clear;\nreg [31:0] signature;\n\
             // What the registers hold before reset is no flip.\nassign valid_o = valid & ~rst_i;\n\
             assign index_o = index;\nassign before_o = stored;\nassign mask_o = mask;\nassign count_o = count;\n"
        );
        let (mut clears, mut adds) = (String::new(), String::new());
        for n in 0..counts {
            text.push_str(&format!(
                "reg [7:0] sum_{n};\nreg [31:0] total_{n};\nwire [32:0] next_{n} = {{1'b0, total_{n}}} + {{25'd0, sum_{n}}};\n"
            ));
            clears.push_str(&format!("    total_{n} <= 32'd0;\n"));
            adds.push_str(&format!("    total_{n} <= next_{n}[32] ? 32'hffffffff : next_{n}[31:0];\n"));
        }
        let totals = (0..counts).rev().map(|n| format!("total_{n}")).collect::<Vec<_>>().join(", ");
        // All of them in two steps.
        let (mut ones, mut parts) = (String::new(), Vec::new());
        for first in (0..counts).step_by(5) {
            let part = format!("ones_{first}");
            let sums: Vec<_> = (first..counts.min(first + 5)).map(|n| format!("sum_{n}")).collect();
            text.push_str(&format!("reg [7:0] {part};\n"));
            ones.push_str(&format!("  {part} <= summed ? {} : 8'd0;\n", sums.join(" + ")));
            parts.push(part);
        }
        text.push_str(&format!(
            "assign counts_o = {{signature, {totals}}};\n\
             always @(posedge clk_i) begin\n  valid <= |flips_i;\n  index <= index_i;\n  stored <= word_i ^ flips_i;\n  mask <= flips_i;\n\
             \x20 summed <= valid_o;\n  if (valid) begin\n{}  end\n\
             {ones}  count <= {};\n\
             \x20 clear <= rst_i | clear_i;\n  if (clear) begin\n{clears}  end else if (summed) begin\n{adds}  end\n\
             \x20 if (clear) signature <= 32'd0;\n  else if (valid) signature <= {{signature[30:0], 1'b0}} ^ \
             (signature[31] ? 32'h{SIGNATURE_POLYNOMIAL:08x} : 32'd0) ^ {};\nend\n",
            self.sums(),
            parts.join(" + "),
            self.turned(),
        ));
        custom(&format!("flip_record_{bits}"), "The record of what an injector flipped.", text)
    }
}
