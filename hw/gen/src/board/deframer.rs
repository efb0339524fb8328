//! Finds whole requests in the bytes from the line.
//!
//! A flag ends what came before it, whatever that was, so garbage costs at most the frame it is in. The words of a request are
//! kept; a frame counts only when it has ended with the right FCS and the length that it names.

use hafnia_config::link::{Command, FCS_BYTES, FRAME_WORDS, GOOD_FCS, REQUEST_HEAD};
use rust_hdl::core::prelude::*;

use super::frame::{byte, framing};
use crate::emit::custom;
use crate::mem::block_ram::BlockRam;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Deframer {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub data_i: Wire<In>,
    pub damaged_i: Wire<In>,
    pub valid_i: Wire<In>,
    pub take_o: Wire<Out>,
    /// The last request is still being carried out.
    pub hold_i: Wire<In>,
    /// A whole request stands at the outputs below.
    pub request_o: Wire<Out>,
    /// A frame was damaged.
    pub bad_o: Wire<Out>,
    pub number_o: Wire<Out>,
    pub command_o: Wire<Out>,
    pub last_word_o: Wire<Out>,
    pub address_o: Wire<Out>,
    pub word_place_i: Wire<In>,
    /// The word of two cycles before.
    pub word_o: Wire<Out>,
    kept: BlockRam,
    _text: String,
}

/// Bits of the place of a word in a frame.
pub const PLACE_BITS: u32 = FRAME_WORDS.ilog2();

const TEXT: &str = "reg [23:0] word;
reg [<HTOP>:0] head;
reg [8:0] count;
reg [31:0] fcs;
reg bad;
reg escaped;
reg request;
reg bad_frame;
wire [7:0] octet = escaped ? data_i ^ <XOR> : data_i;
wire take = valid_i & ~hold_i & ~request;
wire is_flag = data_i == <FLAG>;
wire is_escape = data_i == <ESCAPE>;
wire is_data = take & ~is_flag & ~is_escape;
wire in_head = count < 9'd<HEAD>;
// Words begin behind the head, at a count that leaves 2 when divided by 4.
wire word_ends = count[1:0] == 2'd1;
wire [8:0] word_count = count - 9'd<HEAD>;
wire [7:0] command = head[15:8];
wire [7:0] last_word = head[23:16];
wire [8:0] wanted = 9'd<BARE> + (command == <WRITE> ? {1'b0, last_word[5:0], 2'd0} + 9'd4 : 9'd0);
wire known = (command == <HELLO>) | (command == <READ>) | (command == <WRITE>);
wire whole = (count == wanted) & known & (last_word < 8'd<WORDS>) & (fcs == <GOOD>) & ~bad & ~escaped & ~damaged_i;
assign take_o = take;
assign request_o = request;
assign bad_o = bad_frame;
assign number_o = head[7:0];
assign command_o = head[9:8];
assign last_word_o = head[<PTOP>:16];
assign address_o = head[47:24];
assign word_o = kept_read_data_o;
always @(posedge clk_i) begin
  request <= 1'b0;
  bad_frame <= 1'b0;
  if (take) begin
    escaped <= is_escape;
    bad <= bad | damaged_i | (escaped & is_escape);
    if (is_flag) begin
      request <= whole;
      bad_frame <= ~whole & ((count != 9'd0) | bad | damaged_i | escaped);
      bad <= 1'b0;
      count <= 9'd0;
      fcs <= 32'hffffffff;
    end
  end
  if (is_data) begin
    fcs <= crc(fcs, octet);
    if (in_head) head <= {octet, head[<HTOP>:8]};
    word <= {octet, word[23:8]};
    // A frame that is too long stays so.
    if (count == 9'd511) bad <= 1'b1;
    else count <= count + 9'd1;
  end
  if (rst_i) begin
    bad <= 1'b0;
    escaped <= 1'b0;
    count <= 9'd0;
    fcs <= 32'hffffffff;
    request <= 1'b0;
    bad_frame <= 1'b0;
  end
end
";

impl Default for Deframer {
    fn default() -> Self {
        let mut kept = BlockRam::new(32, FRAME_WORDS);
        kept.clk_i.connect();
        let mut text = framing(TEXT)
            .replace("<HTOP>", &(8 * REQUEST_HEAD - 1).to_string())
            .replace("<HEAD>", &REQUEST_HEAD.to_string())
            .replace("<BARE>", &(REQUEST_HEAD + FCS_BYTES).to_string())
            .replace("<PTOP>", &(15 + PLACE_BITS).to_string())
            .replace("<WORDS>", &FRAME_WORDS.to_string())
            .replace("<HELLO>", &byte(Command::Hello as u8))
            .replace("<READ>", &byte(Command::Read as u8))
            .replace("<WRITE>", &byte(Command::Write as u8))
            .replace("<GOOD>", &format!("32'h{GOOD_FCS:08x}"));
        let top = PLACE_BITS + 1;
        for (port, name, from) in [
            // The FCS behind a full frame would be one word more.
            (&mut kept.write_i, "write_i", format!("is_data & ~in_head & word_ends & ~word_count[{}]", PLACE_BITS + 2)),
            (&mut kept.write_address_i, "write_address_i", format!("word_count[{top}:2]")),
            (&mut kept.write_data_i, "write_data_i", "{octet, word}".to_owned()),
            (&mut kept.read_i, "read_i", "1'b1".to_owned()),
            (&mut kept.read_address_i, "read_address_i", "word_place_i".to_owned()),
        ] {
            text += &port.drive(&format!("kept_{name}"), &from);
        }
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            data_i: Wire::new(8),
            damaged_i: Wire::new(1),
            valid_i: Wire::new(1),
            take_o: Wire::new(1),
            hold_i: Wire::new(1),
            request_o: Wire::new(1),
            bad_o: Wire::new(1),
            number_o: Wire::new(8),
            command_o: Wire::new(2),
            last_word_o: Wire::new(PLACE_BITS),
            address_o: Wire::new(24),
            word_place_i: Wire::new(PLACE_BITS),
            word_o: Wire::new(32),
            kept,
            _text: text,
        }
    }
}

impl Logic for Deframer {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("deframer", "Whole requests from the bytes of the line.", self._text.clone())
    }
}
