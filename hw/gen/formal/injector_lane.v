// Properties of `injector_lane`, one codeword of `WEIGHTS` weights of 8 cells with `SIZES` pairs of node thresholds.
//
// `generated.vh` is written by the test: what the nodes of two cells know of their next draws, and how it came to be known.
// A word enters in one cycle and leaves four cycles later. Proved for every starting state and all inputs:
//   identity   a word that entered with the injector off leaves unchanged and reports no flip;
//   reported   every word leaves as it entered, but for the flips reported beside it;
//   only_live  no flip is reported in a weight that was not live, or in a bit that was not at risk;
//   drawn      a flip only comes with a word that was valid, with the injector on, and whose draw was a hit;
//   found      a hit of a word whose weights are all live and all bits at risk flips at least one cell where nothing is
//              thinned: the tree loses none;
//   pairs      of two cells whose node draws exactly those flip that its draw, as it is known, makes candidates, that are live and
//              at risk, and that either hold the value that is not thinned or are kept by the draw; no other cells flip;
//   ahead      when a generator steps, its registers make its next draw, and what it or its node knows becomes what the draw before it
//              says; both stay until then;
//   first_draws  every generator steps in the two cycles after the seed;
//   generator  the word's generator takes the seed, else steps then and for a valid word with the injector on, else holds.
// Argument: what leaves depends on the state when the word entered and on the inputs since, so five cycles from an
// arbitrary state are all there is to check, and one of `ahead`, `first_draws` and `generator`: the bounded check is the proof. The block has no reset to start from. The rates
// stay as they are, as they do while a layer runs.
module injector_lane_properties #(
  parameter WEIGHTS = 4,
  parameter SIZES = 5
) (
  input clk_i,
  input enable_i,
  input [7:0] bits_i,
  input seed_i,
  input [31:0] seed_word_i,
  input valid_i,
  input [WEIGHTS-1:0] live_i,
  input [8*WEIGHTS-1:0] code_i
);
(* anyconst *) wire [64*SIZES+193:0] noise_i;
localparam PAIRS = 4 * WEIGHTS;
// Where the thresholds of what a node of two cells keeps are.
localparam KEEP = 34 + 64 * SIZES;

