// A parity bit for each unit of data: encoder and decoder together, for all data and all errors.
module parity_properties(input clk);
`include "generated.vh"

  // The unit of any number; all units are alike to the solver.
  (* anyconst *) wire [7:0] unit;
  wire [`UNIT-1:0] wrong = errors >> (unit * `UNIT);
  wire [`UNIT-1:0] kept = data >> (unit * `UNIT);
  wire [`UNIT-1:0] given = read >> (unit * `UNIT);
  wire odd = (^wrong) ^ errors[`DATA + unit];

  always @(*) if (arrived && unit < `UNITS) begin
    flagged: assert (detected[unit] == odd && corrected == 0);
    zeroed: assert (given == (odd ? 0 : kept ^ wrong));
    odd_reached: cover (odd && kept != 0);
    even_reached: cover (!odd && wrong != 0);
  end
endmodule
