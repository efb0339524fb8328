//! What a user writes of the faults of a run: rates and cells at risk. `docs/fault-model.md` describes the keys.

use serde::Deserialize;

use super::{AtRisk, AtRiskError, CellFaults, RateError, Rates, Site};
use crate::accel::Elaborated;
use crate::device::{self, DeviceError};

/// The table `[fault]` of a fault file, or the same from flags.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultSpec {
    /// Probability that a read of a cell gives the other value.
    pub ber_per_read: Option<f64>,
    /// Probability that a stored 0 is read as 1.
    pub p01_per_read: Option<f64>,
    /// Probability that a stored 1 is read as 0.
    pub p10_per_read: Option<f64>,
    /// Name of a device whose published bit-error rate is taken.
    pub device: Option<String>,
    /// Memories at risk; without it weights and biases.
    pub sites: Option<Vec<Site>>,
    /// Bits of each byte at risk, as a mask; without it all.
    pub bits: Option<u8>,
    /// The same for weights alone.
    pub weights_bits: Option<u8>,
    /// The same for biases alone.
    pub biases_bits: Option<u8>,
    /// The same for activations alone.
    pub activations_bits: Option<u8>,
    /// Whether check cells are at risk too, where a memory at risk has a code; without it they are.
    pub check_bits: Option<bool>,
    /// Layers at risk; without it all.
    pub layers: Option<Vec<u32>>,
    /// Faults of the cells.
    pub cells: CellFaults,
}

