//! The counters of the running descriptor.

use crate::common::{Bench, array, coded, rng};
use hafnia_config::Elaborated;
use hafnia_config::protect::Code;
use hafnia_config::regs::LayerCounters;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const COUNTERS: usize = LayerCounters::NAMES.len();
// Places in the address order.
const CYCLES: usize = 0;
const MACS: usize = 1;
const STALLS: usize = 2;
const WORDS_READ: usize = 3;
const CELLS_WEIGHTS: usize = 4;
const CELLS_BIASES: usize = 5;
const CELLS_ACTIVATIONS: usize = 6;
const FLIPS_WEIGHTS: usize = 7;
const FLIPS_BIASES: usize = 8;
const FLIPS_ACTIVATIONS: usize = 9;

/// Those that gain enough by [`LARGEST`] to be counted from zero to the end, the fastest first.
const SUMS: [usize; 7] =
    [MACS, CELLS_WEIGHTS, CELLS_BIASES, CELLS_ACTIVATIONS, FLIPS_WEIGHTS, FLIPS_BIASES, FLIPS_ACTIVATIONS];

/// The counters are the same in every configuration with codes; without one those of decoders are left out.
fn configuration() -> Elaborated {
    coded(&array(3, 6, 2), Code::Secded { data_bits: 16 })
}

const DECODED: [&str; 4] = ["weights_corrected_i", "weights_detected_i", "biases_corrected_i", "biases_detected_i"];

/// What happens in one cycle of a descriptor.
#[derive(Clone, Copy, Default)]
struct Event {
    run: bool,
    pixel: bool,
    pixel_rows: u64,
    pixel_cols: u64,
    padding: bool,
    fold: bool,
    stall: bool,
    word: bool,
    word_cols: u64,
    /// Weights, biases, activations.
    flips: [u64; 3],
    /// Corrected and detected units of weights, then of biases.
    decoded: [u64; 4],
}

/// A large event, so that the end comes soon: 33 * 31 = 2^10 - 1 MACs, and cells up to 8 * 127.
const LARGEST: Event = Event {
    run: true,
    pixel: true,
    pixel_rows: 33,
    pixel_cols: 31,
    padding: false,
    fold: true,
    stall: true,
    word: true,
    word_cols: 127,
    flips: [255, 254, 253],
    decoded: [252, 251, 250, 249],
};

impl Event {
    /// Any event of an array of up to 16 x 16. The operands stay when their strobe is low.
    fn random(rng: &mut ChaCha8Rng) -> Self {
        Self {
            run: rng.random_bool(0.9),
            pixel: rng.random_bool(0.6),
            pixel_rows: rng.random_range(1..=16),
            pixel_cols: rng.random_range(1..=16),
            padding: rng.random_bool(0.3),
            fold: rng.random_bool(0.3),
            stall: rng.random_bool(0.3),
            word: rng.random_bool(0.5),
            word_cols: rng.random_range(1..=16),
            // Every bit of a word of 16 weights may flip.
            flips: [(); 3].map(|()| if rng.random_bool(0.5) { 0 } else { rng.random_range(0..=128) }),
            decoded: [(); 4].map(|()| if rng.random_bool(0.5) { 0 } else { rng.random_range(0..=16) }),
        }
    }

    fn drive(&self, bench: &mut Bench) {
        bench.set("run_i", self.run.into());
        bench.set("pixel_i", self.pixel.into());
        bench.set("pixel_rows_i", self.pixel_rows);
        bench.set("pixel_cols_i", self.pixel_cols);
        bench.set("padding_i", self.padding.into());
        bench.set("fold_i", self.fold.into());
        bench.set("stall_i", self.stall.into());
        bench.set("word_i", self.word.into());
        bench.set("word_cols_i", self.word_cols);
        for (port, flips) in ["weight_flips_i", "bias_flips_i", "map_flips_i"].into_iter().zip(self.flips) {
            bench.set(port, flips);
        }
        for (port, units) in DECODED.into_iter().zip(self.decoded) {
            bench.set(port, units);
        }
    }

