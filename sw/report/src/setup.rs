//! What a curve is of: rows that differ by rate and seed alone.

use hafnia_config::fault::{CellFaults, Verify};
use hafnia_config::protect::{Code, bare_name};
use hafnia_config::{Elaborated, presets};
use hafnia_sweep::Row;
use serde::Serialize;

/// All that decides a curve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setup {
    /// Name of the network.
    pub model: String,
    /// Checksum of its file.
    pub model_sha256: String,
    /// Name of the configuration.
    pub preset: String,
    /// Its hash.
    pub config_hash: String,
    /// `golden` or `sim`.
    pub engine: String,
    /// How the noise is drawn: `exact`.
    pub draws: String,
    /// Code of the weight memory.
    pub protection: String,
    /// `cifar10` or `digits`.
    pub data: String,
    /// First test image.
    pub first: u32,
    /// Number of images.
    pub images: u64,
    /// Images that the hardware holds at once.
    pub batch: u32,
    /// Memories at risk, joined by `+`.
    pub sites: String,
    /// Directions in which cells are read wrong: `both`, `0->1`, `1->0` or `uneven`.
    pub direction: String,
    /// Bits of a byte that are cells at risk.
    pub bit_mask: u8,
    /// Layers whose cells are at risk; bit 0 is the first.
    pub layer_mask: u32,
    /// Faults of the cells at risk, as `key=value,...`.
    pub cells: String,
}

impl Setup {
    /// Returns the setup of a row.
    pub fn of(row: &Row) -> Self {
        Self {
            model: row.model.clone(),
            model_sha256: row.model_sha256.clone(),
            preset: row.preset.clone(),
            config_hash: row.config_hash.clone(),
            engine: row.engine.clone(),
            draws: row.draws.clone(),
            protection: row.protection.clone(),
            data: row.data.clone(),
            first: row.first,
            images: row.images,
            batch: row.batch,
            sites: row.sites.clone(),
            direction: row.direction().to_owned(),
            bit_mask: row.bit_mask,
            layer_mask: row.layer_mask,
            cells: row.cells.clone(),
        }
    }

    /// Returns the one bit at risk, if it is one.
    pub fn bit(&self) -> Option<u32> {
        (self.bit_mask.count_ones() == 1).then(|| self.bit_mask.trailing_zeros())
    }

    /// Returns the one layer at risk, if it is one.
    pub fn layer(&self) -> Option<u32> {
        (self.layer_mask.count_ones() == 1).then(|| self.layer_mask.trailing_zeros())
    }

    /// Whether a part was singled out, so that it belongs to the sensitivity maps.
    pub fn is_part(&self) -> bool {
        self.bit().is_some() || self.layer().is_some()
    }

    /// Returns what decides top-1 at rate 0: what is at risk only where cells themselves are faulty.
    pub fn without_noise(&self) -> Self {
        if self.cells.is_empty() { self.unmasked() } else { Self { direction: String::new(), ..self.clone() } }
    }

    /// Returns the setup whatever is at risk.
    pub fn unmasked(&self) -> Self {
        let (sites, direction) = (String::new(), String::new());
        Self { sites, direction, bit_mask: 0, layer_mask: 0, ..self.clone() }
    }

    /// Returns the faults of cells whatever is done about them, and what is. Of keys that are none of today all are faults.
    pub fn faults(&self) -> (String, Remedies) {
        match self.cells.parse::<CellFaults>() {
            Ok(faults) => {
                let CellFaults { verify, scrub_period, .. } = faults;
                let faults = CellFaults { verify: None, scrub_period: None, ..faults };
                (faults.to_string(), Remedies { verify, scrub_period })
            }
            Err(_) => (self.cells.clone(), Remedies::default()),
        }
    }

