//! The injector: seeding, the draws of a lane, and a lane of the weight memory around it.

mod common;

use std::collections::VecDeque;

use common::{Bench, array, rng};
use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, Noise, SEED_FIX, stream_key};
use hafnia_golden::generator::{CellGenerator, SeedGenerator};
use hafnia_golden::injector::{Tree, seeded_lanes};
use rand::Rng;

/// The configuration with a weight memory of 80 words, which is no power of two, and with or without the injector.
fn small(rows: u32, cols: u32, lane_weights: u32, injector: bool) -> Elaborated {
    let mut config = array(rows, cols, lane_weights).config;
    config.memory.weight_words = 80;
    config.injector.weights = injector;
    config.validate().expect("the configuration is legal")
}

/// A number whose lowest `bits` bits are set.
fn ones(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// The cells of the weights in `live`.
fn cells(live: u64) -> u64 {
    (0..8).filter(|w| live >> w & 1 == 1).fold(0, |mask, w| mask | 0xff << (8 * w))
}

/// Shifts the seed words of `key` into the chain of one lane.
fn seed_lane(bench: &mut Bench, hw: &Elaborated, key: [u32; 4]) {
    let mut source = SeedGenerator::new(key);
    let first = source.word();
    let mut word = first;
    bench.set("valid_i", 0);
    bench.set("seed_i", 1);
    for _ in 0..3 * hw.codeword_bits {
        bench.set("seed_word_i", word.into());
        bench.step();
        word = source.word();
    }
    bench.set("seed_i", 0);
    assert_eq!(bench.get("seed_word_o") as u32, first, "the first word is at the end of the chain");
}

/// Runs random codewords through an injector lane and compares every output with the golden lane; returns the flips.
fn run_lane(bench: &mut Bench, hw: &Elaborated, noise: &Noise, seed: u64, enable: fn(u32) -> bool) -> u32 {
    let mut rng = rng(seed);
    let key = stream_key(seed, 3, 5);
    bench.set_noise(noise);
    seed_lane(bench, hw, key);
    let tree = Tree::new(hw.codeword_bits, noise);
    let mut golden = seeded_lanes(key, 1, &tree).remove(0);
    let (mut under_way, mut flipped) = (VecDeque::new(), 0);
    for cycle in 0..4000 {
        let (code, live) = (rng.random::<u64>() & ones(hw.codeword_bits), rng.random::<u64>() & ones(hw.lane_weights));
        let (valid, enable) = (rng.random_bool(0.7), enable(cycle));
        bench.set("enable_i", enable.into());
        bench.set("valid_i", valid.into());
        bench.set("live_i", live);
        bench.set("code_i", code);
        let at_risk = u64::from_ne_bytes([noise.at_risk.bits; 8]);
        let flips = if valid && enable { golden.draw() as u64 & cells(live) & at_risk } else { 0 };
        flipped += flips.count_ones();
        under_way.push_back((code ^ flips, flips));
        bench.step();
        if under_way.len() == 2 {
            let got = (bench.get("code_o"), bench.get("flips_o"));
            assert_eq!(Some(got), under_way.pop_front(), "{} cells, seed {seed}, cycle {cycle}", hw.codeword_bits);
        }
    }
    flipped
}

#[test]
fn seeder_gives_the_words_of_lfsr113() {
    let mut bench = Bench::new(&array(3, 5, 2), "seeder");
    let mut rng = rng(1);
    for key in [[u32::MAX; 4], [1, 2, 3, 4], rng.random(), stream_key(7, 1, 2)] {
        let mut golden = SeedGenerator::new(key);
        bench.set_words("key_i", &key);
        bench.set("load_i", 1);
        bench.step();
        bench.set("load_i", 0);
        bench.set_words("key_i", &rng.random::<[u32; 4]>());
        for n in 0..500 {
            let word = golden.word();
            while rng.random_bool(0.3) {
                bench.set("shift_i", 0);
                bench.step();
            }
            assert_eq!(bench.get("word_o") as u32, word, "word {n} of key {key:08x?}");
            bench.set("shift_i", 1);
            bench.step();
        }
    }
}

/// Keys whose first word has nothing but low bits, and one that has its lowest state bit.
#[test]
fn a_seed_word_without_state_bits_is_changed() {
    let mut bench = Bench::new(&array(3, 5, 2), "seeder");
    bench.set("load_i", 1);
    for (low, want) in [(0, SEED_FIX), (1, SEED_FIX | 1), (127, SEED_FIX | 127), (128, 128)] {
        bench.set_words("key_i", &[0x1234_5678, 0x9abc_def0, 0x9abc_def0, 0x1234_5678 ^ low]);
        bench.step();
        assert_eq!(bench.get("word_o") as u32, want);
    }
}

#[test]
fn injector_lane_flips_the_cells_that_the_golden_lane_draws() {
    for lane_weights in [1, 2, 8] {
        let hw = array(3, 5, lane_weights);
        let mut bench = Bench::new(&hw, "injector_lane");
        for (seed, (p, bits)) in (10..).zip([(1e-3, 0xff), (0.1, 0xff), (0.5, 0x80), (0.5, 0x0f), (1.0, 0xff)]) {
            let at_risk = AtRisk { bits, ..AtRisk::ALL };
            let noise = Noise { at_risk, ..Noise::new(p, hw.codeword_bits).expect("a probability") };
            // A stretch of 64 cycles in four is switched off: no draw is made and no generator steps.
            let flips = run_lane(&mut bench, &hw, &noise, seed, |cycle| cycle / 64 % 4 != 3);
            assert!(flips > 0, "{lane_weights} weights, p {p}");
        }
    }
}

#[test]
fn injector_lane_switched_off_is_identity() {
    let hw = array(3, 5, 2);
    let mut bench = Bench::new(&hw, "injector_lane");
    let noise = Noise::new(1.0, hw.codeword_bits).expect("a probability");
    assert_eq!(run_lane(&mut bench, &hw, &noise, 1, |_| false), 0);
}

/// Noise equal to the first draws of the word and of the root, and one below them.
#[test]
fn a_draw_equal_to_its_threshold_succeeds() {
    let hw = array(3, 5, 1);
    let mut bench = Bench::new(&hw, "injector_lane");
    for seed in 0..8 {
        let key = stream_key(seed, 3, 5);
        let mut source = SeedGenerator::new(key);
        let mut chain: Vec<u32> = (0..3 * hw.codeword_bits).map(|_| source.word()).collect();
        chain.reverse();
        let [word, root] = [0, 3].map(|z| CellGenerator::new([chain[z], chain[z + 1], chain[z + 2]]).draw());
        for [word, both, left] in
            [[word, root, root], [word, root - 1, root], [word, 0, root - 1], [word - 1, root, root]]
        {
            let mut noise = Noise::new(0.5, hw.codeword_bits).expect("a probability");
            noise.word = word;
            (noise.nodes[0].both, noise.nodes[0].left) = (both, left);
            run_lane(&mut bench, &hw, &noise, seed, |_| true);
        }
    }
}

#[test]
fn weight_lane_reads_its_memory_through_the_injector() {
    for injector in [true, false] {
        let hw = small(3, 5, 2, injector);
        let mut bench = Bench::new(&hw, "weight_lane");
        let mut rng = rng(3);
        let key = stream_key(3, 0, 0);
        let noise = Noise::new(0.1, hw.codeword_bits).expect("a probability");
        bench.set_noise(&noise);
        if injector {
            seed_lane(&mut bench, &hw, key);
        }
        bench.set("enable_i", 1);
        let tree = Tree::new(hw.codeword_bits, &noise);
        let mut golden = seeded_lanes(key, 1, &tree).remove(0);
        let mut memory: Vec<Option<u64>> = vec![None; 80];
        let (mut asked, mut under_way) = (VecDeque::from([(false, 0); 2]), VecDeque::new());
        for cycle in 0..5000 {
            let (write, read) = (rng.random_range(0..80), rng.random_range(0..80));
            let (data, live) = (rng.random::<u16>(), rng.random_range(0..4));
            // A word read in the cycle in which it is written is undefined.
            let (writes, reads) =
                (rng.random_bool(0.5), rng.random_bool(0.7) && read != write && memory[read].is_some());
            bench.set("write_i", writes.into());
            bench.set("write_address_i", write as u64);
            bench.set("write_weights_i", data.into());
            bench.set("read_i", reads.into());
            bench.set("read_address_i", read as u64);
            asked.push_back((reads, live));
            let (valid, live_now) = asked.pop_front().expect("two reads are under way");
            bench.set("valid_i", valid.into());
            bench.set("live_i", live_now);
            under_way.push_back(memory[read].filter(|_| reads).map(|code| {
                let flips = if injector { golden.draw() as u64 & cells(live) } else { 0 };
                (code ^ flips, flips)
            }));
            if writes {
                memory[write] = Some(data.into());
            }
            bench.step();
            if under_way.len() as u32 == hw.weight_latency {
                let want = under_way.pop_front().expect("it is not empty");
                let flips = bench.get("flips_o");
                assert_eq!(flips, want.map_or(0, |(_, flips)| flips), "injector {injector}, cycle {cycle}");
                if let Some((weights, _)) = want {
                    assert_eq!(bench.get("weights_o"), weights, "injector {injector}, cycle {cycle}");
                }
            }
        }
    }
}
