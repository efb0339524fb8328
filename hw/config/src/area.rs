//! What each preset takes of an ECP5: a recorded table, `area.toml`, that the synthesis test keeps true.

use serde::{Deserialize, Serialize};

/// The recorded table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// What counted: tool, version, settings.
    pub tool: String,
    /// The command that counts again.
    pub command: String,
    /// The presets.
    pub preset: Vec<Area>,
}

/// Cells of one preset, whole hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Name of the preset.
    pub name: String,
    /// Hash of the configuration that was synthesised.
    pub config_hash: String,
    /// Multipliers in DSP blocks.
    pub mult18x18d: u64,
    /// Block RAMs of 18 Kibit (EBR).
    pub dp16kd: u64,
    /// Lookup tables of four inputs.
    pub lut4: u64,
    /// Flip-flops.
    pub ff: u64,
}

impl Recorded {
    /// Reads the table.
    pub fn read() -> Self {
        toml::from_str(include_str!("area.toml")).expect("a test reads area.toml")
    }

    /// Returns the cells of the configuration with this hash, if it was recorded.
    pub fn find(&self, config_hash: &str) -> Option<&Area> {
        self.preset.iter().find(|area| area.config_hash == config_hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn every_preset_is_recorded_as_it_is_today() {
        let recorded = Recorded::read();
        let names: Vec<_> = presets::all().iter().map(|p| recorded.find(&p.hash()).map(|a| a.name.clone())).collect();
        assert_eq!(names, presets::all().into_iter().map(|p| Some(p.name)).collect::<Vec<_>>());
    }
}
