// Properties of `injector_lane`, one codeword of `WEIGHTS` weights of 8 cells with `SIZES` pairs of node thresholds.
//
// A word enters in one cycle and leaves two cycles later. Proved for every starting state and all inputs:
//   identity   a word that entered with the injector off leaves unchanged and reports no flip;
//   reported   every word leaves as it entered, but for the flips reported beside it;
//   only_live  no flip is reported in a weight that was not live, or in a bit that was not at risk;
//   drawn      a flip only comes with a word that was valid, with the injector on, and whose draw was a hit;
//   found      a hit of a word whose weights are all live and all bits at risk flips at least one cell: the tree loses none;
//   generator  the word's generator takes the seed, else steps once for a valid word with the injector on, else holds.
// Argument: what leaves depends on the state when the word entered and on the inputs since, so three cycles from an
// arbitrary state are all there is to check: the bounded check is the proof. The block has no reset to start from.
module injector_lane_properties #(
  parameter WEIGHTS = 4,
  parameter SIZES = 5
) (
  input clk_i,
  input enable_i,
  input [7:0] bits_i,
  input [31:0] word_threshold_i,
  input [64*SIZES-1:0] node_thresholds_i,
  input seed_i,
  input [31:0] seed_word_i,
  input valid_i,
  input [WEIGHTS-1:0] live_i,
  input [8*WEIGHTS-1:0] code_i
);
wire [31:0] seed_word;
wire [8*WEIGHTS-1:0] code;
wire [8*WEIGHTS-1:0] flips;
injector_lane dut (
  .clk_i(clk_i), .enable_i(enable_i), .bits_i(bits_i), .word_threshold_i(word_threshold_i), .node_thresholds_i(node_thresholds_i),
  .seed_i(seed_i), .seed_word_i(seed_word_i), .seed_word_o(seed_word), .valid_i(valid_i), .live_i(live_i),
  .code_i(code_i), .code_o(code), .flips_o(flips)
);
// The word's generator, inside the block.
(* hierconn *) wire [31:0] \dut.a0 ;
(* hierconn *) wire [31:0] \dut.b0 ;
(* hierconn *) wire [31:0] \dut.c0 ;

// One step of a Tausworthe component with k state bits, trinomial x^k + x^q + 1 and s positions a step.
function [31:0] step(input [31:0] z, input integer k, input integer q, input integer s);
  step = ((z & (32'hffffffff << (32 - k))) << s) ^ (((z << q) ^ z) >> (k - s));
endfunction

wire draws = valid_i && enable_i;
wire hit = draws && (\dut.a0 ^ \dut.b0 ^ \dut.c0 ) <= word_threshold_i;

// What entered one and two cycles ago. `age` says how many cycles of that there are.
reg [1:0] age = 0;
reg enable_1, enable_2;
reg [7:0] bits_1, bits_2;
reg hit_1, hit_2;
reg [WEIGHTS-1:0] live_1, live_2;
reg [8*WEIGHTS-1:0] code_1, code_2;
reg [31:0] a_1, b_1, c_1, seed_word_1;
reg draws_1, seed_1;
always @(posedge clk_i) begin
  if (age < 2) age <= age + 1;
  {enable_1, enable_2} <= {enable_i, enable_1};
  {bits_1, bits_2} <= {bits_i, bits_1};
  {hit_1, hit_2} <= {hit, hit_1};
  {live_1, live_2} <= {live_i, live_1};
  {code_1, code_2} <= {code_i, code_1};
  {a_1, b_1, c_1, seed_word_1} <= {\dut.a0 , \dut.b0 , \dut.c0 , seed_word_i};
  {draws_1, seed_1} <= {draws, seed_i};
end

reg [8*WEIGHTS-1:0] live_cells;
integer w;
always @(*) for (w = 0; w < WEIGHTS; w = w + 1) live_cells[8*w +: 8] = bits_2 & {8{live_2[w]}};

always @(*) begin
  if (age >= 1) begin
    generator: assert ({\dut.a0 , \dut.b0 , \dut.c0 } == (
      seed_1 ? {seed_word_1, a_1, b_1} :
      draws_1 ? {step(a_1, 31, 13, 12), step(b_1, 29, 2, 4), step(c_1, 28, 3, 17)} :
      {a_1, b_1, c_1}));
  end
  if (age >= 2) begin
    if (!enable_2) identity: assert (code == code_2 && flips == 0);
    reported: assert (code == (code_2 ^ flips));
    only_live: assert ((flips & ~live_cells) == 0);
    if (flips != 0) drawn: assert (hit_2);
    if (hit_2 && &live_2 && &bits_2) found: assert (flips != 0);
  end
end

always @(*) if (age >= 2) begin
  passed: cover (!enable_2 && enable_1 && code == 1);
  two_flips: cover (flips[0] && flips[1]);
  dropped: cover (hit_2 && flips == 0);
end
endmodule
