//! The read noise: seeding, and the draws of a lane.

use std::collections::VecDeque;

use crate::common::{Bench, array, injecting, rng, with_nodes_of_three_cells};
use hafnia_config::Elaborated;
use hafnia_config::accel::Port;
use hafnia_config::fault::{INJECTOR_LATENCY, Rates, SEED_FIX, Share, Site, Thresholds, stream_key};
use hafnia_golden::generator::{CellGenerator, SeedGenerator};
use hafnia_golden::injector::{Tree, seeded_lanes};
use rand::Rng;

/// A hardware whose lanes are all the same, and their codewords.
fn lane_of(site: Site, lane_weights: u32) -> (Elaborated, Port) {
    let hw = injecting(&array(3, 5, lane_weights), &[site]);
    let port = hw.port(site);
    (hw, port)
}

fn thresholds(rates: impl Into<Rates>, port: Port) -> Thresholds {
    Thresholds::new(rates, port.cells).expect("a probability")
}

/// A number whose lowest `bits` bits are set.
fn ones(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// The cells of the bytes in `live`.
fn cells(live: u64) -> u64 {
    (0..8).filter(|w| live >> w & 1 == 1).fold(0, |mask, w| mask | 0xff << (8 * w))
}

/// Shifts the seed words of `key` into the chain of one lane.
fn seed_lane(bench: &mut Bench, port: Port, key: [u32; 4]) {
    let mut source = SeedGenerator::new(key);
    let first = source.word();
    let mut word = first;
    bench.set("valid_i", 0);
    bench.set("seed_i", (1 << hafnia_config::accel::seed_enables(port.cells)) - 1);
    for _ in 0..3 * port.cells {
        bench.set("seed_word_i", word.into());
        bench.step();
        word = source.word();
    }
    bench.set("seed_i", 0);
    assert_eq!(bench.get("seed_word_o") as u32, first, "the first word is at the end of the chain");
    for _ in 0..2 {
        bench.step();
    }
}

/// Flips of codewords that went through a lane, by what their cells held.
#[derive(Default)]
struct Flipped {
    zeros: u32,
    ones: u32,
}

/// Runs random codewords through an injector lane and compares every output with the golden lane; returns the flips.
fn run_lane(
    bench: &mut Bench,
    port: Port,
    (thresholds, bits): (&Thresholds, u8),
    seed: u64,
    enable: fn(u32) -> bool,
) -> Flipped {
    let mut rng = rng(seed);
    let key = stream_key(seed, Site::Weights, 3, 5);
    bench.set_noise(thresholds, bits);
    seed_lane(bench, port, key);
    let tree = Tree::new(thresholds);
    let mut golden = seeded_lanes(key, 1, &tree).remove(0);
    let (mut under_way, mut flipped) = (VecDeque::new(), Flipped::default());
    for cycle in 0..4000 {
        let (code, live) = (rng.random::<u64>() & ones(port.cells), rng.random::<u64>() & ones(port.lane_bytes));
        let (valid, enable) = (rng.random_bool(0.7), enable(cycle));
        bench.set("enable_i", enable.into());
        bench.set("valid_i", valid.into());
        bench.set("live_i", live);
        bench.set("code_i", code);
        let at_risk = cells(live) & u64::from_ne_bytes([bits; 8]);
        let drawn = if valid && enable { golden.draw().flips(code.into(), thresholds.keep) as u64 } else { 0 };
        let flips = drawn & at_risk;
        flipped.zeros += (flips & !code).count_ones();
        flipped.ones += (flips & code).count_ones();
        under_way.push_back((code ^ flips, flips));
        bench.step();
        if under_way.len() as u32 == INJECTOR_LATENCY {
            let got = (bench.get("code_o"), bench.get("flips_o"));
            assert_eq!(Some(got), under_way.pop_front(), "{} cells, seed {seed}, cycle {cycle}", port.cells);
        }
    }
    flipped
}

#[test]
fn seeder_gives_the_words_of_lfsr113() {
    let mut bench = Bench::new(&array(3, 5, 2), "seeder");
    let mut rng = rng(1);
    for key in [[u32::MAX; 4], [1, 2, 3, 4], rng.random(), stream_key(7, Site::Biases, 1, 2)] {
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

/// The lanes that there are: codewords of 8, 16, 32 and 64 cells, and of 24, whose tree has nodes of three cells.
fn lanes() -> Vec<(Elaborated, Port)> {
    let three = with_nodes_of_three_cells();
    let port = three.port(Site::Activations);
    let weights = [1, 2, 8].map(|lane_weights| lane_of(Site::Weights, lane_weights));
    weights.into_iter().chain([lane_of(Site::Biases, 1), lane_of(Site::Activations, 1), (three, port)]).collect()
}

#[test]
fn injector_lane_flips_the_cells_that_the_golden_lane_draws() {
    for (hw, port) in lanes() {
        let mut bench = Bench::new(&hw, "injector_lane");
        for (seed, (p, bits)) in (10..).zip([(1e-3, 0xff), (0.1, 0xff), (0.5, 0x80), (0.5, 0x0f), (1.0, 0xff)]) {
            // A stretch of 64 cycles in four is switched off: no draw is made and no generator steps.
            let enable = |cycle| cycle / 64 % 4 != 3;
            let Flipped { zeros, ones } = run_lane(&mut bench, port, (&thresholds(p, port), bits), seed, enable);
            assert!(zeros > 0 && ones > 0, "{} cells, p {p}", port.cells);
        }
    }
}

/// Directions apart by a little, by much, and one of them without any flip; either may be the stronger.
#[test]
fn injector_lane_thins_the_candidates_that_the_golden_lane_thins() {
    for (hw, port) in lanes() {
        let mut bench = Bench::new(&hw, "injector_lane");
        for (seed, (strong, weak)) in (20..).zip([(0.3, 0.25), (0.2, 0.01), (1.0, 0.4), (1.0, 0.0), (0.02, 0.0)]) {
            for rates in [Rates { p01: strong, p10: weak }, Rates { p01: weak, p10: strong }] {
                let noise = (&thresholds(rates, port), 0xff);
                let Flipped { zeros, ones } = run_lane(&mut bench, port, noise, seed, |_| true);
                let what = format!("{} cells, {rates:?}: {zeros} zeros and {ones} ones", port.cells);
                assert_eq!((zeros > 0, ones > 0), (rates.p01 > 0.0, rates.p10 > 0.0), "{what}");
                assert_eq!(zeros > ones, rates.p01 > rates.p10, "{what}");
            }
        }
    }
}

#[test]
fn injector_lane_switched_off_is_identity() {
    let (hw, port) = lane_of(Site::Weights, 2);
    let mut bench = Bench::new(&hw, "injector_lane");
    let Flipped { zeros, ones } = run_lane(&mut bench, port, (&thresholds(1.0, port), 0xff), 1, |_| false);
    assert_eq!((zeros, ones), (0, 0));
}

/// The draws that the word's generator and node `n` make first, once a lane of `cells` cells is seeded with `key`.
fn first_draws(key: [u32; 4], cells: u32, n: usize) -> [u32; 2] {
    let mut source = SeedGenerator::new(key);
    let mut chain: Vec<u32> = (0..3 * cells).map(|_| source.word()).collect();
    chain.reverse();
    [0, 3 * (n + 1)].map(|z| CellGenerator::new([chain[z], chain[z + 1], chain[z + 2]]).draw())
}

/// Thresholds equal to the first draws of the word and of the root, and one below them.
#[test]
fn a_draw_equal_to_its_threshold_succeeds() {
    let (hw, port) = lane_of(Site::Weights, 1);
    let mut bench = Bench::new(&hw, "injector_lane");
    for seed in 0..8 {
        let [word, root] = first_draws(stream_key(seed, Site::Weights, 3, 5), port.cells, 0);
        for [word, both, left] in
            [[word, root, root], [word, root - 1, root], [word, 0, root - 1], [word - 1, root, root]]
        {
            let mut noise = thresholds(0.5, port);
            noise.word = word;
            (noise.nodes[0].both, noise.nodes[0].left) = (both, left);
            run_lane(&mut bench, port, (&noise, 0xff), seed, |_| true);
        }
    }
}

/// Each threshold of what is kept, equal to the first draw of a pair of cells and one above it, in each outcome of the
/// draw; the others keep next to nothing.
#[test]
fn a_draw_equal_to_its_threshold_is_not_kept() {
    let (hw, port) = lane_of(Site::Weights, 1);
    let mut bench = Bench::new(&hw, "injector_lane");
    let mut noise = thresholds(Rates { p01: 0.0, p10: 1.0 }, port);
    for (seed, part) in (0..3).flat_map(|seed| (0..5).map(move |part| (seed, part))) {
        let [_, pair] = first_draws(stream_key(seed, Site::Weights, 3, 5), port.cells, 3);
        for (both, left) in [(u32::MAX, u32::MAX), (0, u32::MAX), (0, 0)] {
            for (threshold, weak) in [(pair, false), (pair, true), (pair + 1, false), (pair + 1, true)] {
                let mut parts = [7; 5];
                parts[part] = threshold;
                let [both_both, both_lower, both_upper, lower, upper] = parts;
                let keep = noise.keep.as_mut().expect("the rates differ");
                keep.weak = weak;
                keep.pair = Share { both_both, both_lower, both_upper, lower, upper };
                let node = noise.nodes.last_mut().expect("a pair of cells");
                (node.both, node.left) = (both, left);
                run_lane(&mut bench, port, (&noise, 0xff), seed, |_| true);
            }
        }
    }
}
