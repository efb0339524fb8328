//! The sweep file. `docs/sweeps.md` describes it.

use std::path::{Path, PathBuf};

use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, CellFaults, Draws, FaultError, FaultSpec, Rates, Site};
use hafnia_config::protect::Code;
use serde::{Deserialize, Serialize};
use strsim::normalized_damerau_levenshtein as likeness;

use crate::SweepError;

/// The largest sweep file read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Its keys; those after the point belong to the table `stop`.
const KEYS: [&str; 21] = [
    "models",
    "presets",
    "configs",
    "protection",
    "engines",
    "ber",
    "directions",
    "sites",
    "bits",
    "layers",
    "cells",
    "seeds",
    "images",
    "data",
    "batch",
    "draws",
    "images_per_read",
    "audit",
    "rtl",
    "stop.width",
    "stop.at_least",
];

/// How alike a key must be to the one that is proposed, from 0 to 1.
const ALIKE: f64 = 0.5;

/// A sweep as its author writes it: the grid models x configurations x protections x engines x cells at
/// risk x rates x seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// int8 model files.
    pub models: Vec<PathBuf>,
    /// Names of presets; 8x8 where there is neither this nor `configs`.
    #[serde(default)]
    pub presets: Vec<String>,
    /// Configuration files of the user's own.
    #[serde(default)]
    pub configs: Vec<PathBuf>,
    /// Codes of weights and biases in the place of the configurations' own; without it each configuration keeps its own.
    #[serde(default)]
    pub protection: Option<Vec<Code>>,
    /// What computes.
    #[serde(default = "default_engines")]
    pub engines: Vec<Engine>,
    /// Bit-error rates of each cell read.
    pub ber: Vec<f64>,
    /// Directions in which cells are read wrong at these rates.
    #[serde(default = "default_directions")]
    pub directions: Vec<Direction>,
    /// Memories at risk, a list of lists; without it weights and biases.
    #[serde(default)]
    pub sites: Option<Vec<Vec<Site>>>,
    /// Bits of each byte that are at risk, masks or each bit alone; without it all of them.
    #[serde(default)]
    pub bits: Option<Choice<u8>>,
    /// Layers that are at risk, lists or each layer alone; without it all of them.
    #[serde(default)]
    pub layers: Option<Choice<Vec<u32>>>,
    /// Faults of the cells at risk, a list of tables; without it none.
    #[serde(default = "default_cells")]
    pub cells: Vec<CellFaults>,
    /// Run seeds. Rate 0 without faults of cells takes the first one alone.
    pub seeds: Vec<u64>,
    /// Number of the first test image, and how many.
    pub images: [u32; 2],
    /// Data set: a folder, or `digits`; without it where every command looks.
    #[serde(default)]
    pub data: Option<PathBuf>,
    /// Images that the hardware holds at once; without it as many as fit.
    #[serde(default)]
    pub batch: Option<u32>,
    /// How the flips are drawn.
    #[serde(default)]
    pub draws: Draws,
    /// With statistical draws, images that share a read of the parameters; without it 1.
    #[serde(default)]
    pub images_per_read: Option<u32>,
    /// Share, from 0 to 1, of all (point, image) pairs that is run again on the simulated hardware and must be equal.
    #[serde(default)]
    pub audit: f64,
    /// Verilog to simulate instead of the generated: a changed copy of it, of the one configuration.
    #[serde(default)]
    pub rtl: Option<PathBuf>,
    /// When a point needs no more seeds.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// The file itself.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its text.
    #[serde(skip)]
    pub text: String,
}

/// Values of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"each\" or a list: masks from 1 to 255 such as bits = [0xff, 0x80], lists such as layers = [[0], [1, 2]]"
)]
pub enum Choice<T> {
    /// Each one alone.
    Word(Each),
    /// These.
    List(Vec<T>),
}

/// The word for each one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// `each`.
    Each,
}

impl<T> Choice<T> {
    /// Returns the values, `each` being what the word stands for.
    pub fn values(&self, each: impl Iterator<Item = T>) -> Vec<T>
    where
        T: Clone,
    {
        match self {
            Self::Word(Each::Each) => each.collect(),
            Self::List(list) => list.clone(),
        }
    }

