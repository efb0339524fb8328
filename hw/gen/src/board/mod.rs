//! The accelerator on a board: clock, reset, lights, and the link to the host.

mod bridge;
mod clock;
mod deframer;
mod fifo;
mod frame;
mod framer;
mod link;
mod registers;
mod stream;
mod system;
mod uart;

use hafnia_config::accel;
use hafnia_config::board::Build;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;
use clock::Clock;
use link::Link;
use system::System;

/// The top of a board. Pins are in `constraints/`.
#[derive(LogicBlock)]
pub struct Board {
    pub oscillator_i: Wire<In>,
    pub uart_rx_i: Wire<In>,
    pub uart_tx_o: Wire<Out>,
    pub led_alive_o: Wire<Out>,
    pub led_error_o: Vec<Wire<Out>>,
    pub held_high_o: Vec<Wire<Out>>,
    clk_i: Wire<Local>,
    rst_i: Wire<Local>,
    clock: Clock,
    link: Link,
    system: System,
    _text: String,
}

/// Cycles of reset behind the lock of the PLL, as bits of a shift register.
const RESET_CYCLES: u32 = 16;
const _: () = assert!(RESET_CYCLES >= accel::RESET_CYCLES, "the accelerator needs its reset for as long");
/// Bit of a count of cycles that the light shows while the accelerator rests: about a second at 64 MHz.
const SLOW_BIT: u32 = 25;
/// Bit that it shows while it runs.
const FAST_BIT: u32 = 22;

impl Board {
    /// Returns the top of this build.
    pub fn new(build: &Build<'_>) -> Self {
        let lights = &build.board.lights;
        let mut top = Self {
            oscillator_i: Wire::new(1),
            uart_rx_i: Wire::new(1),
            uart_tx_o: Wire::new(1),
            led_alive_o: Wire::new(1),
            led_error_o: Wire::optional(lights.error, 1),
            held_high_o: Wire::optional(build.board.held_high, 1),
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            clock: Clock::new(build.pll),
            link: Link::new(build),
            system: System::new(build),
            _text: String::new(),
        };
        top.clk_i.connect();
        top.rst_i.connect();
        top.link.clk_i.connect();
        top.link.rst_i.connect();
        top.system.clk_i.connect();
        let mut text = format!(
            "assign clk_i = clock_clock_o;
reg [{last}:0] starting = {{{RESET_CYCLES}{{1'b1}}}};
always @(posedge clk_i or negedge clock_locked_o)
  if (~clock_locked_o) starting <= {{{RESET_CYCLES}{{1'b1}}}};
  else starting <= {{starting[{before}:0], 1'b0}};
assign rst_i = starting[{last}];
assign uart_tx_o = link_tx_o;
// Slow while the accelerator rests, fast while it runs{lit}.
reg [{SLOW_BIT}:0] count;
reg error;
always @(posedge clk_i) begin
  count <= rst_i ? {bits}'d0 : count + {bits}'d1;
  error <= (error | link_error_o) & ~link_reset_o & ~rst_i;
end
",
            last = RESET_CYCLES - 1,
            before = RESET_CYCLES - 2,
            bits = SLOW_BIT + 1,
            lit = if lights.error { "" } else { ", steady behind an error" },
        );
        let blink = format!("(system_busy_o ? count[{FAST_BIT}] : count[{SLOW_BIT}])");
        let not = if lights.active_low { "~" } else { "" };
        text += &match lights.error {
            true => format!("assign led_alive_o = {not}{blink};\nassign led_error_o_0 = {not}error;\n"),
            false => format!("assign led_alive_o = {not}(error | {blink});\n"),
        };
        if build.board.held_high {
            text += "assign held_high_o_0 = 1'b1;\n";
        }
        text += &top.clock.oscillator_i.drive("clock_oscillator_i", "oscillator_i");
        let link = &mut top.link;
        let system = &mut top.system;
        for (port, name, from) in [
            (&mut link.rx_i, "link_rx_i", "uart_rx_i"),
            (&mut link.dat_i, "link_dat_i", "system_dat_o"),
            (&mut link.ack_i, "link_ack_i", "system_ack_o"),
            (&mut link.err_i, "link_err_i", "system_err_o"),
            (&mut link.stall_i, "link_stall_i", "system_stall_o"),
            (&mut system.reset_i, "system_reset_i", "rst_i | link_reset_o"),
            (&mut system.cyc_i, "system_cyc_i", "link_cyc_o"),
            (&mut system.stb_i, "system_stb_i", "link_stb_o"),
            (&mut system.we_i, "system_we_i", "link_we_o"),
            (&mut system.adr_i, "system_adr_i", "link_adr_o"),
            (&mut system.dat_i, "system_dat_i", "link_dat_o"),
            (&mut system.events_i, "system_events_i", "link_events_o"),
            // A memory controller that is to feed weights goes here.
            (&mut system.memory_valid_i, "system_memory_valid_i", "1'b0"),
            (&mut system.memory_data_i, "system_memory_data_i", "0"),
        ] {
            text += &port.drive(name, from);
        }
        top._text = text;
        top
    }
}

impl Logic for Board {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("board", "The accelerator on a board.", self._text.clone())
    }
}
