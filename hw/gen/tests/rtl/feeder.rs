//! The feeder: pixel commands into the left edge of the array.

use std::collections::VecDeque;

use crate::common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::MAP_MEMORY_LATENCY;
use hafnia_config::fault::{INJECTOR_LATENCY, Site};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The feature-map memory beside the feeder, and its noisy port, if there is one.
struct MapMemory {
    words: Vec<Vec<u8>>,
    fetched: Vec<u8>,
    /// The word that leaves the memory, those that are under way to it, and those that are in the port.
    data: VecDeque<Vec<u8>>,
}

impl MapMemory {
    /// Returns a memory of random words whose port takes `port` cycles.
    fn new(hw: &Elaborated, port: u32, rng: &mut ChaCha8Rng) -> Self {
        let mut word = || (0..hw.rows).map(|_| rng.random()).collect::<Vec<u8>>();
        let words = (0..hw.config.memory.map_words).map(|_| word()).collect();
        Self { words, fetched: word(), data: (2..=MAP_MEMORY_LATENCY + port).map(|_| word()).collect() }
    }

    /// What the feeder gets in this cycle: a port inverts every bit.
    fn pixel(&self) -> Vec<u8> {
        let word = &self.data[0];
        if self.data.len() as u32 >= MAP_MEMORY_LATENCY {
            word.iter().map(|byte| !byte).collect()
        } else {
            word.clone()
        }
    }

    /// One clock edge.
    fn step(&mut self, read: bool, address: usize) {
        self.data.pop_front();
        self.data.push_back(self.fetched.clone());
        if read {
            self.fetched.clone_from(&self.words[address]);
        }
    }
}

/// A command to the feeder.
struct Command {
    valid: bool,
    switch: bool,
    padding: bool,
    address: usize,
    rows: u32,
    control: u64,
}

impl Command {
    fn drive(&self, bench: &mut Bench) {
        bench.set("valid_i", self.valid.into());
        bench.set("switch_i", self.switch.into());
        bench.set("padding_i", self.padding.into());
        bench.set("address_i", self.address as u64);
        bench.set("rows_i", self.rows.into());
        bench.set("control_i", self.control);
    }

    /// The value that row `row` must get.
    fn x(&self, word: &[u8], row: usize) -> u8 {
        if self.padding || self.rows >> row & 1 == 0 { 0 } else { word[row] }
    }
}

/// Random commands, with gaps, against the words of the map: every read, every word for the port, and every output.
fn compare(hw: &Elaborated) {
    let mut bench = Bench::new(hw, "feeder");
    let mut rng = rng(1);
    let rows = hw.rows as usize;
    let control_bits = 6 + hw.accumulator_address_bits + hw.parameter_address_bits;
    let noisy = hw.config.injector.read_sites().any(|site| site == Site::Activations);
    let port = if noisy { INJECTOR_LATENCY } else { 0 };
    let mut memory = MapMemory::new(hw, port, &mut rng);
    // The memory's cycles, those of its port, and the register behind it are the last ones of `weight_latency + 1`.
    let wait = (hw.weight_latency - MAP_MEMORY_LATENCY - port) as usize;
    let mut under_way = VecDeque::new();
    for cycle in 0..5000 {
        let command = Command {
            valid: rng.random_bool(0.7),
            switch: rng.random_bool(0.2),
            padding: rng.random_bool(0.3),
            address: rng.random_range(0..memory.words.len()),
            rows: rng.random::<u32>() & ((1 << rows) - 1),
            control: rng.random::<u64>() & ((1 << control_bits) - 1),
        };
        command.drive(&mut bench);
        bench.set_bytes("pixel_i", &memory.pixel());
        under_way.push_front(command);
        let (read, address) = (bench.get("read_o") == 1, bench.get("address_o") as usize);
        if let Some(asking) = under_way.get(wait) {
            assert_eq!(read, asking.valid, "cycle {cycle}");
            assert!(!read || address == asking.address, "cycle {cycle}");
            let (word, word_rows) = (bench.get("word_o") == 1, bench.get("word_rows_o") as u32);
            assert_eq!(word, asking.valid && !asking.padding, "cycle {cycle}");
            assert!(!word || word_rows == asking.rows, "cycle {cycle}");
        }
        memory.step(read, address);
        bench.step();
        if under_way.len() as u32 == hw.weight_latency + 1 {
            let command = under_way.pop_back().expect("it is not empty");
            assert_eq!(bench.get("control_o"), command.control, "cycle {cycle}");
            assert_eq!(bench.get("switch_o") == 1, command.switch && command.valid, "cycle {cycle}");
            let flip = if noisy { 0xff } else { 0 };
            let word: Vec<u8> = memory.words[command.address].iter().map(|byte| byte ^ flip).collect();
            let want: Vec<u8> = (0..rows).map(|row| command.x(&word, row)).collect();
            assert!(!command.valid || bench.get_bytes("x_o", rows) == want, "cycle {cycle}, want {want:?}");
        }
    }
}

#[test]
fn feeder_gives_pixels_one_cycle_behind_the_weights() {
    for (rows, cols) in [(3, 5), (16, 2)] {
        compare(&injecting(&array(rows, cols, 2), &[Site::Weights]));
    }
}

#[test]
fn feeder_reads_earlier_through_the_port_of_the_feature_maps() {
    compare(&injecting(&array(3, 5, 2), &[Site::Activations]));
    compare(&injecting(&array(16, 2, 2), &Site::ALL));
}

#[test]
fn feeder_without_any_injector_reads_at_once() {
    compare(&injecting(&array(3, 5, 2), &[]));
}
