//! A register file in memory that answers like an accelerator which finishes at once and computes nothing.

use std::collections::HashMap;

use hafnia_config::Elaborated;
use hafnia_config::flip::Flip;
use hafnia_config::regs::{Region, registers};

use super::Transport;
use crate::DriverError;

/// The fake. What was written can be looked at in `memory`.
#[derive(Clone, Debug, Default)]
pub struct FakeTransport {
    /// Every word ever written, by address, and the read-only constants.
    pub memory: HashMap<u32, u32>,
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
}

impl Transport for FakeTransport {
    fn feeds_weight_stream(&self) -> bool {
        true
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        for (address, &word) in (address..).zip(words) {
            self.memory.insert(address, word);
            if address == self.registers["START"] && word & 1 == 1 {
                let all = self.memory[&self.registers["PROGRAM_COUNT"]];
                self.memory.insert(self.registers["FINISHED"], all);
            }
        }
        Ok(())
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        for (address, word) in (address..).zip(words) {
            *word = self.memory.get(&address).copied().unwrap_or(0);
        }
        Ok(())
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        // Weights that stream in are waited for.
        let starved = self.memory[&self.registers["WEIGHT_STREAM"]] != 0 && stream.is_empty();
        Ok(starved.then(|| format!("busy after {max_cycles} cycles")))
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        Vec::new()
    }

    fn cycle(&self) -> Option<u64> {
        None
    }
}
