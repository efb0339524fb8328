//! Carries out requests on the bus and answers them.
//!
//! Requests have numbers, each one more than the last. The next one is carried out; one of the last few is a repetition whose
//! answer was lost: a read is done again, a write only answered, so nothing is written twice. Any other is refused, and the host
//! goes back to the number that the refusal names. A word takes some 10 cycles on the bus and hundreds on the line, so there is
//! one access at a time.

use hafnia_config::accel::RESET_CYCLES;
use hafnia_config::link::{ANSWER, ANSWER_HEAD, BUS_PATIENCE_BITS, Command, FRAME_WORDS, REFUSED, REPEATS, status};
use hafnia_config::regs::ADDRESS_BITS;
use rust_hdl::core::prelude::*;

use super::deframer::PLACE_BITS;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Bridge {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub request_i: Wire<In>,
    pub number_i: Wire<In>,
    pub command_i: Wire<In>,
    pub last_word_i: Wire<In>,
    pub address_i: Wire<In>,
    pub word_place_o: Wire<Out>,
    /// The word at `word_place_o` of two cycles before.
    pub word_i: Wire<In>,
    pub hold_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub valid_o: Wire<Out>,
    pub last_o: Wire<Out>,
    pub ready_i: Wire<In>,
    pub cyc_o: Wire<Out>,
    pub stb_o: Wire<Out>,
    pub we_o: Wire<Out>,
    pub adr_o: Wire<Out>,
    pub dat_o: Wire<Out>,
    pub dat_i: Wire<In>,
    pub ack_i: Wire<In>,
    pub err_i: Wire<In>,
    pub stall_i: Wire<In>,
    /// A session opens.
    pub reset_o: Wire<Out>,
    pub out_of_turn_o: Wire<Out>,
    pub repeat_o: Wire<Out>,
    /// The bus refused a word or did not answer.
    pub refused_o: Wire<Out>,
}

impl Default for Bridge {
    fn default() -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            request_i: Wire::new(1),
            number_i: Wire::new(8),
            command_i: Wire::new(2),
            last_word_i: Wire::new(PLACE_BITS),
            address_i: Wire::new(ADDRESS_BITS),
            word_place_o: Wire::new(PLACE_BITS),
            word_i: Wire::new(32),
            hold_o: Wire::new(1),
            data_o: Wire::new(8),
            valid_o: Wire::new(1),
            last_o: Wire::new(1),
            ready_i: Wire::new(1),
            cyc_o: Wire::new(1),
            stb_o: Wire::new(1),
            we_o: Wire::new(1),
            adr_o: Wire::new(ADDRESS_BITS),
            dat_o: Wire::new(32),
            dat_i: Wire::new(32),
            ack_i: Wire::new(1),
            err_i: Wire::new(1),
            stall_i: Wire::new(1),
            reset_o: Wire::new(1),
            out_of_turn_o: Wire::new(1),
            repeat_o: Wire::new(1),
            refused_o: Wire::new(1),
        }
    }
}

