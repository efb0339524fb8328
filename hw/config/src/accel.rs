//! What a user writes ([`AccelConfig`]), its check, and every size derived from it ([`Elaborated`]).

use serde::{Deserialize, Serialize};

use crate::digest::sha256;
use crate::fault::{self, AtRisk, CellFaults, Draws, Kind, Kinds, Noise, RateError, Rates, Site, node_sizes};
use crate::protect::{Code, Codeword, LARGEST_CODEWORD, OnDetected};
use crate::shape::LayerKind;

/// Largest number of descriptors: PROGRAM_COUNT and FINISHED have 8 bits.
const MAX_DESCRIPTORS: u32 = 255;

/// The accelerator's configuration. Read from TOML or named in [`crate::presets`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccelConfig {
    /// Name, used for files and modules: a letter or digit, then letters, digits, `-`, `_`.
    pub name: String,
    /// Clock to aim for on an FPGA, in MHz; simulation ignores it.
    pub clock_mhz: u32,
    /// The array of PEs.
    pub array: ArrayConfig,
    /// Depths of the on-chip memories.
    pub memory: MemoryConfig,
    /// Protection of the weight memory.
    #[serde(default)]
    pub protection: ProtectionConfig,
    /// The faults that the memories' ports can inject.
    #[serde(default)]
    pub injector: InjectorConfig,
}

/// Shape of the weight-stationary array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayConfig {
    /// Input channels held at once, 2 to 16.
    pub rows: u32,
    /// Output channels held at once, 2 to 16.
    pub cols: u32,
    /// Rows whose products are made of logic, for devices with fewer multipliers than PEs; 0 to `rows`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub soft_rows: u32,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Depths of the memories, in words of the width given with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// Weight memory, words of `cols` weights.
    pub weight_words: u32,
    /// Each of the two feature-map memories, words of `rows` bytes (one pixel of `rows` channels).
    pub map_words: u32,
    /// Accumulators of each column, i32.
    pub accumulator_words: u32,
    /// Biases and scales, words of one output fold (`cols` channels).
    pub parameter_words: u32,
    /// Descriptors of the layer program.
    pub program_descriptors: u32,
}

/// Protection of the memories of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ProtectionFile")]
pub struct ProtectionConfig {
    /// The code of the weights.
    pub code: Code,
    /// Weights in one codeword: 1, 2, 4 or 8.
    pub weights_per_codeword: u32,
    /// The code of the biases, if it is not [`Code::for_biases`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biases: Option<Code>,
    /// What is read of a codeword whose errors are detected and not corrected.
    #[serde(skip_serializing_if = "OnDetected::is_default")]
    pub on_detected: OnDetected,
    /// Whether weights and biases are programmed by engines that read back what they wrote.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub write_verify: bool,
    /// Whether a scrubber walks the weights and has what the code corrects written back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scrub: bool,
}

/// [`ProtectionConfig`] as written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtectionFile {
    #[serde(default)]
    code: Code,
    weights_per_codeword: Option<u32>,
    biases: Option<Code>,
    #[serde(default)]
    on_detected: OnDetected,
    #[serde(default)]
    write_verify: bool,
    #[serde(default)]
    scrub: bool,
}

impl From<ProtectionFile> for ProtectionConfig {
    fn from(file: ProtectionFile) -> Self {
        let ProtectionFile { code, weights_per_codeword, biases, on_detected, write_verify, scrub } = file;
        let weights_per_codeword = weights_per_codeword.unwrap_or_else(|| most_weights(code));
        let biases = biases.filter(|&biases| biases != code.for_biases());
        Self { code, weights_per_codeword, biases, on_detected, write_verify, scrub }
    }
}

impl Default for ProtectionConfig {
    fn default() -> Self {
        ProtectionFile::default().into()
    }
}

/// The numbers of weights that a codeword of a code can hold, the largest first.
fn weights_that_fit(code: Code) -> impl Iterator<Item = u32> {
    [8, 4, 2, 1].into_iter().filter(move |&weights| Codeword::new(code, weights, 8, OnDetected::Pass).is_some())
}

