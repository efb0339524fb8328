// Properties of `wishbone`, the host's port, for the array and the depths that the parameters give.
//
// A request is accepted when `cyc` and `stb` are high and `stall` and `rst` are low. In the next cycle the strobe of the
// registers may rise, two cycles later those of the memories, and it is answered seven cycles after it was accepted.
// Proved, for every power-on state, from the first cycle of reset on and for all time:
//   answered    an accepted request gets exactly one of `ack` and `err`, exactly seven cycles later unless a reset comes
//               between, and nothing else is answered;
//   stalled     the bus stalls only a write to the streamed weights while their ring has no room;
//   caused      a strobe comes only with a request accepted one or three cycles before: a write strobe with a write, a read
//               strobe with a read, and never two kinds at once;
//   owned       after a cycle in which a program runs no memory is touched, but for weights that are written in stream mode;
//   addressed   a strobe comes with the address in the request, and never with one beyond the end of its memory;
//   no_harm     a request answered with `err` raised no strobe, but for one of a register that does not exist;
//   done        a write answered with `ack` raised its strobe, or is one that has none: to a read-only memory, to a
//               column that does not exist, or a piece of a weight word before its last;
//   carried     the answer to a read is the asked word of its memory, as the memory showed it in the cycle before.
// Argument: k-induction with k = 7, for the answer is seven registers behind the bus, with no feedback.
module wishbone_properties #(
  parameter ROWS = 4,
  parameter COLS = 4,
  parameter WEIGHT_ADDRESS_BITS = 12,
  parameter MAP_ADDRESS_BITS = 12,
  parameter WEIGHT_WORDS = 4096,
  parameter MAP_WORDS = 4096,
  parameter ACCUMULATOR_WORDS = 1024,
  parameter PARAMETER_WORDS = 1024,
  parameter PROGRAM_WORDS = 1024,
  parameter COUNTER_WORDS = 512
) (
  input clk_i,
  input rst_i,
  input cyc_i,
  input stb_i,
  input we_i,
  input [23:0] adr_i,
  input [31:0] dat_i,
  input [3:0] sel_i,
  input busy_i,
  input stream_i,
  input nearly_full_i,
  input known_i,
  input [31:0] register_data_i,
  input [8*ROWS-1:0] map_a_i,
  input [8*ROWS-1:0] map_b_i,
  input [32*COLS-1:0] accumulators_i,
  input [31:0] counters_i
);
// The regions, in address order.
localparam [3:0] REGISTERS = 0, PROGRAM = 1, WEIGHTS = 2, PARAMETERS = 3;
localparam [3:0] MAP_A = 4, MAP_B = 5, ACCUMULATORS = 6, COUNTERS = 7;
// Host words from one word of a memory to the next; a power of two, whatever the array.
localparam WEIGHT_STRIDE = 1 << $clog2((COLS + 3) / 4);
localparam MAP_STRIDE = 1 << $clog2((ROWS + 3) / 4);
localparam COLUMN_STRIDE = 1 << $clog2(COLS);

wire [31:0] dat;
wire ack;
wire err;
wire stall;
wire [19:0] register_offset;
wire [31:0] register_data;
wire [19:0] offset;
wire [31:0] data;
wire register_write;
wire program_write;
wire weight_write;
wire [WEIGHT_ADDRESS_BITS-1:0] weight_address;
wire [8*COLS-1:0] weight_data;
wire [COLS-1:0] bias_write;
wire [COLS-1:0] scale_write;
wire [13:0] column_address;
wire [MAP_ADDRESS_BITS-1:0] map_address;
wire [ROWS-1:0] map_lanes;
wire map_a_write;
wire map_b_write;
wire map_read;
wire accumulator_read;
wire counters_read;
wishbone dut (
  .clk_i(clk_i), .rst_i(rst_i), .cyc_i(cyc_i), .stb_i(stb_i), .we_i(we_i), .adr_i(adr_i), .dat_i(dat_i), .sel_i(sel_i),
  .dat_o(dat), .ack_o(ack), .err_o(err), .stall_o(stall), .busy_i(busy_i), .stream_i(stream_i),
  .nearly_full_i(nearly_full_i), .known_i(known_i), .register_offset_o(register_offset),
  .register_data_o(register_data), .offset_o(offset), .data_o(data), .register_write_o(register_write),
  .register_data_i(register_data_i), .program_write_o(program_write), .weight_write_o(weight_write),
  .weight_address_o(weight_address), .weight_data_o(weight_data), .bias_write_o(bias_write),
  .scale_write_o(scale_write), .column_address_o(column_address), .map_address_o(map_address), .map_lanes_o(map_lanes),
  .map_a_write_o(map_a_write), .map_b_write_o(map_b_write), .map_read_o(map_read), .map_a_i(map_a_i), .map_b_i(map_b_i),
  .accumulator_read_o(accumulator_read), .accumulators_i(accumulators_i), .counters_read_o(counters_read),
  .counters_i(counters_i)
);

