//! The sequencer: the order of weight reads and pixels against nested loops, its cycles against the schedule.

mod loops;
mod machine;

use std::fmt::Debug;

use crate::common::{Bench, array, injecting, rng};
use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::program::Descriptor;
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::{LayerKind, LayerShape};
use loops::{Pixel, Trace, loops};
use machine::Machine;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A small legal descriptor: a head, or a layer of one or nine taps with or without a pool.
fn random_descriptor(hw: &Elaborated, rng: &mut ChaCha8Rng) -> Descriptor {
    let head = rng.random_bool(0.2);
    let pool = !head && rng.random_bool(0.4);
    let side = |rng: &mut ChaCha8Rng| {
        if head {
            1
        } else if pool {
            2 * rng.random_range(1..=2)
        } else {
            rng.random_range(1..=5)
        }
    };
    let (height, width, c_folds) = (side(rng), side(rng), rng.random_range(1..=3));
    let mut descriptor = Descriptor {
        layer: rng.random_range(0..256),
        pool: pool.into(),
        relu: (!head && rng.random()).into(),
        raw: head.into(),
        source: rng.random_range(0..2),
        taps9: (!head && rng.random_bool(0.8)).into(),
        group: rng.random_range(0..1 << 16),
        height,
        width,
        images: rng.random_range(1..=3),
        emit_interval: if head { 1 } else { rng.random_range(1..=4) },
        c_folds,
        k_folds: rng.random_range(1..=3),
        rows_last: rng.random_range(1..=hw.rows),
        cols_last: rng.random_range(1..=hw.cols),
        source_base: rng.random_range(0..1000),
        source_image: c_folds * height * width + rng.random_range(0..5),
        source_plane: height * width,
        dest_base: rng.random_range(0..4096),
        dest_image: rng.random_range(0..4096),
        dest_plane: rng.random_range(0..4096),
        weight_base: rng.random_range(0..2000),
        parameter_base: rng.random_range(0..1000),
        accumulator_base: rng.random_range(0..900),
        weight_key0: rng.random(),
        weight_key1: rng.random(),
        weight_key2: rng.random(),
        weight_key3: rng.random(),
        bias_key0: rng.random(),
        bias_key1: rng.random(),
        bias_key2: rng.random(),
        bias_key3: rng.random(),
        map_key0: rng.random(),
        map_key1: rng.random(),
        map_key2: rng.random(),
        map_key3: rng.random(),
        ..Descriptor::default()
    };
    descriptor.set_epochs(rng.random());
    descriptor
}

/// Compares two lists of events and shows the first difference alone.
fn same<T: Debug + PartialEq>(what: &str, got: &[(u32, T)], want: &[(u32, T)], d: &Descriptor) {
    for (n, ((cycle, got), (pass, want))) in got.iter().zip(want).enumerate() {
        assert_eq!(got, want, "{what} {n}, cycle {cycle}, pass {pass} of {d:?}");
    }
    assert_eq!(got.len(), want.len(), "{what}s of {d:?}");
}

/// The first and the last cycle of each pass.
fn spans<T>(got: &[(u32, T)], want: &[(u32, T)]) -> Vec<(u32, u32)> {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for ((cycle, _), (pass, _)) in got.iter().zip(want) {
        match spans.get_mut(*pass as usize) {
            Some(span) => span.1 = *cycle,
            None => spans.push((*cycle, *cycle)),
        }
    }
    spans
}

/// Checks a trace against the loops: the events, and in which cycles they may be.
fn check(hw: &Elaborated, d: &Descriptor, got: &Trace) {
    let want = loops(hw, d);
    same("read", &got.reads, &want.reads, d);
    same("pixel", &got.pixels, &want.pixels, d);
    for (now, next) in got.pixels.windows(2).map(|w| (&w[0], &w[1])).filter(|(_, next)| !next.1.switch) {
        let interval = if now.1.emit { d.emit_interval } else { 1 };
        assert_eq!(next.0 - now.0, interval, "from cycle {} to the next pixel, {d:?}", now.0);
    }
    let (loads, passes) = (spans(&got.reads, &want.reads), spans(&got.pixels, &want.pixels));
    for (load, pass) in loads.iter().zip(&passes) {
        assert!(load.1 <= pass.0, "a pass began in cycle {} before its tile was loaded, {d:?}", pass.0);
    }
    for (load, pass) in loads[1..].iter().zip(&passes) {
        assert!(load.0 > pass.0, "a tile was overwritten in cycle {} before its pass, {d:?}", load.0);
    }
    let (kind, taps) = if d.taps9 == 1 { (LayerKind::Conv3x3, 9) } else { (LayerKind::Linear, 1) };
    let places = d.images * d.height * d.width;
    for (n, pass) in passes.windows(2).enumerate() {
        let emits = d.raw == 0 && (n as u32 + 1).is_multiple_of(d.c_folds * taps);
        let own = places * if emits { d.emit_interval } else { 1 };
        assert!(pass[1].0 - pass[0].0 >= own.max(hw.min_pass_cycles(kind)), "pass {n} is too short, {d:?}");
    }
    // The bias memory reads the biases of an output fold one a cycle.
    let folds: Vec<_> = passes.iter().step_by((d.c_folds * taps) as usize).map(|pass| pass.0).collect();
    assert!(folds.windows(2).all(|fold| fold[1] - fold[0] >= hw.cols), "folds begin in {folds:?}, {d:?}");
    check_seeds(hw, d, got);
}

