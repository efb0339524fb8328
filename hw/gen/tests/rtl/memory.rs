//! The memories: block RAM and banks of it, feature map with byte lanes, and the pointers of the weight ring.

use std::collections::VecDeque;

use crate::common::{Bench, array, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::{CODE_MEMORY_LATENCY, MAP_MEMORY_LATENCY, MEMORY_LATENCY};
use rand::Rng;
use rand::seq::IndexedRandom;

/// A memory as a read sees it.
#[derive(Clone, Copy)]
struct Reads {
    /// Cycles from a read to its data.
    latency: u32,
    /// Without a read the last word stays.
    holds: bool,
}

/// One block: the array, then the output register.
const BLOCK: Reads = Reads { latency: MEMORY_LATENCY, holds: true };
/// Blocks behind a register.
const MAP: Reads = Reads { latency: MAP_MEMORY_LATENCY, holds: true };
/// Banks of blocks.
const BANKED: Reads = Reads { latency: CODE_MEMORY_LATENCY, holds: false };

/// An array whose weight and feature-map memories have `words` words.
fn with_words(rows: u32, cols: u32, lane_weights: u32, words: u32) -> Elaborated {
    let mut config = array(rows, cols, lane_weights).config;
    config.memory.weight_words = words;
    config.memory.map_words = words;
    config.validate().expect("the configuration is legal")
}

/// A byte of a memory: unknown until it is written.
type Known = Option<u8>;

/// Compares the bytes that are known, and returns how many those were.
fn compare(want: &[Known], got: &[u8], cycle: usize) -> usize {
    let known = want.iter().zip(got).filter_map(|(want, &got)| want.map(|want| (want, got)));
    known.inspect(|(want, got)| assert_eq!(got, want, "cycle {cycle}: want {want:x?} of the word")).count()
}

/// Random traffic at one read and one write a cycle, never of the same word, against plain words: what is read is what
/// the memory held in the cycle of the read. `lanes` is the port of the byte lanes; without it the whole word is written.
fn random_traffic(hw: &Elaborated, module: &str, reads: Reads, [bytes, words]: [usize; 2], lanes: Option<&str>) {
    let mut bench = Bench::new(hw, module);
    let mut rng = rng(2);
    let mut memory: Vec<Vec<Known>> = vec![vec![None; bytes]; words];
    // What the last read fetched, one entry per cycle, the newest last.
    let mut fetched = VecDeque::from(vec![vec![None; bytes]; reads.latency as usize]);
    let (mut checked, mut idle) = (0, 0);
    for cycle in 0..20_000.max(40 * words) {
        let (write, read) = (rng.random_bool(0.6), rng.random_bool(0.7));
        let write_address = rng.random_range(0..words);
        // Half of the reads go right beside the write, where a wrong address bit shows.
        let read_address =
            if rng.random_bool(0.5) { write_address ^ 1 } else { rng.random_range(0..words) }.min(words - 1);
        let mask = match lanes {
            _ if !write => 0,
            None => u64::MAX,
            Some(_) => rng.random_range(0..1_u64 << bytes),
        };
        let read = read && (read_address != write_address || mask == 0);
        let data: Vec<u8> = (0..bytes).map(|_| rng.random()).collect();
        match lanes {
            Some(port) => bench.set(port, mask),
            None => bench.set("write_i", write.into()),
        }
        bench.set("write_address_i", write_address as u64);
        bench.set_bytes("write_data_i", &data);
        bench.set("read_i", read.into());
        bench.set("read_address_i", read_address as u64);
        bench.step();

        let last = fetched.back().expect("a read per cycle").clone();
        let held = if reads.holds { last } else { vec![Some(0); bytes] };
        idle += usize::from(!read && held.iter().any(Option::is_some));
        fetched.push_back(if read { memory[read_address].clone() } else { held });
        for (lane, &byte) in data.iter().enumerate().filter(|(lane, _)| mask >> lane & 1 == 1) {
            memory[write_address][lane] = Some(byte);
        }
        fetched.pop_front();
        checked += compare(&fetched[0], &bench.get_bytes("read_data_o", bytes), cycle);
    }
    assert!(memory.iter().flatten().all(Option::is_some), "the traffic reaches every byte");
    assert!(checked > 20 * words * bytes && idle > words, "checked {checked} bytes, {idle} idle cycles");
}

/// A lane of a weight memory of wide words and a depth that is no power of two: one bank, and several of which the last is small.
#[test]
fn banked_ram_gives_what_the_word_held_when_it_was_asked_for() {
    random_traffic(&with_words(2, 16, 8, 100), "banked_ram_100x64", BANKED, [8, 100], None);
    random_traffic(&with_words(2, 4, 4, 4196), "banked_ram_4196x32", BANKED, [4, 4196], None);
}

/// A lane of a feature map: the narrowest word.
#[test]
fn block_ram_of_one_byte_gives_what_the_word_held_two_cycles_ago() {
    random_traffic(&with_words(2, 16, 8, 64), "block_ram_64x8", BLOCK, [1, 64], None);
}

/// With `read_i` low neither another address nor a write to the fetched word reaches the output.
#[test]
fn block_ram_holds_the_fetched_word_while_read_i_is_low() {
    let mut bench = Bench::new(&with_words(2, 16, 8, 100), "block_ram_100x8");
    bench.set("write_i", 1);
    for address in 0..100 {
        bench.set("write_address_i", address);
        bench.set("write_data_i", address);
        bench.step();
    }
    bench.set("write_i", 0);
    bench.set("read_i", 1);
    bench.set("read_address_i", 99);
    bench.step();
    bench.set("read_i", 0);
    bench.set("write_i", 1);
    bench.set("write_address_i", 99);
    bench.set("write_data_i", 7);
    for address in 0..100 {
        bench.set("read_address_i", address);
        bench.step();
        assert_eq!(bench.get("read_data_o"), 99, "{address} cycles after the read");
    }
}

#[test]
fn map_memory_writes_only_the_lanes_it_is_told_to() {
    random_traffic(&with_words(3, 5, 2, 70), "map_memory", MAP, [3, 70], Some("write_lanes_i"));
}

/// Sixteen lanes leave the words of 64 bits that the simulator's ports are made of.
#[test]
fn map_memory_of_sixteen_lanes_writes_only_the_lanes_it_is_told_to() {
    random_traffic(&with_words(16, 2, 2, 64), "map_memory", MAP, [16, 64], Some("write_lanes_i"));
}

/// What the ring did to its limits.
#[derive(Default)]
struct Reached {
    full: u32,
    empty: u32,
    both: u32,
    emptied: u32,
    wraps: u32,
}

/// A writer that numbers its words and a reader that expects them in order, with the memory between them in plain Rust:
/// the pointers must make a queue of it.
fn ring_is_a_queue(depth: u64) -> Reached {
    let mut bench = Bench::new(&with_words(3, 5, 2, depth as u32), "ring");
    let mut rng = rng(3);
    bench.set("rst_i", 1);
    bench.step();
    bench.set("rst_i", 0);
    let mut memory = vec![0; depth as usize];
    let mut queue = VecDeque::new();
    let (mut next, mut write_chance) = (0_u64, 0.5);
    let mut reached = Reached::default();
    for cycle in 0..200 * depth {
        // Long spells of more writes or more reads take the level to both ends.
        if cycle % (3 * depth) == 0 {
            write_chance = *[0.2, 0.5, 0.9].choose(&mut rng).expect("a list");
        }
        let level = queue.len() as u64;
        assert_eq!(bench.get("level_o"), level, "cycle {cycle}");
        assert_eq!(bench.get("full_o") == 1, level == depth, "cycle {cycle}");
        assert_eq!(bench.get("empty_o") == 1, level == 0, "cycle {cycle}");
        let (write_address, read_address) = (bench.get("write_address_o"), bench.get("read_address_o"));
        assert!(write_address < depth && read_address < depth, "cycle {cycle}: {write_address}, {read_address}");
        if let Some(want) = queue.front() {
            assert_eq!(&memory[read_address as usize], want, "cycle {cycle}: word {read_address}");
        }
        let write = level < depth && rng.random_bool(write_chance);
        let read = level > 0 && rng.random_bool(1.0 - write_chance);
        // Rare, so that the level has time to grow; both inputs do the same, also at the same time as a write and a read.
        let (clear, rst) = (rng.random_bool(0.1 / depth as f64), rng.random_bool(0.1 / depth as f64));
        bench.set("write_i", write.into());
        bench.set("read_i", read.into());
        bench.set("clear_i", clear.into());
        bench.set("rst_i", rst.into());
        bench.step();
        reached.full += u32::from(level == depth);
        reached.empty += u32::from(level == 0);
        reached.both += u32::from(write && read);
        if read {
            queue.pop_front();
        }
        if write {
            memory[write_address as usize] = next;
            queue.push_back(next);
            next += 1;
            reached.wraps += u32::from(write_address == depth - 1);
        }
        if clear || rst {
            reached.emptied += u32::from(level > 0);
            queue.clear();
            assert_eq!(bench.get("write_address_o"), 0, "cycle {cycle}");
            assert_eq!(bench.get("read_address_o"), 0, "cycle {cycle}");
        }
    }
    reached
}

/// The ring must have met every one of its cases, or the test above would prove nothing.
fn check_reached(reached: &Reached) {
    let Reached { full, empty, both, emptied, wraps } = *reached;
    assert!(full > 100 && empty > 100 && both > 1000, "full {full}, empty {empty}, both {both}");
    assert!(emptied > 5 && wraps > 20, "emptied {emptied}, wraps {wraps}");
}

#[test]
fn ring_of_no_power_of_two_is_a_queue() {
    check_reached(&ring_is_a_queue(100));
}

#[test]
fn ring_of_a_power_of_two_is_a_queue() {
    check_reached(&ring_is_a_queue(64));
}

/// A clear or a reset in the cycle of a write or a read wins: the word is not counted.
#[test]
fn ring_is_empty_after_a_clear_or_a_reset_whatever_else_happens() {
    let mut bench = Bench::new(&with_words(3, 5, 2, 100), "ring");
    bench.set("rst_i", 1);
    bench.step();
    for port in ["clear_i", "rst_i"] {
        for (write, read) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            bench.set("rst_i", 0);
            bench.set("clear_i", 0);
            bench.set("read_i", 0);
            bench.set("write_i", 1);
            for _ in 0..3 {
                bench.step();
            }
            assert_eq!(bench.get("level_o"), 3);
            bench.set("write_i", write);
            bench.set("read_i", read);
            bench.set(port, 1);
            bench.step();
            let state = ["level_o", "write_address_o", "read_address_o", "full_o", "empty_o"].map(|p| bench.get(p));
            assert_eq!(state, [0, 0, 0, 0, 1], "{port} with write_i {write}, read_i {read}");
        }
    }
}
