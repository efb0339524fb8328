// Cells of an ECP5 for the simulation of netlists, in the modes that yosys and nextpnr use for Hafnia's designs: a netlist that
// uses another mode is refused when it is built. Sources: Lattice FPGA-TN-02204 (memory), FPGA-TN-02205 (multiplier), and
// Project Trellis. yosys ships no behaviour for the memory and the multiplier, and in its TRELLIS_COMB the carry drives nothing.

module LUT4 (input A, B, C, D, output Z);
parameter [15:0] INIT = 16'd0;
assign Z = INIT[{D, C, B, A}];
endmodule

module PFUMX (input ALUT, BLUT, C0, output Z);
assign Z = C0 ? ALUT : BLUT;
endmodule

module L6MUX21 (input D0, D1, SD, output Z);
assign Z = SD ? D1 : D0;
endmodule

module CCU2C (input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
parameter [15:0] INIT0 = 16'd0;
parameter [15:0] INIT1 = 16'd0;
parameter INJECT1_0 = "YES";
parameter INJECT1_1 = "YES";
wire sum_0 = INIT0[{D0, C0, B0, A0}];
wire sum_1 = INIT1[{D1, C1, B1, A1}];
wire generate_0 = INJECT1_0 == "YES" ? 1'b0 : INIT0[{2'b00, B0, A0}];
wire generate_1 = INJECT1_1 == "YES" ? 1'b0 : INIT1[{2'b00, B1, A1}];
wire between = sum_0 ? CIN : generate_0;
assign S0 = sum_0 ^ (INJECT1_0 == "YES" ? 1'b0 : CIN);
assign S1 = sum_1 ^ (INJECT1_1 == "YES" ? 1'b0 : between);
assign COUT = sum_1 ? between : generate_1;
endmodule

module TRELLIS_COMB (
  input A, B, C, D, M, FCI, F1, FXA, FXB, DI0, DI1, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
  output F, FCO, OFX
);
parameter MODE = "LOGIC";
parameter [15:0] INITVAL = 16'd0;
parameter CCU2_INJECT1 = "NO";
parameter WREMUX = "WRE";
parameter IS_Z1 = 0;
wire lut = INITVAL[{D, C, B, A}];
generate
  if (MODE == "LOGIC") begin : logic_mode
    assign F = lut;
    assign FCO = 1'b0;
  end else if (MODE == "CCU2") begin : carry_mode
    localparam INJECT = CCU2_INJECT1 == "YES";
    assign F = lut ^ (INJECT ? 1'b0 : FCI);
    assign FCO = lut ? FCI : (INJECT ? 1'b0 : INITVAL[{2'b00, B, A}]);
  end else begin : unsupported
    $error("a TRELLIS_COMB has a MODE that is not modelled");
  end
endgenerate
assign OFX = IS_Z1 != 0 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule

module TRELLIS_FF (input CLK, LSR, CE, DI, M, output reg Q);
parameter GSR = "ENABLED";
parameter CEMUX = "1";
parameter CLKMUX = "CLK";
parameter LSRMUX = "LSR";
parameter SRMODE = "LSR_OVER_CE";
parameter REGSET = "RESET";
parameter LSRMODE = "LSR";
parameter SD = "1";
wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "0" ? 1'b0 : CEMUX == "INV" ? ~CE : CE;
wire set = LSRMUX == "INV" ? ~LSR : LSR;
localparam VALUE = REGSET == "SET" ? 1'b1 : 1'b0;
// Where a register takes its data from the slice's other input.
wire data = SD == "0" ? M : DI;
initial Q = VALUE;
generate
  if (CLKMUX != "CLK" || LSRMODE != "LSR") $error("a TRELLIS_FF has a mode that is not modelled");
  if (SRMODE == "ASYNC") begin : asynchronous
    always @(posedge CLK or posedge set)
      if (set) Q <= VALUE;
      else if (enable) Q <= data;
  end else if (SRMODE == "CE_OVER_LSR") begin : enable_first
    always @(posedge CLK) if (enable) Q <= set ? VALUE : data;
  end else begin : reset_first
    always @(posedge CLK)
      if (set) Q <= VALUE;
      else if (enable) Q <= data;
  end
endgenerate
endmodule

module DCCA (input CLKI, CE, output CLKO);
assign CLKO = CLKI;
endmodule

module MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SRIA17, SRIA16, SRIA15, SRIA14, SRIA13, SRIA12, SRIA11, SRIA10, SRIA9, SRIA8, SRIA7, SRIA6, SRIA5, SRIA4, SRIA3, SRIA2, SRIA1, SRIA0,
  input SRIB17, SRIB16, SRIB15, SRIB14, SRIB13, SRIB12, SRIB11, SRIB10, SRIB9, SRIB8, SRIB7, SRIB6, SRIB5, SRIB4, SRIB3, SRIB2, SRIB1, SRIB0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  input CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
  output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
parameter REG_INPUTA_CLK = "NONE";
parameter REG_INPUTA_CE = "CE0";
parameter REG_INPUTA_RST = "RST0";
parameter REG_INPUTB_CLK = "NONE";
parameter REG_INPUTB_CE = "CE1";
parameter REG_INPUTB_RST = "RST1";
parameter REG_INPUTC_CLK = "NONE";
parameter REG_PIPELINE_CLK = "NONE";
parameter REG_OUTPUT_CLK = "NONE";
parameter REG_OUTPUT_CE = "CE2";
parameter REG_OUTPUT_RST = "RST2";
parameter SOURCEB_MODE = "B_SHIFT";
parameter MULT_BYPASS = "DISABLED";
parameter GSR = "ENABLED";
generate
  if (REG_PIPELINE_CLK != "NONE" || MULT_BYPASS != "DISABLED")
    $error("a MULT18X18D has a mode that is not modelled");
endgenerate
wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
reg [17:0] held_a = 18'd0;
reg [17:0] held_b = 18'd0;
reg [35:0] held_p = 36'd0;
wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
wire [17:0] used_a = REG_INPUTA_CLK == "NONE" ? a : held_a;
wire [17:0] used_b = REG_INPUTB_CLK == "NONE" ? b : held_b;
wire signed [18:0] wide_a = {SIGNEDA & used_a[17], used_a};
wire signed [18:0] wide_b = {SIGNEDB & used_b[17], used_b};
wire signed [37:0] product = wide_a * wide_b;
assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
  P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0}
  = REG_OUTPUT_CLK == "NONE" ? product[35:0] : held_p;