    /// What each counter gains, in address order: a pixel is a MAC in every PE in use; a weight and an activation are eight
    /// cells, a bias is 32. Biases are read with the first pixel of a fold, activations with every pixel but padding.
    fn gains(&self) -> [u64; COUNTERS] {
        let (pixel, word) = (u64::from(self.pixel), u64::from(self.word));
        let macs = pixel * self.pixel_rows * self.pixel_cols;
        let biases = pixel * u64::from(self.fold) * 32 * self.pixel_cols;
        let activations = pixel * u64::from(!self.padding) * 8 * self.pixel_rows;
        let [weight_flips, bias_flips, map_flips] = self.flips;
        let weights = word * 8 * self.word_cols;
        let events = [self.run.into(), macs, self.stall.into(), word];
        let cells = [weights, biases, activations];
        [&events[..], &cells, &[weight_flips, bias_flips, map_flips], &self.decoded]
            .concat()
            .try_into()
            .expect("every counter")
    }
}

/// All counters, in address order.
fn values(bench: &mut Bench) -> [u64; COUNTERS] {
    std::array::from_fn(|counter| value(bench, counter))
}

/// A counter before the cycle that this takes.
fn value(bench: &mut Bench, counter: usize) -> u64 {
    bench.set("select_i", counter as u64);
    bench.step();
    bench.get("value_o")
}

/// Lets the last event be counted: all but cycles are a cycle late.
fn settle(bench: &mut Bench) {
    Event::default().drive(bench);
    bench.step();
}

/// Drives `clear_i` for one cycle beside `event`.
fn clear(bench: &mut Bench, event: Event) {
    event.drive(bench);
    bench.set("clear_i", 1);
    bench.step();
    bench.set("clear_i", 0);
}

/// Descriptors of random length, each begun by a clear that wins over what happens beside it.
#[test]
fn counters_are_the_sums_of_the_events_since_the_last_clear() {
    let mut bench = Bench::new(&configuration(), "counters");
    let mut rng = rng(4);
    let mut largest = 0;
    for _ in 0..40 {
        clear(&mut bench, Event::random(&mut rng));
        let (mut want, mut late) = ([0; COUNTERS], [0; COUNTERS]);
        for cycle in 0..rng.random_range(1..2000) {
            let (event, counter) = (Event::random(&mut rng), rng.random_range(0..COUNTERS));
            event.drive(&mut bench);
            assert_eq!(value(&mut bench, counter), want[counter], "cycle {cycle}, {}", LayerCounters::NAMES[counter]);
            let mut gains = event.gains();
            want[CYCLES] += std::mem::take(&mut gains[CYCLES]);
            want.iter_mut().zip(late).for_each(|(want, gain)| *want += gain);
            late = gains;
        }
        settle(&mut bench);
        want.iter_mut().zip(late).for_each(|(want, gain)| *want += gain);
        assert_eq!(values(&mut bench), want, "at the end, order {:?}", LayerCounters::NAMES);
        largest = largest.max(want[MACS]);
    }
    assert!(largest > 1 << 16, "the sums carry beyond 16 bits: {largest}");
}

/// Each strobe moves its own counters and no other, whatever the operands of the others are.
#[test]
fn each_strobe_moves_its_own_counters_only() {
    let mut bench = Bench::new(&configuration(), "counters");
    // What a strobe does not say has no effect: padding and the start of a fold without a pixel.
    let quiet = Event { pixel_rows: 16, pixel_cols: 15, padding: true, fold: true, word_cols: 16, ..Event::default() };
    let pixel = |padding, fold| Event { pixel: true, padding, fold, ..quiet };
    let flips = |flips| Event { flips, ..quiet };
    let alone = |counters: &[(usize, u64)]| {
        let mut want = [0; COUNTERS];
        counters.iter().for_each(|&(counter, value)| want[counter] = value);
        want
    };
    for (event, want) in [
        (quiet, [0; COUNTERS]),
        (Event { run: true, ..quiet }, alone(&[(CYCLES, 3)])),
        (pixel(true, false), alone(&[(MACS, 3 * 240)])),
        (pixel(true, true), alone(&[(MACS, 3 * 240), (CELLS_BIASES, 3 * 480)])),
        (pixel(false, false), alone(&[(MACS, 3 * 240), (CELLS_ACTIVATIONS, 3 * 128)])),
        (Event { stall: true, ..quiet }, alone(&[(STALLS, 3)])),
        (Event { word: true, ..quiet }, alone(&[(WORDS_READ, 3), (CELLS_WEIGHTS, 3 * 128)])),
        (flips([128, 0, 0]), alone(&[(FLIPS_WEIGHTS, 3 * 128)])),
        (flips([0, 32, 0]), alone(&[(FLIPS_BIASES, 3 * 32)])),
        (flips([0, 0, 127]), alone(&[(FLIPS_ACTIVATIONS, 3 * 127)])),
        (Event { decoded: [5, 0, 0, 0], ..quiet }, alone(&[(FLIPS_ACTIVATIONS + 1, 15)])),
        (Event { decoded: [0, 6, 0, 0], ..quiet }, alone(&[(FLIPS_ACTIVATIONS + 2, 18)])),
        (Event { decoded: [0, 0, 1, 0], ..quiet }, alone(&[(FLIPS_ACTIVATIONS + 3, 3)])),
        (Event { decoded: [0, 0, 0, 1], ..quiet }, alone(&[(FLIPS_ACTIVATIONS + 4, 3)])),
    ] {
        clear(&mut bench, event);
        bench.steps(3);
        settle(&mut bench);
        assert_eq!(values(&mut bench), want);
    }
}

