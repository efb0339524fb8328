// Encoder and decoder of a code, together: inside the modules of `secded.v`, `parity.v` and `majority.v`. The macros are written by
// the test. What leaves depends on the last cycles alone, so constants stand for all sequences.
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
