//! Configurations and tools of the generator's tests.

pub mod golden;
pub mod noise;
pub mod records;

use std::path::{Path, PathBuf};
use std::process::Command;

use hafnia_config::accel::{InjectorConfig, Port as SitePort, ProtectionConfig};
use hafnia_config::fault::{Kinds, Site, Thresholds, node_sizes};
use hafnia_config::protect::{Code, Codeword};
use hafnia_config::{Elaborated, presets};
use hafnia_gen::{Generated, GeneratedBoard, Module, generate};
use hafnia_verilate::{Builder, DEFAULT_WAIVERS, Design, Dut, Effort, Port, Unknowns, Variant, build_folder, tools};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The preset of this name, checked.
pub fn preset(name: &str) -> Elaborated {
    presets::find(name).expect("a preset").validate().expect("presets are legal")
}

/// A configuration of `rows x cols` with codewords of `lane_weights` weights and the memories of preset `4x4`.
pub fn array(rows: u32, cols: u32, lane_weights: u32) -> Elaborated {
    let mut config = presets::find("4x4").expect("a preset");
    config.name = format!("array_{rows}x{cols}");
    config.array.rows = rows;
    config.array.cols = cols;
    config.protection.weights_per_codeword = lane_weights;
    config.validate().expect("the configuration is legal")
}

/// The configuration with a code of the weights, and its like for biases.
pub fn coded(hw: &Elaborated, code: Code) -> Elaborated {
    let mut config = hw.config.clone();
    config.protection = ProtectionConfig::of(code, hw.cols);
    config.validate().expect("the code fits")
}

/// The configuration with injectors at these sites alone.
pub fn injecting(hw: &Elaborated, sites: &[Site]) -> Elaborated {
    let mut config = hw.config.clone();
    let kinds = |site| if sites.contains(&site) { Kinds::READ } else { Kinds::NONE };
    let [weights, biases, activations] = Site::ALL.map(kinds);
    config.injector = InjectorConfig { weights, biases, activations };
    config.validate().expect("the configuration is legal")
}

/// An array of three rows whose feature maps have codewords of 24 cells, all data. Their tree has nodes of three cells, which
/// otherwise those of a code alone have.
pub fn with_nodes_of_three_cells() -> Elaborated {
    let mut hw = injecting(&array(3, 5, 2), &[Site::Activations]);
    hw.ports[Site::Activations as usize] = SitePort { lanes: 1, lane_bytes: 3, cells: 24 };
    hw.codewords[Site::Activations as usize] = Codeword::plain(3);
    hw.node_sizes = node_sizes(24);
    hw
}

/// Writes the files of `hw` into a fresh folder.
pub fn written(hw: &Elaborated) -> (Generated, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    let generated = generate(hw);
    generated.write(folder.path()).unwrap_or_else(|error| panic!("{error}"));
    (generated, folder)
}

/// Where the tool is; a missing one fails the test and says how to get it.
pub fn tool(name: &str) -> PathBuf {
    // The tests run their tools elsewhere, so a relative path would not do.
    let build = std::path::absolute(build_folder()).expect("there is a current folder");
    let tool = tools::find(&build, name);
    tool.found.unwrap_or_else(|| panic!("{name} was not found. {}", tool.how_to_get))
}

/// Runs a tool in `folder` and returns whether it succeeded, and all it printed.
pub fn run(program: &Path, arguments: &[&str], folder: &Path) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// One module of a generated accelerator or board, alone under Verilator. Registers start at random values, so that nothing that
/// a test sees may come from a value that was never written.
pub struct Bench {
    dut: Dut,
}

impl Bench {
    /// Builds `module` of the accelerator of `hw`.
    pub fn new(hw: &Elaborated, module: &str) -> Self {
        Self::seeded(hw, module, 1)
    }

    /// The same with its registers at the values that `seed` gives.
    pub fn seeded(hw: &Elaborated, module: &str, seed: u64) -> Self {
        let generated = generate(hw);
        Self::build(&generated.verilog, &generated.modules, module, seed)
    }

    /// Builds `module` of the top of a board.
    pub fn of_board(board: &GeneratedBoard, module: &str) -> Self {
        let pll = include_str!("../../../../../sim/cosim/models/pll.v");
        Self::build(&format!("{}{pll}", board.verilog), &board.modules, module, 1)
    }