/// The largest of them.
fn most_weights(code: Code) -> u32 {
    weights_that_fit(code).next().expect("every code has a codeword of one weight or more")
}

impl ProtectionConfig {
    /// Returns a code of weights, and its like for biases, in words of `cols` weights.
    pub fn of(code: Code, cols: u32) -> Self {
        let weights = weights_that_fit(code).find(|&weights| cols.is_multiple_of(weights));
        Self { code, weights_per_codeword: weights.unwrap_or_else(|| most_weights(code)), ..Self::default() }
    }

    /// Returns the code of the biases.
    pub fn bias_code(&self) -> Code {
        self.biases.unwrap_or(self.code.for_biases())
    }

    /// Returns the codewords of each site, in the order of [`Site::ALL`], in words of `cols` weights.
    fn codewords(&self, cols: u32) -> Result<[Codeword; 3], ConfigError> {
        let Self { code, weights_per_codeword: weights, on_detected, .. } = *self;
        if ![1, 2, 4, 8].contains(&weights) {
            let field = "protection.weights_per_codeword";
            return Err(ConfigError::Choice { field, value: weights, allowed: "1, 2, 4, 8" });
        }
        if code != Code::None && !cols.is_multiple_of(weights) {
            let fits = Code::all().filter(|&code| {
                let weights = Self::of(code, cols).weights_per_codeword;
                code != Code::None && cols.is_multiple_of(weights)
            });
            return Err(ConfigError::Code {
                field: "code",
                code,
                reason: format!(
                    "its codewords of {weights} weights do not divide a weight word of {cols} (array.cols); of the codes {} do",
                    fits.map(|code| code.to_string()).collect::<Vec<_>>().join(", ")
                ),
            });
        }
        let of_weights = Codeword::new(code, weights, 8, on_detected).ok_or_else(|| {
            let mut able: Vec<String> = weights_that_fit(code).map(|weights| weights.to_string()).collect();
            able.reverse();
            let able = able.join(", ");
            ConfigError::Code {
                field: "code",
                code,
                reason: format!(
                    "it does not fit {weights} weights into a codeword of up to {LARGEST_CODEWORD} cells; `weights_per_codeword` can be {able}"
                ),
            }
        })?;
        let of_biases = Codeword::new(self.bias_code(), 1, 32, on_detected).ok_or_else(|| ConfigError::Code {
            field: "biases",
            code: self.bias_code(),
            reason: "a bias has 32 bits; its codes are none, parity, secded-39-32, tmr, msb-tmr-K".to_owned(),
        })?;
        Ok([of_weights, of_biases, Codeword::plain(MAP_LANE_BYTES)])
    }

    /// Checks that a scrubber has what it needs.
    fn check_scrub(&self) -> Result<(), ConfigError> {
        let Self { code, write_verify, scrub, .. } = *self;
        let missing = match (code.corrects(), write_verify) {
            (false, _) => format!(
                "`protection.code` = \"{code}\" corrects nothing that could be written back; \
                 take secded-13-8, -22-16, -39-32 or -72-64, tmr or msb-tmr-K"
            ),
            (true, false) => {
                "what it corrects is written by the programming engine; set `protection.write_verify = true`".to_owned()
            }
            (true, true) => return Ok(()),
        };
        if scrub { Err(ConfigError::Scrub(missing)) } else { Ok(()) }
    }
}

/// The kinds of fault of each site that are in the Verilog; the others are left out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectorConfig {
    /// Kinds at the weight memory.
    #[serde(default)]
    pub weights: Kinds,
    /// Kinds at the bias memory.
    #[serde(default)]
    pub biases: Kinds,
    /// Kinds at the feature-map memories.
    #[serde(default)]
    pub activations: Kinds,
}

impl InjectorConfig {
    /// Returns the kinds of a site.
    pub const fn at(&self, site: Site) -> Kinds {
        match site {
            Site::Weights => self.weights,
            Site::Biases => self.biases,
            Site::Activations => self.activations,
        }
    }

    /// Returns the sites whose reads are noisy.
    pub fn read_sites(&self) -> impl Iterator<Item = Site> {
        self.sites_with(|kinds| kinds.has(Kind::Read))
    }

