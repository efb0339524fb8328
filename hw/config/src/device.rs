//! Memory devices of the literature, `device.toml`. A figure that was not published is none, never a guess.

use serde::{Deserialize, Serialize};

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Name of the preset.
    pub name: String,
    /// DOI of the publication, or what else states the figures.
    pub source: String,
    /// Read time in ns.
    pub read_ns: Option<f64>,
    /// Under what a read was measured.
    pub read_condition: Option<String>,
    /// Read energy of one bit, in pJ.
    pub read_pj_per_bit: Option<f64>,
    /// Time of a SET pulse in ns.
    pub set_ns: Option<f64>,
    /// Time of a RESET pulse in ns.
    pub reset_ns: Option<f64>,
    /// Energy of a SET of one bit, in pJ.
    pub set_pj_per_bit: Option<f64>,
    /// Energy of a RESET of one bit, in pJ.
    pub reset_pj_per_bit: Option<f64>,
    /// Bit-error rate before any code.
    pub raw_ber: Option<f64>,
    /// Under what the rate was measured.
    pub raw_ber_condition: Option<String>,
    /// Size of the memory in Mbit.
    pub capacity_mbit: Option<f64>,
    /// Resistance of the high state.
    pub hrs_ohm: Option<f64>,
    /// Resistance of the low state.
    pub lrs_ohm: Option<f64>,
    /// Write cycles that a cell stands.
    pub endurance_cycles: Option<f64>,
}

impl Device {
    /// Returns the DOI, where the source has one.
    pub fn doi(&self) -> Option<&str> {
        Some(&*self.source).filter(|source| source.starts_with("10."))
    }
}

/// Returns every device.
pub fn all() -> Vec<Device> {
    #[derive(Deserialize)]
    struct Table {
        device: Vec<Device>,
    }
    toml::from_str::<Table>(include_str!("device.toml")).expect("a test reads device.toml").device
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_one_publishes_its_read_energy() {
        let devices = all();
        let energies: Vec<_> = devices.iter().filter_map(|d| Some((d.doi()?, d.read_pj_per_bit?))).collect();
        assert_eq!((devices.len(), energies), (8, vec![("10.1109/ISSCC.2019.8662393", 1.0)]));
        assert!(devices.iter().all(|d| d.doi().is_some() || d.name == "nvsim-default"));
    }

    #[test]
    fn the_high_state_has_the_higher_resistance() {
        let pairs: Vec<_> = all().iter().filter_map(|d| Some((d.hrs_ohm?, d.lrs_ohm?))).collect();
        assert!(pairs.len() == 5 && pairs.iter().all(|(high, low)| high > low), "{pairs:?}");
    }
}
