// The PLL of an ECP5 for simulation: the clock comes in as it is to come out, and is steady after some cycles.
module EHXPLLL #(
  parameter PLLRST_ENA = "DISABLED", parameter INTFB_WAKE = "DISABLED", parameter STDBY_ENABLE = "DISABLED",
  parameter DPHASE_SOURCE = "DISABLED", parameter OUTDIVIDER_MUXA = "DIVA", parameter OUTDIVIDER_MUXB = "DIVB",
  parameter OUTDIVIDER_MUXC = "DIVC", parameter OUTDIVIDER_MUXD = "DIVD", parameter CLKI_DIV = 1,
  parameter CLKOP_ENABLE = "ENABLED", parameter CLKOP_DIV = 8, parameter CLKOP_CPHASE = 0, parameter CLKOP_FPHASE = 0,
  parameter FEEDBK_PATH = "CLKOP", parameter CLKFB_DIV = 1
) (
  input CLKI, input CLKFB, input RST, input STDBY, input PHASESEL0, input PHASESEL1, input PHASEDIR, input PHASESTEP,
  input PHASELOADREG, input PLLWAKESYNC, input ENCLKOP,
  output CLKOP, output LOCK
);
assign CLKOP = CLKI;
reg [3:0] count = 4'd0;
assign LOCK = &count;
always @(posedge CLKI) if (count != 4'hf) count <= count + 4'd1;
endmodule
