//! A register file in memory that answers like an accelerator which finishes at once and computes nothing.

use std::collections::HashMap;

use hafnia_config::flip::Flip;
use hafnia_config::regs::{Region, registers};
use hafnia_config::{Elaborated, regs};

use super::Transport;
use crate::DriverError;

/// The fake. What was written can be looked at in `memory`.
#[derive(Clone, Debug, Default)]
pub struct FakeTransport {
    /// Every word ever written, by address, and the read-only constants.
    pub memory: HashMap<u32, u32>,
    /// Number of times the layer program was started.
    pub starts: u32,
    /// When set, the layer program never ends.
    pub hangs: bool,
    /// When set, a start does nothing.
    pub ignores_start: bool,
    /// Addresses by register name.
    registers: HashMap<String, u32>,
}

impl FakeTransport {
    /// Returns a fake that identifies itself as `hw`.
    pub fn new(hw: &Elaborated) -> Self {
        let mut fake = Self::default();
        for r in registers(hw) {
            let address = Region::Registers.base() + r.offset;
            fake.memory.insert(address, r.reset);
            fake.registers.insert(r.name, address);
        }
        fake
    }

    /// Changes what the fake says of itself.
    pub fn set_register(&mut self, offset: u32, value: u32) {
        self.memory.insert(regs::Region::Registers.base() + offset, value);
    }
}

impl Transport for FakeTransport {
    fn feeds_weight_stream(&self) -> bool {
        true
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        for (i, &word) in words.iter().enumerate() {
            let address = address + i as u32;
            self.starts += u32::from(address == self.registers["START"] && word & 1 == 1);
            self.memory.insert(address, word);
        }
        Ok(())
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        for (i, word) in words.iter_mut().enumerate() {
            *word = self.memory.get(&(address + i as u32)).copied().unwrap_or(0);
        }
        Ok(())
    }

    fn finish(&mut self, _stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        if self.hangs {
            return Ok(Some(format!("busy after {max_cycles} cycles")));
        }
        let ran = if self.ignores_start { 0 } else { self.memory[&self.registers["PROGRAM_COUNT"]] };
        self.memory.insert(self.registers["FINISHED"], ran);
        Ok(None)
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        Vec::new()
    }

    fn cycle(&self) -> Option<u64> {
        None
    }
}