const TEXT: &str = "// At rest; a word to write comes from the frame; a word is offered to the bus; its answer is waited for; and the three parts
// of an answer.
localparam [2:0] IDLE = 3'd0, FETCH = 3'd1, OFFER = 3'd2, WAIT = 3'd3, HEAD = 3'd4, WORD = 3'd5, TAIL = 3'd6;
reg [2:0] state;
reg session;
reg [7:0] expected;
reg [7:0] number;
reg [7:0] answer;
reg [<PTOP>:0] last_word;
reg [<PTOP>:0] place;
reg [23:0] address;
reg write;
reg reads;
reg [1:0] part;
reg [31:0] word;
reg [<QTOP>:0] quiet;
reg refused;
reg refused_before;
reg timeout;
reg [<PTOP>:0] refused_place;
reg [3:0] resetting;
reg out_of_turn;
reg repeated;
wire [7:0] back = expected - number_i;
wire is_next = back == 8'd0;
wire is_repeat = ~is_next & (back <= 8'd<REPEATS>);
wire is_hello = command_i == 2'd<HELLO>;
wire is_write = command_i == 2'd<WRITE>;
wire answered = ack_i | err_i;
wire given_up = &quiet;
// An answer in the last cycle still counts.
wire late = given_up & ~answered;
wire failed = err_i | late;
wire at_end = place == last_word;
wire [7:0] status = {4'd0, ~session, timeout, refused_before, refused};
assign hold_o = state != IDLE;
assign word_place_o = place;
assign cyc_o = (state == OFFER) | (state == WAIT);
assign stb_o = state == OFFER;
assign we_o = write;
assign adr_o = address;
assign dat_o = word;
assign reset_o = resetting != 4'd0;
assign out_of_turn_o = out_of_turn;
assign repeat_o = repeated;
assign refused_o = refused | timeout;
reg [7:0] data;
always @(*) begin
  case ({state == HEAD, state == WORD, part})
    4'b1000: data = number;
    4'b1001: data = answer;
    4'b1010: data = {{<PAD>{1'b0}}, last_word};
    4'b0100: data = word[7:0];
    4'b0101: data = word[15:8];
    4'b0110: data = word[23:16];
    4'b0111: data = word[31:24];
    4'b0000: data = status;
    default: data = {{<PAD>{1'b0}}, refused_place};
  endcase
end
assign data_o = data;
assign valid_o = (state == HEAD) | (state == WORD) | (state == TAIL);
assign last_o = (state == TAIL) & part[0];
wire sent = valid_o & ready_i;
always @(posedge clk_i) begin
  out_of_turn <= 1'b0;
  repeated <= 1'b0;
  if (reset_o) resetting <= resetting - 4'd1;
  if (~cyc_o) quiet <= <QBITS>'d0;
  else if (~given_up) quiet <= quiet + <QBITS>'d1;
  case (state)
    IDLE: if (request_i) begin
      number <= number_i;
      answer <= <ANSWER> | {6'd0, command_i};
      last_word <= last_word_i;
      place <= <PBITS>'d0;
      address <= address_i;
      write <= is_write;
      reads <= ~is_hello & ~is_write;
      part <= 2'd0;
      refused <= 1'b0;
      timeout <= 1'b0;
      refused_place <= <PBITS>'d0;
      state <= HEAD;
      if (is_hello) begin
        session <= 1'b1;
        expected <= number_i + 8'd1;
        refused_before <= 1'b0;
        last_word <= <PBITS>'d<LAST>;
        resetting <= 4'hf;
      end else if (session & is_next) begin
        expected <= expected + 8'd1;
        if (is_write) state <= FETCH;
      end else if (session & is_repeat) begin
        repeated <= 1'b1;
      end else begin
        number <= expected;
        answer <= <REFUSED>;
        reads <= 1'b0;
        out_of_turn <= 1'b1;
      end
    end
    FETCH: begin
      part <= part + 2'd1;
      word <= word_i;
      if (part == 2'd2) begin
        part <= 2'd0;
        state <= OFFER;
      end
    end
    OFFER: if (given_up | ~stall_i) state <= WAIT;
    WAIT: if (answered | late) begin
      word <= failed ? 32'd0 : dat_i;
      if (failed & ~refused & ~timeout) refused_place <= place;
      refused <= refused | err_i;
      refused_before <= refused_before | failed;
      timeout <= timeout | late;
      if (~write) state <= WORD;
      else if (at_end | failed) begin
        place <= <PBITS>'d0;
        state <= HEAD;
      end else begin
        place <= place + <PBITS>'d1;
        address <= address + 24'd1;
        state <= FETCH;
      end
    end
    HEAD: if (sent) begin
      part <= part + 2'd1;
      if (part == 2'd<HLAST>) begin
        part <= 2'd0;
        state <= reads ? OFFER : TAIL;
      end
    end
    WORD: if (sent) begin
      part <= part + 2'd1;
      if (part == 2'd3) begin
        place <= place + <PBITS>'d1;
        address <= address + 24'd1;
        state <= at_end ? TAIL : timeout ? WORD : OFFER;
      end
    end
    default: if (sent) begin
      part <= part + 2'd1;
      if (part[0]) state <= IDLE;
    end
  endcase
  if (rst_i) begin
    state <= IDLE;
    session <= 1'b0;
    refused_before <= 1'b0;
    resetting <= 4'd0;
  end
end
";

impl Logic for Bridge {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        // The status byte in the text has these bits at these places.
        const { assert!(status::REFUSED == 1 && status::REFUSED_BEFORE == 2) };
        // A session resets the accelerator for the 15 cycles of `resetting`.
        const { assert!(15 >= RESET_CYCLES) };
        const { assert!(status::TIMEOUT == 4 && status::CLOSED == 8) };
        let text = TEXT
            .replace("<PTOP>", &(PLACE_BITS - 1).to_string())
            .replace("<PBITS>", &PLACE_BITS.to_string())
            .replace("<PAD>", &(8 - PLACE_BITS).to_string())
            .replace("<QTOP>", &(BUS_PATIENCE_BITS - 1).to_string())
            .replace("<QBITS>", &BUS_PATIENCE_BITS.to_string())
            .replace("<REPEATS>", &REPEATS.to_string())
            .replace("<HELLO>", &(Command::Hello as u8).to_string())
            .replace("<WRITE>", &(Command::Write as u8).to_string())
            .replace("<ANSWER>", &format!("8'h{ANSWER:02x}"))
            .replace("<REFUSED>", &format!("8'h{REFUSED:02x}"))
            .replace("<LAST>", &(FRAME_WORDS - 1).to_string())
            .replace("<HLAST>", &(ANSWER_HEAD - 1).to_string());
        custom("bridge", "Requests from the line to accesses on the bus.", text)
    }
}
