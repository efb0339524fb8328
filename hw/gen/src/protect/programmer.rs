//! The engine that programs a memory: a pulse, then, with write-verify, the word is read back, and cells that are read wrong get
//! another pulse, up to the most that a cell may get.
//!
//! `valid_i` hands over a word while `ready_o` is high. What a pulse leaves comes back at `result_i` after [`WRITE_LATENCY`]
//! cycles; cells that are not pulsed keep what was read back. The word is read where `slot_i` says that no other read is made.
//! A cell that was once read right gets no more pulses. `commit_o` ends a word. The counts saturate.
//!
//! With a scrubber it takes words from that too, while it has none to program: see [`super::scrubber`]. Such a word is read in
//! the cycle in which it is taken, and where the scrubber has cells to mend they get one pulse.

use hafnia_config::accel::CODE_MEMORY_LATENCY;
use hafnia_config::fault::WRITE_LATENCY;
use hafnia_config::programmed::Programmed;
use rust_hdl::core::prelude::*;

use crate::emit::{custom, number_of_ones, saturating};
use crate::mem::flip_record::COUNT_BITS;
use crate::wire::Wire;

/// Bits of the number of a pulse.
pub const PULSE_BITS: u32 = 8;
/// Bits of all counts of an engine, in the order of [`Programmed`].
pub const COUNTS_BITS: u32 = COUNT_BITS * Programmed::COUNT as u32;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Programmer {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    /// Sets the counts to 0.
    pub clear_i: Wire<In>,
    /// 0: one pulse, and no word is read back.
    pub max_pulses_i: Wire<In>,
    pub valid_i: Wire<In>,
    pub ready_o: Wire<Out>,
    pub wanted_i: Wire<In>,
    /// What names the word: held while it is programmed.
    pub tag_i: Wire<In>,
    pub tag_o: Wire<Out>,
    pub wanted_o: Wire<Out>,
    /// Number of the pulse, the first being 0.
    pub number_o: Wire<Out>,
    pub result_i: Wire<In>,
    pub write_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub commit_o: Wire<Out>,
    /// Asks for a read of the word.
    pub look_o: Wire<Out>,
    pub slot_i: Wire<In>,
    /// What the memory holds, and what is read of it, when it has had its time.
    pub code_i: Wire<In>,
    pub seen_i: Wire<In>,
    pub counts_o: Wire<Out>,
    /// A word is to be scrubbed, as soon as it can be read, and what names it.
    pub scrub_i: Vec<Wire<In>>,
    pub scrub_tag_i: Vec<Wire<In>>,
    /// What was read of it, and [`MEND_CYCLES`] later what it should hold, and the cells to mend.
    pub seen_o: Vec<Wire<Out>>,
    pub mended_i: Vec<Wire<In>>,
    pub mend_i: Vec<Wire<In>>,
    /// The word is taken; it was looked at and cells get their pulse, if any does; it is done.
    pub taken_o: Vec<Wire<Out>>,
    pub judged_o: Vec<Wire<Out>>,
    pub scrubbed_o: Vec<Wire<Out>>,
    /// The word that is named is one to scrub.
    pub scrubbing_o: Vec<Wire<Out>>,
    _bits: u32,
    _tag: u32,
}

/// Cycles from what was read of a word to what should be: the latency of any decoder, and a register behind the encoder.
pub const MEND_CYCLES: u32 = 3;

impl Programmer {
    /// Returns the engine of a memory of words of `bits` cells, with `tag` bits that name one; it may have a scrubber.
    pub fn new(bits: u32, tag: u32, scrub: bool) -> Self {
        Self {
            scrub_i: Wire::optional(scrub, 1),
            scrub_tag_i: Wire::optional(scrub, tag),
            seen_o: Wire::optional(scrub, bits),
            mended_i: Wire::optional(scrub, bits),
            mend_i: Wire::optional(scrub, bits),
            taken_o: Wire::optional(scrub, 1),
            judged_o: Wire::optional(scrub, 1),
            scrubbed_o: Wire::optional(scrub, 1),
            scrubbing_o: Wire::optional(scrub, 1),
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            clear_i: Wire::new(1),
            max_pulses_i: Wire::new(PULSE_BITS),
            valid_i: Wire::new(1),
            ready_o: Wire::new(1),
            wanted_i: Wire::new(bits),
            tag_i: Wire::new(tag),
            tag_o: Wire::new(tag),
            wanted_o: Wire::new(bits),
            number_o: Wire::new(PULSE_BITS),
            result_i: Wire::new(bits),
            write_o: Wire::new(1),
            data_o: Wire::new(bits),
            commit_o: Wire::new(1),
            look_o: Wire::new(1),
            slot_i: Wire::new(1),
            code_i: Wire::new(bits),
            seen_i: Wire::new(bits),
            counts_o: Wire::new(COUNTS_BITS),
            _bits: bits,
            _tag: tag,
        }
    }
}

