//! The bias memory: when the biases of an output fold come, and what is read wrong.

mod common;

use std::collections::{HashMap, VecDeque};

use common::golden::GoldenPort;
use common::records::Records;
use common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, Noise, Rates, Site, stream_key};
use hafnia_golden::injector::Tree;
use hafnia_golden::read::Stream;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Output folds of the memory, which is no power of two.
const FOLDS: u32 = 20;

fn small(rows: u32, cols: u32, sites: &[Site]) -> Elaborated {
    let mut config = injecting(&array(rows, cols, 2), sites).config;
    config.memory.parameter_words = FOLDS;
    config.validate().expect("the configuration is legal")
}

/// The memory with what it holds.
struct Memory<'a> {
    bench: Bench,
    hw: &'a Elaborated,
    rng: ChaCha8Rng,
    /// By output fold and column.
    biases: Vec<Vec<i32>>,
}

/// An output fold that starts in a cycle.
struct Fold {
    start: u32,
    fold: u32,
    cols: u32,
}

impl<'a> Memory<'a> {
    /// Resets the memory and writes all of it, the unused columns too.
    fn new(hw: &'a Elaborated) -> Self {
        let mut memory =
            Self { bench: Bench::new(hw, "bias_memory"), hw, rng: rng(u64::from(hw.cols)), biases: Vec::new() };
        memory.reset();
        memory.bench.set("write_i", 1);
        for fold in 0..FOLDS {
            let mut of_fold = Vec::new();
            for column in 0..hw.column_stride {
                of_fold.push(memory.rng.random());
                memory.bench.set("write_address_i", (fold * hw.column_stride + column).into());
                memory.bench.set("write_data_i", (of_fold[column as usize] as u32).into());
                memory.bench.step();
            }
            memory.biases.push(of_fold);
        }
        memory.bench.set("write_i", 0);
        memory
    }

    fn reset(&mut self) {
        self.bench.set("rst_i", 1);
        for _ in 0..8 {
            assert_eq!(self.bench.get("record_valid_o"), 0, "nothing is a flip during reset");
            self.bench.step();
        }
        self.bench.set("rst_i", 0);
    }

    /// Output folds of a descriptor: whole ones but for the last, most of them as close as they may be.
    fn plan(&mut self, count: u32) -> VecDeque<Fold> {
        let (first, cols) = (self.rng.random_range(0..FOLDS - count), self.hw.cols);
        let (mut start, mut plan) = (0, VecDeque::new());
        for fold in first..first + count {
            let last = fold + 1 == first + count;
            plan.push_back(Fold { start, fold, cols: if last { self.rng.random_range(1..=cols) } else { cols } });
            start += cols + if self.rng.random_bool(0.7) { 0 } else { self.rng.random_range(1..9) };
        }
        plan
    }

    /// Drives the start of a fold, or none: then what stands beside it is anything.
    fn drive(&mut self, fold: Option<&Fold>) {
        let (any_fold, any_cols) = (self.rng.random_range(0..FOLDS), self.rng.random_range(1..=self.hw.cols));
        self.bench.set("start_i", fold.is_some().into());
        self.bench.set("fold_i", fold.map_or(any_fold, |fold| fold.fold).into());
        self.bench.set("cols_i", fold.map_or(any_cols, |fold| fold.cols).into());
    }

