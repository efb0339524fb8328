//! The twin property with faults of cells: stuck cells, traps and write errors, alone, together, and beside read noise.

use crate::common::{Bench, config, conv, hardware, head};
use hafnia_config::Elaborated;
use hafnia_config::accel::InjectorConfig;
use hafnia_config::fault::{AtRisk, CellFaults, Kind, Kinds, Rates, Site, Telegraph, Verify};
use hafnia_cosim::random;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, Depth};
use hafnia_golden::run::Golden;
use hafnia_verilate::Unknowns;

/// An array whose sides do not divide each other, with these kinds of fault at every site, and with all of them write-verify.
fn faulty(weight_words: u32, kinds: Kinds) -> Elaborated {
    let mut config = config(4, 5, 2);
    config.memory.weight_words = weight_words;
    config.injector = InjectorConfig { weights: kinds, biases: kinds, activations: kinds };
    config.protection.write_verify = kinds == Kinds::ALL;
    config.validate().expect("the configuration is legal")
}

/// Layers with several input and output folds and read groups, and images that cross a batch.
fn bench(hw: Elaborated) -> Bench {
    let shapes =
        [conv(3, 7, 8, 8, true), conv(7, 6, 4, 4, false), conv(6, 5, 4, 4, true), conv(5, 9, 2, 2, true), head(9, 6)];
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 9, 2);
    Bench::new(hw, network, 5, images)
}

const TELEGRAPH: Telegraph = Telegraph { fraction: 0.1, capture_reads: 3.0, emission_reads: 2.0, probability: 0.6 };
const STUCK: CellFaults = CellFaults {
    device_seed: None,
    stuck: [0.02, 0.03],
    telegraph: OFF,
    write: Rates { p01: 0.0, p10: 0.0 },
    verify: None,
    scrub_period: None,
};
const TRAPS: CellFaults = CellFaults { telegraph: TELEGRAPH, stuck: [0.0; 2], ..STUCK };
const WRITES: CellFaults = CellFaults { stuck: [0.0; 2], write: Rates { p01: 0.03, p10: 0.01 }, ..STUCK };
const ALL: CellFaults = CellFaults {
    device_seed: Some(11),
    stuck: [0.02, 0.03],
    telegraph: TELEGRAPH,
    write: WRITES.write,
    verify: None,
    scrub_period: None,
};
const NOISY: Verify = Verify { max_pulses: 4, noisy: true };
const OFF: Telegraph = Telegraph { fraction: 0.0, capture_reads: 1.0, emission_reads: 1.0, probability: 1.0 };

/// Every kind alone and all together, at each site alone and at all, with some bits and layers, with and without noise.
fn every_kind_equals_golden(weight_words: u32) {
    let bench = bench(faulty(weight_words, Kinds::ALL));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let uneven = Rates { p01: 0.03, p10: 0.01 };
    let sites = Site::ALL.map(|site| {
        let mut at_risk = AtRisk { bits: [0; 3], ..AtRisk::EVERYTHING };
        at_risk.bits[site as usize] = 0xff;
        at_risk
    });
    let some = AtRisk { bits: [0x81, 0x0f, 0xf0], layers: 0b11010, checks: true };
    for cells in [STUCK, TRAPS, WRITES, ALL] {
        for at_risk in sites.into_iter().chain([AtRisk::EVERYTHING, some]) {
            let totals = bench.assert_plan_equal(&bench.faulty(0.0, cells, at_risk, 3), &hardware);
            // Write errors are in what is stored, and no flips of it.
            assert_eq!(totals.all().0 > 0, cells != WRITES, "{cells:?}, {at_risk:?}");
        }
        bench.assert_plan_equal(&bench.faulty(uneven, cells, AtRisk::EVERYTHING, 4), &hardware);
    }
    // Write-verify: without and with read noise, one pulse, stuck cells that no pulse mends, and nothing that needs it.
    let often = Rates { p01: 0.3, p10: 0.5 };
    let [clean, once] = [Verify { noisy: false, ..NOISY }, Verify { max_pulses: 1, ..NOISY }];
    for (rates, cells, verify, at_risk, [repeated, give_ups]) in [
        (0.0.into(), CellFaults { write: often, ..WRITES }, clean, AtRisk::EVERYTHING, [true; 2]),
        (uneven, WRITES, clean, AtRisk::EVERYTHING, [true, false]),
        (uneven, CellFaults { write: often, ..ALL }, NOISY, some, [true; 2]),
        (uneven, ALL, NOISY, AtRisk::EVERYTHING, [true; 2]),
        (uneven, STUCK, once, AtRisk::PARAMETERS, [false, true]),
        (0.0.into(), CellFaults::default(), NOISY, AtRisk::PARAMETERS, [false; 2]),
    ] {
        let cells = CellFaults { verify: Some(verify), ..cells };
        let totals = bench.assert_plan_equal(&bench.faulty(rates, cells, at_risk, 6), &hardware);
        let [weights, biases] = totals.programmed.expect("the hardware has it");
        assert_eq!([weights.words > 0, biases.words > 0], [true; 2]);
        assert_eq!([weights.repeated > 0, weights.give_ups > 0], [repeated, give_ups], "{rates:?}, {cells:?}");
    }
    // What is off is off, in hardware that has it.
    bench.assert_plan_equal(&bench.faulty(0.0, CellFaults::default(), AtRisk::EVERYTHING, 3), &hardware);
}

