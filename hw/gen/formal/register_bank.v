// Properties of `register_bank`, whose buses of read noise have `WEIGHTS`, `BIASES` and `ACTIVATIONS` bits.
//
// `generated.vh` is written by the test from the register description: each register's offset under its name, and its
// access, the mask of its bits and its reset value as functions of the offset; and whether it is in the buses of weights and
// biases, and its bits there.
// Proved, for every power-on state, from the first cycle of reset on and for all time, for an arbitrary offset `r`:
//   held      the output of a read-write register, and its place in each bus that has it, is its reset value, or else the
//             used bits of the last write to it: no other write changes it;
//   answered  four cycles after its offset a register is read as it was one cycle after that offset: a read-write one as held, a
//             constant one as its constant, STATUS, WEIGHT_LEVEL and flip counts as their inputs, a trigger and an unknown
//             one as 0. No write changes a read-only one;
//   all_known exactly the offsets of the description are known;
//   counted   FINISHED is the number of descriptor ends since the last reset or start; a start while a program runs
//             changes nothing;
//   pulsed    a trigger is high in exactly the one cycle after each write of 1 to it.
// A write is taken in the cycle after its strobe; what is said of writes above is said of then.
// Argument: k-induction with k = 4, for the read value passes four registers. `r` is an unknown constant, so the
// solver tries every offset, in every run.
module register_bank_properties #(
  parameter WEIGHTS = 34,
  parameter BIASES = 34,
  parameter ACTIVATIONS = 34
) (
  input clk_i,
  input rst_i,
  input write_i,
  input [7:0] offset_i,
  input [31:0] data_i,
  input status_i,
  input [19:0] weight_level_i,
  input descriptor_end_i,
  input [543:0] flips_weights_i,
  input [543:0] flips_biases_i,
  input [543:0] flips_activations_i
);
localparam [1:0] UNKNOWN = 0, READ_ONLY = 1, READ_WRITE = 2, TRIGGER = 3;
`include "generated.vh"

wire [31:0] data;
wire known;
wire start;
wire stop;
wire weight_clear;
wire [7:0] program_first;
wire [7:0] program_count;
wire weight_stream;
wire inject_enable;
wire [31:0] inject_layers;
wire [WEIGHTS-1:0] noise_weights;
wire [BIASES-1:0] noise_biases;
wire [ACTIVATIONS-1:0] noise_activations;
wire [7:0] bits_weights;
wire [7:0] bits_biases;
wire flips_clear;
register_bank dut (
  .clk_i(clk_i), .rst_i(rst_i), .write_i(write_i), .offset_i(offset_i), .data_i(data_i), .data_o(data), .known_o(known),
  .status_i(status_i), .weight_level_i(weight_level_i), .descriptor_end_i(descriptor_end_i),
  .start_o(start), .stop_o(stop), .weight_clear_o(weight_clear),
  .program_first_o(program_first), .program_count_o(program_count), .weight_stream_o(weight_stream),
  .inject_enable_o(inject_enable), .inject_layers_o(inject_layers), .noise_weights_o(noise_weights),
  .noise_biases_o(noise_biases), .noise_activations_o(noise_activations), .flips_weights_i(flips_weights_i),
  .bits_weights_o(bits_weights), .bits_biases_o(bits_biases),
  .flips_biases_i(flips_biases_i), .flips_activations_i(flips_activations_i), .flips_clear_o(flips_clear)
);

// The block's own register, by its name in the flattened design.
(* hierconn *) wire [7:0] \dut.finished ;
wire [7:0] finished = \dut.finished ;

(* anyconst *) wire [7:0] r;
wire writable = access(r) == READ_WRITE;

// The output of `r`, if it is a read-write register that has one of its own; and whether the buses hold what it should.
reg [31:0] held_value;
always @(*) case (r)
  PROGRAM_FIRST: held_value = program_first;
  PROGRAM_COUNT: held_value = program_count;
  WEIGHT_STREAM: held_value = weight_stream;
  INJECT_ENABLE: held_value = inject_enable;
  INJECT_LAYERS: held_value = inject_layers;
  INJECT_BITS_WEIGHTS: held_value = bits_weights;
  INJECT_BITS_BIASES: held_value = bits_biases;
  default: held_value = value;
endcase
wire weights_hold = !in_weights(r) || of_weights(r, noise_weights) == value;
wire biases_hold = !in_biases(r) || of_biases(r, noise_biases) == value;

// What `r` should hold, and be read as.
reg [31:0] value;
reg [31:0] seen;
always @(*) case (access(r))
  READ_WRITE: seen = value;
  READ_ONLY: seen = r == STATUS ? status_i : r == WEIGHT_LEVEL ? weight_level_i :
             r == FINISHED ? ends : r == FLIPS_WEIGHTS_SIGNATURE ? flips_weights_i[543:512] :
             r == FLIPS_BIASES_SIGNATURE ? flips_biases_i[543:512] : r >= FLIPS_BIASES_01_0 ? flips_biases_i >> 32 * (r - FLIPS_BIASES_01_0) :
             r >= FLIPS_WEIGHTS_01_0 ? flips_weights_i >> 32 * (r - FLIPS_WEIGHTS_01_0) : reset_value(r);
  default: seen = 0;
endcase

reg was_reset = 0;
reg was_clocked = 0;
reg was_clocked_twice = 0;
reg [4:1] asked = 0;
reg [31:0] seen_2, seen_3, seen_4;
reg write = 0;
reg [7:0] offset;
reg [31:0] written;
reg start_due;
reg [7:0] ends;
reg stop_due;
reg weight_clear_due;
reg flips_clear_due;
always @(posedge clk_i) begin
  was_reset <= was_reset | rst_i;
  {was_clocked, was_clocked_twice} <= {1'b1, was_clocked};
  {write, offset, written} <= {write_i && !rst_i, offset_i, data_i};
  if (rst_i) value <= reset_value(r);
  else if (writable && write && offset == r) value <= written & mask(r);
  if (rst_i || (write && offset == START && written[0] && !status_i)) ends <= 0;
  else ends <= ends + descriptor_end_i;
  asked <= {asked[3:1], was_reset && offset_i == r};
  {seen_2, seen_3, seen_4} <= {seen, seen_2, seen_3};
  start_due <= !rst_i && write && offset == START && written[0];
  stop_due <= !rst_i && write && offset == STOP && written[0];
  weight_clear_due <= !rst_i && write && offset == WEIGHT_CLEAR && written[0];
  flips_clear_due <= !rst_i && write && offset == FLIPS_CLEAR && written[0];
end

always @(*) begin
  all_known: assert (known == (access(offset_i) != UNKNOWN));
  if (was_reset && writable) held: assert (held_value == value && weights_hold && biases_hold);
  if (asked[4]) answered: assert (data == seen_4);
  if (was_reset) counted: assert (finished == ends);
  if (was_clocked_twice)
    pulsed: assert (start == start_due && stop == stop_due && weight_clear == weight_clear_due && flips_clear == flips_clear_due);
end

always @(*) begin
  threshold_read_back: cover (asked[4] && in_weights(r) && in_biases(r) && data == 32'h12345678);
  flips_read: cover (asked[4] && r == FLIPS_BIASES_10_7 && data == 32'h12345678);
  finished_read: cover (asked[4] && r == FINISHED && data == 1);
  level_read: cover (asked[4] && r == WEIGHT_LEVEL && data == 20'h54321);
  started: cover (was_reset && start && program_count == 3);
end
endmodule
