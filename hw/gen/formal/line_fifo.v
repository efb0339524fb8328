// Properties of `line_fifo`, the bytes from the line that wait, for a memory of 2^BITS of them.
//
// Assumed: a byte is taken only when one is shown.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   counted  the bytes that found room and were not taken are those in the memory and the one that is shown or on its way, and
//            the addresses are as far apart as there are bytes in the memory;
//   room     a byte finds none only when 2^BITS or more wait;
//   emptied  reset leaves an empty FIFO;
//   made     nothing is shown that did not come;
//   shown    a byte that waits is shown within three cycles, or another one before it;
//   order    bytes come out in the order they came in: a byte before which `ahead` others waited is the one that is taken after
//            these, unchanged, with the mark that it was damaged or that the byte offered before it found no room, and no other.
// Argument: k-induction with k = 1. `order` follows one byte, and any: `pick_i` is free. `kept` is the invariant that carries it:
// the byte lies unchanged where its turn will be, or is on its way out. The test adds two nets to the memory: `tracked`, an
// address, and `tracked_word`, the word there.
module line_fifo_properties #(
  parameter BITS = 11
) (
  input clk_i,
  input rst_i,
  input write_i,
  input [7:0] data_i,
  input damaged_i,
  input take_i,
  input pick_i
);
wire overrun;
wire [7:0] data;
wire damaged;
wire valid;
line_fifo dut (
  .clk_i(clk_i), .rst_i(rst_i), .write_i(write_i), .data_i(data_i), .damaged_i(damaged_i), .overrun_o(overrun), .data_o(data),
  .damaged_o(damaged), .valid_o(valid), .take_i(take_i)
);
(* hierconn *) wire [BITS-1:0] \dut.write_place ;
(* hierconn *) wire [BITS-1:0] \dut.read_place ;
(* hierconn *) wire [BITS:0] \dut.level ;
(* hierconn *) wire \dut.gap ;
(* hierconn *) wire [1:0] \dut.reading ;
(* hierconn *) wire [8:0] \dut.memory.fetched ;
(* hierconn *) wire [8:0] \dut.memory.read_data ;
(* hierconn *) wire [BITS-1:0] \dut.memory.tracked ;
(* hierconn *) wire [8:0] \dut.memory.tracked_word ;
localparam DEPTH = 1 << BITS;

always @(*) taker_waits: assume (!take_i || valid);

// Bytes that found room and were not taken; whether the byte offered last found none; cycles for which none was shown.
reg was_reset = 0;
reg was_emptied = 0;
reg [BITS+1:0] held;
reg lost;
reg [1:0] hidden;
// A byte with its mark, its address, and the bytes that were to go before it and have not gone.
reg picked = 0;
reg [8:0] entry;
reg [BITS-1:0] address;
reg [BITS+1:0] ahead;
wire enters = write_i && !overrun;
wire leaves = valid && take_i;
wire goes = picked && leaves && ahead == 0;
wire picks = !rst_i && enters && pick_i && (!picked || goes);
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  was_emptied <= rst_i;
  held <= rst_i ? 0 : held + enters - leaves;
  if (write_i) lost <= overrun;
  if (rst_i) lost <= 0;
  hidden <= rst_i || valid || held == 0 ? 0 : hidden + 1;
  if (picks) begin
    entry <= {damaged_i | lost, data_i};
    address <= \dut.write_place ;
    ahead <= held - leaves;
  end else if (leaves) ahead <= ahead - 1;
  picked <= was_reset && !rst_i && (picks || picked && !goes);
end

wire under_way = |\dut.reading || valid;
wire [BITS+1:0] before = ahead - under_way;
wire lies = ahead >= under_way;
wire [BITS-1:0] turn = \dut.read_place + before[BITS-1:0];
assign \dut.memory.tracked = address;
always @(*) if (was_reset) begin
  counted: assert (
    held == \dut.level + under_way && \dut.level <= DEPTH && \dut.reading [0] + \dut.reading [1] + valid <= 1 &&
    \dut.level [BITS-1:0] == \dut.write_place - \dut.read_place && \dut.gap == lost);
  room: assert (overrun ? write_i && held >= DEPTH : !write_i || held <= DEPTH);
  if (was_emptied) emptied: assert (held == 0 && \dut.level == 0 && !valid && !under_way);
  made: assert (!valid || held != 0);
  shown: assert (held == 0 || valid || hidden <= 2 && (hidden == 0 || \dut.reading [hidden - 1]));
  if (picked) begin
    kept: assert (ahead < held && (
      lies ? address == turn && \dut.memory.tracked_word == entry :
      \dut.memory.fetched == entry && (\dut.reading [0] || \dut.memory.read_data == entry)));
  end
  if (goes) order: assert ({damaged, data} == entry);
end

always @(*) if (was_reset) begin
  behind_others: cover (goes && write_i && held > 2);
  wrapped: cover (goes && \dut.write_place < \dut.read_place );
  filled: cover (overrun);
  marked: cover (goes && damaged && lost);
end
endmodule
