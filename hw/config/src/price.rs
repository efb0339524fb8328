//! What each code takes of an ECP5 on the same array: a record, `price.toml`, that `hafnia price --measure` writes and the
//! synthesis test keeps true.

use serde::{Deserialize, Serialize};

use crate::accel::{AccelConfig, Elaborated, InjectorConfig, ProtectionConfig};
use crate::board::Device;
use crate::fault::Site;
use crate::protect::{Code, Codeword, OnDetected};
use crate::schedule::Schedule;
use crate::shape::LayerShape;

/// The device that is priced.
pub const DEVICE: &str = "LFE5U-85F";
/// Its block RAMs.
pub const DEVICE_DP16KD: u64 = Device::Lfe5u85f.block_rams();
/// Its multipliers (MULT18X18D).
pub const DEVICE_MULT18X18D: u64 = Device::Lfe5u85f.multipliers();

/// A record: how it was measured, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How cells were counted.
    pub synthesis: Synthesis,
    /// How clocks were found; none if nothing was routed.
    pub routing: Option<Routing>,
    /// What was found.
    pub array: Vec<Measured>,
}

/// The synthesis of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthesis {
    /// Tool and version.
    pub tool: String,
    /// Its command; TOP is the top module.
    pub command: String,
}

/// Place and route of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// Tool and version.
    pub tool: String,
    /// Its command.
    pub command: String,
    /// The device.
    pub device: String,
    /// Its speed grade.
    pub speed_grade: u32,
    /// Seed of placer and router.
    pub seed: u32,
}

/// One array with one code, without injectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Name of the configuration for which it was measured.
    pub name: String,
    /// The code.
    pub code: Code,
    /// Whether there is write-verify.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write_verify: bool,
    /// Whether there is a scrubber, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scrub: bool,
    /// Hash of what was synthesised, one of [`variants`].
    pub config_hash: String,
    /// Routed clock limit in MHz; none if it was not routed.
    pub fmax_mhz: Option<f64>,
    /// Cells of the whole hierarchy.
    pub cells: Cells,
}

/// Cells of an ECP5, or with `i64` differences of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells<N = u64> {
    /// Lookup tables of four inputs.
    pub lut4: N,
    /// Carry cells, of two bits each.
    pub ccu2c: N,
    /// Flip-flops.
    pub ff: N,
    /// Block RAMs of 18 Kibit (EBR).
    pub dp16kd: N,
    /// Multipliers in DSP blocks.
    pub mult18x18d: N,
}

impl<N> Cells<N> {
    /// Returns the counts in the order of the fields.
    pub fn counts(self) -> [N; 5] {
        [self.lut4, self.ccu2c, self.ff, self.dp16kd, self.mult18x18d]
    }
}

impl Cells {
    /// Returns what is more here than in `other`.
    pub fn over(self, other: Self) -> Cells<i64> {
        let over = |here: u64, there: u64| here as i64 - there as i64;
        Cells {
            lut4: over(self.lut4, other.lut4),
            ccu2c: over(self.ccu2c, other.ccu2c),
            ff: over(self.ff, other.ff),
            dp16kd: over(self.dp16kd, other.dp16kd),
            mult18x18d: over(self.mult18x18d, other.mult18x18d),
        }
    }

    /// Whether [`DEVICE`] has the block RAMs and multipliers.
    pub const fn fits(&self) -> bool {
        self.dp16kd <= DEVICE_DP16KD && self.mult18x18d <= DEVICE_MULT18X18D
    }
}

/// Why a record is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The text is no record.
    #[error("not a record of prices: {0}")]
    Toml(String),
    /// It was measured in another way.
    #[error("it was measured by `{theirs}`, and this by `{ours}`")]
    Other {
        /// Tool and command of the one.
        theirs: String,
        /// And of the other.
        ours: String,
    },
}

impl Record {
    /// The largest record to read, in bytes.
    pub const LARGEST_FILE: u64 = 1 << 20;