    /// Returns the sites whose reads may be wrong.
    pub fn flip_sites(&self) -> impl Iterator<Item = Site> {
        self.sites_with(Kinds::at_reads)
    }

    /// Returns the sites that have any kind of fault.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.sites_with(|kinds| !kinds.is_empty())
    }

    fn sites_with(&self, is: impl Fn(Kinds) -> bool) -> impl Iterator<Item = Site> {
        Site::ALL.into_iter().filter(move |&site| is(self.at(site)))
    }

    /// Whether cells of any site may be stuck or have a trap.
    pub fn of_cells(&self) -> bool {
        self.sites_with(Kinds::of_cells).next().is_some()
    }

    /// Whether any site has faults of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        Site::ALL.into_iter().any(|site| self.at(site).has(kind))
    }
}

/// The sites that can be faulty, and the kinds of fault where there are others than read noise.
impl std::fmt::Display for InjectorConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sites().map(Site::name).collect::<Vec<_>>().join("+"))?;
        let kinds = Kind::ALL.into_iter().filter(|&kind| self.has(kind));
        match kinds.map(|kind| kind.to_string()).collect::<Vec<_>>().join("+") {
            kinds if kinds.is_empty() || kinds == Kind::Read.to_string() => Ok(()),
            kinds => write!(f, ": {kinds}"),
        }
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number is outside its range.
    #[error("`{field}` is {value}, must be {low} to {high}")]
    Range {
        /// Field, as written in TOML.
        field: &'static str,
        /// Value found.
        value: u32,
        /// Lowest value allowed.
        low: u32,
        /// Highest value allowed.
        high: u32,
    },
    /// A number is not one of a short list.
    #[error("`{field}` is {value}, must be one of {allowed}")]
    Choice {
        /// Field, as written in TOML.
        field: &'static str,
        /// Value found.
        value: u32,
        /// The list.
        allowed: &'static str,
    },
    /// The name cannot be a file and module name.
    #[error("`name` is {0:?}, must be 1 to 40 letters, digits, `-` or `_`, the first a letter or digit")]
    Name(String),
    /// The text is not a configuration.
    #[error("not a configuration: {0}")]
    Toml(String),
    /// A code that does not fit.
    #[error("`protection.{field}` is {code}: {reason}")]
    Code {
        /// Field, as written in TOML.
        field: &'static str,
        /// The code.
        code: Code,
        /// Why, and what would fit.
        reason: String,
    },
    /// A scrubber without what it needs.
    #[error("`protection.scrub` is true, but {0}; or leave `scrub` out")]
    Scrub(String),
    /// No preset has this name.
    #[error("no preset `{name}`; there are: {known}")]
    UnknownPreset {
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: String,
    },
}

impl AccelConfig {
    /// The largest configuration file to read, in bytes.
    pub const LARGEST_FILE: u64 = 1 << 20;

    /// Reads a configuration from TOML text. Unknown keys are errors.
    ///
    /// # Errors
    /// [`ConfigError::Toml`] with line and key.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|e| ConfigError::Toml(e.to_string().trim_end().to_owned()))
    }

    /// Writes the configuration as TOML; [`AccelConfig::from_toml`] reads it back equal.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is plain data")
    }

    /// Checks every field and derives all sizes.
    ///
    /// # Errors
    /// The first field out of range.
    pub fn validate(&self) -> Result<Elaborated, ConfigError> {
        let first_ok = self.name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        let rest_ok = self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !first_ok || !rest_ok || self.name.len() > 40 {
            return Err(ConfigError::Name(self.name.clone()));
        }
        let memory = &self.memory;
        for (field, value, low, high) in [
            ("clock_mhz", self.clock_mhz, 1, 1000),
            ("array.rows", self.array.rows, 2, 16),
            ("array.cols", self.array.cols, 2, 16),
            ("array.soft_rows", self.array.soft_rows, 0, self.array.rows),
            ("memory.weight_words", memory.weight_words, 64, 1 << 17),
            ("memory.map_words", memory.map_words, 64, 1 << 17),
            ("memory.accumulator_words", memory.accumulator_words, 16, 1 << 14),
            ("memory.parameter_words", memory.parameter_words, 16, 1 << 14),
            ("memory.program_descriptors", memory.program_descriptors, 4, MAX_DESCRIPTORS),
        ] {
            if !(low..=high).contains(&value) {
                return Err(ConfigError::Range { field, value, low, high });
            }
        }
        let codewords = self.protection.codewords(self.array.cols)?;
        self.protection.check_scrub()?;
        Ok(Elaborated::new(self.clone(), codewords))
    }

    /// Returns the SHA-256 of the configuration's canonical JSON, as hexadecimal. The name counts too.
    pub fn hash(&self) -> String {
        let json = serde_json::to_string(self).expect("a configuration is plain data");
        sha256(json.as_bytes())
    }

    /// Returns the first 32 bits of the hash, as the register CONFIG_HASH has them.
    pub fn hash_word(&self) -> u32 {
        u32::from_str_radix(&self.hash()[..8], 16).expect("hexadecimal digits")
    }
}