    /// Returns the hardware, if it is an array of today that comes with Hafnia, with its own code or another.
    pub fn hardware(&self) -> Option<Elaborated> {
        let code: Code = self.protection.parse().ok()?;
        let bare = bare_name(&self.preset, &self.protection);
        let known = presets::all().into_iter().chain(presets::examples());
        let configs = known.filter(|config| config.name == bare).flat_map(|own| [own.clone(), own.protected(code)]);
        configs.filter_map(|config| config.validate().ok()).find(|hw| hw.config.hash() == self.config_hash)
    }

    /// What may tell setups apart, in words. Among several codes the name of the preset comes without that of its own.
    fn words(&self, several_codes: bool) -> [String; WORDS] {
        let (faults, remedies) = self.faults();
        let bare = if several_codes { bare_name(&self.preset, &self.protection) } else { &self.preset };
        [
            self.model.clone(),
            bare.to_owned(),
            self.engine.clone(),
            self.draws.clone(),
            format!("protection {}", self.protection),
            self.preset.clone(),
            self.sites.replace('+', " and "),
            format!("bits 0x{:02x}, layers 0x{:x}", self.bit_mask, self.layer_mask),
            self.direction.replace("->", " to "),
            faults_in_words(&faults),
            remedies.in_words(),
            format!("{} {} to {}", self.data, self.first, u64::from(self.first) + self.images - 1),
            format!("batch {}", self.batch),
        ]
    }
}

/// Faults of cells, as in [`Setup::cells`], in words.
pub fn faults_in_words(faults: &str) -> String {
    if faults.is_empty() { "no faults of cells".to_owned() } else { faults.replace(',', ", ") }
}

/// What is done about faults of cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remedies {
    /// Write-verify.
    pub verify: Option<Verify>,
    /// Clock cycles from one scrubbed word of weights to the next.
    pub scrub_period: Option<u32>,
}

impl Remedies {
    fn in_words(self) -> String {
        let verify = match self.verify {
            None => "no write-verify".to_owned(),
            Some(Verify { max_pulses, noisy }) => {
                format!("{}write-verify up to {max_pulses} pulses", if noisy { "noisy " } else { "" })
            }
        };
        let scrub = self.scrub_period.map(|period| format!(", a word scrubbed every {period} cycles"));
        verify + &scrub.unwrap_or_default()
    }
}

/// Words that may tell setups apart.
const WORDS: usize = 13;

/// Names each setup as short as it can be told from the others: network and preset, and what else differs.
pub fn labels(setups: &[&Setup]) -> Vec<String> {
    named(setups, 2)
}

/// Names each setup by what differs alone, or by its preset.
pub fn short_labels(setups: &[&Setup]) -> Vec<String> {
    let alike = named(setups, 0).iter().any(String::is_empty);
    if alike { setups.iter().map(|setup| setup.preset.clone()).collect() } else { named(setups, 0) }
}

/// Names each setup by the first `always` of its words and by those that tell setups apart which the words before do not.
fn named(setups: &[&Setup], always: usize) -> Vec<String> {
    let several_codes = setups.iter().any(|setup| setup.protection != setups[0].protection);
    let words: Vec<_> = setups.iter().map(|setup| setup.words(several_codes)).collect();
    let mut names = vec![Vec::new(); words.len()];
    for i in 0..WORDS {
        let apart = |a: usize, b: usize| names[a] == names[b] && words[a][i] != words[b][i];
        if i < always || (0..words.len()).any(|a| (0..a).any(|b| apart(a, b))) {
            names.iter_mut().zip(&words).for_each(|(name, words)| name.push(&*words[i]));
        }
    }
    names.into_iter().map(|name| name.join(" · ")).collect()
}