#[test]
fn resident_weights_with_faults_of_cells_equal_golden() {
    let hw = faulty(2048, Kinds::ALL);
    assert!(bench(hw).schedule.resident);
    every_kind_equals_golden(2048);
}

#[test]
fn streamed_weights_with_faults_of_cells_equal_golden() {
    assert!(!bench(faulty(64, Kinds::ALL)).schedule.resident);
    every_kind_equals_golden(64);
}

/// Hardware with one kind alone, at one site, and the latency that it has.
#[test]
fn kinds_left_out_equal_golden() {
    for (kind, cells, site) in [
        (Kind::Stuck, STUCK, Site::Weights),
        (Kind::Telegraph, TRAPS, Site::Activations),
        (Kind::Write, WRITES, Site::Biases),
    ] {
        let mut config = faulty(2048, Kinds::NONE).config;
        let of = |other| if other == site { Kinds::from(vec![kind]) } else { Kinds::NONE };
        let [weights, biases, activations] = Site::ALL.map(of);
        config.injector = InjectorConfig { weights, biases, activations };
        let bench = bench(config.validate().expect("the configuration is legal"));
        let mut at_risk = AtRisk { bits: [0; 3], ..AtRisk::EVERYTHING };
        at_risk.bits[site as usize] = 0xff;
        bench.assert_plan_equal(&bench.faulty(0.0, cells, at_risk, 2), &hardware(&bench.hw, Unknowns::Fast));
    }
}

/// A board without memory of its own: each word that comes over the bus is told its place.
#[test]
fn write_errors_of_weights_streamed_over_the_bus_equal_golden() {
    let bench = bench(faulty(64, Kinds::ALL));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let verified = CellFaults { verify: Some(NOISY), ..ALL };
    let plan = bench.faulty(1e-2, verified, AtRisk { layers: 0b10101, ..AtRisk::EVERYTHING }, 1);
    let mut link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    link.weight_stream = false;
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    accel.set_noise(plan.noise.clone(), plan.seed).expect("it has every kind");
    let mut golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, plan.seed);
    let got = accel.batch(4, &bench.images[..2], Depth::EveryLayer).expect("it runs");
    let want = golden.batch(4, &bench.images[..2], Depth::EveryLayer);
    assert_eq!(hafnia_cosim::compare(&got, &want, true), None);
}

/// From layer 32 on every layer is at risk, whatever the mask says.
#[test]
fn more_layers_than_the_mask_has_bits_equal_golden() {
    let mut shapes = vec![conv(3, 2, 2, 2, false)];
    shapes.extend([conv(2, 2, 2, 2, false); 33]);
    shapes.extend([conv(2, 2, 2, 2, true), head(2, 3)]);
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 3, 2);
    let bench = Bench::new(faulty(2048, Kinds::ALL), network, 5, images);
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    for layers in [0, 0x8000_0001] {
        let at_risk = AtRisk { layers, ..AtRisk::EVERYTHING };
        let totals = bench.assert_plan_equal(&bench.faulty(0.02, ALL, at_risk, 3), &hardware);
        assert!(totals.all().0 > 0);
    }
}

/// The noise of a device may be set again and again; what was written under another setting is written anew.
#[test]
fn noise_that_is_set_again_is_that_of_the_last_setting() {
    let bench = bench(faulty(2048, Kinds::ALL));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    let clean = CellFaults::default();
    for (rate, cells, seed) in [(1e-2, ALL, 1), (0.0, WRITES, 2), (0.0, clean, 3), (1e-2, ALL, 1), (0.0, clean, 1)] {
        let plan = bench.faulty(rate, cells, AtRisk::EVERYTHING, seed);
        accel.set_noise(plan.noise.clone(), seed).expect("it has every kind");
        let mut golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, seed);
        let got = accel.batch(4, &bench.images[..2], Depth::EveryLayer).expect("it runs");
        let want = golden.batch(4, &bench.images[..2], Depth::EveryLayer);
        assert_eq!(hafnia_cosim::compare(&got, &want, true), None, "{rate}, {cells:?}, seed {seed}");
    }
}

/// The device decides which cells fail and what a pulse does; the run decides what traps do.
#[test]
fn a_device_keeps_its_faults_from_run_to_run() {
    let bench = bench(faulty(2048, Kinds::ALL));
    let flips = |cells: CellFaults, seed| {
        let plan = bench.faulty(0.0, cells, AtRisk::WEIGHTS, seed);
        let batches = bench.batches(&plan, hafnia_cosim::Engine::Golden(Depth::Flips), 1);
        batches.into_iter().flat_map(|batch| batch.flips).collect::<Vec<_>>()
    };
    let device = |seed, cells: CellFaults| CellFaults { device_seed: Some(seed), ..cells };
    assert_eq!(flips(device(7, STUCK), 1), flips(device(7, STUCK), 2));
    assert_ne!(flips(device(7, STUCK), 1), flips(device(8, STUCK), 1));
    // Without a seed of its own the device is the run's.
    assert_eq!(flips(STUCK, 7), flips(device(7, STUCK), 1));
    assert_ne!(flips(device(7, TRAPS), 1), flips(device(7, TRAPS), 2));
}