wire [4:0] writes = {map_b_write, map_a_write, |bias_write | |scale_write, program_write, weight_write};
wire [2:0] reads = {counters_read, accumulator_read, map_read};
wire [7:0] strobes = {writes, reads};

// The requests accepted one to seven cycles ago that no reset has dropped; what they were; whether they raised a strobe.
reg was_reset = 0;
reg [7:1] accepted;
reg [7:1] wrote;
reg [23:0] adr_1, adr_2, adr_3, adr_4, adr_5, adr_6, adr_7;
reg [7:2] registered;
reg [7:4] acted;
reg busy_before, stream_before;
reg [31:0] word, early; // that of a map is there a cycle later
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  accepted <= rst_i ? 0 : {accepted[6:1], cyc_i && stb_i && !stall};
  wrote <= {wrote[6:1], we_i};
  {adr_1, adr_2, adr_3, adr_4, adr_5, adr_6, adr_7} <= {adr_i, adr_1, adr_2, adr_3, adr_4, adr_5, adr_6};
  registered <= {registered[6:2], register_write && known_i};
  acted <= {acted[6:4], |strobes};
  {busy_before, stream_before} <= {busy_i, stream_i};
  case (adr_5[23:20])
    REGISTERS: early <= register_data_i;
    ACCUMULATORS: early <= accumulators_i >> 32 * (adr_5 % COLUMN_STRIDE);
    COUNTERS: early <= counters_i;
    default: early <= 0;
  endcase
  case (adr_6[23:20])
    MAP_A: word <= map_a_i >> 32 * (adr_6 % MAP_STRIDE);
    MAP_B: word <= map_b_i >> 32 * (adr_6 % MAP_STRIDE);
    default: word <= early;
  endcase
end

// Whether the request of three cycles before is within `words` words, `stride` host words apart, and has `address`.
function fits(input [19:0] address, input integer words, input integer stride);
  fits = adr_3[19:0] < words * stride && address == adr_3[19:0] / stride;
endfunction

// Whether a write to this address has a strobe to raise.
function acts(input [23:0] adr);
  case (adr[23:20])
    REGISTERS, PROGRAM, MAP_A, MAP_B: acts = 1;
    WEIGHTS: acts = adr % WEIGHT_STRIDE == (COLS + 3) / 4 - 1;
    PARAMETERS: acts = adr / 2 % COLUMN_STRIDE < COLS;
    default: acts = 0;
  endcase
endfunction
wire [COLS-1:0] column = 1 << adr_3 / 2 % COLUMN_STRIDE;

always @(*) if (was_reset) begin
  answered: assert (accepted[7] ? ack != err : !ack && !err);
  if (stall) stalled: assert (we_i && adr_i[23:20] == WEIGHTS && stream_i && nearly_full_i);
  caused: assert ((!register_write || accepted[1] && wrote[1]) && (strobes == 0 ||
    accepted[3] && (strobes & (strobes - 1)) == 0 && (reads == 0) == wrote[3]));
  if (busy_before) owned: assert ({writes[4:1], reads} == 0 && (!weight_write || stream_before));
  addressed: assert (
    (!register_write || adr_1[23:20] == REGISTERS && adr_1[19:8] == 0 && register_offset == adr_1[19:0]) &&
    (!program_write || adr_3[23:20] == PROGRAM && fits(offset, PROGRAM_WORDS, 1)) &&
    (!weight_write || adr_3[23:20] == WEIGHTS && fits(weight_address, WEIGHT_WORDS, WEIGHT_STRIDE)) &&
    (!writes[2] || adr_3[23:20] == PARAMETERS && fits(column_address, PARAMETER_WORDS, 2 * COLUMN_STRIDE)) &&
    (!writes[2] || {scale_write, bias_write} == (adr_3[0] ? column << COLS : column)) &&
    (!map_a_write || adr_3[23:20] == MAP_A) && (!map_b_write || adr_3[23:20] == MAP_B) &&
    (!map_a_write && !map_b_write && !map_read || fits(map_address, MAP_WORDS, MAP_STRIDE)) &&
    (!accumulator_read || adr_3[23:20] == ACCUMULATORS && fits(column_address, ACCUMULATOR_WORDS, COLUMN_STRIDE)) &&
    (!counters_read || adr_3[23:20] == COUNTERS && fits(offset, COUNTER_WORDS, 1)));
  if (err) no_harm: assert (!acted[7] && !registered[7]);
  if (ack && wrote[7]) done: assert ((acted[7] || registered[7]) == acts(adr_7));
  if (ack && !wrote[7]) carried: assert (dat == word);
end

always @(*) if (was_reset) begin
  write_done: cover (ack && wrote[7] && acted[7] && accepted == 7'b1111111);
  write_refused: cover (err && wrote[7]);
  ring_written_while_busy: cover (busy_i && weight_write);
  stalls: cover (stall && ack);
end
endmodule
