// Properties of `programmer`, the engine of write-verify, for words of `BITS` cells and tags of `TAG` bits.
//
// Nothing is assumed of pulses, memory or noise: `result_i`, `code_i` and `seen_i` are free, and so is when the memory is read.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   ends       a word takes no more than 11 cycles for each of its pulses, not counted those that it waits for the memory;
//   limited    no word gets more pulses than it may, and one where nothing is read back;
//   passed     a word ends before its last pulse only when each of its cells was read right once;
//   spared     a cell that was read right keeps what was read back with it, whatever pulses come;
//   stable     place, word and pulse number stay while a word is programmed;
//   asked      the memory is asked only for a word that is programmed and has been written;
//   once       an accepted word ends once, and no word is accepted before;
//   counted    the count of words goes up by each that ends, and saturates.
// Argument: k-induction with k = 2 over the states of the engine, which `ends` ties to the cycles spent.
module programmer_properties #(
  parameter BITS = 16,
  parameter TAG = 8
) (
  input clk_i,
  input rst_i,
  input clear_i,
  input [7:0] max_pulses_i,
  input valid_i,
  input [BITS-1:0] wanted_i,
  input [TAG-1:0] tag_i,
  input [BITS-1:0] result_i,
  input slot_i,
  input [BITS-1:0] code_i,
  input [BITS-1:0] seen_i
);
wire ready;
wire [TAG-1:0] tag;
wire [BITS-1:0] wanted;
wire [7:0] number;
wire write;
wire [BITS-1:0] data;
wire commit;
wire look;
wire [95:0] counts;
programmer dut (
  .clk_i(clk_i), .rst_i(rst_i), .clear_i(clear_i), .max_pulses_i(max_pulses_i), .valid_i(valid_i), .ready_o(ready),
  .wanted_i(wanted_i), .tag_i(tag_i), .tag_o(tag), .wanted_o(wanted), .number_o(number), .result_i(result_i),
  .write_o(write), .data_o(data), .commit_o(commit), .look_o(look), .slot_i(slot_i), .code_i(code_i), .seen_i(seen_i),
  .counts_o(counts)
);
(* hierconn *) wire [2:0] \dut.state ;
(* hierconn *) wire [2:0] \dut.timer ;
(* hierconn *) wire [7:0] \dut.most ;
(* hierconn *) wire [BITS-1:0] \dut.pulsed ;
(* hierconn *) wire [BITS-1:0] \dut.held ;
(* hierconn *) wire [BITS-1:0] \dut.seen ;
localparam [2:0] IDLE = 0, PULSE = 1, LOOK = 2, SEE = 3, JUDGE = 4;

// The word that is programmed, as it was accepted; its cells that were read right, and with what; the cycles that it took.
reg was_reset = 0;
reg open = 0;
reg [TAG-1:0] open_tag;
reg [BITS-1:0] open_word;
reg [7:0] open_most;
reg [BITS-1:0] right;
reg [BITS-1:0] back;
reg [11:0] spent;
reg [31:0] words;
reg known = 0;
wire accepted = ready && valid_i;
wire [BITS-1:0] now_right = \dut.seen ~^ wanted;
wire judged = \dut.state == JUDGE;
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  if (accepted) begin
    open_tag <= tag_i;
    open_word <= wanted_i;
    open_most <= max_pulses_i;
    right <= 0;
    spent <= 0;
  end else begin
    if (!(look && !slot_i)) spent <= spent + 1;
    if (judged) begin
      right <= right | now_right;
      back <= (back & right) | (\dut.held & ~right);
    end
  end
  open <= !rst_i && (accepted || open && !commit);
  known <= was_reset && !rst_i;
  words <= counts[31:0] + (commit && !(&counts[31:0]));
  if (rst_i || clear_i) words <= 0;
end

wire [11:0] within = \dut.state == PULSE ? \dut.timer : \dut.state == LOOK ? 4 : \dut.state == SEE ? 5 + \dut.timer : 10;
wire [7:0] limit = open_most == 0 ? 1 : open_most;
always @(*) if (was_reset) begin
  if (open) begin
    ends: assert (\dut.state <= JUDGE && spent == 11 * number + within);
    limited: assert (number < limit && \dut.most == open_most && (open_most != 0 || \dut.state == PULSE));
    stable: assert (tag == open_tag && wanted == open_word);
    passed: assert (\dut.pulsed == ~right && (!commit || write || number + 1 == limit || &(right | now_right)));
  end
  if (write) spared: assert (((data ^ \dut.held ) & right) == 0);
  asked: assert (!look || open && \dut.state == LOOK && !write);
  once: assert (open == !ready && (!commit || open));
  if (known) counted: assert (counts[31:0] == words);
end

always @(*) if (was_reset) begin
  several: cover (commit && number == 1);
  waits: cover (look && !slot_i);
end
endmodule