/// Each site's chain is shifted by all of its words or not at all, from the cycle after the keys were loaded on. The
/// first read comes after the longest chain.
fn check_seeds(hw: &Elaborated, d: &Descriptor, got: &Trace) {
    let seeded = got.seeds.iter().any(|cycles| !cycles.is_empty());
    for site in hw.config.injector.read_sites() {
        let words = if seeded { hw.seed_words(site) } else { 0 };
        let want: Vec<_> = (1..=words).map(|n| got.begin + n).collect();
        assert!(got.seeds[site as usize] == want, "{} seed words of {site}, {d:?}", got.seeds[site as usize].len());
    }
    let seeding = if seeded { hw.seed_cycles } else { 0 };
    // A read is a register behind its order, and the state another one behind the keys.
    let first = got.reads.first().map_or(u32::MAX, |(cycle, _)| *cycle);
    assert!(first >= got.begin + seeding + 2, "the first read is in cycle {first}, {d:?}");
}

/// Runs random programs on three arrays; a weight word is ready with this probability in each cycle.
fn run_random(ready: f64) {
    for (rows, cols, lane_weights) in [(3, 5, 2), (16, 2, 2), (2, 16, 8)] {
        let hw = array(rows, cols, lane_weights);
        let mut machine = Machine::new(&hw);
        let mut rng = rng(u64::from(cols));
        for first in (0..240).step_by(10) {
            let list: Vec<_> = (0..rng.random_range(1..=3)).map(|_| random_descriptor(&hw, &mut rng)).collect();
            let traces = machine.run(first, &list, ready, rng.random_bool(0.1));
            for (n, (d, trace)) in list.iter().zip(&traces).enumerate() {
                check(&hw, d, trace);
                let stores: Vec<_> = (0..16).map(|word| ((first + n) as u32, word)).collect();
                assert_eq!(trace.stores, stores, "{d:?}");
            }
        }
    }
}

#[test]
fn reads_and_pixels_are_those_of_the_loops() {
    run_random(1.0);
}

#[test]
fn late_weights_change_no_order() {
    run_random(0.5);
    run_random(0.1);
}

/// A network whose layers have partial folds on every side, pools, and a head.
fn network() -> Vec<LayerShape> {
    let layer = |kind, in_channels, out_channels, side, pool| LayerShape {
        kind,
        in_channels,
        out_channels,
        height: side,
        width: side,
        pool,
    };
    use LayerKind::{Conv3x3, Linear};
    vec![
        layer(Conv3x3, 3, 17, 4, false),
        layer(Conv3x3, 17, 9, 4, true),
        layer(Conv3x3, 9, 18, 2, true),
        layer(Conv3x3, 18, 33, 1, false),
        layer(Linear, 33, 10, 1, false),
    ]
}

#[test]
fn cycles_and_counts_are_those_of_the_schedule() {
    for (rows, cols, lane_weights) in [(3, 5, 2), (16, 2, 2), (2, 16, 8)] {
        let hw = array(rows, cols, lane_weights);
        let schedule = Schedule::new(&hw, &network(), None).expect("the network fits");
        let mut machine = Machine::new(&hw);
        for seeded in [false, true] {
            let program = schedule.program(&hw, 0, schedule.batch.min(3), 7);
            let list: Vec<_> = program.iter().map(|(_, d)| *d).collect();
            let traces = machine.run(0, &list, 1.0, seeded);
            assert_eq!(traces[0].begin, 34, "a descriptor is fetched in 35 cycles");
            for ((layer, d), trace) in program.iter().zip(&traces) {
                check(&hw, d, trace);
                let want = schedule.expected(&hw, *layer, d.images, seeded);
                let of_pixels = |count: fn(&Pixel) -> u32| trace.pixels.iter().map(|(_, p)| count(p)).sum::<u32>();
                let macs = of_pixels(|p| p.row_count * p.col_count);
                let weights = trace.reads.iter().map(|(_, read)| 8 * read.cols).sum();
                let biases = of_pixels(|p| if p.first && p.switch { 32 * p.col_count } else { 0 });
                let activations = of_pixels(|p| p.address.map_or(0, |_| 8 * p.row_count));
                let words = trace.reads.len() as u32;
                let cells = [weights, biases, activations];
                let got = [&[trace.run_cycles, macs, trace.stall_cycles, words][..], &cells, &[0; 7]].concat();
                assert_eq!(got, want.values(), "{rows}x{cols}, layer {layer}, seeded {seeded}");
            }
        }
    }
}

