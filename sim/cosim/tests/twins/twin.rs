//! The twin property: golden model and generated RTL give the same maps, logits, flips and counters.

use crate::common::{Bench, config, conv, hardware, head, preset};
use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, Kinds, Rates, Site};
use hafnia_config::flip::Flip;
use hafnia_config::regs::{Access, Region, registers};
use hafnia_config::schedule::Schedule;
use hafnia_cosim::{Engine, random};
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, Depth, DriverError, Transport};
use hafnia_golden::run::{Golden, aligned_batches};
use hafnia_verilate::Unknowns;

/// Layers of odd numbers of channels, on maps that are not square, with and without a pool; without a head.
fn odd_layers(hw: Elaborated) -> Bench {
    let shapes =
        [conv(3, 7, 6, 10, false), conv(7, 6, 6, 10, true), conv(6, 17, 3, 5, false), conv(17, 9, 3, 5, false)];
    let network = random::network(&shapes, u64::from(hw.rows * 100 + hw.cols));
    let images = random::images(&network, 5, 7);
    Bench::new(hw, network, 2, images)
}

#[test]
fn resident_8x8_equals_golden_at_every_rate() {
    let bench = Bench::digits(preset("8x8"));
    assert!(bench.schedule.resident);
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    for (p, seed) in [(0.0, 1), (1e-4, 1), (1e-2, 2), (0.5, 3), (1.0, 4)] {
        bench.assert_equal(p, seed, &hardware);
    }
}

/// Sign bits of two layers, low bits of all but one, no layer at all; each site alone and all of them; and directions apart.
#[test]
fn cells_at_risk_are_those_of_golden() {
    let mut config = preset("8x8").config;
    config.injector.activations = Kinds::READ;
    let bench = Bench::digits(config.validate().expect("the configuration is legal"));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    for (bits, layers, sites) in [
        ([0x80, 0, 0], 0b100_0010, "weights"),
        ([0x0f, 0x80, 0], !0b1000, "weights biases"),
        ([0xff, 0xff, 0xff], 0, ""),
        ([0, 0xff, 0], !0, "biases"),
        ([0, 0, 0xff], !0, "activations"),
        ([0xff, 0x0f, 0x41], !0, "weights biases activations"),
    ] {
        for rates in [0.1.into(), Rates { p01: 0.02, p10: 0.0 }, Rates { p01: 0.01, p10: 0.3 }] {
            let (totals, found) =
                bench.compare(&bench.masked(rates, 5, AtRisk { bits, layers, checks: true }), &hardware);
            assert_eq!(found, None, "{bits:x?} {layers:b} {rates:?}");
            let flipped: Vec<_> =
                Site::ALL.into_iter().filter(|&site| totals.flips(site) > 0).map(Site::name).collect();
            assert_eq!(flipped.join(" "), sites, "{rates:?}");
            let ones: u64 = Site::ALL.iter().map(|&site| totals.flip_counts.of(site, true).iter().sum::<u64>()).sum();
            assert_eq!(ones > 0, rates.p10 > 0.0 && !sites.is_empty());
        }
    }
}

#[test]
fn streamed_4x4_and_8x4_equal_golden() {
    for name in ["4x4", "8x4"] {
        let bench = Bench::digits(preset(name));
        assert!(!bench.schedule.resident);
        bench.assert_equal(1e-2, 1, &hardware(&bench.hw, Unknowns::Fast));
    }
}

#[test]
fn random_start_values_change_nothing() {
    for name in ["4x4", "8x8"] {
        let bench = Bench::digits(preset(name));
        for seed in [2, 3, 7] {
            bench.assert_equal(1e-2, 1, &hardware(&bench.hw, Unknowns::Randomise { seed }));
        }
    }
}

#[test]
fn odd_arrays_equal_golden() {
    for (rows, cols, lane_weights) in [(2, 2, 1), (2, 16, 8), (16, 2, 2), (3, 5, 2), (5, 3, 8), (13, 7, 4)] {
        let bench = odd_layers(config(rows, cols, lane_weights).validate().expect("the configuration is legal"));
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        for p in [0.0, 3e-2] {
            bench.assert_equal_at(p, 9, AtRisk::EVERYTHING, &hardware);
        }
    }
}

