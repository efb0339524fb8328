//! The two halves of a UART: 8 data bits, no parity, one stop bit.
//!
//! A bit lasts `clock / baud` cycles, which need not be a whole number: an accumulator of 24 bits takes a step each cycle and
//! its carries are the bits' ends, so the rate is right to 1 in 2^24 cycles. A bit must last 4 cycles or more.

use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// Bits of the accumulator.
const PHASE_BITS: u32 = 24;

/// Returns the accumulator's step for a clock in kHz and a rate in bits per second, rounded to the nearest.
fn step(clock_khz: u32, baud: u32) -> u32 {
    let clock = u64::from(clock_khz) * 1000;
    (((u64::from(baud) << PHASE_BITS) + clock / 2) / clock) as u32
}

/// The accumulator, with its step; `running` holds it.
fn phase(step: u32) -> String {
    format!("reg [23:0] phase;\nwire [24:0] next = {{1'b0, phase}} + 25'd{step};\nwire tick = next[24];\n")
}

/// The receiver: of three samples of the line two decide; a bit counts in its middle.
#[derive(LogicBlock)]
pub struct Receiver {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    /// The line, not synchronised.
    pub rx_i: Wire<In>,
    pub data_o: Wire<Out>,
    /// A byte came whole.
    pub valid_o: Wire<Out>,
    /// A byte came without its stop bit.
    pub framing_error_o: Wire<Out>,
    /// The line was low for a whole byte and its stop bit.
    pub break_o: Wire<Out>,
    _step: u32,
}

impl Receiver {
    /// Returns a receiver for a clock in kHz and a rate in bits per second.
    pub fn new(clock_khz: u32, baud: u32) -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            rx_i: Wire::new(1),
            data_o: Wire::new(8),
            valid_o: Wire::new(1),
            framing_error_o: Wire::new(1),
            break_o: Wire::new(1),
            _step: step(clock_khz, baud),
        }
    }
}

const RECEIVER: &str = "reg [4:0] samples;
wire line = (samples[2] & samples[3]) | (samples[3] & samples[4]) | (samples[2] & samples[4]);
reg active;
reg armed;
reg [3:0] place;
reg [7:0] data;
reg valid;
reg framing_error;
reg is_break;
assign data_o = data;
assign valid_o = valid;
assign framing_error_o = framing_error;
assign break_o = is_break;
always @(posedge clk_i) begin
  samples <= {samples[3:0], rx_i};
  valid <= 1'b0;
  framing_error <= 1'b0;
  is_break <= 1'b0;
  if (~active) begin
    // Half a bit passes until the middle of the start bit.
    phase <= 24'h800000;
    place <= 4'd0;
    active <= armed & ~line;
    armed <= armed | line;
  end else begin
    phase <= next[23:0];
    if (tick) begin
      place <= place + 4'd1;
      if (place == 4'd0) active <= ~line;
      else if (place != 4'd9) data <= {line, data[7:1]};
      else begin
        active <= 1'b0;
        valid <= line;
        is_break <= ~line & (data == 8'd0);
        framing_error <= ~line & (data != 8'd0);
        // After a byte without a stop bit the line must rest first.
        armed <= line;
      end
    end
  end
  if (rst_i) begin
    // The line counts as low until it is seen at rest.
    samples <= 5'd0;
    active <= 1'b0;
    armed <= 1'b0;
  end
end
";

impl Logic for Receiver {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("uart_receiver", "8N1 receiver.", phase(self._step) + RECEIVER)
    }
}

/// The transmitter.
#[derive(LogicBlock)]
pub struct Transmitter {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub data_i: Wire<In>,
    pub valid_i: Wire<In>,
    /// The byte offered is taken.
    pub ready_o: Wire<Out>,
    pub tx_o: Wire<Out>,
    _step: u32,
}

impl Transmitter {
    /// Returns a transmitter for a clock in kHz and a rate in bits per second.
    pub fn new(clock_khz: u32, baud: u32) -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            data_i: Wire::new(8),
            valid_i: Wire::new(1),
            ready_o: Wire::new(1),
            tx_o: Wire::new(1),
            _step: step(clock_khz, baud),
        }
    }
}

const TRANSMITTER: &str = "reg [9:0] shift = 10'h3ff; // the line is at rest from configuration on
reg [3:0] left;
assign ready_o = left == 4'd0;
assign tx_o = shift[0];
always @(posedge clk_i) begin
  phase <= next[23:0];
  if (left == 4'd0) begin
    phase <= 24'd0;
    if (valid_i) begin
      shift <= {1'b1, data_i, 1'b0};
      left <= 4'd10;
    end
  end else if (tick) begin
    shift <= {1'b1, shift[9:1]};
    left <= left - 4'd1;
  end
  if (rst_i) begin
    shift <= 10'h3ff;
    left <= 4'd0;
  end
end
";

impl Logic for Transmitter {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("uart_transmitter", "8N1 transmitter.", phase(self._step) + TRANSMITTER)
    }
}