    /// Returns the record that comes with Hafnia.
    pub fn built_in() -> Self {
        Self::from_toml(include_str!("price.toml")).expect("a test reads price.toml")
    }

    /// Reads a record from TOML text.
    ///
    /// # Errors
    /// [`RecordError::Toml`] with line and key.
    pub fn from_toml(text: &str) -> Result<Self, RecordError> {
        toml::from_str(text).map_err(|e| RecordError::Toml(e.to_string().trim_end().to_owned()))
    }

    /// Writes the record as TOML; [`Record::from_toml`] reads it back equal.
    pub fn to_toml(&self) -> String {
        let record = toml::to_string(self).expect("a record is plain data");
        format!("# Written by `hafnia price --measure --record FILE`; docs/price.md says how.\n\n{record}")
    }

    /// Returns what was measured of the configuration with this hash, one of [`variants`].
    pub fn find(&self, config_hash: &str) -> Option<&Measured> {
        self.array.iter().find(|measured| measured.config_hash == config_hash)
    }

    /// Takes what `newer` found in place of its own. A clock limit stays where the cells are the same and were not routed again.
    ///
    /// # Errors
    /// [`RecordError::Other`] if tools or commands differ.
    pub fn merge(&mut self, newer: Self) -> Result<(), RecordError> {
        let differ = |theirs: [&str; 2], ours: [&str; 2]| RecordError::Other {
            theirs: theirs.join(": "),
            ours: ours.join(": "),
        };
        if self.synthesis != newer.synthesis {
            let [theirs, ours] = [&self.synthesis, &newer.synthesis].map(|s| [&*s.tool, &*s.command]);
            return Err(differ(theirs, ours));
        }
        if let (Some(theirs), Some(ours)) = (&self.routing, &newer.routing)
            && theirs != ours
        {
            let [theirs, ours] = [theirs, ours].map(|r| [&*r.tool, &*r.command]);
            return Err(differ(theirs, ours));
        }
        self.routing = newer.routing.or(self.routing.take());
        for mut measured in newer.array {
            match self.array.iter_mut().find(|known| known.config_hash == measured.config_hash) {
                Some(known) => {
                    let kept = known.fmax_mhz.filter(|_| known.cells == measured.cells);
                    measured.fmax_mhz = measured.fmax_mhz.or(kept);
                    *known = measured;
                }
                None => self.array.push(measured),
            }
        }
        Ok(())
    }
}

/// What writes the memories of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engines {
    /// The host alone.
    None,
    /// The programming engines of write-verify.
    WriteVerify,
    /// And a scrubber.
    Scrub,
}

impl Engines {
    /// Returns the engines where there is write-verify, and where there is a scrubber.
    pub const fn of(write_verify: bool, scrub: bool) -> Self {
        match (write_verify, scrub) {
            (_, true) => Self::Scrub,
            (true, false) => Self::WriteVerify,
            (false, false) => Self::None,
        }
    }
}

/// Returns the array of `config` with each code that it can have, `none` first: its own code as the configuration has it, the
/// others as `--protect` gives them; and where the configuration has engines, once more with write-verify, and with a scrubber.
/// Without injectors, which emulate faults and are in no product; and all with one name, so that the same array has the same
/// hash however it is called.
pub fn variants(config: &AccelConfig) -> Vec<Elaborated> {
    let with = |code, engines| variant(config, code, engines).validate().ok();
    let engines = [Engines::None, Engines::WriteVerify, Engines::Scrub].into_iter();
    let ProtectionConfig { write_verify, scrub, .. } = config.protection;
    let there = engines.filter(|&engines| engines <= Engines::of(write_verify, scrub));
    there.flat_map(|engines| Code::all().filter_map(move |code| with(code, engines))).collect()
}

/// Returns one of [`variants`], which the array may be too narrow for.
pub fn variant(config: &AccelConfig, code: Code, engines: Engines) -> AccelConfig {
    let array = AccelConfig { name: "array".to_owned(), injector: InjectorConfig::default(), ..config.clone() };
    let coded = array.protected(code);
    let own = code == config.protection.code;
    let protection = if own { config.protection } else { coded.protection };
    let (write_verify, scrub) = (engines != Engines::None, engines == Engines::Scrub);
    AccelConfig { protection: ProtectionConfig { write_verify, scrub, ..protection }, ..coded }
}