    fn list(&self) -> &[T] {
        if let Self::List(list) = self { list } else { &[] }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::List(list) if list.is_empty())
    }
}

/// What computes the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// The golden model.
    Golden,
    /// The simulated hardware.
    Sim,
    /// A board.
    Fpga,
}

impl Engine {
    /// Returns its name, as in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Golden => "golden",
            Self::Sim => "sim",
            Self::Fpga => "fpga",
        }
    }
}

/// Which cells are read wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Those that hold 0 and those that hold 1, at the same rate.
    #[serde(rename = "both")]
    Both,
    /// Those that hold 0.
    #[serde(rename = "0->1")]
    Up,
    /// Those that hold 1.
    #[serde(rename = "1->0")]
    Down,
}

impl Direction {
    /// Returns the rates of both directions, given the rate of this one.
    pub fn rates(self, ber: f64) -> Rates {
        match self {
            Self::Both => ber.into(),
            Self::Up => Rates { p01: ber, p10: 0.0 },
            Self::Down => Rates { p01: 0.0, p10: ber },
        }
    }

    /// Returns its name, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Up => "0->1",
            Self::Down => "1->0",
        }
    }
}

/// Early stopping: no more seeds once the 95% interval of the mean top-1 over seeds is narrow enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Whole width of the interval, from 0 to 1.
    pub width: f64,
    /// Seeds that are run in any case, 2 or more.
    #[serde(default = "default_at_least")]
    pub at_least: usize,
}

fn default_directions() -> Vec<Direction> {
    vec![Direction::Both]
}

fn default_cells() -> Vec<CellFaults> {
    vec![CellFaults::default()]
}

fn default_engines() -> Vec<Engine> {
    vec![Engine::Golden]
}

const fn default_at_least() -> usize {
    3
}