#[test]
fn generators_are_seeded_only_while_injecting() {
    // The chain of the weights is the longest, that of the biases, and that of the feature maps; and there is none.
    for (hw, sites) in [
        (array(3, 5, 2), &[Site::Weights, Site::Biases][..]),
        (array(2, 2, 1), &[Site::Weights, Site::Biases]),
        (array(16, 5, 2), &Site::ALL),
        (array(3, 5, 2), &[Site::Activations]),
        (array(3, 5, 2), &[]),
    ] {
        let hw = injecting(&hw, sites);
        let d = random_descriptor(&hw, &mut rng(2));
        let mut machine = Machine::new(&hw);
        for inject in [false, true, false] {
            let trace = machine.run(3, &[d], 1.0, inject).remove(0);
            check(&hw, &d, &trace);
            for site in sites {
                let words = if inject { hw.seed_words(*site) } else { 0 };
                assert_eq!(trace.seeds[*site as usize].len(), words as usize, "{site}, {sites:?}, inject {inject}");
            }
            assert!(inject && !sites.is_empty() || trace.seeds.iter().all(Vec::is_empty), "{sites:?}, inject {inject}");
        }
    }
}

#[test]
fn a_program_of_no_descriptors_does_nothing() {
    let hw = array(3, 5, 2);
    assert!(Machine::new(&hw).run(5, &[], 1.0, true).is_empty());
}

/// Steps and reports whether any read or pixel left the sequencer.
fn acts(bench: &mut Bench, cycles: u32) -> bool {
    (0..cycles).any(|_| {
        bench.step();
        bench.get("weight_read_o") == 1 || bench.get("pixel_valid_o") == 1
    })
}

/// Whatever a descriptor holds, a stop ends its run: nothing leaves the sequencer from then on, nothing is stored, and the next
/// program runs as if it were the first.
#[test]
fn a_stop_ends_any_descriptor_once_the_array_has_drained() {
    let hw = array(3, 5, 2);
    let mut machine = Machine::new(&hw);
    let mut rng = rng(5);
    for _ in 0..60 {
        let nonsense = std::array::from_fn(|_| rng.random::<u32>() >> rng.random_range(0..32));
        machine.start_words(0, &[nonsense], false);
        for _ in 0..rng.random_range(1..400) {
            machine.bench.set("weight_ready_i", rng.random_range(0..2));
            machine.step();
        }
        machine.bench.set("stop_i", 1);
        machine.step();
        machine.bench.set("stop_i", 0);
        let mut drained = 0;
        while machine.bench.get("busy_o") == 1 {
            // Commands are registered, so that one may leave yet.
            for port in ["weight_read_o", "pixel_valid_o", "store_o"] {
                assert!(machine.bench.get(port) == 0 || drained == 0 && port != "store_o", "{port}, {drained}");
            }
            drained += 1;
            assert!(drained <= hw.drain_cycles(), "still running after {drained} cycles");
            machine.step();
        }
        let d = random_descriptor(&hw, &mut rng);
        let trace = machine.run(1, &[d], 1.0, false).remove(0);
        check(&hw, &d, &trace);
    }
}

#[test]
fn reset_ends_a_run_wherever_it_is() {
    let hw = array(3, 5, 2);
    let mut machine = Machine::new(&hw);
    let mut rng = rng(4);
    for _ in 0..30 {
        let d = Descriptor { images: 3, ..random_descriptor(&hw, &mut rng) };
        machine.start(0, &[d], false);
        machine.bench.set("weight_ready_i", 1);
        for _ in 0..rng.random_range(1..100) {
            machine.step();
        }
        machine.bench.set("rst_i", 1);
        machine.step();
        machine.bench.set("rst_i", 0);
        assert_eq!(machine.bench.get("busy_o"), 0);
        machine.step();
        assert!(!acts(&mut machine.bench, 30), "{d:?}");
        let trace = machine.run(1, &[d], 1.0, false).remove(0);
        check(&hw, &d, &trace);
    }
}
