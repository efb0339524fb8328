// Three copies of the upper bits of each unit of data: encoder and decoder together, for all data and all errors.
module majority_properties(input clk);
`include "generated.vh"

  // Copy n of the copied bits is that of bit n mod COPIED of the upper bits of its unit.
  reg [`DATA-1:0] want;
  reg [`UNITS-1:0] differ;
  integer n, cell_of;
  always @(*) begin
    want = data ^ errors[`DATA-1:0];
    differ = 0;
    for (n = 0; n < `UNITS * `COPIED; n = n + 1) begin
      cell_of = (n / `COPIED) * `UNIT + `UNIT - `COPIED + n % `COPIED;
      want[cell_of] = data[cell_of] ^ (errors[cell_of] + errors[`DATA + n] + errors[`DATA + `UNITS * `COPIED + n] > 2'd1);
      if (errors[cell_of] != errors[`DATA + n] || errors[cell_of] != errors[`DATA + `UNITS * `COPIED + n])
        differ[n / `COPIED] = 1;
    end
  end

  always @(*) if (arrived) begin
    voted: assert (read == want);
    flagged: assert (corrected == differ && detected == 0);
    outvoted: cover (read != data && differ != 0);
    right: cover (read == data && differ != 0);
  end
endmodule