impl Spec {
    /// Reads a sweep file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// What is wrong with it, by key.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        let text = hafnia_files::read_text(path, LARGEST).map_err(SweepError::io("read", path))?;
        let mut spec = Self::parse(&text).map_err(|reason| SweepError::Spec { path: path.to_owned(), reason })?;
        (spec.path, spec.text) = (path.to_owned(), text);
        let folder = path.parent().unwrap_or(Path::new(""));
        spec.models.iter_mut().for_each(|model| *model = folder.join(&*model));
        spec.configs.iter_mut().for_each(|config| *config = folder.join(&*config));
        spec.rtl = spec.rtl.map(|rtl| folder.join(rtl));
        spec.data = spec.data.map(|data| if data == Path::new("digits") { data } else { folder.join(data) });
        Ok(spec)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())?;
        unknown_key(&table)?;
        let any = table.contains_key("presets") || table.contains_key("configs");
        let mut spec: Self = table.try_into().map_err(|e: toml::de::Error| e.to_string().trim_end().to_owned())?;
        if !any {
            spec.presets.push("8x8".into());
        }
        for (key, empty) in [
            ("models", spec.models.is_empty()),
            ("presets", spec.presets.is_empty() && spec.configs.is_empty()),
            ("protection", spec.protection.as_ref().is_some_and(Vec::is_empty)),
            ("engines", spec.engines.is_empty()),
            ("cells", spec.cells.is_empty()),
            ("ber", spec.ber.is_empty()),
            ("directions", spec.directions.is_empty()),
            ("sites", spec.sites.as_ref().is_some_and(|lists| lists.iter().any(Vec::is_empty) || lists.is_empty())),
            ("bits", spec.bits.as_ref().is_some_and(Choice::is_empty)),
            ("layers", spec.layers.as_ref().is_some_and(Choice::is_empty)),
            ("seeds", spec.seeds.is_empty()),
            ("images", spec.images[1] == 0),
        ] {
            if empty {
                return Err(format!("`{key}` is empty, so the sweep has no point; name at least one"));
            }
        }
        if spec.seeds.contains(&0) {
            return Err("`seeds` has 0, which is what an unset seed looks like; write seeds from 1 up".to_owned());
        }
        if let Some((key, value)) = spec.repeated() {
            return Err(format!("`{key}` has {value} twice; name each once"));
        }
        if !(0.0..=1.0).contains(&spec.audit) {
            return Err(format!("`audit` is {}, expected a share from 0 to 1, such as 0.002", spec.audit));
        }
        let statistical = spec.draws == Draws::Statistical;
        let exact = spec.engines.iter().any(|engine| *engine != Engine::Golden);
        if statistical && (spec.audit > 0.0 || exact || spec.batch.is_some()) {
            let reason = "`draws` is statistical, which no hardware follows: leave out `audit`, `batch` and the engines \
                          `sim` and `fpga`";
            return Err(reason.to_owned());
        }
        if spec.engines.contains(&Engine::Fpga) {
            if let Some(names) = spec.several() {
                return Err(format!("`engines` has \"fpga\", and a board holds one configuration, not {names}"));
            }
            if spec.audit > 0.0 {
                let reason = "`audit` compares with the simulated hardware, cycle by cycle, which a board that waits for its \
                              line does not keep: leave it out with \"fpga\", and compare with `hafnia verify --port`";
                return Err(reason.to_owned());
            }
        }
        if !statistical && spec.images_per_read.is_some() {
            return Err("`images_per_read` is for `draws = \"statistical\"`; with exact draws write `batch`".to_owned());
        }
        if spec.images_per_read.is_some_and(|images| !(1..=65536).contains(&images)) {
            return Err("`images_per_read` is out of range, expected 1 to 65536".to_owned());
        }
        if let (Some(_), Some(names)) = (&spec.rtl, spec.several()) {
            return Err(format!("`rtl` is the Verilog of one configuration, and the sweep names {names}"));
        }
        match spec.stop {
            Some(stop) if !(stop.width > 0.0 && stop.width < 1.0) => {
                Err(format!("`stop.width` is {}, expected above 0 and below 1, such as 0.01", stop.width))
            }
            Some(stop) if stop.at_least > spec.seeds.len() => Err(format!(
                "`stop.at_least` is {}, and `seeds` has {}, so that the sweep could never stop early; add seeds, or ask for fewer",
                stop.at_least,
                spec.seeds.len()
            )),
            Some(stop) if stop.at_least < 2 => {
                Err(format!("`stop.at_least` is {}, expected 2 or more: one seed has no interval", stop.at_least))
            }
            _ => Ok(spec),
        }
    }

    /// The names of the configurations and codes, where they make more than one accelerator.
    fn several(&self) -> Option<String> {
        let names = self.presets.iter().cloned().chain(self.configs.iter().map(|path| path.display().to_string()));
        let codes = self.protection.iter().flatten().map(|code| format!("`protection` {code}"));
        let several = self.presets.len() + self.configs.len() > 1 || self.codes().len() > 1;
        several.then(|| names.chain(codes).collect::<Vec<_>>().join(", "))
    }

    /// Says what is wrong with a key of the file.
    pub(crate) fn wrong(&self, key: &str, why: &dyn std::fmt::Display) -> SweepError {
        SweepError::Spec { path: self.path.clone(), reason: format!("`{key}`: {why}") }
    }

    /// The codes that each configuration takes in the place of its own; the one `None` where it keeps its own.
    pub(crate) fn codes(&self) -> Vec<Option<Code>> {
        self.protection.as_ref().map_or_else(|| vec![None], |codes| codes.iter().copied().map(Some).collect())
    }

    /// The cells at risk of a network of `layers` layers on `hw`, in order.
    pub(crate) fn at_risk(&self, hw: &Elaborated, layers: usize) -> Result<Vec<AtRisk>, FaultError> {
        let all = || vec![None];
        let sites = self.sites.as_ref().map_or_else(all, |lists| lists.iter().cloned().map(Some).collect());
        let bits = self.bits.as_ref().map_or_else(
            || vec![None],
            |bits| bits.values((0..8).rev().map(|bit| 1 << bit)).into_iter().map(Some).collect(),
        );
        let lists = self.layers.as_ref().map(|lists| lists.values((0..layers as u32).map(|layer| vec![layer])));
        let lists = lists.map_or_else(|| vec![None], |lists| lists.into_iter().map(Some).collect());
        let mut risks = Vec::new();
        for sites in &sites {
            for list in &lists {
                for &bits in &bits {
                    let (sites, layers_at_risk) = (sites.clone(), list.clone());
                    let spec = FaultSpec { sites, bits, layers: layers_at_risk, ..FaultSpec::default() };
                    risks.push(spec.at_risk(hw, layers)?);
                }
            }
        }
        Ok(risks)
    }

    /// The first value that stands twice in a list.
    fn repeated(&self) -> Option<(&'static str, String)> {
        [
            ("models", twice(&self.models)),
            ("presets", twice(&self.presets)),
            ("configs", twice(&self.configs)),
            ("protection", twice(&self.protection.iter().flatten().map(ToString::to_string).collect::<Vec<_>>())),
            ("engines", twice(&self.engines.iter().map(|engine| engine.name()).collect::<Vec<_>>())),
            ("ber", twice(&self.ber)),
            ("directions", twice(&self.directions.iter().map(|direction| direction.name()).collect::<Vec<_>>())),
            ("sites", self.sites.as_ref().and_then(|lists| twice(lists))),
            ("bits", self.bits.as_ref().and_then(|bits| twice(bits.list()))),
            ("layers", self.layers.as_ref().and_then(|layers| twice(layers.list()))),
            ("cells", twice(&self.cells.iter().map(ToString::to_string).collect::<Vec<_>>())),
            ("seeds", twice(&self.seeds)),
        ]
        .into_iter()
        .find_map(|(key, value)| Some((key, value?)))
    }
}