#[test]
fn selections_beyond_the_counters_read_zero() {
    let mut bench = Bench::new(&configuration(), "counters");
    LARGEST.drive(&mut bench);
    bench.steps(100);
    assert!((COUNTERS..16).all(|select| value(&mut bench, select) == 0));
}

/// From a clear to the end, for the counters of [`SUMS`]: 2^32 / 255 is 17 million cycles.
#[test]
fn counters_of_sums_saturate_when_counted_from_zero() {
    let mut bench = Bench::new(&configuration(), "counters");
    clear(&mut bench, LARGEST);
    let gains = LARGEST.gains();
    bench.step();
    let mut cycles = 0;
    for counter in SUMS {
        let last = u64::from(u32::MAX) / gains[counter];
        bench.steps(last - cycles);
        assert_eq!(value(&mut bench, counter), last * gains[counter], "{}", LayerCounters::NAMES[counter]);
        cycles = last + 2;
        assert_eq!(value(&mut bench, counter), u64::from(u32::MAX), "{}", LayerCounters::NAMES[counter]);
    }
    bench.steps(1000);
    let after = values(&mut bench);
    assert!(SUMS.iter().all(|&counter| after[counter] == u64::from(u32::MAX)), "{after:?}");
    let others = [CYCLES, STALLS, WORDS_READ].map(|counter| after[counter]);
    // Those before them took a cycle each to read.
    assert_eq!(others, [cycles + 1001, cycles + 1002, cycles + 1003], "the others go on");
}

/// Counters have no reset, so each starts at a random value: a start near the end is found rather than counted to. This
/// reaches the end of the counters of single events, which would need 2^32 cycles from zero.
#[test]
fn counters_of_events_saturate_when_started_near_the_end() {
    // One start in 256 is as near as this, and 2^24 cycles take a second.
    let near = u64::from(u32::MAX) - (1 << 24);
    // These seeds do it with Verilator 5.006, so that the search ends at once; the rest is for other versions.
    let seeds = [809, 178, 619].into_iter().chain(1..10_000);
    let mut left = vec![CYCLES, STALLS, WORDS_READ];
    for seed in seeds {
        let mut bench = Bench::seeded(&array(3, 5, 2), "counters", seed);
        settle(&mut bench);
        let starts = values(&mut bench);
        if let Some(at) = left.iter().position(|&counter| starts[counter] >= near) {
            let counter = left.remove(at);
            saturates(&mut bench, counter, starts[counter]);
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("no seed starts the counters {left:?} near the end");
}

/// Checks the way of a counter of single events from `start` to the end and back to zero.
fn saturates(bench: &mut Bench, counter: usize, start: u64) {
    let name = LayerCounters::NAMES[counter];
    LARGEST.drive(bench);
    let end = u64::from(u32::MAX);
    bench.steps(end - start - u64::from(counter == CYCLES));
    for want in [end - 1, end, end, end] {
        assert_eq!(value(bench, counter), want, "{name}");
        bench.step();
    }
    clear(bench, LARGEST);
    assert_eq!(value(bench, counter), 0, "{name} after a clear");
}