/// A description of faults that cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// The text is not a description of faults.
    #[error("{0}")]
    Toml(String),
    /// Two keys say the same.
    #[error("`{0}` and `{1}` both give a rate; write one of them")]
    Twice(&'static str, &'static str),
    /// A rate that cannot be had.
    #[error("`{key}`: {source}")]
    Rate {
        /// The key.
        key: &'static str,
        /// Why.
        source: RateError,
    },
    /// Cells at risk that cannot be had.
    #[error("`{key}`: {source}")]
    AtRisk {
        /// The key.
        key: &'static str,
        /// Why.
        source: AtRiskError,
    },
    /// A device that gives no rate.
    #[error("`device`: {0}")]
    Device(#[from] DeviceError),
    /// The same site twice, or none.
    #[error("`sites` {0}; name weights, biases, activations or some of them, each once")]
    Sites(&'static str),
    /// A mask for a site that is not at risk.
    #[error("`{key}` is given, but {site} are not among the sites at risk; name them in `sites`, or leave it out")]
    Idle {
        /// The key.
        key: &'static str,
        /// The site.
        site: Site,
    },
}

impl FaultSpec {
    /// Reads the table `[fault]` of TOML text.
    ///
    /// # Errors
    /// [`FaultError::Toml`] with line and key.
    pub fn from_toml(text: &str) -> Result<Self, FaultError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            fault: FaultSpec,
        }
        let file: Result<File, _> = toml::from_str(text);
        file.map(|file| file.fault).map_err(|error| FaultError::Toml(error.to_string().trim_end().to_owned()))
    }

    /// Returns the rates of both directions: those written, those of the device, else 0.
    ///
    /// # Errors
    /// Two keys that say the same, a rate that is no probability, or a device that gives none.
    pub fn rates(&self) -> Result<Rates, FaultError> {
        let given = [
            ("ber_per_read", self.ber_per_read),
            ("p01_per_read", self.p01_per_read),
            ("p10_per_read", self.p10_per_read),
        ];
        for (key, rate) in given {
            if let Some(rate) = rate.filter(|rate| !(0.0..=1.0).contains(rate)) {
                return Err(FaultError::Rate { key, source: RateError::NoProbability(rate) });
            }
        }
        let apart = given[1..].iter().find(|(_, rate)| rate.is_some()).map(|(key, _)| *key);
        let set = [("device", self.device.is_some()), ("ber_per_read", self.ber_per_read.is_some())];
        let mut set = set.into_iter().filter(|(_, is)| *is).map(|(key, _)| key).chain(apart);
        if let (Some(one), Some(other)) = (set.next(), set.next()) {
            return Err(FaultError::Twice(one, other));
        }
        if let Some(name) = &self.device {
            return Ok(device::rate(name)?.into());
        }
        let both = self.ber_per_read.unwrap_or(0.0);
        Ok(Rates { p01: self.p01_per_read.unwrap_or(both), p10: self.p10_per_read.unwrap_or(both) })
    }

    /// Returns the cells at risk in a network of `layers` layers on `hw`.
    ///
    /// # Errors
    /// Nothing is left at risk, or a site, mask or layer makes no sense.
    pub fn at_risk(&self, hw: &Elaborated, layers: usize) -> Result<AtRisk, FaultError> {
        let mut bits = hw.at_risk_by_default().bits.map(|mask| mask & self.bits.unwrap_or(u8::MAX));
        if let Some(sites) = &self.sites {
            if sites.is_empty() {
                return Err(FaultError::Sites("is empty"));
            }
            bits = [0; 3];
            for &site in sites {
                if bits[site as usize] != 0 {
                    return Err(FaultError::Sites("names one twice"));
                }
                bits[site as usize] = self.bits.unwrap_or(u8::MAX);
            }
        }
        if self.bits == Some(0) {
            return Err(FaultError::AtRisk { key: "bits", source: AtRiskError::NoBit });
        }
        let own = [
            ("weights_bits", self.weights_bits),
            ("biases_bits", self.biases_bits),
            ("activations_bits", self.activations_bits),
        ];
        for ((key, mask), (site, bits)) in own.into_iter().zip(Site::ALL.into_iter().zip(&mut bits)) {
            let Some(mask) = mask else { continue };
            match (*bits, mask) {
                (0, _) => return Err(FaultError::Idle { key, site }),
                (_, 0) => return Err(FaultError::AtRisk { key, source: AtRiskError::NoBit }),
                _ => *bits = mask,
            }
        }
        let at_risk = AtRisk::new(bits, self.layers.as_deref(), layers).map_err(|source| {
            let key = if source == AtRiskError::NoBit { "bits" } else { "layers" };
            FaultError::AtRisk { key, source }
        })?;
        Ok(AtRisk { checks: self.check_bits.unwrap_or(true), ..at_risk })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn rates_come_from_one_place() {
        let of = |text: &str| FaultSpec::from_toml(&format!("[fault]\n{text}"))?.rates();
        assert_eq!(of(""), Ok(0.0.into()));
        assert_eq!(of("ber_per_read = 1e-3"), Ok(1e-3.into()));
        assert_eq!(of("p10_per_read = 0.25"), Ok(Rates { p01: 0.0, p10: 0.25 }));
        assert_eq!(of("device = \"intel22-isscc19\""), Ok(1e-5.into()));
        for (text, phrases) in [
            ("ber_per_read = 1.5", ["`ber_per_read`", "[0, 1]"]),
            ("p01_per_read = nan", ["`p01_per_read`", "NaN"]),
            ("ber_per_read = 0.1\np10_per_read = 0.1", ["`ber_per_read`", "`p10_per_read`"]),
            ("device = \"intel22-isscc19\"\nber_per_read = 0.1", ["`device`", "`ber_per_read`"]),
            ("device = \"tsmc40-asscc17\"", ["`device`", "published no bit-error rate"]),
            ("ber = 0.1", ["`ber`", "`ber_per_read`"]),
        ] {
            let error = of(text).unwrap_err().to_string();
            assert!(phrases.iter().all(|phrase| error.contains(phrase)), "{text}: {error}");
        }
    }

    #[test]
    fn cells_at_risk_are_those_of_the_keys() {
        let hw = presets::find("8x8").unwrap().validate().unwrap();
        let of = |text: &str| FaultSpec::from_toml(&format!("[fault]\n{text}"))?.at_risk(&hw, 9);
        assert_eq!(of(""), Ok(AtRisk::PARAMETERS));
        assert_eq!(of("sites = [\"activations\"]\nbits = 0x80").unwrap().bits, [0, 0, 0x80]);
        let some = of("weights_bits = 0x80\nbiases_bits = 3\nlayers = [0, 2]").unwrap();
        assert_eq!(some, AtRisk { bits: [0x80, 3, 0], layers: 0b101, checks: true });
        for (text, phrases) in [
            ("sites = []", ["`sites` is empty", "weights"]),
            ("sites = [\"weights\", \"weights\"]", ["`sites` names one twice", "each once"]),
            ("sites = [\"scales\"]", ["scales", "activations"]),
            ("bits = 0", ["`bits`", "0x01"]),
            ("weights_bits = 0", ["`weights_bits`", "0x01"]),
            ("activations_bits = 1", ["`activations_bits`", "`sites`"]),
            ("layers = [9]", ["`layers`", "0 to 8"]),
            ("layers = []", ["`layers`", "at least one"]),
        ] {
            let error = of(text).unwrap_err().to_string();
            assert!(phrases.iter().all(|phrase| error.contains(phrase)), "{text}: {error}");
        }
    }
}