/// A checked configuration with every derived width, depth and latency. Nothing is derived twice elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elaborated {
    /// The configuration it was derived from.
    pub config: AccelConfig,
    /// Input channels held at once.
    pub rows: u32,
    /// Output channels held at once.
    pub cols: u32,
    /// Lanes of the weight memory; a lane holds one codeword per word.
    pub lanes: u32,
    /// Weights in one codeword.
    pub lane_weights: u32,
    /// Cells (stored bits) of one codeword of weights, check bits included.
    pub codeword_bits: u32,
    /// Codewords of each site, in the order of [`Site::ALL`].
    pub codewords: [Codeword; 3],
    /// Address width of the weight memory.
    pub weight_address_bits: u32,
    /// Address width of a feature-map memory.
    pub map_address_bits: u32,
    /// Address width of a column's accumulator memory.
    pub accumulator_address_bits: u32,
    /// Address width of the bias and scale memories.
    pub parameter_address_bits: u32,
    /// 32-bit host words in one weight word, rounded up to a power of two for addressing.
    pub weight_stride: u32,
    /// 32-bit host words that carry one weight word, `ceil(cols / 4)`.
    pub weight_pieces: u32,
    /// 32-bit host words in one feature-map word, rounded up to a power of two for addressing.
    pub map_stride: u32,
    /// 32-bit host words that carry one feature-map word, `ceil(rows / 4)`.
    pub map_pieces: u32,
    /// Columns rounded up to a power of two, the host's stride in parameter and accumulator memory.
    pub column_stride: u32,
    /// Cycles from a weight-word read to the word at the array's top: memory, injector, codec.
    pub weight_latency: u32,
    /// Cycles that the injector adds to a read, the same at every site.
    pub injector_latency: u32,
    /// Those of them that stuck cells and traps take.
    pub cell_latency: u32,
    /// Codewords of each site, in the order of [`Site::ALL`].
    pub ports: [Port; 3],
    /// Sizes of the nodes of all trees in the hardware, largest first.
    pub node_sizes: Vec<u32>,
    /// Cycles that the decoder adds to a read of weights.
    pub codec_latency: u32,
    /// Cycles that the decoder adds to a read of a bias.
    pub bias_codec_latency: u32,
    /// Address width of the bias memory: output fold, then column.
    pub bias_address_bits: u32,
    /// Cycles for which the injector's generators are seeded before a layer starts.
    pub seed_cycles: u32,
    /// First 32 bits of the configuration's hash, as read from the register CONFIG_HASH.
    pub config_hash: u32,
}

/// The codewords that one read of a memory gives, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Codewords.
    pub lanes: u32,
    /// Bytes of data in each.
    pub lane_bytes: u32,
    /// Cells of each, check bits included.
    pub cells: u32,
}

impl Port {
    /// Returns the number by which records of flips name a cell of a lane: the data first, as in the word, then the check cells.
    pub const fn bit(&self, lane: u32, cell: u32) -> u32 {
        let data = 8 * self.lane_bytes;
        if cell < data { lane * data + cell } else { self.lanes * data + lane * (self.cells - data) + cell - data }
    }

