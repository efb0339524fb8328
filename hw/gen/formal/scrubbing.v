// Properties of a scrubber with its engine and its memory, for words of two codewords of `secded-13-8` in a memory of 64 words.
//
// Nothing is assumed of the array's reads, of what it runs, of pulses, of the memory's contents or of noise; the host programs
// words at any time, and sets the period, the last address and whether weights stream in before a run; the walk is not begun
// anew; no layer runs in reset.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   served     whatever is scrubbed, a read of the array reaches the memory in its own cycle, at its own address;
//   idle       a word is taken only in a cycle in which the array reads none, and no word is being programmed; it is read
//              then, at the address of the walk;
//   kept_off   and only while a layer runs, and none of its own words;
//   paced      not before its period is over, counted from the start of the run or the word before;
//   held       what is judged was read 3 cycles before, as long as `scrubber.v` asks for;
//   spared     what is written back goes to its address, and differs in mended cells alone from what was read there;
//   ends       a word is done 15 cycles after it was taken at the latest;
//   stable     and until then the engine names it, at the address of the walk;
//   walks      the walk goes on by one word when one is done, and from the last address to 0 with the next epoch;
//   uncounted  to the host a scrubbed word is not a programmed one.
// Argument: k-induction. What is mended is for `scrubber.v` to say, and free here.
module scrubbing_properties(
  input clk_i,
  input rst_i,
  input clear_i,
  input read_i,
  input [5:0] read_address_i,
  input row_i,
  input valid_i,
  input [25:0] wanted_i,
  input [37:0] tag_i,
  input [7:0] max_pulses_i,
  input [25:0] result_i,
  input [25:0] seen_i,
  input run_i,
  input [31:0] base_i,
  input [18:0] end_i,
  input [25:0] mended_i,
  input [25:0] mend_i
);
(* anyconst *) wire [19:0] period;
(* anyconst *) wire [5:0] last;
(* anyconst *) wire stream_i;