/// Returns the name of what protects one of [`variants`].
pub fn protection_name(code: Code, engines: Engines) -> String {
    let with = match engines {
        Engines::None => "",
        Engines::WriteVerify => " + write-verify",
        Engines::Scrub => " + write-verify + scrubber",
    };
    format!("{code}{with}")
}

/// Returns check cells / data cells of a codeword of weights; it is the same for all numbers of weights that fit.
pub fn overhead(code: Code) -> f64 {
    let mut codewords =
        [1, 2, 4, 8].into_iter().filter_map(|weights| Codeword::new(code, weights, 8, OnDetected::Pass));
    let word = codewords.next().expect("every code has a codeword of some weights");
    f64::from(word.cells()) / f64::from(word.data_bits) - 1.0
}

/// Returns the cells in use of one copy of a layer's weights, check cells included: what one read of the layer reads.
pub fn weight_cells(hw: &Elaborated, shape: &LayerShape) -> u64 {
    let cells = |columns: u32| -> u64 {
        let bytes = |lane: u32| columns.saturating_sub(lane * hw.lane_weights).min(hw.lane_weights);
        (0..hw.lanes).map(|lane| u64::from(hw.codeword(Site::Weights).cells_in_use(bytes(lane)).count_ones())).sum()
    };
    let words = u64::from(shape.in_channels * shape.kind.taps());
    let (full, rest) = (shape.out_channels / hw.cols, shape.out_channels % hw.cols);
    words * (u64::from(full) * cells(hw.cols) + cells(rest))
}

