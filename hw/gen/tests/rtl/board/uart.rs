//! The two halves of the UART against a software UART.

use super::started;
use crate::common::{Bench, rng};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Clock in kHz and rate in bits per second: 6, 8, 13.33 and 347.2 cycles a bit.
const RATES: [(u32, u32); 4] = [(60_000, 10_000_000), (40_000, 5_000_000), (40_000, 3_000_000), (40_000, 115_200)];

/// Cycles of a bit.
fn cycles((clock_khz, baud): (u32, u32)) -> f64 {
    f64::from(clock_khz) * 1000.0 / f64::from(baud)
}

/// What a receiver tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Byte(u8),
    FramingError,
    Break,
}

/// A line, cycle by cycle.
struct Line {
    levels: Vec<bool>,
    /// Where it ends, in cycles; edges may lie between cycles.
    end: f64,
}

impl Line {
    /// A line that rests, for the bits of a byte.
    fn new(bit: f64) -> Self {
        let mut line = Self { levels: Vec::new(), end: 0.0 };
        line.hold(true, 10.0 * bit);
        line
    }

    fn hold(&mut self, level: bool, cycles: f64) {
        self.end += cycles;
        self.levels.resize(self.end.ceil() as usize, level);
    }

    /// A byte with this level in place of its stop bit.
    fn byte(&mut self, byte: u8, stop: bool, bit: f64) {
        self.hold(false, bit);
        (0..8).for_each(|n| self.hold(byte >> n & 1 == 1, bit));
        self.hold(stop, bit);
    }

    /// Plays the line and two bytes' time of rest, and returns what the receiver told.
    fn play(mut self, bench: &mut Bench, bit: f64) -> Vec<Event> {
        self.hold(true, 20.0 * bit);
        let mut events = Vec::new();
        for level in self.levels {
            bench.set("rx_i", level.into());
            let told = ["valid_o", "framing_error_o", "break_o"].map(|port| bench.get(port) == 1);
            match told {
                [false, false, false] => (),
                [true, false, false] => events.push(Event::Byte(bench.get("data_o") as u8)),
                [false, true, false] => events.push(Event::FramingError),
                [false, false, true] => events.push(Event::Break),
                _ => panic!("more than one at once: {told:?}"),
            }
            bench.step();
        }
        events
    }
}

fn receiver(rate: (u32, u32)) -> Bench {
    started(rate.0, rate.1, "uart_receiver", &["rx_i"])
}

/// Random bytes, those with one edge and those with most edges more often than their share.
fn byte(rng: &mut ChaCha8Rng) -> u8 {
    *[0, 0x55, 0xaa, 0xff, 0x80, rng.random(), rng.random(), rng.random()].get(rng.random_range(0..8)).expect("eight")
}

/// Senders at the receiver's rate and 2% beside it, each byte right behind the last one's stop bit or some time later.
fn takes_every_byte(rate: (u32, u32), bench: &mut Bench, rng: &mut ChaCha8Rng) {
    let bit = cycles(rate);
    for speed in [1.0, 1.02, 0.98] {
        for longest_gap in [0.0, 3.0] {
            let mut line = Line::new(bit);
            let bytes: Vec<u8> = (0..if bit > 100.0 { 12 } else { 150 }).map(|_| byte(rng)).collect();
            for &byte in &bytes {
                line.hold(true, rng.random_range(0.0..=longest_gap * bit));
                line.byte(byte, true, bit / speed);
            }
            let want: Vec<Event> = bytes.into_iter().map(Event::Byte).collect();
            assert_eq!(line.play(bench, bit), want, "{bit} cycles a bit, sender at {speed}, gaps to {longest_gap}");
        }
    }
}