wire due, taken, judged, scrubbed, scrubbing, ready, write, commit, look, slot;
wire [5:0] address;
wire [31:0] epoch;
wire [25:0] seen, data, code, wanted;
wire [37:0] tag;
scrubber walker (
  .clk_i(clk_i), .rst_i(rst_i), .restart_i(1'b0), .clear_i(1'b0), .period_i(period), .last_i(last), .run_i(run_i),
  .base_i(base_i), .end_i(end_i), .due_o(due), .address_o(address), .epoch_o(epoch), .taken_i(taken), .seen_i(seen),
  .judged_i(judged), .scrubbed_i(scrubbed)
);
programmer engine (
  .clk_i(clk_i), .rst_i(rst_i), .clear_i(1'b0), .max_pulses_i(max_pulses_i), .valid_i(valid_i), .ready_o(ready),
  .wanted_i(wanted_i), .tag_i(tag_i), .tag_o(tag), .wanted_o(wanted), .result_i(result_i), .write_o(write), .data_o(data),
  .commit_o(commit), .look_o(look), .slot_i(slot), .code_i(code), .seen_i(seen_i), .scrub_i_0(due & ~stream_i),
  .scrub_tag_i_0({32'd0, address}), .seen_o_0(seen), .mended_i_0(mended_i), .mend_i_0(mend_i), .taken_o_0(taken),
  .judged_o_0(judged), .scrubbed_o_0(scrubbed), .scrubbing_o_0(scrubbing)
);
weight_memory memory (
  .clk_i(clk_i), .rst_i(rst_i), .stream_i(stream_i), .clear_i(clear_i), .write_i(write), .commit_i(commit), .look_i(look),
  .slot_o(slot), .write_address_i(tag[5:0]), .write_data_i(data), .read_i(read_i), .read_address_i(read_address_i),
  .row_i({1'b0, row_i}), .code_o(code)
);
(* hierconn *) wire [2:0] \engine.state ;
(* hierconn *) wire [2:0] \engine.timer ;
(* hierconn *) wire \engine.scrubbing ;
(* hierconn *) wire [7:0] \engine.most ;
(* hierconn *) wire [25:0] \engine.held ;
(* hierconn *) wire [25:0] \engine.pulsed ;
(* hierconn *) wire [19:0] \walker.timer ;
(* hierconn *) wire [19:0] \memory.ring_read_address_o ;
(* hierconn *) wire \memory.lanes_0_read_i ;
(* hierconn *) wire \memory.lanes_1_read_i ;
(* hierconn *) wire [5:0] \memory.lanes_0_read_address_i ;
(* hierconn *) wire [5:0] \memory.lanes_1_read_address_i ;
(* hierconn *) wire [5:0] \memory.lanes_0_write_address_i ;
localparam [2:0] IDLE = 0, PULSE = 1, SEE = 3, MEND = 5;

// Cycles since the run began or a word was taken, and since that word was taken; the walk before this cycle.
reg was_reset = 0;
reg settled = 0;
reg [20:0] since;
reg [4:0] spent;
reg went;
reg [25:0] mend_then;
reg [25:0] seen_before;
// Cycles for which what was read has been the same.
reg [1:0] quiet_before;
wire [1:0] quiet = seen != seen_before ? 2'd0 : quiet_before == 2'd3 ? 2'd3 : quiet_before + 2'd1;
reg [5:0] address_before;
reg [31:0] epoch_before;
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  settled <= was_reset & ~rst_i;
  since <= !run_i ? 21'd0 : taken ? 21'd1 : since[20] ? since : since + 21'd1;
  spent <= taken ? 5'd1 : spent == 5'd31 ? spent : spent + 5'd1;
  went <= scrubbed;
  if (judged) mend_then <= mend_i;
  seen_before <= seen;
  quiet_before <= quiet;
  address_before <= address;
  epoch_before <= epoch;
end
wire busy = \engine.scrubbing && \engine.state != IDLE;
wire [31:0] place = {26'd0, address};
wire [4:0] within = \engine.state == SEE ? 5'd1 + \engine.timer : \engine.state == MEND ? 5'd6 + \engine.timer : 5'd10 + \engine.timer ;

always @(*) in_reset: assume (!(rst_i && run_i));

always @(*) if (was_reset) begin
  if (read_i) served: assert (!slot && \memory.lanes_0_read_i && \memory.lanes_1_read_i &&
    \memory.lanes_0_read_address_i == (stream_i ? \memory.ring_read_address_o [5:0] : read_address_i) &&
    \memory.lanes_1_read_address_i == \memory.lanes_0_read_address_i );
  if (taken) begin
    idle: assert (!read_i && look && ready && !valid_i && !write && tag[5:0] == address &&
      \memory.lanes_0_read_i && \memory.lanes_0_read_address_i == address);
    kept_off: assert (run_i && !(place >= base_i && place < {13'd0, end_i}));
    paced: assert (period != 0 && since >= {1'b0, period});
  end
  if (judged) held: assert (quiet >= 3 && busy);
  if (write && busy) spared: assert (\engine.pulsed == mend_then && \memory.lanes_0_write_address_i == address &&
    ((data ^ \engine.held ) & ~mend_then) == 0 &&
    ((data ^ result_i) & mend_then) == 0);
  if (busy) ends: assert (\engine.state == SEE ? 1 : (\engine.state == MEND || \engine.state == PULSE) && spent <= 15);
  if (busy) begin
    stable: assert (tag[5:0] == address && \engine.most == 0 && spent == within && scrubbing);
    uncounted: assert (!commit);
  end
  if (settled) begin
    walks: assert (went ? (address_before == last ? address == 0 && epoch == epoch_before + 32'd1
      : address == address_before + 6'd1 && epoch == epoch_before) : address == address_before && epoch == epoch_before);
  end
end
// What the engine does not name while it scrubs, the walker's own count of the time.
always @(*) if (settled) pace_known: assert (\walker.timer <= period && (!run_i || since[20] || \walker.timer == (since < {1'b0, period} ? since[19:0] : period)));

always @(*) if (was_reset) begin
  mends: cover (write && busy && \engine.pulsed != 0);
  waits: cover (due && !slot);
  next_walk: cover (settled && went && epoch == 32'd257);
end
endmodule
