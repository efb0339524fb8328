// A code that corrects one error and detects two: encoder and decoder together, for all data and for every pattern of up to two
// errors, at any latency.
module secded_properties(input clk);
`include "generated.vh"

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
