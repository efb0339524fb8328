//! Memory devices of the literature, `device.toml`. A figure that was not published is none, never a guess.
//! `docs/devices.md` shows them all.

mod figure;

pub use figure::{Figure, NOT_PUBLISHED};

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

/// Why a device or its figure cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device has this name.
    #[error("no device `{name}`; there are: {known}")]
    Unknown {
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// The device published no bit-error rate.
    #[error("`{name}` published no bit-error rate ({publication}); these did: {known}")]
    NoRate {
        /// Name of the device.
        name: String,
        /// Its DOI, or what else states its figures.
        publication: String,
        /// Names of the devices that did.
        known: String,
    },
    /// The device published no energy of a read.
    #[error("`{name}` published no read energy ({publication}); these did: {known}")]
    NoReadEnergy {
        /// Name of the device.
        name: String,
        /// Its DOI, or what else states its figures.
        publication: String,
        /// Names of the devices that did.
        known: String,
    },
}

/// Returns the device of this name.
///
/// # Errors
/// [`DeviceError::Unknown`], with the names that exist.
pub fn find(name: &str) -> Result<Device, DeviceError> {
    all()
        .into_iter()
        .find(|device| device.name == name)
        .ok_or_else(|| DeviceError::Unknown { name: name.to_owned(), known: names(|_| true) })
}

/// Returns the raw bit-error rate that the device of this name published; [`Device::raw_ber_condition`] says for what.
///
/// # Errors
/// [`DeviceError::Unknown`], or [`DeviceError::NoRate`] with the names of the devices that published one.
pub fn rate(name: &str) -> Result<f64, DeviceError> {
    let device = find(name)?;
    device.raw_ber.ok_or_else(|| DeviceError::NoRate {
        name: device.name,
        publication: device.source,
        known: names(|device| device.raw_ber.is_some()),
    })
}

/// Returns the energy of one bit that is read, in pJ, that the device of this name published.
///
/// # Errors
/// [`DeviceError::Unknown`], or [`DeviceError::NoReadEnergy`] with the names of the devices that published one.
pub fn read_energy(name: &str) -> Result<f64, DeviceError> {
    let device = find(name)?;
    device.read_pj_per_bit.ok_or_else(|| DeviceError::NoReadEnergy {
        name: device.name,
        publication: device.source,
        known: names(|device| device.read_pj_per_bit.is_some()),
    })
}

fn names(which: impl Fn(&Device) -> bool) -> String {
    all().into_iter().filter(which).map(|device| device.name).collect::<Vec<_>>().join(", ")
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

    #[test]
    fn a_device_is_found_by_name_and_an_unknown_name_is_told_the_names() {
        assert!(all().into_iter().all(|device| find(&device.name) == Ok(device)));
        let message = find("intel22").unwrap_err().to_string();
        assert!(message.starts_with("no device `intel22`; there are: intel22-isscc19, tsmc40-isscc18, "), "{message}");
        assert!(message.ends_with(", 180nm-vlsi14, nvsim-default"), "{message}");
    }

    #[test]
    fn a_rate_is_the_published_one_or_an_error_that_cites_the_publication() {
        assert_eq!((rate("intel22-isscc19"), rate("tsmc40-isscc18")), (Ok(1e-5), Ok(4.1e-8)));
        assert_eq!(
            rate("tsmc40-asscc17").unwrap_err().to_string(),
            "`tsmc40-asscc17` published no bit-error rate (10.1109/ASSCC.2017.8240203); these did: intel22-isscc19, \
             tsmc40-isscc18, intel22-vlsi19, mlc4-iedm19"
        );
        assert_eq!(rate("nowhere"), Err(find("nowhere").unwrap_err()));
        assert_eq!(read_energy("intel22-isscc19"), Ok(1.0));
        let message = read_energy("mlc4-iedm19").unwrap_err().to_string();
        assert!(message.ends_with("(10.1109/IEDM19573.2019.8993514); these did: intel22-isscc19"), "{message}");
    }

    /// Codewords of one weight have the fewest cells and so the coarsest thresholds.
    #[test]
    fn every_published_rate_can_be_injected() {
        let rates: Vec<_> = all().iter().filter_map(|device| device.raw_ber).collect();
        assert_eq!((rates.len(), rates.iter().find(|&&p| crate::fault::Thresholds::new(p, 8).is_err())), (4, None));
    }
}
