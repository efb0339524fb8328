//! The sequencer with its program memory, and the record of what it does.

use hafnia_config::Elaborated;
use hafnia_config::program::{DESCRIPTOR_WORDS, Descriptor};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::loops::{Pixel, Read, Trace};
use crate::common::{Bench, rng};

/// Words of a descriptor.
const WORDS: usize = DESCRIPTOR_WORDS as usize;
/// What the ports of each site's seeding are named after.
const SITES: [&str; 3] = ["weight", "bias", "map"];

/// The sequencer with its program memory.
pub struct Machine<'a> {
    pub bench: Bench,
    hw: &'a Elaborated,
    program: Vec<u32>,
    fetched: u32,
    /// Whether a weight word was ready in the last cycle.
    was_ready: bool,
    rng: ChaCha8Rng,
}

impl<'a> Machine<'a> {
    /// Builds and resets the sequencer.
    pub fn new(hw: &'a Elaborated) -> Self {
        let bench = Bench::new(hw, "sequencer");
        let mut machine = Self {
            bench,
            hw,
            program: vec![0; 256 * WORDS],
            fetched: 0,
            was_ready: false,
            rng: rng(u64::from(hw.rows)),
        };
        machine.bench.set("rst_i", 1);
        machine.bench.steps(2);
        machine.bench.set("rst_i", 0);
        machine
    }

    /// One cycle, with the program memory's answer two cycles after its address.
    pub fn step(&mut self) {
        let read = (self.bench.get("program_read_o") == 1).then(|| self.bench.get("program_address_o") as usize);
        self.bench.step();
        self.bench.set("program_data_i", self.fetched.into());
        if let Some(address) = read {
            self.fetched = self.program[address];
        }
    }

    /// Puts the descriptors at `first` and starts them.
    pub fn start(&mut self, first: usize, list: &[Descriptor], inject: bool) {
        let words: Vec<[u32; WORDS]> = list.iter().map(Descriptor::encode).collect();
        self.start_words(first, &words, inject);
    }

    /// Puts descriptors, word by word, at `first` and starts them.
    pub fn start_words(&mut self, first: usize, list: &[[u32; WORDS]], inject: bool) {
        for (n, words) in list.iter().enumerate() {
            self.program[WORDS * (first + n)..][..WORDS].copy_from_slice(words);
        }
        self.bench.set("first_i", first as u64);
        self.bench.set("count_i", list.len() as u64);
        self.bench.set("inject_i", inject.into());
        self.bench.set("start_i", 1);
        self.step();
        self.bench.set("start_i", 0);
    }

    /// Runs the descriptors, a weight word being ready with probability `ready`, and returns what each one did.
    pub fn run(&mut self, first: usize, list: &[Descriptor], ready: f64, inject: bool) -> Vec<Trace> {
        self.start(first, list, inject);
        let (mut traces, mut cycle) = (Vec::new(), 0);
        while self.bench.get("busy_o") == 1 {
            // A start while it runs is ignored, and so is what stands beside it.
            for (port, value) in [("start_i", self.rng.random_range(0..2)), ("first_i", 9), ("count_i", 200)] {
                self.bench.set(port, value);
            }
            let ready = self.rng.random_bool(ready);
            self.bench.set("weight_ready_i", ready.into());
            self.record(cycle, list, &mut traces);
            self.was_ready = ready;
            self.step();
            cycle += 1;
        }
        self.bench.set("start_i", 0);
        assert_eq!(traces.len(), list.len(), "descriptors that ran");
        traces
    }