impl Logic for Programmer {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let scrubs = !self.scrub_i.is_empty();
        let parts = SCRUB.iter().fold(BODY.to_owned(), |text, (key, with, without)| {
            text.replace(&format!("<{key}>"), if scrubs { with } else { without })
        });
        let mut text = parts
            .replace("<MEND>", &MEND_CYCLES.to_string())
            .replace("<TOP>", &(self._bits - 1).to_string())
            .replace("<BITS>", &self._bits.to_string())
            .replace("<TAGTOP>", &(self._tag - 1).to_string())
            .replace("<PULSED>", &WRITE_LATENCY.to_string())
            .replace("<READ>", &(CODE_MEMORY_LATENCY - 1).to_string())
            .replace("<ONES>", &number_of_ones("wrong", self._bits, COUNT_BITS));
        for (name, event) in [("words", "{31'd0, commit_o}"), ("repeated", "again"), ("give_ups", "given_up")] {
            text += &saturating(name, &format!("next_{name}"), event);
        }
        custom("programmer", "Programs words, pulse by pulse.", text)
    }
}

/// Parts of the text: with a scrubber, and without.
const SCRUB: [(&str, &str, &str); 9] = [
    (
        "STATES",
        "localparam MEND = 3'd5;
reg scrubbing;
reg named; // the tag is that of the word to scrub
wire offered = (state == IDLE) & named & ~valid_i & scrub_i_0;
wire taken = offered & slot_i;
wire mending = (state == MEND) & (timer == 3'd<MEND>);
assign taken_o_0 = taken;
assign judged_o_0 = mending;
assign scrubbed_o_0 = (mending & ~(|mend_i_0)) | (scrubbing & write_o);
assign scrubbing_o_0 = scrubbing | (state == IDLE);
assign seen_o_0 = seen;
",
        "",
    ),
    ("LOOK", "(state == LOOK) | offered", "state == LOOK"),
    ("ENDS", "write_o & (most == 8'd0) & ~scrubbing", "write_o & (most == 8'd0)"),
    (
        "IDLE",
        " else begin
      tag <= scrub_tag_i_0;
      scrubbing <= taken;
      most <= 8'd0;
      timer <= 3'd0;
      if (taken) state <= SEE;
    end",
        "",
    ),
    ("NAMES", "\n  named <= (state == IDLE) & ~valid_i;", ""),
    ("TAKES", "\n      scrubbing <= 1'b0;", ""),
    ("SEEN", "scrubbing ? MEND : JUDGE", "JUDGE"),
    ("RESTARTS", "\n      timer <= 3'd0;", ""),
    (
        "MENDS",
        "
    MEND: if (mending) begin
      state <= (|mend_i_0) ? PULSE : IDLE;
      timer <= 3'd0;
      wanted <= mended_i_0;
      pulsed <= mend_i_0;
    end",
        "",
    ),
];

const BODY: &str = "localparam IDLE = 3'd0;
localparam PULSE = 3'd1;
localparam LOOK = 3'd2;
localparam SEE = 3'd3;
localparam JUDGE = 3'd4;
reg [2:0] state;
reg [2:0] timer;
reg [7:0] most;
reg [7:0] number;
reg [<TAGTOP>:0] tag;
reg [<TOP>:0] wanted;
reg [<TOP>:0] pulsed; // cells that get the pulse
reg [<TOP>:0] held;
reg [<TOP>:0] seen;
reg [31:0] words;
reg [31:0] repeated;
reg [31:0] give_ups;
<STATES>assign ready_o = state == IDLE;
assign tag_o = tag;
assign wanted_o = wanted;
assign number_o = number;
assign look_o = <LOOK>;
assign counts_o = {give_ups, repeated, words};
assign write_o = (state == PULSE) & (timer == 3'd<PULSED>);
assign data_o = (result_i & pulsed) | (held & ~pulsed);
wire [<TOP>:0] wrong = pulsed & (seen ^ wanted);
wire last = number + 8'd1 == most;
wire judged = state == JUDGE;
wire done = judged & (last | ~(|wrong));
assign commit_o = done | (<ENDS>);
wire [31:0] count = <ONES>;
wire [31:0] again = (judged & ~last) ? count : 32'd0;
wire [31:0] given_up = (judged & last) ? count : 32'd0;
always @(posedge clk_i) begin
  timer <= timer + 3'd1;<NAMES>
  case (state)
    IDLE: if (valid_i) begin
      state <= PULSE;
      timer <= 3'd0;
      most <= max_pulses_i;
      number <= 8'd0;
      tag <= tag_i;
      wanted <= wanted_i;
      pulsed <= {<BITS>{1'b1}};<TAKES>
    end<IDLE>
    PULSE: if (write_o) state <= (most == 8'd0) ? IDLE : LOOK;
    LOOK: if (slot_i) begin
      state <= SEE;
      timer <= 3'd0;
    end
    SEE: if (timer == 3'd<READ>) begin
      state <= <SEEN>;<RESTARTS>
      held <= code_i;
      seen <= seen_i;
    end
    JUDGE: begin
      state <= done ? IDLE : PULSE;
      timer <= 3'd0;
      pulsed <= wrong;
      number <= number + 8'd1;
    end<MENDS>
    default: state <= IDLE;
  endcase
  if (rst_i) state <= IDLE;
end
";