#[test]
fn head_of_more_classes_than_columns_equals_golden() {
    let hw = config(3, 4, 2).validate().expect("the configuration is legal");
    let network = random::network(&[conv(2, 5, 2, 2, true), head(5, 11)], 3);
    let images = random::images(&network, 7, 4);
    let bench = Bench::new(hw, network, 6, images);
    bench.assert_equal_at(1e-2, 1, AtRisk::EVERYTHING, &hardware(&bench.hw, Unknowns::Fast));
}

#[test]
fn injector_left_out_equals_the_clean_golden_model() {
    let mut config = config(4, 4, 4);
    config.injector = Default::default();
    let bench = odd_layers(config.validate().expect("the configuration is legal"));
    bench.assert_equal(0.0, 1, &hardware(&bench.hw, Unknowns::Fast));
}

/// A head of one input fold and one tap has the shortest output folds: the biases of the next follow at once.
#[test]
fn shortest_output_folds_equal_golden() {
    for (rows, cols, inputs) in [(16, 2, 9), (4, 16, 3), (8, 8, 8)] {
        let hw = config(rows, cols, 1).validate().expect("the configuration is legal");
        let network = random::network(&[conv(2, inputs, 2, 2, true), head(inputs, 40)], 3);
        let images = random::images(&network, 3, 4);
        let bench = Bench::new(hw, network, 0, images);
        bench.assert_equal_at(3e-2, 1, AtRisk::EVERYTHING, &hardware(&bench.hw, Unknowns::Fast));
    }
}

/// Hardware that injects at one site alone: the others' reads take as long.
#[test]
fn sites_left_out_equal_golden() {
    for site in Site::ALL {
        let mut config = config(4, 5, 4);
        let of = |other| if other == site { Kinds::READ } else { Kinds::NONE };
        config.injector = hafnia_config::accel::InjectorConfig {
            weights: of(Site::Weights),
            biases: of(Site::Biases),
            activations: of(Site::Activations),
        };
        let bench = odd_layers(config.validate().expect("the configuration is legal"));
        let mut at_risk = AtRisk { bits: [0; 3], ..AtRisk::EVERYTHING };
        at_risk.bits[site as usize] = 0xff;
        bench.assert_equal_at(3e-2, 2, at_risk, &hardware(&bench.hw, Unknowns::Fast));
    }
}

/// The whole layer program in one start, without the host between the layers.
#[test]
fn whole_program_gives_the_golden_logits_flips_and_counters() {
    let bench = Bench::digits(preset("8x8"));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    for p in [0.0, 1e-3] {
        let plan = bench.plan(p, 5);
        let got = bench.batches(&plan, Engine::Hardware((&hardware).into()), 1);
        let want = bench.batches(&plan, Engine::Golden(Depth::Flips), 1);
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got.logits, want.logits, "p {p}");
            assert_eq!(got.flips, want.flips, "p {p}");
            assert_eq!(got.counters, want.counters, "p {p}");
            assert_eq!(got.flip_counts, want.flip_counts, "p {p}");
        }
    }
}

#[test]
fn number_of_jobs_changes_nothing() {
    let bench = Bench::digits(preset("8x8"));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let plan = bench.plan(1e-2, 5);
    for engine in [Engine::Golden(Depth::Flips), Engine::Hardware((&hardware).into())] {
        let (one, two) = (bench.batches(&plan, engine, 1), bench.batches(&plan, engine, 2));
        assert_eq!(one.len(), two.len());
        for (one, two) in one.iter().zip(&two) {
            assert_eq!((one.first, &one.logits, &one.flips), (two.first, &two.logits, &two.flips));
        }
    }
}

/// What an image meets depends on its number in the data set, not on the range that is run.
#[test]
fn image_alone_meets_the_flips_that_it_meets_among_others() {
    let bench = Bench::digits(preset("8x8"));
    let plan = bench.plan(1e-2, 5);
    let all = bench.batches(&plan, Engine::Golden(Depth::Flips), 1);
    let alone = Bench::new(preset("8x8"), bench.network.clone(), 9, bench.images[4..5].to_vec());
    let alone = alone.batches(&alone.plan(1e-2, 5), Engine::Golden(Depth::Flips), 1);
    // Images 5, 6 and 7 are one batch, 8 to 13 the next.
    assert_eq!(alone[0].logits[0], all[1].logits[1]);
}