    /// Adds what the outputs show in this cycle to the trace of the running descriptor.
    fn record(&mut self, cycle: u32, list: &[Descriptor], traces: &mut Vec<Trace>) {
        if self.bench.get("write_start_o") == 1 {
            traces.push(Trace { begin: cycle, ..Trace::default() });
            assert_eq!((self.bench.get("seed_load_o"), self.bench.get("count_clear_o")), (1, 1));
        }
        let high = ["weight_read_o", "pixel_valid_o", "store_o", "count_run_o", "count_stall_o"]
            .map(|port| self.bench.get(port) == 1);
        let seeds = SITES.map(|site| self.bench.get(&format!("{site}_shift_o")) == 1);
        let Some(n) = traces.len().checked_sub(1) else {
            assert_eq!((high, seeds), ([false; 5], [false; 3]), "cycle {cycle}: before the descriptor was fetched");
            return;
        };
        let [read, pixel, store, run, stall] = high;
        let seeding = seeds.contains(&true);
        assert!(!seeding || !(read || pixel || stall), "cycle {cycle}: weights wait until the generators are seeded");
        if read {
            assert!(self.was_ready, "cycle {cycle}: a weight word was read that was not ready");
            let read = self.read();
            traces[n].reads.push((cycle, read));
        }
        if pixel {
            let pixel = self.pixel();
            traces[n].pixels.push((cycle, pixel));
        }
        if store {
            traces[n].stores.push((self.get("store_index_o"), self.get("count_select_o")));
        }
        traces[n].run_cycles += u32::from(run);
        traces[n].stall_cycles += u32::from(stall);
        for (cycles, _) in traces[n].seeds.iter_mut().zip(seeds).filter(|(_, seed)| *seed) {
            cycles.push(cycle);
        }
        if run || store || traces[n].begin == cycle {
            self.check_constants(&list[n]);
        }
    }

    fn get(&mut self, port: &str) -> u32 {
        self.bench.get(port) as u32
    }

    /// What the other blocks are told while the descriptor runs.
    fn check_constants(&mut self, d: &Descriptor) {
        let map = (1 << self.hw.map_address_bits) - 1;
        for (port, want) in [
            ("source_o", d.source),
            ("write_base_o", d.dest_base & map),
            ("write_image_o", d.dest_image & map),
            ("write_plane_o", d.dest_plane & map),
            ("images_o", d.images),
            ("folds_o", d.k_folds),
            ("cols_last_o", d.cols_last),
            ("layer_o", d.layer),
            ("group_o", d.group),
        ] {
            assert_eq!(self.get(port), want, "{port}");
        }
        for (site, key) in SITES.into_iter().zip([
            [d.weight_key0, d.weight_key1, d.weight_key2, d.weight_key3],
            [d.bias_key0, d.bias_key1, d.bias_key2, d.bias_key3],
            [d.map_key0, d.map_key1, d.map_key2, d.map_key3],
        ]) {
            assert_eq!(self.bench.get_words(&format!("{site}_key_o")), key, "{site}");
        }
        assert_eq!(self.bench.get_words("epochs_o"), d.encode()[24..]);
    }

    fn read(&mut self) -> Read {
        Read {
            address: self.get("weight_address_o"),
            row: self.get("weight_row_o"),
            live: self.get("weight_live_o"),
            cols: self.get("weight_cols_o"),
        }
    }

    fn pixel(&mut self) -> Pixel {
        let control = self.bench.get("pixel_control_o");
        let bit = |n: u32| control >> n & 1 == 1;
        assert!(bit(0), "the control word of a pixel is valid");
        let field = |low: u32, bits: u32| (control >> low) as u32 & ((1 << bits) - 1);
        let (acc, par) = (self.hw.accumulator_address_bits, self.hw.parameter_address_bits);
        let padding = self.get("pixel_padding_o") == 1;
        let address = self.get("pixel_address_o");
        Pixel {
            address: (!padding).then_some(address),
            rows: self.get("pixel_rows_o"),
            row_count: self.get("pixel_row_count_o"),
            col_count: self.get("pixel_col_count_o"),
            switch: self.get("pixel_switch_o") == 1,
            first: bit(1),
            emit: bit(2),
            relu: bit(3),
            pool_first: bit(4),
            pool_last: bit(5),
            accumulator: field(6, acc),
            parameter: field(6 + acc, par),
        }
    }
}