    /// Returns the words that seed its generators: a register each.
    const fn seed_words(&self) -> u32 {
        3 * self.cells * self.lanes
    }
}

/// Generators of a lane that share a copy of the enable of their seed.
pub const SEED_GROUP: u32 = 4;

/// Returns the copies of the enable that lets the generators of a lane of `cells` cells take their seed.
pub const fn seed_enables(cells: u32) -> u32 {
    cells.div_ceil(SEED_GROUP)
}

/// Cycles for which the reset must be held: until nothing that was under way at a read port can be taken for a word or a flip.
pub const RESET_CYCLES: u32 = CODE_MEMORY_LATENCY + fault::CELL_LATENCY + fault::INJECTOR_LATENCY + 3;
/// Cycles from a request on the bus to its answer.
pub const BUS_LATENCY: u32 = 7;
/// Cycles from address to data of a block RAM with its output register.
pub const MEMORY_LATENCY: u32 = 2;
/// Cycles from address to data of a feature-map memory: the address goes to all of its blocks from a register.
pub const MAP_MEMORY_LATENCY: u32 = MEMORY_LATENCY + 1;
/// Cycles from address to data of the memories of weights and biases, which are spread over many blocks: the address goes to all
/// of them from a register, and what each holds waits in two until it is chosen: its own, and one that need not be beside it.
pub const CODE_MEMORY_LATENCY: u32 = 5;
/// Cycles from the issue of a pixel's accumulator read to the end of its write, see [`Elaborated::min_pass_cycles`].
pub const ACCUMULATE_LATENCY: u32 = 4;

/// Bytes of a feature-map word that are drawn for together.
const MAP_LANE_BYTES: u32 = 8;

const fn address_bits(depth: u32) -> u32 {
    32 - (depth - 1).leading_zeros()
}

impl Elaborated {
    /// Returns how many multipliers (MULT18X18D) the array takes at least: one for each PE whose product is not made of logic, and two for
    /// the requantisation of each column. The counters may take one more.
    pub const fn multipliers(&self) -> u64 {
        (self.cols * (self.rows - self.config.array.soft_rows + 2)) as u64
    }

    /// Returns read noise of these rates in the cells at risk.
    ///
    /// # Errors
    /// [`RateError`] as [`Noise::new`], and where there is noise to inject at a site whose injector was left out.
    pub fn noise(&self, rates: impl Into<Rates>, at_risk: AtRisk) -> Result<Noise, RateError> {
        let noise = Noise::new(rates.into(), at_risk, self.ports.map(|port| port.cells))?;
        self.check(&noise).map(|()| noise)
    }

    /// Checks that the hardware has what `noise` asks for.
    ///
    /// # Errors
    /// [`RateError::NoInjector`] with the first kind and site that was left out.
    pub fn check(&self, noise: &Noise) -> Result<(), RateError> {
        for kind in noise.kinds() {
            if let Some(site) = noise.at_risk.sites().find(|&site| !self.config.injector.at(site).has(kind)) {
                return Err(RateError::NoInjector { config: self.config.name.clone(), kind, site });
            }
        }
        if noise.cells.verify.is_some() && !self.config.protection.write_verify {
            return Err(RateError::NoWriteVerify { config: self.config.name.clone() });
        }
        if noise.cells.scrub_period.is_some() {
            let refused = |reason| Err(RateError::NoScrub { config: self.config.name.clone(), reason });
            if !self.config.protection.scrub {
                return refused("has no scrubber; set `protection.scrub = true` with a code that corrects");
            }
            if noise.at_risk.layers != u32::MAX {
                return refused("scrubs all layers alike; leave `layers` out");
            }
            if noise.draws != Draws::Exact {
                return refused("scrubs by the clock, which statistical draws do not follow; take exact draws");
            }
        }
        Ok(())
    }

    /// Returns `noise` with these faults of cells.
    ///
    /// # Errors
    /// As [`Elaborated::check`].
    pub fn with_cells(&self, noise: Noise, cells: CellFaults) -> Result<Noise, RateError> {
        let noise = Noise { cells, ..noise };
        self.check(&noise).map(|()| noise)
    }

