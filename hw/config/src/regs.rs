//! The register map and the host's memory map: the only description of both. It generates the RTL bank, `registers.md`,
//! the manifest and the driver's constants.

use serde::{Deserialize, Serialize};

use crate::accel::Elaborated;
use crate::fault::node_sizes;

/// Value of the register ID: `HFN1`.
pub const ID_VALUE: u32 = 0x4846_4e31;
/// Value of the register VERSION: register map 1.0, major in the upper half.
pub const VERSION_VALUE: u32 = 0x0001_0000;

/// How the host may use a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Read only.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Read and write; holds its value.
    #[serde(rename = "rw")]
    ReadWrite,
    /// Writing 1 acts once; reads as 0.
    #[serde(rename = "w1")]
    Trigger,
}

/// One 32-bit register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Name in capitals; in the RTL the same in lower case.
    pub name: String,
    /// Offset in 32-bit words from the start of the register region.
    pub offset: u32,
    /// Access.
    pub access: Access,
    /// Bits in use, from bit 0.
    pub bits: u32,
    /// Value after reset; the constant of a read-only register that never changes.
    pub reset: u32,
    /// What it does, with units.
    pub doc: String,
}

/// Offset of the first injector threshold.
pub const THRESHOLD_OFFSET: u32 = 16;

/// Returns the register map of this configuration.
pub fn registers(hw: &Elaborated) -> Vec<Register> {
    let register = |name: &str, offset, access, bits, reset, doc: &str| Register {
        name: name.to_owned(),
        offset,
        access,
        bits,
        reset,
        doc: doc.to_owned(),
    };
    use Access::{ReadOnly, ReadWrite, Trigger};
    let mut list = vec![
        register("ID", 0, ReadOnly, 32, ID_VALUE, "Identifies the accelerator: `HFN1` in ASCII."),
        register("VERSION", 1, ReadOnly, 32, VERSION_VALUE, "Version of this map: major in bits 31:16, minor in 15:0."),
        register("CONFIG_HASH", 2, ReadOnly, 32, hw.config_hash, "First 32 bits of the SHA-256 of the configuration."),
        register("START", 3, Trigger, 1, 0, "Starts the layer program; ignored while it runs."),
        register("STATUS", 4, ReadOnly, 1, 0, "Bit 0: a layer program runs."),
        register("PROGRAM_FIRST", 5, ReadWrite, 8, 0, "Index of the first descriptor to run."),
        register("PROGRAM_COUNT", 6, ReadWrite, 8, 1, "Number of descriptors to run; 0 runs none."),
        register(
            "WEIGHT_STREAM",
            7,
            ReadWrite,
            1,
            0,
            "0: weights are resident, read from each descriptor's base. 1: the weight memory is a ring, filled by the stream port or the host and read once in order.",
        ),
        register("WEIGHT_CLEAR", 8, Trigger, 1, 0, "Empties the ring of streamed weights."),
        register("WEIGHT_LEVEL", 9, ReadOnly, 20, 0, "Weight words in the ring, unread."),
    ];
    if hw.config.injector.weights {
        list.push(register(
            "INJECT_ENABLE",
            10,
            ReadWrite,
            1,
            0,
            "1: weight reads pass through the draws; 0: unchanged.",
        ));
        list.push(register("INJECT_WORD", 11, ReadWrite, 32, 0, "Threshold of the first level: T - 1 of (F6)."));
        for (i, size) in node_sizes(hw.codeword_bits).into_iter().enumerate() {
            let offset = THRESHOLD_OFFSET + 2 * i as u32;
            let both = format!("Threshold of a node of {size} cells: both halves hold a flip.");
            let left = format!("Threshold of a node of {size} cells: the lower half holds a flip.");
            list.push(register(&format!("INJECT_BOTH_{size}"), offset, ReadWrite, 32, 0, &both));
            list.push(register(&format!("INJECT_LEFT_{size}"), offset + 1, ReadWrite, 32, 0, &left));
        }
    }
    list
}

/// A memory that the host reaches over the bus while no layer program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// The register bank.
    Registers,
    /// Descriptors of the layer program, 16 words each; write only.
    Program,
    /// Weight words, `weight_stride` host words each; write only, committed by the last piece. May be written while a
    /// program runs in stream mode: the bus then stalls while the ring is full.
    Weights,
    /// Two host words per column of a fold: bias, then `m | s << 16`; write only.
    Parameters,
    /// Feature-map memory A, `map_stride` host words per word.
    MapA,
    /// Feature-map memory B.
    MapB,
    /// Accumulators, `column_stride` words per entry; read only.
    Accumulators,
    /// Counters of each descriptor, 8 words each; read only.
    Counters,
}

