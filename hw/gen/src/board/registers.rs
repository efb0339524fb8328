//! The board's own registers: what it is, its clock, and how the line fares.

use hafnia_config::board::Build;
use hafnia_config::link::{BOARD_VALUE, BoardRegister};
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// Bits of an offset.
pub const OFFSET_BITS: u32 = 20;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Registers {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub stb_i: Wire<In>,
    pub we_i: Wire<In>,
    pub offset_i: Wire<In>,
    pub dat_o: Wire<Out>,
    pub ack_o: Wire<Out>,
    pub err_o: Wire<Out>,
    /// Events of the line, in the order of the registers that count them.
    pub events_i: Wire<In>,
    _text: String,
}

/// The registers that count events of the line.
const COUNTS: [BoardRegister; 6] = [
    BoardRegister::FramingErrors,
    BoardRegister::Breaks,
    BoardRegister::Overruns,
    BoardRegister::BadFrames,
    BoardRegister::OutOfTurn,
    BoardRegister::Repeats,
];

impl Registers {
    /// Returns the registers of this build.
    pub fn new(build: &Build<'_>) -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            stb_i: Wire::new(1),
            we_i: Wire::new(1),
            offset_i: Wire::new(OFFSET_BITS),
            dat_o: Wire::new(32),
            ack_o: Wire::new(1),
            err_o: Wire::new(1),
            events_i: Wire::new(COUNTS.len() as u32),
            _text: text(build),
        }
    }
}

fn text(build: &Build<'_>) -> String {
    let count = |register: BoardRegister| {
        let place = COUNTS.iter().position(|&count| count == register);
        place.map(|place| format!("{{16'd0, count_{place}}}"))
    };
    let value = |register: BoardRegister| match register {
        BoardRegister::Board => format!("32'h{BOARD_VALUE:08x}"),
        BoardRegister::Name => format!("32'h{:08x}", build.board.hash()),
        BoardRegister::ClockKhz => format!("32'd{}", build.clock_khz),
        BoardRegister::Baud => format!("32'd{}", build.baud),
        BoardRegister::CyclesLow => "cycles[31:0]".to_owned(),
        BoardRegister::CyclesHigh => "upper".to_owned(),
        register => count(register).expect("every other register counts"),
    };
    let values: String = BoardRegister::ALL
        .iter()
        .map(|&(register, _)| format!("    {OFFSET_BITS}'d{}: value = {};\n", register as u32, value(register)))
        .collect();
    let counts: String = (0..COUNTS.len())
        .map(|n| {
            format!(
                "reg [15:0] count_{n};\nalways @(posedge clk_i) begin\n  \
                 if (events_i[{n}] & ~&count_{n}) count_{n} <= count_{n} + 16'd1;\n  \
                 if (rst_i) count_{n} <= 16'd0;\nend\n"
            )
        })
        .collect();
    format!(
        "{counts}reg [63:0] cycles;
reg [31:0] upper;
reg [31:0] value;
reg known;
reg [31:0] dat;
reg ack;
reg err;
assign dat_o = dat;
assign ack_o = ack;
assign err_o = err;
always @(*) begin
  known = ~we_i;
  case (offset_i)
{values}    default: begin
      value = 32'd0;
      known = 1'b0;
    end
  endcase
end
always @(posedge clk_i) begin
  cycles <= cycles + 64'd1;
  if (stb_i & known & (offset_i == {OFFSET_BITS}'d{low})) upper <= cycles[63:32];
  dat <= value;
  ack <= stb_i & known;
  err <= stb_i & ~known;
  if (rst_i) begin
    cycles <= 64'd0;
    ack <= 1'b0;
    err <= 1'b0;
  end
end
",
        low = BoardRegister::CyclesLow as u32,
    )
}

impl Logic for Registers {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("board_registers", "What the board is, and how its line fares.", self._text.clone())
    }
}