    /// Returns the codewords of a site.
    pub const fn port(&self, site: Site) -> Port {
        self.ports[site as usize]
    }

    /// Returns what is at risk where nothing else is said: weights and biases, or the one of them where the hardware can
    /// inject.
    pub fn at_risk_by_default(&self) -> AtRisk {
        let mut at_risk = AtRisk::PARAMETERS;
        let injects = |site| !self.config.injector.at(site).is_empty();
        if injects(Site::Weights) != injects(Site::Biases) {
            let without = if injects(Site::Weights) { Site::Biases } else { Site::Weights };
            at_risk.bits[without as usize] = 0;
        }
        at_risk
    }

    /// Returns the cycles for which the generators of a site are seeded, Eq. (10) of `docs/fault-model.md`.
    pub const fn seed_words(&self, site: Site) -> u32 {
        self.port(site).seed_words()
    }

    /// Returns the codewords of a site.
    pub const fn codeword(&self, site: Site) -> &Codeword {
        &self.codewords[site as usize]
    }

    /// Whether the memory of a site has a code.
    pub const fn is_coded(&self, site: Site) -> bool {
        self.codeword(site).is_coded()
    }

    fn new(config: AccelConfig, codewords: [Codeword; 3]) -> Self {
        let ArrayConfig { rows, cols, .. } = config.array;
        let lane_weights = config.protection.weights_per_codeword;
        let lanes = cols.div_ceil(lane_weights);
        let codeword_bits = codewords[0].cells();
        let injector = &config.injector;
        let cell_latency = if injector.of_cells() { fault::CELL_LATENCY } else { 0 };
        let injector_latency = cell_latency + if injector.has(Kind::Read) { fault::INJECTOR_LATENCY } else { 0 };
        let ports = [
            Port { lanes, lane_bytes: lane_weights, cells: codeword_bits },
            Port { lanes: 1, lane_bytes: 4, cells: codewords[1].cells() },
            Port { lanes: rows.div_ceil(MAP_LANE_BYTES), lane_bytes: MAP_LANE_BYTES, cells: 8 * MAP_LANE_BYTES },
        ];
        let in_use: Vec<Port> = config.injector.read_sites().map(|site| ports[site as usize]).collect();
        let mut sizes: Vec<u32> = in_use.iter().flat_map(|port| node_sizes(port.cells)).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.dedup();
        let [codec_latency, bias_codec_latency] = [0, 1].map(|site: usize| codewords[site].code.latency());
        let config_hash = config.hash_word();
        Self {
            rows,
            cols,
            lanes,
            lane_weights,
            codeword_bits,
            weight_address_bits: address_bits(config.memory.weight_words),
            map_address_bits: address_bits(config.memory.map_words),
            accumulator_address_bits: address_bits(config.memory.accumulator_words),
            parameter_address_bits: address_bits(config.memory.parameter_words),
            weight_pieces: cols.div_ceil(4),
            weight_stride: cols.div_ceil(4).next_power_of_two(),
            map_pieces: rows.div_ceil(4),
            map_stride: rows.div_ceil(4).next_power_of_two(),
            column_stride: cols.next_power_of_two(),
            weight_latency: CODE_MEMORY_LATENCY + injector_latency + codec_latency,
            injector_latency,
            cell_latency,
            codec_latency,
            bias_codec_latency,
            codewords,
            bias_address_bits: address_bits(config.memory.parameter_words * cols.next_power_of_two()),
            seed_cycles: in_use.iter().map(Port::seed_words).max().unwrap_or(0),
            ports,
            node_sizes: sizes,
            config_hash,
            config,
        }
    }

    /// Returns the shortest pass of a tile, in cycles: the accumulator's read-modify-write must finish before the same word is
    /// read again; and all biases of an output fold, which has nine passes or more in a convolution, must be read before
    /// those of the next.
    pub const fn min_pass_cycles(&self, kind: LayerKind) -> u32 {
        match kind {
            LayerKind::Linear if self.cols > ACCUMULATE_LATENCY => self.cols,
            _ => ACCUMULATE_LATENCY,
        }
    }