wire [31:0] seed_word;
wire [8*WEIGHTS-1:0] code;
wire [8*WEIGHTS-1:0] flips;
injector_lane dut (
  .clk_i(clk_i), .enable_i(enable_i), .noise_i(noise_i), .bits_i(bits_i), .seed_i({2*WEIGHTS{seed_i}}), .seed_word_i(seed_word_i), .seed_word_o(seed_word),
  .valid_i(valid_i), .live_i(live_i), .code_i(code_i), .code_o(code), .flips_o(flips)
);
// The word's generator, inside the block.
(* hierconn *) wire [31:0] \dut.a0 ;
(* hierconn *) wire [31:0] \dut.b0 ;
(* hierconn *) wire [31:0] \dut.c0 ;
// Which nodes draw, breadth first: the last ones for the word that entered three cycles ago.
(* hierconn *) wire [2*PAIRS-2:0] \dut.draws ;
wire [2*PAIRS-2:0] draws_now = \dut.draws ;
(* hierconn *) wire \dut.hits ;
(* hierconn *) wire [2*WEIGHTS-1:0] \dut.seeded ;
(* hierconn *) wire [2*WEIGHTS-1:0] \dut.first ;
wire [2*WEIGHTS-1:0] seeded = \dut.seeded ;
wire [2*WEIGHTS-1:0] first = \dut.first ;
wire [31:0] word_threshold = noise_i[33:2];
wire draws = valid_i && enable_i;
`include "generated.vh"

// One step of a Tausworthe component with k state bits, trinomial x^k + x^q + 1 and s positions a step.
function [31:0] step(input [31:0] z, input integer k, input integer q, input integer s);
  step = ((z & (32'hffffffff << (32 - k))) << s) ^ (((z << q) ^ z) >> (k - s));
endfunction

wire [1:0] thinned = noise_i[1:0];
wire hit = draws && \dut.hits ;

// What entered one to five cycles ago. `age` says how many cycles of that there are.
reg [2:0] age = 0;
reg enable_1, enable_2, enable_3, enable_4, enable_5;
reg [7:0] bits_1, bits_2, bits_3, bits_4, bits_5;
reg hit_1, hit_2, hit_3, hit_4, hit_5;
reg [WEIGHTS-1:0] live_1, live_2, live_3, live_4, live_5;
reg [8*WEIGHTS-1:0] code_1, code_2, code_3, code_4, code_5;
reg [31:0] a_1, b_1, c_1, seed_word_1;
reg draws_1, seed_1, first_1;
reg [2*WEIGHTS-1:0] seeded_1;
reg [2*PAIRS-1:0] pairs_now, pairs_1;
always @(posedge clk_i) begin
  if (age < 5) age <= age + 1;
  {enable_1, enable_2, enable_3, enable_4, enable_5} <= {enable_i, enable_1, enable_2, enable_3, enable_4};
  {bits_1, bits_2, bits_3, bits_4, bits_5} <= {bits_i, bits_1, bits_2, bits_3, bits_4};
  {hit_1, hit_2, hit_3, hit_4, hit_5} <= {hit, hit_1, hit_2, hit_3, hit_4};
  {live_1, live_2, live_3, live_4, live_5} <= {live_i, live_1, live_2, live_3, live_4};
  {code_1, code_2, code_3, code_4, code_5} <= {code_i, code_1, code_2, code_3, code_4};
  {a_1, b_1, c_1, seed_word_1} <= {\dut.a0 , \dut.b0 , \dut.c0 , seed_word_i};
  {draws_1, seed_1, first_1, seeded_1} <= {draws, seed_i, first[0], seeded};
  pairs_1 <= pairs_now;
end

// What the pairs of the word that entered four cycles ago must flip, by what they know of their draws.
reg [1:0] spared, at_risk;
integer p;
always @(*) for (p = 0; p < PAIRS; p = p + 1) begin
  spared = ~((code_4[2*p +: 2] & {2{thinned[1]}}) | (~code_4[2*p +: 2] & {2{thinned[0]}}));
  at_risk = bits_4[2*(p%4) +: 2] & {2{live_4[p/4]}};
  pairs_now[2*p +: 2] = {2{draws_now[PAIRS-1+p]}} & pair_candidates[2*p +: 2] & at_risk & (pair_kept[2*p +: 2] | spared);
end

reg [8*WEIGHTS-1:0] live_cells;
integer w;
always @(*) for (w = 0; w < WEIGHTS; w = w + 1) live_cells[8*w +: 8] = bits_5 & {8{live_5[w]}};

// Every draw says that one of the halves holds a flip: `ahead` shows that a cycle keeps it so.
always @(*) if (age != 1) drawn_before: assume (is_possible);

always @(*) begin
  if (age == 1) begin
    ahead: assert (is_known && is_possible);
    first_draws: assert (seeded == {2*WEIGHTS{seed_1}} && first == ({2*WEIGHTS{seed_1}} | seeded_1));
    generator: assert ({\dut.a0 , \dut.b0 , \dut.c0 } == (
      seed_1 ? {seed_word_1, a_1, b_1} :
      draws_1 || first_1 ? {step(a_1, 31, 13, 12), step(b_1, 29, 2, 4), step(c_1, 28, 3, 17)} :
      {a_1, b_1, c_1}));
  end
  if (age >= 5) begin
    if (!enable_5) identity: assert (code == code_5 && flips == 0);
    reported: assert (code == (code_5 ^ flips));
    only_live: assert ((flips & ~live_cells) == 0);
    if (flips != 0) drawn: assert (hit_5);
    if (hit_5 && &live_5 && &bits_5 && thinned == 0) found: assert (flips != 0);
    pairs: assert (flips == pairs_1);
  end
end

always @(*) if (age >= 5) begin
  passed: cover (!enable_5 && enable_4 && code == 1);
  two_flips: cover (flips[0] && flips[1]);
  dropped: cover (hit_5 && flips == 0 && thinned == 0);
  not_kept: cover (hit_5 && flips == 0 && &live_5 && &bits_5);
  kept_and_not: cover (thinned == 2'b10 && &code_5 && flips[1:0] == 2'b10);
end
endmodule
