//! The weight memory: resident and streamed reads.

use std::collections::VecDeque;

use crate::common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::CODE_MEMORY_LATENCY;
use hafnia_config::fault::Site;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The configuration with a weight memory of 80 words, which is no power of two, and injectors at these sites.
fn small(rows: u32, cols: u32, lane_weights: u32, sites: &[Site]) -> Elaborated {
    let mut config = injecting(&array(rows, cols, lane_weights), sites).config;
    config.memory.weight_words = 80;
    config.validate().expect("the configuration is legal")
}

/// A weight word and the row that takes it.
struct Word {
    data: Vec<u8>,
    row: u32,
}

/// Words of all rows in turn, a whole number of times.
fn words(hw: &Elaborated, tiles: u32, rng: &mut ChaCha8Rng) -> Vec<Word> {
    let mut word = |row| Word { data: (0..hw.cols).map(|_| rng.random()).collect(), row: 1_u32 << row };
    (0..tiles).flat_map(|_| 0..hw.rows).map(&mut word).collect()
}

/// Resets the memory; in stream mode leaves it with a ring that held three words and was cleared.
fn reset(bench: &mut Bench, stream: bool) {
    bench.set("rst_i", 1);
    bench.steps(8);
    bench.set("rst_i", 0);
    bench.set("stream_i", stream.into());
    if stream {
        for (port, steps, level) in [("commit_i", 3, 3), ("clear_i", 1, 0)] {
            bench.set(port, 1);
            (0..steps).for_each(|_| bench.step());
            bench.set(port, 0);
            assert_eq!((bench.get("level_o"), bench.get("ready_o")), (level, u64::from(level > 0)));
        }
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
        // Without write-verify each write ends its word.
        bench.set("write_i", write.into());
        bench.set("commit_i", write.into());
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

/// Reads words once through the memory, in stream mode while they are being written, and compares all outputs: the word as
/// it leaves the memory, the row that takes it as late as port and codec are.
fn read_words(hw: &Elaborated, stream: bool) {
    let mut bench = Bench::new(hw, "weight_memory");
    reset(&mut bench, stream);
    let mut rng = rng(u64::from(hw.cols));
    let words = &words(hw, if stream { 720 / hw.rows } else { 70 / hw.rows }, &mut rng)[..];
    let (written, read, reading) = (0, 0, None);
    let mut pass = Pass { hw, stream, words, rng, written, read, reading, was_full: false, was_empty: false };
    let (mut codes, mut loads) = (VecDeque::new(), VecDeque::new());
    let mut cycles_left = hw.weight_latency + 3;
    while cycles_left > 0 {
        let write = pass.drive_write(&mut bench);
        pass.drive_read(&mut bench);
        codes.push_back(pass.reading);
        loads.push_back(pass.reading);
        let next = pass.ask(&mut bench);
        bench.set("next_read_i", next.is_some().into());
        bench.step();
        pass.written += usize::from(write);
        pass.read += usize::from(pass.reading.is_some());
        pass.reading = next;
        if codes.len() as u32 == CODE_MEMORY_LATENCY
            && let Some(n) = codes.pop_front().flatten()
        {
            assert_eq!(bench.get_bytes("code_o", hw.cols as usize), words[n].data, "word {n}");
        }
        if loads.len() as u32 == hw.weight_latency {
            let row = loads.pop_front().flatten().map_or(0, |n: usize| words[n].row);
            assert_eq!(bench.get("load_o"), u64::from(row));
        }
        cycles_left -= u32::from(pass.read == words.len());
    }
    assert_eq!((pass.was_full, pass.was_empty), (stream, stream), "a ring was full and empty");
}

/// With read ports of several latencies, and without any.
#[test]
fn resident_and_streamed_words_come_when_they_are_due() {
    for (rows, cols, lane_weights, sites) in
        [(3, 5, 2, &[Site::Weights][..]), (2, 16, 8, &[Site::Weights]), (3, 5, 2, &[Site::Biases]), (3, 5, 2, &[])]
    {
        let hw = small(rows, cols, lane_weights, sites);
        read_words(&hw, false);
        read_words(&hw, true);
    }
}