    fn build(verilog: &str, modules: &[Module], module: &str, seed: u64) -> Self {
        let found = modules.iter().find(|m| m.name == module);
        let found = found.unwrap_or_else(|| panic!("there is no module {module}"));
        // The shim drives the accelerator's own ports by name, a whole group at a time. A module that has a part of the
        // group of flips shows it under other names: `flip_valid_o` as `record_valid_o`.
        let has = |name: &str| found.ports.iter().any(|p| p.name == name);
        let part = has("flip_valid_o") && !has("flip_layer_o");
        let renamed = |text: &str| if part { text.replace("flip_", "record_") } else { text.to_owned() };
        let port = |p: &hafnia_config::manifest::Port| Port {
            name: renamed(&p.name),
            input: p.input,
            width_bits: p.width_bits,
        };
        let design = Design {
            top: module.to_owned(),
            verilog: renamed(verilog),
            ports: found.ports.iter().map(port).collect(),
            waivers: DEFAULT_WAIVERS.map(str::to_owned).to_vec(),
        };
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilated");
        let unknowns = Unknowns::Randomise { seed };
        let variant = Variant { unknowns, effort: Effort::Quick, ..Variant::default() };
        let model = Builder::new().folder(folder).jobs(1).build(&design, variant);
        let dut = model.and_then(|model| model.dut()).unwrap_or_else(|error| panic!("{error}"));
        Self { dut }
    }

    /// Drives an input of up to 64 bits, from now on.
    pub fn set(&mut self, port: &str, value: u64) {
        let words = self.words(port);
        self.set_words(port, &[value as u32, (value >> 32) as u32][..words.min(2)]);
    }

    /// Drives an input with little-endian 32-bit words.
    pub fn set_words(&mut self, port: &str, value: &[u32]) {
        self.dut.poke(port, value).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Drives an input with bytes, byte 0 lowest.
    pub fn set_bytes(&mut self, port: &str, value: &[u8]) {
        let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let words: Vec<u32> = value.chunks(4).map(word).collect();
        self.set_words(port, &words);
    }

    /// Drives the read noise of a site as the register bank does; `bits` are those of a byte that are at risk.
    pub fn set_noise(&mut self, thresholds: &Thresholds, bits: u8) {
        let widths = noise::fields(thresholds.cells).into_iter().map(|(_, width)| width);
        self.set_words("noise_i", &noise::joined(noise::values(thresholds).into_iter().zip(widths)));
        self.set("bits_i", bits.into());
    }

    /// Starts the generators of a memory from `key`: loads it and shifts the whole chain of `words` words.
    pub fn seed(&mut self, words: u32, key: [u32; 4]) {
        self.set_words("seed_key_i", &key);
        for (port, cycles) in [("seed_load_i", 1), ("seed_shift_i", words)] {
            self.set(port, 1);
            self.steps(cycles.into());
            self.set(port, 0);
        }
    }

    /// Returns a port of up to 64 bits, settled on the inputs as they are now.
    pub fn get(&mut self, port: &str) -> u64 {
        let words = self.get_words(port);
        assert!(words.len() <= 2, "{port} has more than 64 bits");
        words.iter().rev().fold(0, |value, &word| value << 32 | u64::from(word))
    }

    /// Returns a port as little-endian 32-bit words.
    pub fn get_words(&mut self, port: &str) -> Vec<u32> {
        self.dut.peek(port).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns a port as `count` bytes, byte 0 lowest.
    pub fn get_bytes(&mut self, port: &str, count: usize) -> Vec<u8> {
        self.get_words(port).iter().flat_map(|word| word.to_le_bytes()).take(count).collect()
    }

    /// Runs one clock cycle.
    pub fn step(&mut self) {
        self.dut.step(1).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Runs clock cycles with the inputs as they are.
    pub fn steps(&mut self, cycles: u64) {
        self.dut.step(cycles).unwrap_or_else(|error| panic!("{error}"));
    }

    fn words(&self, port: &str) -> usize {
        self.dut.ports().iter().find(|p| p.name == port).unwrap_or_else(|| panic!("there is no port {port}")).words()
    }
}

/// The random numbers of a test: the same on every machine.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}