impl Region {
    /// Every region, in address order.
    pub const ALL: [Self; 8] = [
        Self::Registers,
        Self::Program,
        Self::Weights,
        Self::Parameters,
        Self::MapA,
        Self::MapB,
        Self::Accumulators,
        Self::Counters,
    ];

    /// Returns the first 32-bit word address of the region; regions are 2^20 words apart.
    pub const fn base(self) -> u32 {
        (self as u32) << REGION_SHIFT
    }

    /// Returns the number of the region, bits 23:20 of a word address.
    pub const fn index(self) -> u32 {
        self as u32
    }
}

/// Bits of a word address below the region number.
pub const REGION_SHIFT: u32 = 20;
/// Bits of a word address.
pub const ADDRESS_BITS: u32 = 24;

/// The counters written for each descriptor when it ends, in this order. All saturate at `2^32 - 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerCounters {
    /// Clock cycles from the end of the descriptor's fetch to its last write.
    pub cycles: u32,
    /// Useful multiply-accumulates: PEs that hold a weight of the layer, summed over pixel cycles.
    pub macs: u32,
    /// Cycles in which no pixel entered the array because the next tile's weights were not loaded.
    pub stall_weights: u32,
    /// Weight words read.
    pub words_read: u32,
    /// Cells read: bits of real weights in those words.
    pub cells_read: u32,
    /// Bits flipped by the injector in those cells.
    pub flips: u32,
}

impl LayerCounters {
    /// Host words of one descriptor's counters.
    pub const STRIDE: u32 = 8;
    /// Names in address order.
    pub const NAMES: [&'static str; 6] = ["cycles", "macs", "stall_weights", "words_read", "cells_read", "flips"];

    /// Returns the counters in address order.
    pub const fn values(&self) -> [u32; 6] {
        [self.cycles, self.macs, self.stall_weights, self.words_read, self.cells_read, self.flips]
    }

    /// Takes the counters in address order.
    pub const fn from_words(w: [u32; 6]) -> Self {
        Self { cycles: w[0], macs: w[1], stall_weights: w[2], words_read: w[3], cells_read: w[4], flips: w[5] }
    }
}

/// Returns `registers.md`.
pub fn markdown(hw: &Elaborated) -> String {
    let mut text = format!(
        "# Registers and memory map of `{}`\n\nAll addresses count 32-bit words. Generated from the register description; do not edit.\n\n\
         ## Regions\n\n| region | first word address |\n|---|---|\n",
        hw.config.name
    );
    for region in Region::ALL {
        text.push_str(&format!("| {region:?} | 0x{:06x} |\n", region.base()));
    }
    text.push_str("\n## Registers\n\n| offset | name | access | bits | reset | meaning |\n|---|---|---|---|---|---|\n");
    for r in registers(hw) {
        let access = match r.access {
            Access::ReadOnly => "ro",
            Access::ReadWrite => "rw",
            Access::Trigger => "w1",
        };
        text.push_str(&format!(
            "| {} | {} | {access} | {} | 0x{:x} | {} |\n",
            r.offset, r.name, r.bits, r.reset, r.doc
        ));
    }
    text.push_str("\n## Counters of one descriptor\n\n| word | name |\n|---|---|\n");
    for (i, name) in LayerCounters::NAMES.iter().enumerate() {
        text.push_str(&format!("| {i} | {name} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn no_two_registers_share_an_offset_or_a_name() {
        for preset in presets::all() {
            let list = registers(&preset.validate().unwrap());
            for (i, a) in list.iter().enumerate() {
                assert!(list[i + 1..].iter().all(|b| a.offset != b.offset && a.name != b.name), "{}", a.name);
            }
        }
    }

    #[test]
    fn every_memory_fits_its_region() {
        for preset in presets::all() {
            let hw = preset.validate().unwrap();
            let memory = hw.config.memory;
            for words in [
                memory.weight_words * hw.weight_stride,
                memory.map_words * hw.map_stride,
                memory.accumulator_words * hw.column_stride,
                memory.parameter_words * hw.column_stride * 2,
            ] {
                assert!(words <= 1 << REGION_SHIFT, "{}", hw.config.name);
            }
        }
    }
}