/// A board without memory of its own: the streamed weights come over the bus, late, and nothing but time changes.
#[test]
fn weights_streamed_over_the_bus_equal_golden() {
    let bench = Bench::digits(preset("4x4"));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let plan = bench.plan(1e-2, 1);
    let mut link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    link.weight_stream = false;
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    accel.set_noise(plan.noise.clone(), plan.seed).expect("it has an injector");
    let mut golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, plan.seed);
    let range = aligned_batches(5..6, bench.schedule.batch)[0].clone();
    let got = accel.batch(range.start, &bench.images[..1], Depth::EveryLayer).expect("it runs");
    let want = golden.batch(range.start, &bench.images[..1], Depth::EveryLayer);
    assert_eq!(hafnia_cosim::compare(&got, &want, true), None);
    let stalls: u32 = got.counters.iter().map(|(_, c)| c.stall_weights).sum();
    let unhindered: u32 = want.counters.iter().map(|(_, c)| c.stall_weights).sum();
    assert!(stalls > 10 * unhindered, "{stalls} cycles of waiting, {unhindered} with weights at hand");
}

#[test]
fn batch_of_one_equals_golden() {
    let mut bench = Bench::digits(preset("8x8"));
    bench.schedule = Schedule::new(&bench.hw, &bench.network.shapes(), Some(1)).expect("one image fits");
    bench.assert_equal(1e-3, 1, &hardware(&bench.hw, Unknowns::Fast));
}

/// Whatever a descriptor holds, the bus answers while it runs, a stop ends it, and the next batch is that of the golden model.
#[test]
fn nonsense_descriptors_hang_nothing() {
    let mut config = config(4, 4, 4);
    config.name = "test_nonsense_program".into();
    (config.injector.weights, config.injector.biases, config.injector.activations) =
        (Kinds::ALL, Kinds::ALL, Kinds::ALL);
    let network = random::network(&[conv(3, 7, 2, 2, true), head(7, 10)], 1);
    let images = random::images(&network, 2, 3);
    let bench = Bench::new(config.validate().expect("the configuration is legal"), network, 0, images);
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let plan = bench.masked(0.1, 1, AtRisk::EVERYTHING);
    let mut golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, plan.seed);
    let want = golden.batch(0, &bench.images, Depth::EveryLayer);
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    accel.set_noise(plan.noise.clone(), plan.seed).expect("it has an injector");
    let register = |name: &str| {
        let of_name = registers(&bench.hw).into_iter().find(|r| r.name == name).expect("a register");
        Region::Registers.base() + of_name.offset
    };
    let sound = bench.schedule.program(&bench.hw, 0, 2, plan.seed);
    let mut value = 1u32;
    let mut running = 0;
    for round in 0..40 {
        let mut words = sound[round % 2].1.encode();
        for word in &mut words {
            value = value.wrapping_mul(0x9e37_79b9).rotate_left(7) ^ 0x5555;
            // All words, or some of them, and large and small numbers.
            if round % 4 < 2 || value.is_multiple_of(5) {
                *word = value.rotate_right(9) >> (value % 32);
            }
        }
        let link = accel.link();
        link.write(Region::Program.base(), &words).expect("the bus answers");
        // Once a descriptor waits for weights that nobody streams.
        for (name, word) in
            [("PROGRAM_FIRST", 0), ("PROGRAM_COUNT", 1), ("WEIGHT_STREAM", u32::from(round % 8 == 7)), ("START", 1)]
        {
            link.write(register(name), &[word]).expect("the bus answers");
        }
        let mut status = [1];
        for _ in 0..200 {
            link.read(register("STATUS"), &mut status).expect("the bus answers");
        }
        running += status[0];
        link.write(register("STOP"), &[1]).expect("the bus answers");
        for _ in 0..20 {
            link.read(register("STATUS"), &mut status).expect("the bus answers");
        }
        assert_eq!(status, [0], "round {round}");
        link.write(register("WEIGHT_STREAM"), &[0]).expect("the bus answers");
        link.take_flips();
        // Weights and parameters are as they were; registers and program are written anew.
        let got = accel.batch(0, &bench.images, Depth::EveryLayer).expect("the program ends");
        assert_eq!(hafnia_cosim::compare(&got, &want, true), None, "round {round}");
    }
    assert!(running > 10, "{running} of the programs still ran when they were stopped");
}