/// Groups what belongs together, in order of first appearance.
pub fn grouped<T, K: PartialEq>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    for item in items {
        let key = key(&item);
        match groups.iter_mut().rev().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_what_differs() {
        let setup = |preset: &str, batch| {
            Setup::of(&Row { model: "vgg".into(), preset: preset.into(), batch, images: 4, ..Row::default() })
        };
        assert_eq!(labels(&[&setup("4x4", 4), &setup("8x8", 8)]), ["vgg · 4x4", "vgg · 8x8"]);
        assert_eq!(short_labels(&[&setup("4x4", 4), &setup("8x8", 4)]), ["4x4", "8x8"]);
        assert_eq!(short_labels(&[&setup("8x8", 4)]), ["8x8"]);
        assert_eq!(labels(&[&setup("4x4", 4), &setup("4x4", 1)]), ["vgg · 4x4 · batch 4", "vgg · 4x4 · batch 1"]);
    }

    #[test]
    fn labels_name_the_code() {
        let setup = |preset: &str, code: &str| {
            let (preset, protection) = (preset.into(), code.into());
            Setup::of(&Row { model: "vgg".into(), preset, protection, images: 4, ..Row::default() })
        };
        let (plain, tmr) = (setup("8x8", "none"), setup("8x8-tmr", "tmr"));
        assert_eq!(labels(&[&tmr]), ["vgg · 8x8-tmr"]);
        assert_eq!(labels(&[&plain, &tmr]), ["vgg · 8x8 · protection none", "vgg · 8x8 · protection tmr"]);
        assert_eq!(short_labels(&[&plain, &tmr]), ["protection none", "protection tmr"]);
        let alike = labels(&[&plain, &tmr, &setup("8x8", "tmr")]);
        assert_eq!(alike[1..], ["vgg · 8x8 · protection tmr · 8x8-tmr", "vgg · 8x8 · protection tmr · 8x8"]);
    }

    #[test]
    fn labels_tell_faults_of_cells_and_write_verify_apart() {
        let setup = |cells: &str| Setup::of(&Row { cells: cells.into(), images: 4, ..Row::default() });
        let (once, verified) =
            (setup("p10_per_write=0.01"), setup("p10_per_write=0.01,max_pulses=4,noisy_verify=true"));
        assert_eq!(short_labels(&[&once, &verified]), ["no write-verify", "noisy write-verify up to 4 pulses"]);
        assert_eq!(short_labels(&[&setup(""), &once]), ["no faults of cells", "p10_per_write=0.01"]);
        let verify = Some(Verify { max_pulses: 4, noisy: true });
        assert_eq!(verified.faults(), ("p10_per_write=0.01".to_owned(), Remedies { verify, ..Remedies::default() }));
        assert_eq!(setup("later=1").faults(), ("later=1".to_owned(), Remedies::default()));
        let scrubbed = setup("p10_per_write=0.01,scrub_period=256");
        assert_eq!(
            short_labels(&[&once, &scrubbed]),
            ["no write-verify", "no write-verify, a word scrubbed every 256 cycles"]
        );
    }

    #[test]
    fn hardware_is_that_of_a_preset_with_its_code() {
        let of = |preset: &str, code: &str, config_hash: String| {
            let (preset, protection) = (preset.into(), code.into());
            Setup::of(&Row { preset, protection, config_hash, ..Row::default() }).hardware()
        };
        let tmr = presets::find("8x8").expect("a preset").protected(Code::Tmr);
        assert_eq!(of("8x8-tmr", "tmr", tmr.hash()).map(|hw| hw.codeword_bits), Some(96));
        assert!(of("8x8-tmr", "tmr", "0".repeat(64)).is_none() && of("8x8-tmr", "later", tmr.hash()).is_none());
    }

    #[test]
    fn a_single_bit_or_layer_is_known() {
        let setup = |bit_mask, layer_mask| Setup::of(&Row { bit_mask, layer_mask, ..Row::default() });
        assert_eq!((setup(0x80, 511).bit(), setup(0x80, 511).layer()), (Some(7), None));
        assert_eq!((setup(255, 4).bit(), setup(255, 4).layer()), (None, Some(2)));
        assert!(!setup(255, 511).is_part());
    }
}