    /// Returns the bits of one transfer of the weight stream: a weight word, and where write errors of weights are in the
    /// hardware, filled up to host words, one more: in bits 30:0 the word's place in the model's image, in bit 31 whether
    /// its layer is at risk.
    pub const fn stream_bits(&self) -> u32 {
        if self.config.injector.weights.has(Kind::Write) { 32 * self.weight_pieces + 32 } else { 8 * self.cols }
    }

    /// Returns the cells that a write at a site writes.
    pub fn written_cells(&self, site: Site) -> u32 {
        let port = self.port(site);
        match site {
            Site::Weights if !self.is_coded(site) => 8 * self.cols,
            Site::Activations => 8 * self.rows,
            _ => port.cells * port.lanes,
        }
    }

    /// Whether writes at a site may fail, and are verified.
    pub fn verifies(&self, site: Site) -> bool {
        let engine = self.config.protection.write_verify && Site::PROGRAMMED.contains(&site);
        engine && self.config.injector.at(site).has(Kind::Write)
    }

    /// Whether a read that verifies a write can be noisy.
    pub fn verify_is_noisy(&self) -> bool {
        Site::PROGRAMMED.into_iter().any(|site| self.verifies(site) && self.config.injector.at(site).has(Kind::Read))
    }

    /// Returns the cycles from a word's address to the word as it is stored at a site.
    pub const fn memory_latency(&self, site: Site) -> u32 {
        match site {
            Site::Activations => MAP_MEMORY_LATENCY,
            Site::Weights | Site::Biases => CODE_MEMORY_LATENCY,
        }
    }

    /// Returns the cycles that write errors add to a write at a site.
    pub const fn write_latency(&self, site: Site) -> u32 {
        if self.config.injector.at(site).has(Kind::Write) { fault::WRITE_LATENCY } else { 0 }
    }

    /// Returns the cycles from the last pixel of a layer to the end of its last write.
    pub const fn drain_cycles(&self) -> u32 {
        // Command register, feeder, array diagonal, then accumulate, requantise and pool, and the split writes.
        let write = self.split_writes() + self.write_latency(Site::Activations);
        1 + (self.weight_latency + 1) + self.rows + self.cols + 12 + write
    }

