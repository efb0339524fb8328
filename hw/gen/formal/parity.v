// A parity bit for each unit of data: encoder and decoder together, for all data and all errors.
`include "generated.vh"

module parity_properties(input clk);
  (* anyconst *) wire [`DATA-1:0] data;
  (* anyconst *) wire [`CELLS-1:0] errors;
  wire [`CELLS-1:0] code;
  wire [`DATA-1:0] read;
  wire [`UNITS-1:0] corrected, detected;
  `ENCODER encoder(.data_i(data), .code_o(code));
  `DECODER decoder(.clk_i(clk), .code_i(code ^ errors), .data_o(read), .corrected_o(corrected), .detected_o(detected));

  reg [2:0] cycle = 0;
  always @(posedge clk) if (cycle < `LATENCY) cycle <= cycle + 1;
  wire arrived = cycle == `LATENCY;

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
