//! The weight memory: resident and streamed reads through the injector, and the records of flips.

mod common;

use std::collections::VecDeque;

use common::records::Records;
use common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, Noise, Rates, Site, stream_key};
use hafnia_golden::read::{Stream, read_weights};
use ndarray::Array4;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The configuration with a weight memory of 80 words, which is no power of two, and injectors at these sites.
fn small(rows: u32, cols: u32, lane_weights: u32, sites: &[Site]) -> Elaborated {
    let mut config = injecting(&array(rows, cols, lane_weights), sites).config;
    config.memory.weight_words = 80;
    config.validate().expect("the configuration is legal")
}

/// A weight word with its place in the layer.
struct Word {
    data: Vec<u8>,
    row: u32,
    live: u32,
    /// First output channel, input channel, tap.
    place: (usize, usize, usize, usize),
}

/// The words of a layer in read order, spelled out; columns that are not live hold anything.
fn words(hw: &Elaborated, weights: &Array4<i8>, rng: &mut ChaCha8Rng) -> Vec<Word> {
    let (kernels, channels, taps_y, taps_x) = weights.dim();
    let (rows, cols) = (hw.rows as usize, hw.cols as usize);
    let mut words = Vec::new();
    for k in (0..kernels).step_by(cols) {
        for first_c in (0..channels).step_by(rows) {
            for (r, s) in (0..taps_y * taps_x).map(|tap| (tap / taps_x, tap % taps_x)) {
                for c in first_c..channels.min(first_c + rows) {
                    let live = cols.min(kernels - k);
                    let weight =
                        |column| if column < live { weights[[k + column, c, r, s]] as u8 } else { rng.random() };
                    let data = (0..cols).map(weight).collect();
                    words.push(Word { data, row: 1 << (c - first_c), live: (1 << live) - 1, place: (k, c, r, s) });
                }
            }
        }
    }
    words
}

/// Resets the memory; in stream mode leaves it with a ring that held three words and was cleared.
fn reset(bench: &mut Bench, stream: bool) {
    bench.set("rst_i", 1);
    for _ in 0..8 {
        assert_eq!(bench.get("record_valid_o"), 0, "nothing is a flip during reset");
        bench.step();
    }
    bench.set("rst_i", 0);
    bench.set("stream_i", stream.into());
    if stream {
        for (port, steps, level) in [("write_i", 3, 3), ("clear_i", 1, 0)] {
            bench.set(port, 1);
            (0..steps).for_each(|_| bench.step());
            bench.set(port, 0);
            assert_eq!((bench.get("level_o"), bench.get("ready_o")), (level, u64::from(level > 0)));
        }
    }
}

/// Compares what arrives at the array's top in this cycle with the golden read of the word, if there is one.
fn check_arrival(bench: &mut Bench, hw: &Elaborated, word: Option<&Word>, noisy: &Array4<i8>) {
    assert_eq!(bench.get("load_o"), word.map_or(0, |word| word.row.into()));
    if let Some(&Word { live, place: (k, c, r, s), .. }) = word {
        let live = live.count_ones() as usize;
        let want: Vec<u8> = (0..live).map(|column| noisy[[k + column, c, r, s]] as u8).collect();
        assert_eq!(bench.get_bytes("weights_o", hw.cols as usize)[..live], want[..], "word at {:?}", (k, c, r, s));
    }
}

/// One pass over a layer: what was written and read so far.
struct Pass<'a> {
    hw: &'a Elaborated,
    stream: bool,
    words: &'a [Word],
    rng: ChaCha8Rng,
    written: usize,
    read: usize,
    /// The word that is read in this cycle.
    reading: Option<usize>,
    was_full: bool,
    was_empty: bool,
}