// Each register names its clock, enable and reset.
`define OF(NAME, ONE, TWO, THREE, P0, P1, P2, P3) (NAME == ONE ? P1 : NAME == TWO ? P2 : NAME == THREE ? P3 : P0)
wire clock_a = `OF(REG_INPUTA_CLK, "CLK1", "CLK2", "CLK3", CLK0, CLK1, CLK2, CLK3);
wire enable_a = `OF(REG_INPUTA_CE, "CE1", "CE2", "CE3", CE0, CE1, CE2, CE3);
wire reset_a = `OF(REG_INPUTA_RST, "RST1", "RST2", "RST3", RST0, RST1, RST2, RST3);
always @(posedge clock_a) if (reset_a) held_a <= 0; else if (enable_a) held_a <= a;
wire clock_b = `OF(REG_INPUTB_CLK, "CLK1", "CLK2", "CLK3", CLK0, CLK1, CLK2, CLK3);
wire enable_b = `OF(REG_INPUTB_CE, "CE1", "CE2", "CE3", CE0, CE1, CE2, CE3);
wire reset_b = `OF(REG_INPUTB_RST, "RST1", "RST2", "RST3", RST0, RST1, RST2, RST3);
always @(posedge clock_b) if (reset_b) held_b <= 0; else if (enable_b) held_b <= b;
wire clock_p = `OF(REG_OUTPUT_CLK, "CLK1", "CLK2", "CLK3", CLK0, CLK1, CLK2, CLK3);
wire enable_p = `OF(REG_OUTPUT_CE, "CE1", "CE2", "CE3", CE0, CE1, CE2, CE3);
wire reset_p = `OF(REG_OUTPUT_RST, "RST1", "RST2", "RST3", RST0, RST1, RST2, RST3);
always @(posedge clock_p) if (reset_p) held_p <= 0; else if (enable_p) held_p <= product[35:0];
`undef OF
endmodule

// A memory of 1024 rows of two bytes of 9 bits, the ninth of each unused by ports of 1, 2 and 4 bits. A port of 36 bits has two
// rows; then A writes and B reads. What is read while it is written is what was there before.
module DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
parameter DATA_WIDTH_A = 18;
parameter REGMODE_A = "NOREG";
parameter CSDECODE_A = "0b000";
parameter WRITEMODE_A = "NORMAL";
parameter CLKAMUX = "CLKA";
parameter DATA_WIDTH_B = 18;
parameter REGMODE_B = "NOREG";
parameter CSDECODE_B = "0b000";
parameter WRITEMODE_B = "NORMAL";
parameter CLKBMUX = "CLKB";
parameter RESETMODE = "SYNC";
parameter ASYNC_RESET_RELEASE = "SYNC";
parameter GSR = "ENABLED";
parameter WID = 0;
localparam WIDE = DATA_WIDTH_A == 36;
generate
  if (REGMODE_A != "NOREG" || (REGMODE_B != "NOREG" && (REGMODE_B != "OUTREG" || WIDE))
      || CLKAMUX != "CLKA" || CLKBMUX != "CLKB" || WIDE != (DATA_WIDTH_B == 36)
      || WRITEMODE_A == "WRITETHROUGH" || WRITEMODE_B == "WRITETHROUGH")
    $error("a DP16KD has a mode that is not modelled");
endgenerate
// The first bit of a word in its row.
function [4:0] first(input [3:0] place, input integer width);
  case (width)
    9: first = place[3] ? 5'd9 : 5'd0;
    4: first = (place[3] ? 5'd9 : 5'd0) + {2'd0, place[2], 2'd0};
    2: first = (place[3] ? 5'd9 : 5'd0) + {2'd0, place[2:1], 1'd0};
    1: first = (place[3] ? 5'd9 : 5'd0) + {2'd0, place[2:0]};
    default: first = 5'd0;
  endcase
endfunction
// The bits of a row that a write changes.
function [17:0] mask(input [3:0] place, input integer width);
  case (width)
    18: mask = {{9{place[1]}}, {9{place[0]}}};
    9: mask = 18'h1ff << first(place, 9);
    4: mask = 18'hf << first(place, 4);
    2: mask = 18'h3 << first(place, 2);
    default: mask = 18'h1 << first(place, 1);
  endcase
endfunction
// A port narrower than a row shows its word at the row's lower end.
function [17:0] shown(input integer width);
  shown = width >= 18 ? 18'h3ffff : (18'd1 << width) - 18'd1;
endfunction
reg [17:0] rows [0:1023];
reg [17:0] out_a;
wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
wire [17:0] in_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_a;
wire enable_a = CEA & ~(CSA2 | CSA1 | CSA0);
reg [17:0] out_b;
reg [17:0] held_b = 18'd0;
wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
wire [17:0] in_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0}
  = REGMODE_B == "OUTREG" ? held_b : out_b;
always @(posedge CLKB) if (RSTB) held_b <= 18'd0; else if (OCEB) held_b <= out_b;
wire enable_b = CEB & ~(CSB2 | CSB1 | CSB0);
generate
  if (WIDE) begin : wide
    wire [8:0] write_row = address_a[13:5];
    wire [8:0] read_row = address_b[13:5];
    wire [17:0] lower = {{9{address_a[1]}}, {9{address_a[0]}}};
    wire [17:0] upper = {{9{address_a[3]}}, {9{address_a[2]}}};
    always @(posedge CLKA) if (enable_a & WEA) begin
      rows[{write_row, 1'b0}] <= (rows[{write_row, 1'b0}] & ~lower) | (in_a & lower);
      rows[{write_row, 1'b1}] <= (rows[{write_row, 1'b1}] & ~upper) | (in_b & upper);
    end
    always @(posedge CLKB) begin
      if (enable_b) begin
        out_a <= rows[{read_row, 1'b0}];
        out_b <= rows[{read_row, 1'b1}];
      end
      if (RSTB) {out_b, out_a} <= 36'd0;
    end
  end else begin : narrow
    wire [9:0] row_a = address_a[13:4];
    wire [17:0] mask_a = mask(address_a[3:0], DATA_WIDTH_A);
    always @(posedge CLKA) begin
      if (enable_a) begin
        if (WEA) rows[row_a] <= (rows[row_a] & ~mask_a) | ((in_a << first(address_a[3:0], DATA_WIDTH_A)) & mask_a);
        if (~WEA | WRITEMODE_A == "READBEFOREWRITE")
          out_a <= (rows[row_a] >> first(address_a[3:0], DATA_WIDTH_A)) & shown(DATA_WIDTH_A);
      end
      if (RSTA) out_a <= 18'd0;
    end
    wire [9:0] row_b = address_b[13:4];
    wire [17:0] mask_b = mask(address_b[3:0], DATA_WIDTH_B);
    always @(posedge CLKB) begin
      if (enable_b) begin
        if (WEB) rows[row_b] <= (rows[row_b] & ~mask_b) | ((in_b << first(address_b[3:0], DATA_WIDTH_B)) & mask_b);
        if (~WEB | WRITEMODE_B == "READBEFOREWRITE")
          out_b <= (rows[row_b] >> first(address_b[3:0], DATA_WIDTH_B)) & shown(DATA_WIDTH_B);
      end
      if (RSTB) out_b <= 18'd0;
    end
  end
endgenerate
endmodule

// A TRELLIS_IO by its direction: a simulator takes no two-way pin at a port that has one.
module TRELLIS_IO_INPUT (input B, input I, input T, output O, input IOLDO, input IOLTO);
assign O = B;
endmodule

module TRELLIS_IO_OUTPUT (output B, input I, input T, output O, input IOLDO, input IOLTO);
assign B = I;
assign O = I;
endmodule