    /// Returns the most memory words that one output pixel of `cols` channels can be spread over: `rows` and `cols` need not divide each other.
    pub const fn split_writes(&self) -> u32 {
        // The first channel of an output fold starts at a multiple of gcd(rows, cols) within a word.
        let offset = self.rows - gcd(self.rows, self.cols);
        (offset + self.cols).div_ceil(self.rows)
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use proptest::prelude::*;

    #[test]
    fn documented_example_is_the_preset_8x8() {
        let page = include_str!("../../../docs/configuration.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(example, presets::find("8x8").unwrap().to_toml());
    }

    #[test]
    fn toml_survives_a_round_trip() {
        for preset in presets::all() {
            assert_eq!(AccelConfig::from_toml(&preset.to_toml()), Ok(preset));
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = presets::find("8x8").unwrap().to_toml().replace("rows = 8", "rows = 8\nrow = 8");
        let message = AccelConfig::from_toml(&text).unwrap_err().to_string();
        assert!(message.contains("`row`") && message.contains("`rows`"), "{message}");
    }

    #[test]
    fn a_field_out_of_range_is_named_with_its_range() {
        let mut config = presets::find("8x8").unwrap();
        config.array.rows = 17;
        assert_eq!(config.validate().unwrap_err().to_string(), "`array.rows` is 17, must be 2 to 16");
    }

    #[test]
    fn codes_that_do_not_fit_are_refused_with_those_that_do() {
        let with = |cols: u32, text: &str| {
            let whole = presets::find("4x4").unwrap().to_toml();
            let (before, _) = whole.split_once("[protection]").unwrap();
            let mut config = AccelConfig::from_toml(&format!("{before}[protection]\n{text}")).unwrap();
            config.array.cols = cols;
            config.validate()
        };
        let refused = |cols, text| with(cols, text).unwrap_err().to_string();
        let message = refused(4, "code = \"secded-72-64\"");
        assert!(message.contains("8 weights do not divide a weight word of 4") && message.contains("secded-39-32"));
        assert!(!message.contains("72-64,"), "{message}");
        let message = refused(8, "code = \"secded-72-64\"\nweights_per_codeword = 4");
        assert!(message.ends_with("`weights_per_codeword` can be 8"), "{message}");
        let message = refused(8, "code = \"tmr\"\nweights_per_codeword = 8");
        assert!(message.ends_with("`weights_per_codeword` can be 1, 2, 4"), "{message}");
        let message = refused(8, "biases = \"secded-13-8\"");
        assert!(message.starts_with("`protection.biases` is secded-13-8"), "{message}");
        let hw = with(8, "code = \"secded-22-16\"\nbiases = \"tmr\"").unwrap();
        assert_eq!(
            hw.ports.map(|port| (port.lanes, port.lane_bytes, port.cells)),
            [(4, 2, 22), (1, 4, 96), (1, 8, 64)]
        );
        let hw = with(8, "code = \"parity\"").unwrap();
        assert_eq!(hw.ports.map(|port| (port.lanes, port.cells)), [(1, 72), (1, 33), (1, 64)]);
        assert_eq!((hw.weight_latency, hw.bias_codec_latency), (CODE_MEMORY_LATENCY + 1, 1));
    }

    #[test]
    fn a_scrubber_without_what_it_needs_is_refused() {
        let with = |code: &str, write_verify| {
            let mut config = presets::find("8x8").unwrap();
            config.protection = ProtectionConfig::of(code.parse().unwrap(), 8);
            (config.protection.write_verify, config.protection.scrub) = (write_verify, true);
            config.validate().map_err(|error| error.to_string())
        };
        for code in ["none", "parity"] {
            let message = with(code, true).unwrap_err();
            assert!(message.contains(&format!("`protection.code` = \"{code}\" corrects nothing")), "{message}");
            assert!(message.contains("take secded-13-8") && message.ends_with("leave `scrub` out"), "{message}");
        }
        let message = with("tmr", false).unwrap_err();
        assert!(message.contains("set `protection.write_verify = true`"), "{message}");
        assert!(with("msb-tmr-1", true).is_ok());
    }

    /// What is the same hardware has the same hash, however it is written.
    #[test]
    fn a_default_that_is_written_out_does_not_change_the_hash() {
        let written = presets::find("8x8").unwrap().to_toml();
        let text =
            |protection: &str| format!("{}[protection]\n{protection}", written.split_once("[protection]").unwrap().0);
        let hash = |protection: &str| AccelConfig::from_toml(&text(protection)).unwrap().hash();
        let long = "code = \"parity\"\nweights_per_codeword = 8\nbiases = \"parity\"\non_detected = \"pass\"";
        assert_eq!(hash("code = \"parity\""), hash(long));
        assert_ne!(hash("code = \"parity\""), hash("code = \"parity\"\nbiases = \"none\""));
    }

    #[test]
    fn the_hash_tells_configurations_apart() {
        let mut hashes: Vec<_> = presets::all().iter().map(AccelConfig::hash).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), presets::all().len());
    }

    proptest! {
        /// Whatever a file holds, it is a configuration or an error, and a configuration that holds is elaborated.
        #[test]
        fn damaged_toml_never_panics(at in any::<prop::sample::Index>(), with in "[ -~\n]{0,6}", cut in 0usize..4) {
            let mut text = presets::find("8x8").unwrap().to_toml();
            let at = at.index(text.len());
            text.replace_range(at..(at + cut).min(text.len()), &with);
            let _ = AccelConfig::from_toml(&text).and_then(|config| config.validate());
        }

        /// Every output fold of every legal array: the words it touches never exceed `split_writes`, and the bound is met.
        #[test]
        fn split_writes_is_the_exact_bound(rows in 2u32..=16, cols in 2u32..=16) {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows, cols, soft_rows: 0 };
            let elaborated = config.validate().unwrap();
            let most = (0..rows).map(|fold| {
                let first = fold * cols;
                (first + cols - 1) / rows - first / rows + 1
            }).max().unwrap();
            prop_assert_eq!(elaborated.split_writes(), most);
        }
    }
}