impl Pass<'_> {
    /// Drives the write port and returns whether it writes: faster than the reader until the ring is full, then slower.
    fn drive_write(&mut self, bench: &mut Bench) -> bool {
        let room = self.written - self.read < self.hw.config.memory.weight_words as usize;
        let write = self.written < self.words.len() && room && self.rng.random_bool(self.pace(0.95, 0.3));
        bench.set("write_i", write.into());
        let address = self.address(self.written);
        bench.set("write_address_i", address);
        bench.set_bytes("write_data_i", &self.words[self.written.min(self.words.len() - 1)].data);
        write
    }

    /// Drives the read port; what stands beside a word that is not read must not matter.
    fn drive_read(&mut self, bench: &mut Bench) {
        bench.set("read_i", self.reading.is_some().into());
        let address = self.address(self.read);
        bench.set("read_address_i", address);
        let word = &self.words[self.reading.unwrap_or(self.rng.random_range(0..self.words.len()))];
        bench.set("row_i", word.row.into());
        bench.set("live_i", word.live.into());
        bench.set("index_i", self.reading.map_or(u32::MAX.into(), |n| n as u64));
    }

    /// The address of word `n`; the ring has its own.
    fn address(&mut self, n: usize) -> u64 {
        if self.stream { self.rng.random_range(0..80) } else { (3 + n as u64).min(79) }
    }

    /// The rate before the ring was full, and after.
    fn pace(&self, before: f64, after: f64) -> f64 {
        if self.was_full { after } else { before }
    }

    /// Compares level, full and ready with the words written and read, and returns the word to read in the next cycle: as
    /// the sequencer does it, one that is ready now.
    fn ask(&mut self, bench: &mut Bench) -> Option<usize> {
        let after = self.read + usize::from(self.reading.is_some());
        let left = after < self.words.len();
        let ready = bench.get("ready_o") == 1;
        if !self.stream {
            assert_eq!((ready, bench.get("level_o")), (true, 0), "resident words are not in the ring");
            return (left && self.written == self.words.len() && self.rng.random_bool(0.8)).then_some(after);
        }
        let (level, full) = (self.written - self.read, bench.get("full_o") == 1);
        assert_eq!(bench.get("level_o"), level as u64);
        assert_eq!(full, level == self.hw.config.memory.weight_words as usize, "level {level}");
        assert_eq!(ready, self.written > after, "{} words written, {after} read", self.written);
        self.was_full |= full;
        self.was_empty |= self.was_full && left && !ready;
        (left && ready && self.rng.random_bool(self.pace(0.1, 0.9))).then_some(after)
    }
}

/// Reads a layer once through the memory, in stream mode while it is being written, and compares all outputs.
fn read_layer(bench: &mut Bench, hw: &Elaborated, stream: bool, noise: &Noise) {
    let mut rng = rng(u64::from(hw.cols));
    let folds = if stream { 8 } else { 2 };
    let shape = ((folds * hw.cols - 2) as usize, hw.rows as usize + 1, 3, 3);
    let weights = Array4::from_shape_simple_fn(shape, || rng.random());
    let words = &words(hw, &weights, &mut rng)[..];
    let key = Stream { seed: 9, layer: 2, group: 6 };
    let (noisy, golden) = read_weights(hw, &weights, key, noise);
    bench.set_noise(noise.of(Site::Weights), noise.at_risk.bits[0]);
    bench.set("enable_i", noise.enable.into());
    bench.seed(hw.seed_words(Site::Weights), stream_key(9, Site::Weights, 2, 6));
    let stored: Vec<_> = words.iter().map(|word| word.data.clone()).collect();
    let (written, read, reading) = (0, 0, None);
    let mut pass = Pass { hw, stream, words, rng, written, read, reading, was_full: false, was_empty: false };
    let (mut under_way, mut records) = (VecDeque::new(), Records::new(bench, Site::Weights, key));
    let mut cycles_left = hw.weight_latency + 3;
    while cycles_left > 0 {
        let write = pass.drive_write(bench);
        pass.drive_read(bench);
        under_way.push_back(pass.reading);
        let next = pass.ask(bench);
        bench.step();
        pass.written += usize::from(write);
        pass.read += usize::from(pass.reading.is_some());
        pass.reading = next;
        if under_way.len() as u32 == hw.weight_latency {
            let word = under_way.pop_front().flatten().map(|n| &words[n]);
            check_arrival(bench, hw, word, &noisy);
        }
        records.look(bench, &stored);
        cycles_left -= u32::from(pass.read == words.len());
    }
    records.assert_equal(bench, &golden);
    assert_eq!((pass.was_full, pass.was_empty), (stream, stream), "a ring was full and empty");
}

/// Reads layers with every bit at risk and some, and with directions apart.
fn read_layers(stream: bool) {
    for hw in [small(3, 5, 2, &[Site::Weights]), small(2, 16, 8, &[Site::Weights])] {
        let mut bench = Bench::new(&hw, "weight_memory");
        reset(&mut bench, stream);
        let some = AtRisk { bits: [0x81, 0, 0], ..AtRisk::WEIGHTS };
        for p in [0.0, 0.02, 0.5, 1.0] {
            read_layer(&mut bench, &hw, stream, &hw.noise(p, AtRisk::WEIGHTS).expect("a probability"));
        }
        for rates in [0.5.into(), Rates { p01: 0.02, p10: 0.3 }, Rates { p01: 1.0, p10: 0.0 }] {
            read_layer(&mut bench, &hw, stream, &hw.noise(rates, some).expect("probabilities"));
        }
    }
}

#[test]
fn resident_weights_are_read_as_the_golden_model_reads_them() {
    read_layers(false);
}

#[test]
fn streamed_weights_are_read_as_the_golden_model_reads_them() {
    read_layers(true);
}

/// With the latency of another site's injector, or of none.
#[test]
fn without_the_injector_weights_pass_unchanged() {
    for sites in [&[Site::Biases][..], &[]] {
        let hw = small(3, 5, 2, sites);
        let mut bench = Bench::new(&hw, "weight_memory");
        reset(&mut bench, true);
        read_layer(&mut bench, &hw, true, &hw.noise(0.0, AtRisk::WEIGHTS).expect("a probability"));
    }
}
