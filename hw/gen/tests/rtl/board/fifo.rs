//! The bytes that wait while the bridge is at work, against a queue.

use std::collections::VecDeque;

use super::started;
use crate::common::{Bench, rng};
use hafnia_config::link::FIFO_BYTES;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A FIFO, and the bytes with their marks that must come out of it.
struct Fifo {
    bench: Bench,
    waiting: VecDeque<(u8, bool)>,
    /// The byte of before found no room.
    gap: bool,
    /// Cycles for which a byte has waited and none was shown.
    hidden: u32,
    overruns: u32,
    marked_by_gap: u32,
}

impl Fifo {
    fn new() -> Self {
        let bench = started(40_000, 5_000_000, "line_fifo", &[]);
        Self { bench, waiting: VecDeque::new(), gap: false, hidden: 0, overruns: 0, marked_by_gap: 0 }
    }

    /// One cycle in which a byte comes, or none, and one is taken if there is one.
    fn cycle(&mut self, written: Option<(u8, bool)>, take: bool) {
        let bench = &mut self.bench;
        bench.set("write_i", written.is_some().into());
        let (byte, damaged) = written.unwrap_or((0xee, true));
        bench.set("data_i", byte.into());
        bench.set("damaged_i", damaged.into());
        let valid = bench.get("valid_o") == 1;
        bench.set("take_i", (valid && take).into());
        let overrun = bench.get("overrun_o") == 1;
        let before = self.waiting.len();
        if valid {
            let shown = (bench.get("data_o") as u8, bench.get("damaged_o") == 1);
            assert_eq!(Some(&shown), self.waiting.front(), "of {before} bytes");
        }
        self.hidden = if valid || before == 0 { 0 } else { self.hidden + 1 };
        assert!(self.hidden <= 3, "{before} bytes wait and none is shown");
        if valid && take {
            self.waiting.pop_front();
        }
        if written.is_some() {
            // The byte that is shown, or on its way, is no longer in the memory.
            let room = FIFO_BYTES as usize + usize::from(valid);
            assert!(!overrun || before >= FIFO_BYTES as usize, "no room behind {before} bytes");
            assert!(overrun || before <= room, "{before} bytes and one more");
            self.overruns += u32::from(overrun);
            if !overrun {
                self.waiting.push_back((byte, damaged || self.gap));
                self.marked_by_gap += u32::from(self.gap && !damaged);
            }
            self.gap = overrun;
        } else {
            assert!(!overrun, "no byte came");
        }
        self.bench.step();
    }

    /// Cycles in which a byte comes and is taken this often.
    fn run(&mut self, rng: &mut ChaCha8Rng, cycles: u32, writes: f64, takes: f64) {
        for _ in 0..cycles {
            let written = rng.random_bool(writes).then(|| (rng.random(), rng.random_bool(0.1)));
            self.cycle(written, rng.random_bool(takes));
        }
    }
}

#[test]
fn fifo_gives_what_came_in_order_and_marks_what_follows_a_loss() {
    let mut fifo = Fifo::new();
    let mut rng = rng(63);
    // Few bytes at a time: it runs empty again and again.
    fifo.run(&mut rng, 5_000, 0.1, 0.9);
    fifo.run(&mut rng, 5_000, 0.3, 0.5);
    assert!(fifo.overruns == 0 && fifo.waiting.len() < FIFO_BYTES as usize);
    // To its end, where one byte in some finds room, and empty again: the addresses wrap.
    for _ in 0..3 {
        fifo.run(&mut rng, 3_000, 1.0, 0.0);
        assert!((FIFO_BYTES as usize..=FIFO_BYTES as usize + 1).contains(&fifo.waiting.len()));
        fifo.run(&mut rng, 4_000, 0.5, 0.3);
        fifo.run(&mut rng, 8_200, 0.0, 1.0);
        assert!(fifo.waiting.is_empty());
    }
    assert!(fifo.overruns > 3_000 && fifo.marked_by_gap > 300, "{}, {}", fifo.overruns, fifo.marked_by_gap);
}

#[test]
fn fifo_is_empty_behind_a_reset() {
    let mut fifo = Fifo::new();
    let mut rng = rng(64);
    fifo.run(&mut rng, 2_100, 1.0, 0.0);
    assert!(fifo.gap && fifo.bench.get("valid_o") == 1);
    fifo.bench.set("write_i", 0);
    fifo.bench.set("take_i", 0);
    fifo.bench.set("rst_i", 1);
    fifo.bench.step();
    fifo.bench.set("rst_i", 0);
    fifo.waiting.clear();
    fifo.gap = false;
    for _ in 0..10 {
        assert_eq!(fifo.bench.get("valid_o"), 0);
        fifo.bench.step();
    }
    fifo.run(&mut rng, 2_000, 0.3, 0.3);
}
