//! The faults of a run, as flags or as a file.

use std::path::{Path, PathBuf};

use hafnia_config::fault::{AtRisk, CellFaults, FaultError, FaultSpec, Rates, Site};
use hafnia_config::{Elaborated, device};

use crate::console::Failure;

/// The largest fault file read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Faults, but for the bit-error rate.
#[derive(clap::Args)]
pub struct FaultArgs {
    /// TOML file with a table `[fault]`, see docs/fault-model.md; flags go before what it says.
    #[arg(long, value_name = "FILE")]
    fault: Option<PathBuf>,
    /// Probability that a stored 0 is read as 1.
    #[arg(long, value_name = "P", allow_negative_numbers = true, conflicts_with = "ber")]
    p01: Option<f64>,
    /// Probability that a stored 1 is read as 0.
    #[arg(long, value_name = "P", allow_negative_numbers = true, conflicts_with = "ber")]
    p10: Option<f64>,
    /// Memory device whose published bit-error rate is taken, see `hafnia presets`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ber", "p01", "p10"], value_parser = device_name)]
    device: Option<String>,
    /// Memories at risk, separated by commas: weights, biases, activations; without it weights and biases, as far as the
    /// configuration can inject there.
    #[arg(long, value_name = "SITE,...", value_delimiter = ',')]
    sites: Option<Vec<Site>>,
    /// Bits of each byte that are at risk, as a mask such as 0x80 for the sign bits; or SITE=MASK,... for sites apart.
    #[arg(long, value_name = "MASK", value_delimiter = ',', value_parser = mask)]
    bits: Vec<(Option<Site>, u8)>,
    /// Whether check cells are at risk as well, in memories that have a code.
    #[arg(long, value_name = "true|false")]
    check_bits: Option<bool>,
    /// Layers at risk, separated by commas, the first being 0; without it all.
    #[arg(long, value_name = "L,...", value_delimiter = ',')]
    layers: Option<Vec<u32>>,
    /// Faults of the cells at risk, as in the table `[fault.cells]` of a fault file: stuck_at_0_fraction, stuck_at_1_fraction,
    /// telegraph_fraction with telegraph_capture_reads, telegraph_emission_reads and telegraph_p01_per_read, p01_per_write, p10_per_write,
    /// max_pulses and noisy_verify (write-verify), scrub_period, device_seed.
    #[arg(long, value_name = "KEY=VALUE,...", allow_hyphen_values = true)]
    cells: Option<CellFaults>,
}

/// A mask, with the site it is for.
fn mask(text: &str) -> Result<(Option<Site>, u8), String> {
    let (site, text) = match text.split_once('=') {
        Some((site, mask)) => (Some(site.parse()?), mask),
        None => (None, text),
    };
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u8::from_str_radix(hex, 16));
    Ok((site, number.map_err(|_| "write a mask of eight bits, such as 0x80".to_owned())?))
}

fn device_name(text: &str) -> Result<String, String> {
    device::rate(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A run seed: 0 is what an unset one looks like.
pub fn seed(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("seed 0 is what an unset seed looks like; write one from 1 up".to_owned()),
        Ok(seed) => Ok(seed),
        Err(_) => Err(format!("write a whole number from 1 to {}", u64::MAX)),
    }
}

impl FaultArgs {
    /// Returns the fault file.
    pub fn file(&self) -> Option<&PathBuf> {
        self.fault.as_ref()
    }

    /// Returns the faults that flags and file describe; `ber` is the flag of that name.
    pub fn spec(&self, ber: Option<f64>) -> Result<FaultSpec, Failure> {
        let mut spec = match &self.fault {
            Some(path) => {
                let text = hafnia_files::read_text(path, LARGEST).map_err(|e| named(path, &e))?;
                FaultSpec::from_toml(&text).map_err(|e| named(path, &e))?
            }
            None => FaultSpec::default(),
        };
        if ber.is_some() || self.p01.is_some() || self.p10.is_some() || self.device.is_some() {
            (spec.ber_per_read, spec.p01_per_read, spec.p10_per_read) = (ber, self.p01, self.p10);
            spec.device.clone_from(&self.device);
        }
        for (site, bits) in &self.bits {
            match site {
                None => {
                    (spec.bits, spec.weights_bits, spec.biases_bits, spec.activations_bits) =
                        (Some(*bits), None, None, None);
                }
                Some(Site::Weights) => spec.weights_bits = Some(*bits),
                Some(Site::Biases) => spec.biases_bits = Some(*bits),
                Some(Site::Activations) => spec.activations_bits = Some(*bits),
            }
        }
        spec.sites = self.sites.clone().or(spec.sites);
        spec.check_bits = self.check_bits.or(spec.check_bits);
        spec.layers = self.layers.clone().or(spec.layers);
        spec.cells = self.cells.unwrap_or(spec.cells);
        Ok(spec)
    }

    /// Returns rates, cells at risk and their faults.
    pub fn resolve(
        &self,
        ber: Option<f64>,
        hw: &Elaborated,
        layers: usize,
    ) -> Result<(Rates, AtRisk, CellFaults), Failure> {
        let spec = self.spec(ber)?;
        let named = |error: FaultError| match &self.fault {
            Some(path) => named(path, &error),
            None => {
                let flag =
                    |text: String, (key, flag): &(&str, &str)| text.replace(&format!("`{key}`"), &format!("`{flag}`"));
                Failure::new(FLAGS.iter().fold(error.to_string(), flag), HELP)
            }
        };
        Ok((spec.rates().map_err(named)?, spec.at_risk(hw, layers).map_err(named)?, spec.cells))
    }
}

/// Keys of a fault file, and the flags that say the same.
const FLAGS: [(&str, &str); 9] = [
    ("ber_per_read", "--ber"),
    ("p01_per_read", "--p01"),
    ("p10_per_read", "--p10"),
    ("device", "--device"),
    ("sites", "--sites"),
    ("bits", "--bits"),
    ("weights_bits", "--bits weights=MASK"),
    ("biases_bits", "--bits biases=MASK"),
    ("activations_bits", "--bits activations=MASK"),
];

const HELP: &str = "see docs/fault-model.md for what can be asked for";

fn named(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", path.display()), HELP)
}