/// Gives the first programs a few cycles only.
struct Impatient {
    inner: SimTransport,
    left: u32,
}

impl Transport for Impatient {
    fn feeds_weight_stream(&self) -> bool {
        self.inner.feeds_weight_stream()
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        self.inner.write(address, words)
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        self.inner.read(address, words)
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        let hurried = (self.left > 0).then(|| 100 + 100 * u64::from(self.left));
        self.left = self.left.saturating_sub(1);
        self.inner.finish(stream, hurried.unwrap_or(max_cycles))
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        self.inner.take_flips()
    }

    fn cycle(&self) -> Option<u64> {
        self.inner.cycle()
    }
}

/// A program that takes too long is ended by the driver, and the next batch is that of the golden model: no weight of the stream,
/// and no flip, is left over.
#[test]
fn the_batch_after_one_that_took_too_long_equals_golden() {
    for weight_words in [2048, 64] {
        let mut config = config(4, 5, 2);
        config.memory.weight_words = weight_words;
        config.injector.activations = Kinds::READ;
        let network = random::network(&[conv(3, 7, 4, 4, true), conv(7, 9, 2, 2, true), head(9, 6)], 1);
        let images = random::images(&network, 2, 3);
        let bench = Bench::new(config.validate().expect("the configuration is legal"), network, 0, images);
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        let plan = bench.masked(0.1, 1, AtRisk::EVERYTHING);
        let inner = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
        let link = Impatient { inner, left: 3 };
        let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
        accel.set_noise(plan.noise.clone(), plan.seed).expect("it has an injector");
        for _ in 0..3 {
            let error = accel.batch(0, &bench.images, Depth::EveryLayer).unwrap_err();
            assert!(matches!(error, DriverError::Unfinished { layer: 0, .. }), "{error}");
        }
        let mut golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, plan.seed);
        let got = accel.batch(0, &bench.images, Depth::EveryLayer).expect("the program ends");
        let want = golden.batch(0, &bench.images, Depth::EveryLayer);
        assert_eq!(hafnia_cosim::compare(&got, &want, true), None, "{weight_words}");
    }
}

/// Whatever the registers of the noise hold: flips are drawn or not, and the program takes as long as it does.
#[test]
fn nonsense_in_the_noise_registers_hangs_nothing() {
    let mut config = config(4, 4, 4);
    config.name = "test_nonsense".into();
    config.injector.biases = Kinds::ALL;
    let network = random::network(&[conv(3, 7, 2, 2, true), head(7, 10)], 1);
    let images = random::images(&network, 2, 3);
    let bench = Bench::new(config.validate().expect("the configuration is legal"), network, 0, images);
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let plan = bench.masked(0.1, 1, AtRisk::EVERYTHING);
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    accel.set_noise(plan.noise.clone(), plan.seed).expect("it has an injector");
    let names = registers(&bench.hw).into_iter().filter(|r| r.offset > 11 && r.access == Access::ReadWrite);
    let addresses: Vec<u32> = names.map(|r| Region::Registers.base() + r.offset).collect();
    assert!(addresses.len() > 35, "{}", addresses.len());
    let mut value = 1u32;
    for round in 0..24 {
        for &address in &addresses {
            value = value.wrapping_mul(0x9e37_79b9).rotate_left(7) ^ address;
            let nonsense = [0, u32::MAX, value, value >> (value % 32)][round % 4];
            accel.link().write(address, &[nonsense]).expect("the bus answers");
        }
        let got = accel.batch(0, &bench.images, Depth::Logits).expect("the program ends");
        for (layer, counters) in got.counters {
            let images = bench.images.len() as u32;
            let want = bench.schedule.expected(&bench.hw, layer, images, true);
            assert_eq!((counters.cycles, counters.words_read), (want.cycles, want.words_read), "round {round}");
        }
    }
}