/// Returns the first value that stands twice in a list, as text.
pub fn twice<T: PartialEq + std::fmt::Debug>(list: &[T]) -> Option<String> {
    list.iter().enumerate().find(|(i, value)| list[..*i].contains(value)).map(|(_, value)| format!("{value:?}"))
}

/// Names the first key that means nothing, and the nearest that does.
fn unknown_key(table: &toml::Table) -> Result<(), String> {
    let inner = table.get("stop").and_then(|stop| stop.as_table()).into_iter().flatten();
    let outer = table.keys().filter(|key| *key != "stop").cloned();
    for key in outer.chain(inner.map(|(key, _)| format!("stop.{key}"))) {
        if !KEYS.contains(&key.as_str()) {
            let nearest = KEYS.into_iter().max_by(|a, b| likeness(a, &key).total_cmp(&likeness(b, &key)));
            let nearest = nearest.filter(|nearest| likeness(nearest, &key) >= ALIKE);
            let nearest = nearest.map_or_else(String::new, |nearest| format!("did you mean `{nearest}`? "));
            return Err(format!("unknown key `{key}`; {nearest}There are {}", KEYS.join(", ")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "models = [\"m\"]\nber = [0, 1e-3]\nseeds = [1, 2]\nimages = [0, 8]\n";

    #[test]
    fn a_short_file_has_the_documented_defaults() {
        let spec = Spec::parse(GOOD).unwrap();
        assert_eq!((spec.presets, spec.engines, spec.stop), (vec!["8x8".to_owned()], vec![Engine::Golden], None));
        let spec = Spec::parse(&format!("{GOOD}configs = [\"a.toml\"]")).unwrap();
        assert_eq!((spec.presets.len(), spec.configs), (0, vec![PathBuf::from("a.toml")]));
    }

    #[test]
    fn wrong_files_are_told_by_key() {
        for (text, phrases) in [
            (format!("{GOOD}preset = [\"8x8\"]"), ["`preset`", "did you mean `presets`"]),
            (format!("{GOOD}[stop]\nwith = 0.1"), ["`stop.with`", "`stop.width`"]),
            (GOOD.replace("[1, 2]", "[]"), ["`seeds` is empty", "at least one"]),
            (GOOD.replace("[0, 8]", "[0, 0]"), ["`images` is empty", "no point"]),
            (GOOD.replace("[1, 2]", "[1, 1]"), ["`seeds` has 1 twice", "once"]),
            (GOOD.replace("1e-3", "\"x\""), ["ber", "expected f64"]),
            (format!("{GOOD}engines = [\"cpu\"]"), ["cpu", "golden"]),
            (format!("{GOOD}engines = [\"fpga\"]\npresets = [\"4x4\", \"8x8\"]"), ["one configuration", "4x4, 8x8"]),
            (format!("{GOOD}engines = [\"fpga\"]\naudit = 0.1"), ["`audit`", "hafnia verify --port"]),
            (format!("{GOOD}engines = [\"fpga\"]\ndraws = \"statistical\""), ["`draws`", "`fpga`"]),
            (format!("{GOOD}engine = \"sim\""), ["`engine`", "did you mean `engines`"]),
            (format!("{GOOD}engines = [\"sim\", \"sim\"]"), ["`engines` has \"sim\" twice", "once"]),
            (format!("{GOOD}presets = []"), ["`presets` is empty", "at least one"]),
            (format!("{GOOD}protection = []"), ["`protection` is empty", "at least one"]),
            (
                format!("{GOOD}protection = [\"secded\"]"),
                ["in `protection", "no code `secded`; there are none, parity"],
            ),
            (format!("{GOOD}protection = [\"tmr\", \"tmr\"]"), ["`protection` has \"tmr\" twice", "once"]),
            (format!("{GOOD}protection = \"tmr\""), ["protection", "expected a sequence"]),
            (format!("{GOOD}rtl = \"a.v\"\nprotection = [\"none\", \"tmr\"]"), ["`rtl`", "8x8, `protection` none,"]),
            (format!("{GOOD}cells = []"), ["`cells` is empty", "at least one"]),
            (format!("{GOOD}cells = [{{}}, {{ device_seed = 3 }}]"), ["`cells` has", "twice"]),
            (format!("{GOOD}cells = [{{ stuck_at_1_fraction = 2 }}]"), ["`stuck_at_1_fraction`", "[0, 1]"]),
            (format!("{GOOD}rtl = \"a.v\"\npresets = [\"4x4\", \"8x8\"]"), ["`rtl`", "4x4, 8x8"]),
            (format!("{GOOD}bits = \"all\""), ["bits", "\"each\" or a list"]),
            (format!("{GOOD}layers = []"), ["`layers` is empty", "at least one"]),
            (format!("{GOOD}sites = [[]]"), ["`sites` is empty", "at least one"]),
            (format!("{GOOD}sites = [[\"scales\"]]"), ["scales", "activations"]),
            (format!("{GOOD}directions = [\"up\"]"), ["up", "0->1"]),
            (GOOD.replace("[1, 2]", "[0, 2]"), ["`seeds` has 0", "from 1 up"]),
            (format!("{GOOD}draws = \"statistical\"\naudit = 0.1"), ["`draws`", "`audit`"]),
            (format!("{GOOD}images_per_read = 4"), ["`images_per_read`", "`batch`"]),
            (format!("{GOOD}draws = \"statistical\"\nimages_per_read = 0"), ["`images_per_read`", "1 to 65536"]),
            (format!("{GOOD}audit = 2"), ["`audit` is 2", "such as 0.002"]),
            (format!("{GOOD}[stop]\nwidth = 0.0"), ["`stop.width` is 0", "such as 0.01"]),
            (format!("{GOOD}ecc = 1"), ["`ecc`; There are models", "stop.at_least"]),
            (format!("{GOOD}bits = [256]"), ["masks from 1 to 255", "bits"]),
            (format!("{GOOD}[stop]\nwidth = 0.1\nat_least = 5"), ["`stop.at_least` is 5", "`seeds` has 2"]),
            (format!("{GOOD}[stop]\nwidth = 0.1\nat_least = 1"), ["`stop.at_least` is 1", "2 or more"]),
            (GOOD.replace("models = [\"m\"]\n", ""), ["models", "missing"]),
        ] {
            let error = Spec::parse(&text).unwrap_err();
            assert!(phrases.iter().all(|phrase| error.contains(phrase)), "{error}");
        }
    }
}
