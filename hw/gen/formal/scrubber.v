// What `scrubber` mends, for words of two codewords of `secded-13-8`.
//
// Proved, for all data and for every pattern of up to two errors in each codeword, 3 cycles after it was read:
//   single  a codeword in which one cell is read wrong has that cell mended, and what was meant is written;
//   left    one with none, or with two, is left as it is.
// What leaves depends on the last cycles alone, so constants stand for all sequences.
module scrubber_properties(input clk_i);
localparam DATA = 8, CELLS = 13;
(* anyconst *) wire [2*DATA-1:0] data;
(* anyconst *) wire [2*CELLS-1:0] errors;
wire [2*CELLS-1:0] code, mended, mend;
wire due;
encoder_secded_13_8 meant_0(.data_i(data[DATA-1:0]), .code_o(code[CELLS-1:0]));
encoder_secded_13_8 meant_1(.data_i(data[2*DATA-1:DATA]), .code_o(code[2*CELLS-1:CELLS]));
scrubber dut(
  .clk_i(clk_i), .rst_i(1'b0), .restart_i(1'b0), .clear_i(1'b0), .period_i(20'd0), .last_i(6'd0), .run_i(1'b0),
  .base_i(32'd0), .end_i(19'd0), .due_o(due), .taken_i(1'b0), .seen_i(code ^ errors), .mended_o(mended), .mend_o(mend),
  .judged_i(1'b0), .scrubbed_i(1'b0)
);
reg [1:0] cycle = 0;
always @(posedge clk_i) if (cycle != 3) cycle <= cycle + 1;
wire arrived = cycle == 3;

// Either codeword.
(* anyconst *) wire lane;
wire [CELLS-1:0] wrong = lane ? errors[2*CELLS-1:CELLS] : errors[CELLS-1:0];
wire [CELLS-1:0] meant = lane ? code[2*CELLS-1:CELLS] : code[CELLS-1:0];
wire [CELLS-1:0] written = lane ? mended[2*CELLS-1:CELLS] : mended[CELLS-1:0];
wire [CELLS-1:0] pulsed = lane ? mend[2*CELLS-1:CELLS] : mend[CELLS-1:0];
wire [CELLS-1:0] but_one = wrong & (wrong - 1);
wire one = wrong != 0 && but_one == 0;
wire none_or_two = wrong == 0 || (but_one != 0 && (but_one & (but_one - 1)) == 0);
always @(*) begin
  if (arrived && one) single: assert (pulsed == wrong && written == meant);
  if (arrived && none_or_two) left: assert (pulsed == 0);
  one_reached: cover (arrived && one && pulsed != 0);
  two_reached: cover (arrived && wrong != 0 && pulsed == 0);
end
endmodule
