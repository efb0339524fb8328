//! The bias memory: when the biases of an output fold come.

use std::collections::{HashMap, VecDeque};

use crate::common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::{CODE_MEMORY_LATENCY, RESET_CYCLES};
use hafnia_config::fault::Site;
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
        self.bench.steps(RESET_CYCLES.into());
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
    /// `weight_latency + 1` cycles later, and the sum the bottom of the column another `rows + 2`. The bias leaves the memory
    /// `injector_latency` cycles before, and is asked for `CODE_MEMORY_LATENCY` cycles earlier still.
    fn run(&mut self, count: u32) {
        self.bench.set("clear_i", 1);
        self.bench.step();
        self.bench.set("clear_i", 0);
        let mut plan = self.plan(count);
        let first = self.hw.weight_latency + self.hw.rows + 2;
        let leaves = first - self.hw.injector_latency;
        let (mut taken, mut words, mut asked) = (HashMap::new(), HashMap::new(), HashMap::new());
        for fold in &plan {
            for column in 0..fold.cols {
                let at = fold.start + column;
                taken.insert(at + first, 1 << column);
                words.insert(at + leaves, self.biases[fold.fold as usize][column as usize]);
                asked.insert(at + leaves - CODE_MEMORY_LATENCY, fold.fold * self.hw.column_stride + column);
            }
        }
        let end = taken.keys().max().expect("a bias") + 4;
        for cycle in 0..end {
            let fold = plan.pop_front_if(|fold| fold.start == cycle);
            self.drive(fold.as_ref());
            assert_eq!(self.bench.get("load_o"), *taken.get(&cycle).unwrap_or(&0), "cycle {cycle}");
            assert_eq!(self.bench.get("read_o"), u64::from(asked.contains_key(&cycle)), "cycle {cycle}");
            if let Some(&address) = asked.get(&cycle) {
                assert_eq!(self.bench.get("address_o"), u64::from(address), "cycle {cycle}");
            }
            if let Some(&word) = words.get(&cycle) {
                assert_eq!(self.bench.get("word_o"), u64::from(word as u32), "cycle {cycle}");
            }
            self.bench.step();
        }
    }
}

/// With read ports of some latency and without, of descriptors of few and many folds.
#[test]
fn biases_come_before_the_first_pixel() {
    for (rows, cols, sites) in [
        (3, 5, &[Site::Biases][..]),
        (16, 2, &[Site::Biases]),
        (2, 16, &[Site::Biases]),
        (3, 5, &[Site::Weights]),
        (3, 5, &[]),
        (3, 16, &[]),
    ] {
        let hw = small(rows, cols, sites);
        let mut memory = Memory::new(&hw);
        for count in [1, 2, 9, 1, 5] {
            memory.run(count);
        }
    }
}

/// While no program runs, nothing is read but the first bias of a fold whose start was under way, however many columns it claims.
#[test]
fn nothing_goes_on_reading_while_no_program_runs() {
    let hw = small(3, 16, &[Site::Biases]);
    let mut memory = Memory::new(&hw);
    for cols in [0, 16, 40, 255] {
        for cycles in 0..40 {
            memory.bench.set("clear_i", 0);
            memory.drive(Some(&Fold { start: 0, fold: 3, cols }));
            memory.bench.step();
            memory.drive(None);
            memory.bench.steps(cycles);
            memory.bench.set("clear_i", 1);
            memory.bench.step();
            let reads = (0..60).filter(|_| {
                memory.bench.step();
                memory.bench.get("read_o") == 1
            });
            assert!(reads.count() <= 1, "{cols} columns, stopped after {cycles} cycles");
        }
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
