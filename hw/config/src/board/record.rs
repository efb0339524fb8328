//! The record of a bitstream: what it is of, how it was made, and what it came to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::accel::AccelConfig;

/// A record, `build.json` beside the bitstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildRecord {
    /// Name of the board.
    pub board: String,
    /// Its device.
    pub device: String,
    /// The accelerator.
    pub config: AccelConfig,
    /// SHA-256 of its configuration, hexadecimal; its first 32 bits are in the register CONFIG_HASH.
    pub config_hash: String,
    /// Clock of the accelerator in kHz.
    pub clock_khz: u32,
    /// Rate of the line in bits per second.
    pub baud: u32,
    /// Version of Hafnia.
    pub hafnia: String,
    /// Versions of the tools.
    pub tools: Vec<String>,
    /// The placer, by nextpnr's name.
    pub placer: String,
    /// Seeds of placer and router that were tried, with the clock that each allows, in MHz.
    pub seeds: Vec<(u32, f64)>,
    /// The seed that was kept.
    pub seed: u32,
    /// Its clock limit in MHz.
    pub fmax_mhz: f64,
    /// Time left of a clock period, in ns.
    pub slack_ns: f64,
    /// Cells in use and cells there are, by nextpnr's names.
    pub utilisation: BTreeMap<String, [u64; 2]>,
    /// The slowest path.
    pub critical_path: String,
    /// SHA-256 of the bitstream, hexadecimal.
    pub sha256: String,
}

impl BuildRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Returns the record as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a record is plain data") + "\n"
    }
}
