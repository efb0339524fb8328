//! The CRC-32 of frames in Verilog.

/// Returns the function `crc(state, byte)`: the reflected CRC-32 of IEEE 802.3, a byte a call.
pub fn function() -> &'static str {
    "function [31:0] crc(input [31:0] state, input [7:0] octet);
  integer n;
  begin
    crc = state ^ {24'd0, octet};
    for (n = 0; n < 8; n = n + 1) crc = {1'b0, crc[31:1]} ^ (crc[0] ? 32'hedb88320 : 32'd0);
  end
endfunction
"
}