/// Bytes without a stop bit, breaks of any length, low pulses of up to half a bit, and whole bytes, one of which has a level
/// inverted for a cycle.
fn tells_what_is_wrong(rate: (u32, u32), bench: &mut Bench, rng: &mut ChaCha8Rng) {
    let bit = cycles(rate);
    let mut line = Line::new(bit);
    let mut want = Vec::new();
    let mut seen = [0; 5];
    for _ in 0..if bit > 100.0 { 40 } else { 400 } {
        let kind = rng.random_range(0..5);
        seen[kind] += 1;
        match kind {
            0 => {
                // However long the line stays low, it is this error alone; half a bit of rest is enough for the next byte.
                line.byte(rng.random_range(1..=255), false, bit);
                line.hold(false, rng.random_range(0.0..15.0) * bit);
                line.hold(true, rng.random_range(0.5..3.0) * bit);
                want.push(Event::FramingError);
            }
            1 => {
                line.hold(false, rng.random_range(10.0..60.0) * bit);
                line.hold(true, rng.random_range(0.5..3.0) * bit);
                want.push(Event::Break);
            }
            2 | 3 => {
                // A pulse of one cycle, or of any length to half a bit.
                let longest = if kind == 2 { 1 } else { (bit / 2.0) as usize };
                line.hold(true, 1.0);
                line.levels.extend(vec![false; rng.random_range(1..=longest)]);
                line.end = line.levels.len() as f64;
                line.hold(true, 2.0 * bit);
            }
            _ => {
                let byte = byte(rng);
                let start = line.end + bit;
                line.byte(byte, true, bit);
                let at = (start + rng.random_range(0.0..8.0) * bit) as usize;
                line.levels[at] ^= true;
                want.push(Event::Byte(byte));
            }
        }
    }
    assert!(seen.iter().all(|&seen| seen > 2), "{seen:?}");
    assert_eq!(line.play(bench, bit), want, "{bit} cycles a bit");
}

#[test]
fn receiver_takes_every_byte_and_tells_what_is_wrong() {
    let mut rng = rng(61);
    for rate in RATES {
        let mut bench = receiver(rate);
        takes_every_byte(rate, &mut bench, &mut rng);
        tells_what_is_wrong(rate, &mut bench, &mut rng);
    }
}

/// A line that is low when the reset ends, in the middle of a byte or of a break, gives nothing.
#[test]
fn receiver_takes_nothing_before_the_line_has_rested() {
    let rate = RATES[1];
    let bit = cycles(rate);
    for low in [1.0, 4.5, 9.0, 30.0] {
        let mut bench = receiver(rate);
        bench.set("rx_i", 0);
        bench.set("rst_i", 1);
        bench.steps(16);
        bench.set("rst_i", 0);
        let mut line = Line { levels: Vec::new(), end: 0.0 };
        line.hold(false, low * bit);
        line.hold(true, bit);
        line.byte(0x35, true, bit);
        assert_eq!(line.play(&mut bench, bit), [Event::Byte(0x35)], "low for {low} bits");
    }
}

#[test]
fn transmitter_keeps_to_the_rate_and_is_ready_behind_the_stop_bit() {
    let mut rng = rng(62);
    for rate in RATES {
        let bit = cycles(rate);
        let mut bench = started(rate.0, rate.1, "uart_transmitter", &[]);
        for n in 0..if bit > 100.0 { 12 } else { 200 } {
            let data = byte(&mut rng);
            for _ in 0..[0, rng.random_range(0..40)][n % 2] {
                assert_eq!((bench.get("ready_o"), bench.get("tx_o")), (1, 1), "at rest");
                bench.step();
            }
            bench.set("data_i", data.into());
            bench.set("valid_i", 1);
            assert_eq!((bench.get("ready_o"), bench.get("tx_o")), (1, 1), "before the byte");
            bench.step();
            // What is offered now is not taken.
            bench.set("data_i", (!data).into());
            let mut levels = Vec::new();
            while bench.get("ready_o") == 0 {
                levels.push(bench.get("tx_o"));
                bench.set("valid_i", rng.random_range(0..2));
                bench.step();
                assert!(levels.len() < 11 * bit.ceil() as usize, "the byte does not end");
            }
            bench.set("valid_i", 0);
            assert!((levels.len() as f64 - 10.0 * bit).abs() <= 1.0, "{} cycles, {bit} a bit", levels.len());
            let frame = 1 << 9 | u64::from(data) << 1;
            for n in 0..10 {
                let bit_is = |at: f64| levels[at as usize] == frame >> n & 1;
                let (first, last) = (f64::from(n) * bit + 1.0, f64::from(n + 1) * bit - 2.0);
                let whole = [first, f64::midpoint(first, last), last].into_iter().all(bit_is);
                assert!(whole, "bit {n} of {data:#04x}, {bit} cycles a bit: {levels:?}");
            }
        }
    }
}
