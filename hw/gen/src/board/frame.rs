//! What deframer and framer share: the CRC-32 and the special bytes of frames, in Verilog.

use hafnia_config::link::{ESCAPE, ESCAPE_XOR, FLAG};

/// Returns a byte as Verilog writes it.
pub fn byte(value: u8) -> String {
    format!("8'h{value:02x}")
}

/// Returns `text` with the special bytes in their places and the function [`function`] in front.
pub fn framing(text: &str) -> String {
    function().to_owned()
        + &text.replace("<FLAG>", &byte(FLAG)).replace("<ESCAPE>", &byte(ESCAPE)).replace("<XOR>", &byte(ESCAPE_XOR))
}

/// Returns the function `crc(state, byte)`: the reflected CRC-32 of IEEE 802.3, a byte a call.
fn function() -> &'static str {
    "function [31:0] crc(input [31:0] state, input [7:0] octet);
  integer n;
  begin
    crc = state ^ {24'd0, octet};
    for (n = 0; n < 8; n = n + 1) crc = {1'b0, crc[31:1]} ^ (crc[0] ? 32'hedb88320 : 32'd0);
  end
endfunction
"
}
