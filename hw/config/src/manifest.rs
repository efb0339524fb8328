//! The manifest: what the generator writes and simulator, driver and place-and-route read.

use serde::{Deserialize, Serialize};

use crate::accel::{AccelConfig, Elaborated};
use crate::fault::{CELL_GENERATOR, SEED_GENERATOR, Site, Tausworthe};
use crate::program::{FIELDS, Field};
use crate::protect::{Code, OnDetected};
use crate::regs::{Region, Register, registers};

/// One port of the top module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name in the Verilog.
    pub name: String,
    /// True for an input.
    pub input: bool,
    /// Width in bits.
    pub width_bits: u32,
}

/// Place of a region in the host's address space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionEntry {
    /// The region.
    pub region: Region,
    /// First 32-bit word address.
    pub base: u32,
}

/// Latencies in cycles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Weight word: read to the array's top.
    pub weight: u32,
    /// Part of it that is the injector.
    pub injector: u32,
    /// Part of it that is the decoder.
    pub codec: u32,
    /// Seeding of the generators, once per descriptor while the injector is on.
    pub seed: u32,
    /// From the last pixel of a layer to the end of its last write.
    pub drain: u32,
}

/// The generators, so that another program can redraw the flips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generators {
    /// Components of a cell generator.
    pub cell: Vec<Tausworthe>,
    /// Components of the seeding generator.
    pub seed: Vec<Tausworthe>,
    /// Codewords that each site with read noise gives at once, and the cells of each.
    pub sites: Vec<(Site, u32, u32)>,
    /// Node sizes, in the order of the threshold registers.
    pub node_sizes: Vec<u32>,
}

/// The code of a memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEntry {
    /// The memory.
    pub site: Site,
    /// The code.
    pub code: Code,
    /// Cells of data of a codeword; check cells follow.
    pub data_bits: u32,
    /// Cells of data that are decoded and counted as one.
    pub unit_bits: u32,
    /// Rows of the parity-check matrix, hexadecimal, bit b for cell b: the cells whose XOR is 0.
    pub parity_check: Vec<String>,
    /// What is read of a codeword of `secded` whose errors are detected and not corrected.
    pub on_detected: OnDetected,
    /// Cycles that the decoder adds to a read.
    pub latency: u32,
}

impl CodeEntry {
    fn new(hw: &Elaborated, site: Site) -> Self {
        let word = hw.codeword(site);
        Self {
            site,
            code: word.code,
            data_bits: word.data_bits,
            unit_bits: word.unit_bits,
            parity_check: word.rows().map(|row| format!("{row:x}")).collect(),
            on_detected: hw.config.protection.on_detected,
            latency: word.code.latency(),
        }
    }
}

/// The manifest, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this schema.
    pub manifest_version: u32,
    /// Version of the generator.
    pub generator_version: String,
    /// SHA-256 of the configuration, hexadecimal.
    pub config_hash: String,
    /// The configuration.
    pub config: AccelConfig,
    /// Name of the top module.
    pub top: String,
    /// Verilog file, relative to the manifest.
    pub verilog: String,
    /// Ports of the top module.
    pub ports: Vec<Port>,
    /// Registers.
    pub registers: Vec<Register>,
    /// Memory map.
    pub regions: Vec<RegionEntry>,
    /// Fields of a descriptor.
    pub descriptor: Vec<(String, Field)>,
    /// Latencies.
    pub latency: Latency,
    /// Codes of the memories that have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<CodeEntry>,
    /// Generators of the injector; absent when it is left out.
    pub generators: Option<Generators>,
}

impl Manifest {
    /// Returns the manifest of `hw`, given the generator's version, the top module and its ports.
    pub fn new(hw: &Elaborated, generator_version: &str, top: &str, verilog: &str, ports: Vec<Port>) -> Self {
        Self {
            manifest_version: 1,
            generator_version: generator_version.to_owned(),
            config_hash: hw.config.hash(),
            config: hw.config.clone(),
            top: top.to_owned(),
            verilog: verilog.to_owned(),
            ports,
            registers: registers(hw),
            regions: Region::ALL.map(|region| RegionEntry { region, base: region.base() }).to_vec(),
            descriptor: FIELDS.iter().map(|(name, field, _)| ((*name).to_owned(), *field)).collect(),
            latency: Latency {
                weight: hw.weight_latency,
                injector: hw.injector_latency,
                codec: hw.codec_latency,
                seed: hw.seed_cycles,
                drain: hw.drain_cycles(),
            },
            codes: Site::ALL.into_iter().filter(|&s| hw.is_coded(s)).map(|s| CodeEntry::new(hw, s)).collect(),
            generators: (!hw.node_sizes.is_empty()).then(|| Generators {
                cell: CELL_GENERATOR.to_vec(),
                seed: SEED_GENERATOR.to_vec(),
                sites: hw.config.injector.read_sites().map(|s| (s, hw.port(s).lanes, hw.port(s).cells)).collect(),
                node_sizes: hw.node_sizes.clone(),
            }),
        }
    }

    /// Returns the manifest as JSON text.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is plain data");
        text.push('\n');
        text
    }
}
