//! The feeder: pixel commands into the left edge of the array.

mod common;

use std::collections::VecDeque;

use common::{Bench, array, rng};
use hafnia_config::Elaborated;
use rand::Rng;

/// The configuration with or without the injector, which sets how long the feeder waits.
fn config(rows: u32, cols: u32, injector: bool) -> Elaborated {
    let mut config = array(rows, cols, 2).config;
    config.injector.weights = injector;
    config.validate().expect("the configuration is legal")
}

/// The feature-map memory beside the feeder, read latency 2.
struct MapMemory {
    words: Vec<Vec<u8>>,
    fetched: Vec<u8>,
    data: Vec<u8>,
}

impl MapMemory {
    /// One clock edge.
    fn step(&mut self, read: bool, address: usize) {
        self.data.clone_from(&self.fetched);
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

/// Random commands, with gaps, against the words of the map: every read and every output.
fn compare(hw: &Elaborated) {
    let mut bench = Bench::new(hw, "feeder");
    let mut rng = rng(1);
    let rows = hw.rows as usize;
    let control_bits = 6 + hw.accumulator_address_bits + hw.parameter_address_bits;
    let words = (0..hw.config.memory.map_words).map(|_| (0..rows).map(|_| rng.random()).collect()).collect();
    let mut memory = MapMemory { words, fetched: vec![0; rows], data: vec![0; rows] };
    // The memory's two cycles and the register behind it are the last ones of `weight_latency + 1`.
    let wait = hw.weight_latency as usize - 2;
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
        bench.set_bytes("pixel_i", &memory.data);
        under_way.push_front(command);
        let (read, address) = (bench.get("read_o") == 1, bench.get("address_o") as usize);
        if let Some(asking) = under_way.get(wait) {
            assert_eq!(read, asking.valid, "cycle {cycle}");
            assert!(!read || address == asking.address, "cycle {cycle}");
        }
        memory.step(read, address);
        bench.step();
        if under_way.len() as u32 == hw.weight_latency + 1 {
            let command = under_way.pop_back().expect("it is not empty");
            assert_eq!(bench.get("control_o"), command.control, "cycle {cycle}");
            assert_eq!(bench.get("switch_o") == 1, command.switch && command.valid, "cycle {cycle}");
            let word = &memory.words[command.address];
            let want: Vec<u8> = (0..rows).map(|row| command.x(word, row)).collect();
            assert!(!command.valid || bench.get_bytes("x_o", rows) == want, "cycle {cycle}, want {want:?}");
        }
    }
}

#[test]
fn feeder_gives_pixels_one_cycle_behind_the_weights() {
    compare(&config(3, 5, true));
    compare(&config(16, 2, true));
}

#[test]
fn feeder_without_the_injector_reads_at_once() {
    compare(&config(3, 5, false));
}
