//! Small configurations, real models, and where the tests build their hardware.

use std::path::{Path, PathBuf};

use hafnia_config::accel::{AccelConfig, ArrayConfig, InjectorConfig, MemoryConfig, ProtectionConfig};
use hafnia_config::fault::{AtRisk, CellFaults, Kinds, Noise, Rates};
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::{LayerKind, LayerShape};
use hafnia_config::{Elaborated, presets};
use hafnia_cosim::{BatchReport, Engine, Found, Hardware, Ifmaps, Plan, Totals, design, run};
use hafnia_golden::network::Network;
use hafnia_quantize::read_model;
use hafnia_verilate::{Builder, Effort, Unknowns, Variant, build_folder, tools};
use ndarray::Array3;

/// A builder with the cache that these tests share; one compiler each, because the tests run side by side.
pub fn builder() -> Builder<'static> {
    Builder::new().folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilated")).jobs(1)
}

/// The generated hardware, built.
pub fn hardware(hw: &Elaborated, unknowns: Unknowns) -> Hardware {
    let built = builder().build(&design(hw), Variant { unknowns, effort: Effort::Quick, ..Variant::default() });
    built.unwrap_or_else(|error| panic!("{error}")).into()
}

/// The preset of this name, checked.
pub fn preset(name: &str) -> Elaborated {
    presets::find(name).expect("a preset").validate().expect("presets are legal")
}

/// A small accelerator of `rows x cols` with codewords of `lane_weights` weights.
pub fn config(rows: u32, cols: u32, lane_weights: u32) -> AccelConfig {
    AccelConfig {
        name: format!("test_{rows}x{cols}"),
        clock_mhz: 80,
        array: ArrayConfig { rows, cols, soft_rows: 0 },
        memory: MemoryConfig {
            weight_words: 2048,
            map_words: 512,
            accumulator_words: 128,
            parameter_words: 64,
            program_descriptors: 64,
        },
        protection: ProtectionConfig { weights_per_codeword: lane_weights, ..ProtectionConfig::default() },
        injector: InjectorConfig { weights: Kinds::READ, biases: Kinds::READ, activations: Kinds::READ },
    }
}

/// A convolution from `c` to `k` channels on a map of `height` x `width`.
pub fn conv(c: u32, k: u32, height: u32, width: u32, pool: bool) -> LayerShape {
    LayerShape { kind: LayerKind::Conv3x3, in_channels: c, out_channels: k, height, width, pool }
}

/// A linear head.
pub fn head(c: u32, k: u32) -> LayerShape {
    LayerShape { kind: LayerKind::Linear, in_channels: c, out_channels: k, height: 1, width: 1, pool: false }
}

/// Where the tool is; a missing one fails the test and says how to get it.
pub fn tool(name: &str) -> PathBuf {
    // The tests run their tools elsewhere, so a relative path would not do.
    let build = std::path::absolute(build_folder()).expect("there is a current folder");
    let tool = tools::find(&build, name);
    tool.found.unwrap_or_else(|| panic!("{name} was not found. {}", tool.how_to_get))
}

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A committed model.
pub fn committed(name: &str) -> Network {
    let path = workspace().join("models").join(name).join("model.safetensors");
    read_model(&path).unwrap_or_else(|error| panic!("{error}")).network
}

/// A network, its images and its schedule on a configuration.
pub struct Bench {
    pub hw: Elaborated,
    pub network: Network,
    pub schedule: Schedule,
    /// Number of the first image.
    pub first: u32,
    pub images: Vec<Array3<i8>>,
}

impl Bench {
    /// With the largest batch that fits.
    pub fn new(hw: Elaborated, network: Network, first: u32, images: Vec<Array3<i8>>) -> Self {
        let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap_or_else(|error| panic!("{error}"));
        Self { hw, network, schedule, first, images }
    }

    /// Test images 5 to 13 of the digits: they cross a batch.
    pub fn digits(hw: Elaborated) -> Self {
        let network = committed("vgg-a8-digits");
        let images = hafnia_dataset::Dataset::digits().test().read(5, 9).expect("the digits are built in");
        let ifmaps = images.iter().map(|(pixels, _)| network.quantise_image(pixels)).collect();
        Self::new(hw, network, 5, ifmaps)
    }

    /// The plan of one rate and seed, with what is at risk by default.
    pub fn plan(&self, p: f64, seed: u64) -> Plan<'_> {
        self.masked(p, seed, self.hw.at_risk_by_default())
    }

    /// The plan of rates and a seed with some cells at risk.
    pub fn masked(&self, rates: impl Into<Rates>, seed: u64, at_risk: AtRisk) -> Plan<'_> {
        let noise = self.hw.noise(rates, at_risk).expect("tests use probabilities");
        Plan { hw: &self.hw, network: &self.network, schedule: &self.schedule, noise, seed }
    }

    /// The same with faults of the cells.
    pub fn faulty(&self, rates: impl Into<Rates>, cells: CellFaults, at_risk: AtRisk, seed: u64) -> Plan<'_> {
        let plan = self.masked(rates, seed, at_risk);
        Plan { noise: Noise { cells, ..plan.noise }, ..plan }
    }

    /// Asserts that golden model and hardware are equal, and that every image was compared.
    pub fn assert_plan_equal(&self, plan: &Plan<'_>, hardware: &Hardware) -> Totals {
        let (totals, found) = self.compare(plan, hardware);
        let Noise { rates, cells, .. } = &plan.noise;
        let what = format!("{}, {rates:?}, {cells:?}, seed {}", self.hw.config.name, plan.seed);
        assert_eq!(found, None, "{what}");
        assert_eq!(totals.images, self.images.len() as u64, "{what}");
        totals
    }

    /// Every batch of a run.
    pub fn batches(&self, plan: &Plan<'_>, engine: Engine<'_>, jobs: usize) -> Vec<BatchReport> {
        let mut batches = Vec::new();
        let done =
            run(plan, engine, Ifmaps { first: self.first, images: &self.images, clean: None }, jobs, &mut |batch| {
                batches.push(batch);
                true
            });
        done.unwrap_or_else(|error| panic!("{error}"));
        batches
    }

    /// Runs golden model and hardware; returns the sums and the first difference.
    pub fn compare(&self, plan: &Plan<'_>, hardware: &Hardware) -> (Totals, Option<Found>) {
        let mut totals = Totals::new(plan);
        let mut found = None;
        for batch in self.batches(plan, Engine::Both(hardware.into()), 1) {
            totals.add(&batch, &[]);
            found = found.or(batch.difference);
        }
        (totals, found)
    }

    /// Asserts that they are equal, that every image was compared and that the flips are as many as the rate asks for.
    pub fn assert_equal(&self, p: f64, seed: u64, hardware: &Hardware) -> Totals {
        self.assert_equal_at(p, seed, self.hw.at_risk_by_default(), hardware)
    }

    /// The same with these cells at risk.
    pub fn assert_equal_at(&self, p: f64, seed: u64, at_risk: AtRisk, hardware: &Hardware) -> Totals {
        let what = format!("{}, {}, p {p}, seed {seed}, {at_risk:?}", self.hw.config.name, self.network.name);
        let (totals, found) = self.compare(&self.masked(p, seed, at_risk), hardware);
        if let Some(found) = found {
            panic!("{what}: {}", found.difference);
        }
        assert_eq!(totals.images, self.images.len() as u64, "{what}");
        let (low, high) = totals.ber_interval();
        assert!((low..=high).contains(&p), "{what}: measured {:e}, {low:e} to {high:e}", totals.ber_measured());
        totals
    }
}
