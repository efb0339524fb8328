// A code that corrects one error and detects two: encoder and decoder together, for all data and for every pattern of up to two
// errors, at any latency. What leaves depends on the last cycles alone, so constants stand for all sequences.
`include "generated.vh"

module secded_properties(input clk);
  (* anyconst *) wire [`DATA-1:0] data;
  (* anyconst *) wire [`CELLS-1:0] errors;
  wire [`CELLS-1:0] code;
  wire [`DATA-1:0] read;
  wire corrected, detected;
  `ENCODER encoder(.data_i(data), .code_o(code));
  `DECODER decoder(.clk_i(clk), .code_i(code ^ errors), .data_o(read), .corrected_o(corrected), .detected_o(detected));

  reg [2:0] cycle = 0;
  always @(posedge clk) if (cycle < `LATENCY) cycle <= cycle + 1;
  wire arrived = cycle == `LATENCY;

  wire [`CELLS-1:0] but_one = errors & (errors - 1);
  wire none = errors == 0;
  wire one = !none && but_one == 0;
  wire two = but_one != 0 && (but_one & (but_one - 1)) == 0;

  always @(*) begin
    if (arrived && none) clean: assert (read == data && !corrected && !detected);
    if (arrived && one) single: assert (read == data && corrected && !detected);
    if (arrived && two) double: assert (!corrected && detected && read == (`ZERO ? 0 : data ^ errors[`DATA-1:0]));
    single_reached: cover (arrived && one);
    double_reached: cover (arrived && two);
  end
endmodule