    /// Runs a descriptor of `count` output folds. Column `c` must take its bias `c` cycles after column 0, which takes it
    /// in the last cycle before the sum of the first pixel: the pixel, ordered in the cycle of the start, reaches the array
    /// `weight_latency + 1` cycles later, and the sum the bottom of the column another `rows + 2`.
    fn run(&mut self, count: u32, noise: &Noise, stream: Stream) {
        let tree = Tree::new(noise.of(Site::Biases));
        let mut golden = GoldenPort::new(self.hw, Site::Biases, stream, noise, &tree);
        let bits = noise.bits_in(Site::Biases, stream.layer);
        self.bench.set_noise(noise.of(Site::Biases), bits);
        self.bench.set("enable_i", u64::from(bits != 0));
        self.bench
            .seed(self.hw.seed_words(Site::Biases), stream_key(stream.seed, Site::Biases, stream.layer, stream.group));
        self.bench.set("clear_i", 1);
        self.bench.step();
        self.bench.set("clear_i", 0);
        let mut records = Records::new(&mut self.bench, Site::Biases, stream);
        let mut plan = self.plan(count);
        let first = self.hw.weight_latency + self.hw.rows + 2;
        let mut due = HashMap::new();
        for fold in &plan {
            for (column, bias) in self.biases[fold.fold as usize][..fold.cols as usize].iter().enumerate() {
                let read = golden.read(&bias.to_le_bytes(), 4);
                due.insert(fold.start + first + column as u32, (1 << column, read));
            }
        }
        let end = due.keys().max().expect("a bias") + 4;
        for cycle in 0..end {
            let fold = plan.pop_front_if(|fold| fold.start == cycle);
            self.drive(fold.as_ref());
            let (load, bias) = (self.bench.get("load_o"), self.bench.get_bytes("bias_o", 4));
            match due.get(&cycle) {
                Some((column, want)) => assert_eq!((load, &bias), (*column, want), "cycle {cycle}"),
                None => assert_eq!(load, 0, "cycle {cycle}"),
            }
            self.bench.step();
            records.look(&mut self.bench, &golden.stored);
        }
        records.assert_equal(&mut self.bench, &golden.flips);
    }
}

/// Descriptors of few and many folds, with every bit of a byte at risk and some, and with directions apart.
fn run_all(hw: &Elaborated, at_risk: &[AtRisk], rates: &[Rates]) {
    let mut memory = Memory::new(hw);
    for (group, (at_risk, rates)) in (0..).zip(at_risk.iter().flat_map(|a| rates.iter().map(move |r| (a, r)))) {
        let noise = hw.noise(*rates, *at_risk).expect("the site has an injector");
        for count in [1, 2, 9] {
            memory.run(count, &noise, Stream { seed: 5, layer: count, group });
        }
    }
}

const EVEN: [f64; 4] = [0.0, 0.01, 0.3, 1.0];
const UNEVEN: [Rates; 3] = [Rates { p01: 0.3, p10: 0.02 }, Rates { p01: 0.01, p10: 0.4 }, Rates { p01: 0.0, p10: 1.0 }];

#[test]
fn biases_come_before_the_first_pixel_and_flip_as_the_golden_model_flips_them() {
    let all = AtRisk { bits: [0, 0xff, 0], layers: u32::MAX };
    // The first layer of each three is spared, and some bits.
    let some = AtRisk { bits: [0, 0x81, 0], layers: !0b10 };
    let rates: Vec<Rates> = EVEN.map(Rates::from).into_iter().chain(UNEVEN).collect();
    for (rows, cols) in [(3, 5), (16, 2), (2, 16)] {
        run_all(&small(rows, cols, &[Site::Biases]), &[all, some], &rates);
    }
}

/// With the latency of another site's injector, or of none.
#[test]
fn without_the_injector_biases_come_at_the_same_time() {
    for (sites, cols) in [(&[Site::Weights][..], 5), (&[], 5), (&[], 16)] {
        run_all(&small(3, cols, sites), &[AtRisk::WEIGHTS], &[Rates::default()]);
    }
}

#[test]
fn reset_ends_the_reads_of_a_fold() {
    let hw = small(3, 16, &[Site::Biases]);
    let mut memory = Memory::new(&hw);
    for cycles in 1..30 {
        memory.drive(Some(&Fold { start: 0, fold: 3, cols: 16 }));
        memory.bench.step();
        memory.drive(None);
        memory.bench.steps(cycles);
        memory.reset();
        for _ in 0..40 {
            memory.drive(None);
            assert_eq!(memory.bench.get("load_o"), 0, "reset after {cycles} cycles");
            memory.bench.step();
        }
    }
}
