//! A board under Verilator: its top, with a model of the PLL, driven at the pins of its line.

use std::io::{Error, Result};

use hafnia_config::board::Build;
use hafnia_config::manifest::Port;
use hafnia_driver::transport::serial::Line;
use hafnia_gen::{GeneratedBoard, Module, generate_board};
use hafnia_verilate::{DEFAULT_WAIVERS, Design, Dut, NETLIST_WAIVERS};

/// Name of the module around the board's top.
const TOP: &str = "simulated_board";

/// Returns the design of a board: its pins, a clock for an oscillator, and nothing else.
pub fn board_design(build: &Build<'_>) -> Design {
    let generated = generate_board(build);
    design(&generated, &generated.verilog, "", &DEFAULT_WAIVERS)
}

/// Returns the design of a board as a tool made a netlist of it: `verilog` is what `hafnia_pnr::netlist_verilog` gives.
pub fn netlist_design(build: &Build<'_>, verilog: &str) -> Design {
    design(&generate_board(build), verilog, include_str!("../models/cells.v"), &NETLIST_WAIVERS)
}

fn design(board: &GeneratedBoard, verilog: &str, cells: &str, waivers: &[&str]) -> Design {
    let Module { name: top, ports } = board.top();
    let (mut around, mut connections, mut simulated) = (Vec::new(), Vec::new(), Vec::new());
    for Port { name, input, width_bits } in ports {
        let pin = if name == "oscillator_i" { "clk_i" } else { name };
        let (direction, port) = match input {
            true => ("input", hafnia_verilate::Port::input(pin, *width_bits)),
            false => ("output", hafnia_verilate::Port::output(pin, *width_bits)),
        };
        around.push(format!("{direction} {pin}"));
        connections.push(format!(".{name}({pin})"));
        simulated.push(port);
    }
    let (around, connections) = (around.join(", "), connections.join(", "));
    let around = format!("module {TOP} ({around});\n{top} board ({connections});\nendmodule\n");
    let verilog = [verilog, cells, include_str!("../models/pll.v"), &around].concat();
    let waivers = waivers.iter().map(|&waiver| waiver.to_owned()).collect();
    Design { top: TOP.to_owned(), verilog, ports: simulated, waivers }
}

/// The line of a simulated board: time passes while somebody waits for bytes.
pub struct SimulatedLine {
    dut: Dut,
    /// Clock cycles of a bit.
    bit_cycles: f64,
    /// Bytes that came and were not asked for yet.
    received: Vec<u8>,
}

/// Cycles that are simulated before somebody looks at the line again.
pub(crate) const STEP_CYCLES: u64 = 500;
/// Cycles without a byte after which nothing is under way. The board's patience with its bus is longer and would take long to
/// simulate; an access that has to wait for a pass of the array takes less than this.
const QUIET_CYCLES: u64 = 20_000;

/// Returns the clock cycles of a bit on the line.
pub(crate) fn bit_cycles(build: &Build<'_>) -> f64 {
    1000.0 * f64::from(build.clock_khz) / f64::from(build.baud)
}

impl SimulatedLine {
    /// Returns the line of a board that was just configured.
    pub fn new(dut: Dut, build: &Build<'_>) -> Self {
        Self { dut, bit_cycles: bit_cycles(build), received: Vec::new() }
    }

    /// Returns the board, for its other pins.
    pub fn dut(&mut self) -> &mut Dut {
        &mut self.dut
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<()> {
        let received = self.dut.line(STEP_CYCLES, self.bit_cycles, bytes).map_err(Error::other)?;
        self.received.extend(received);
        Ok(())
    }
}

impl Line for SimulatedLine {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.pass(bytes)
    }

    fn receive(&mut self, received: &mut Vec<u8>) -> Result<bool> {
        let mut quiet = 0;
        while self.received.is_empty() && quiet < QUIET_CYCLES {
            self.pass(&[])?;
            quiet = if self.dut.line_waiting() > 0 { 0 } else { quiet + STEP_CYCLES };
        }
        received.append(&mut self.received);
        Ok(!received.is_empty())
    }
}
