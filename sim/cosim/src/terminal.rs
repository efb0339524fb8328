//! A simulated board at a pseudo-terminal, which every program opens as it would a board's serial port.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::PathBuf;
use std::time::Duration;

use hafnia_config::board::Build;
use hafnia_verilate::Dut;
use serialport::{SerialPort, TTYPort};

use crate::board::{STEP_CYCLES, bit_cycles};

/// A simulated board and the two ends of its terminal.
pub struct Terminal {
    dut: Dut,
    bit_cycles: f64,
    ours: TTYPort,
    /// Kept open, so that the terminal stays when a program closes it.
    theirs: TTYPort,
}

/// Cycles without a byte after which the simulation waits for the next one.
const REST_CYCLES: u64 = 1_000_000;
/// How long it waits before it looks whether it is to end.
const REST: Duration = Duration::from_millis(50);

impl Terminal {
    /// Opens a terminal for a board that was just configured.
    ///
    /// # Errors
    /// If the system has no terminal left.
    pub fn open(dut: Dut, build: &Build<'_>) -> Result<Self> {
        // Neither end is locked: the program that opens the terminal locks it.
        let (ours, theirs) = TTYPort::pair()?;
        Ok(Self { dut, bit_cycles: bit_cycles(build), ours, theirs })
    }

    /// Returns the path of the terminal.
    pub fn path(&self) -> PathBuf {
        self.theirs.name().map(PathBuf::from).expect("the end of a pair has a name")
    }

    /// Runs the board until `ends` says so. Time passes while bytes are on their way or were a short while ago.
    ///
    /// # Errors
    /// If the simulation fails.
    pub fn serve(&mut self, ends: &dyn Fn() -> bool) -> Result<()> {
        let mut buffer = [0; 4096];
        let mut quiet = 0;
        while !ends() {
            self.ours.set_timeout(if quiet < REST_CYCLES { Duration::ZERO } else { REST })?;
            let count = match self.ours.read(&mut buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => 0,
                count => count?,
            };
            let answer = self.dut.line(STEP_CYCLES, self.bit_cycles, &buffer[..count]).map_err(Error::other)?;
            let silent = count == 0 && answer.is_empty() && self.dut.line_waiting() == 0;
            quiet = if silent { quiet + STEP_CYCLES } else { 0 };
            self.ours.write_all(&answer)?;
        }
        Ok(())
    }
}
