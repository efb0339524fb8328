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
    /// SHA-256 of the Verilog, hexadecimal; versions of Hafnia between releases differ in it.
    pub verilog_sha256: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board;
    use crate::presets;

    /// Each record of `bitstreams/` is of a board and a preset as they are now, and `docs/boards.md` shows its figures.
    #[test]
    fn recorded_builds_are_of_todays_presets_and_in_the_table() {
        let page = include_str!("../../../../docs/boards.md");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bitstreams");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let records: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
        assert!(!records.is_empty());
        for path in records {
            let record = BuildRecord::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let (name, board) = (&record.config.name, board::find(&record.board).unwrap());
            assert_eq!(path.file_stem().unwrap().to_str(), Some(&*format!("{}-{name}", board.name)));
            assert_eq!(record.device, board.device.to_string());
            assert_eq!((&record.config, &record.config_hash), (&presets::find(name).unwrap(), &record.config.hash()));
            let [lut4, ff, block_rams, multipliers] =
                ["TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D"].map(|cell| record.utilisation[cell][0]);
            let macs = f64::from(record.config.array.rows * record.config.array.cols);
            let row = format!(
                "| `{}` | `{name}` | `{}` | {lut4} | {ff} | {block_rams} | {multipliers} | {:.2} | {:.2} |",
                board.name,
                record.placer,
                record.fmax_mhz,
                macs * record.fmax_mhz / 1000.0,
            );
            assert!(page.contains(&row), "docs/boards.md lacks {row}");
        }
    }
}