/// Returns the weight cells that an image reads: images of a read group share a read.
pub fn weight_cells_read(hw: &Elaborated, schedule: &Schedule) -> f64 {
    schedule.layers.iter().map(|layer| weight_cells(hw, &layer.shape) as f64 / f64::from(layer.read_group)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::shape::Vgg;

    fn preset(name: &str) -> Vec<Elaborated> {
        variants(&presets::find(name).unwrap())
    }

    #[test]
    fn every_code_of_4x4_and_8x8_is_recorded_and_two_of_8x8_are_routed() {
        let record = Record::built_in();
        assert_eq!(Record::from_toml(&record.to_toml()), Ok(record.clone()));
        for name in ["4x4", "8x8", "8x8-faults"] {
            for hw in preset(name) {
                let ProtectionConfig { code, write_verify, .. } = hw.config.protection;
                if write_verify && !["none", "parity", "secded-72-64", "tmr"].contains(&&*code.to_string()) {
                    continue;
                }
                let measured =
                    record.find(&hw.config.hash()).unwrap_or_else(|| panic!("{name} with {code} is missing"));
                let of = if name == "4x4" || write_verify { name } else { "8x8" };
                assert_eq!((&*measured.name, measured.code, measured.write_verify), (of, code, write_verify));
            }
        }
        for code in ["none", "secded-72-64"] {
            let of = |m: &&Measured| m.name == "8x8" && m.code.to_string() == code;
            assert!(record.array.iter().find(of).unwrap().fmax_mhz.is_some(), "{code}");
        }
        // Three copies of the weights of 8x8 are more than the device holds.
        let tmr = record.array.iter().find(|m| m.name == "8x8" && m.code == Code::Tmr).unwrap();
        assert!(!tmr.cells.fits() && tmr.fmax_mhz.is_none());
    }

    #[test]
    fn the_same_array_is_priced_whatever_is_injected() {
        let (plain, verified) = (preset("8x8"), preset("8x8-faults"));
        assert_eq!(plain, verified[..plain.len()]);
        assert_eq!((plain.len(), preset("4x4").len(), verified.len()), (14, 13, 28));
        assert!(verified.iter().enumerate().all(|(n, hw)| hw.config.protection.write_verify == (n >= plain.len())));
        assert!(verified.iter().all(|hw| hw.injector_latency == 0));
        assert_eq!(preset("8x8")[0].config.protection.code, Code::None);
    }

    #[test]
    fn a_scrubber_is_priced_beside_write_verify_where_the_code_corrects() {
        let config = presets::examples().remove(0);
        let all = variants(&config);
        assert_eq!(all[..28], preset("8x8-faults"));
        let scrubbed: Vec<Code> = all[28..].iter().map(|hw| hw.config.protection.code).collect();
        assert_eq!(scrubbed, Code::all().filter(|code| code.corrects()).collect::<Vec<_>>());
        assert!(all[28..].iter().all(|hw| hw.config.protection.scrub && hw.config.protection.write_verify));
        let record = Record::built_in();
        for code in ["secded-72-64", "tmr"] {
            let one = variant(&config, code.parse().unwrap(), Engines::Scrub);
            assert!(record.find(&one.hash()).is_some_and(|measured| measured.scrub), "{code}");
        }
    }

    /// The names of the codes say how many cells they store for how many, and the hardware has as many.
    #[test]
    fn overheads_are_those_of_the_names_and_of_the_hardware() {
        for hw in preset("8x8") {
            let code = hw.config.protection.code;
            let want = match code {
                Code::None => 0.0,
                Code::Parity => 1.0 / 8.0,
                Code::Secded { data_bits } => {
                    let cells = code.to_string().split('-').nth(1).unwrap().parse::<f64>().unwrap();
                    cells / f64::from(data_bits) - 1.0
                }
                Code::Tmr => 2.0,
                Code::MsbTmr { bits } => f64::from(2 * bits) / 8.0,
            };
            let port = hw.port(Site::Weights);
            let built = f64::from(port.cells) / f64::from(8 * port.lane_bytes) - 1.0;
            assert!((overhead(code) - want).abs() < 1e-12 && (built - want).abs() < 1e-12, "{code}");
        }
    }

    #[test]
    fn cells_read_are_those_of_weights_and_their_codes() {
        let layers = Vgg::A.layers(8);
        let weights: u64 = layers.iter().map(LayerShape::weights).sum();
        for hw in preset("8x8") {
            let cells: u64 = layers.iter().map(|shape| weight_cells(&hw, shape)).sum();
            let least = 8 * weights;
            let most = 8.0 * weights as f64 * (1.0 + overhead(hw.config.protection.code));
            // The head has ten outputs, so its last words hold two weights and their check cells.
            assert!(cells as f64 >= most - 1.0 && (cells as f64) < most + 8.0 * 64.0, "{}: {cells}", hw.config.name);
            assert_eq!(cells == least, hw.config.protection.code == Code::None);
        }
        let hw = &preset("8x8")[0];
        let one = Schedule::new(hw, &layers, Some(1)).unwrap();
        assert_eq!(weight_cells_read(hw, &one), 8.0 * weights as f64);
        let most = Schedule::new(hw, &layers, None).unwrap();
        assert!(weight_cells_read(hw, &most) < 8.0 * weights as f64);
    }

    #[test]
    fn records_of_one_way_of_measuring_merge() {
        let old = Record::built_in();
        let mut merged = old.clone();
        let mut again = old.array[0].clone();
        again.fmax_mhz = None;
        merged.merge(Record { array: vec![again.clone()], ..old.clone() }).unwrap();
        assert_eq!(merged, old, "the clock limit stays");
        again.cells.lut4 += 1;
        merged.merge(Record { array: vec![again.clone()], ..old.clone() }).unwrap();
        assert_eq!(merged.array[0], again);
        let empty = Record { array: vec![], ..old.clone() };
        assert_eq!(Record::from_toml(&empty.to_toml()), Ok(empty));
        let other = Synthesis { tool: "yosys 0.1".to_owned(), ..old.synthesis.clone() };
        let message = merged.merge(Record { synthesis: other, ..old }).unwrap_err().to_string();
        assert!(message.contains("yosys 0.1"), "{message}");
    }
}
