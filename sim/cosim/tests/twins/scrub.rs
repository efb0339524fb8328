//! The twin property with a scrubber: what a batch meets depends on all batches before it.

use crate::common::{Bench, config, conv, hardware, head};
use hafnia_config::Elaborated;
use hafnia_config::accel::{InjectorConfig, ProtectionConfig};
use hafnia_config::fault::{AtRisk, CellFaults, Kind, Kinds, Rates, Telegraph, Verify};
use hafnia_config::protect::{Code, OnDetected};
use hafnia_config::scrub::Scrubbed;
use hafnia_cosim::{Depth, Engine, Hardware, Ifmaps, Totals, random};
use hafnia_driver::Accel;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_golden::run::Golden;
use hafnia_verilate::Unknowns;

/// An array whose last output folds end within a codeword.
pub fn scrubbing(code: Code, on_detected: OnDetected, kinds: Kinds) -> Elaborated {
    let mut config = config(4, 4, 4);
    config.name = format!("scrub_{code}");
    config.injector = InjectorConfig { weights: kinds, biases: kinds, activations: kinds };
    config.protection =
        ProtectionConfig { on_detected, write_verify: true, scrub: true, ..ProtectionConfig::of(code, 4) };
    config.validate().expect("the configuration is legal")
}

/// Layers of several read groups and of one, the last so that the array loads weights all the time; images of some batches,
/// in which the scrubber goes through the weights more than once.
pub fn bench(hw: Elaborated) -> Bench {
    let shapes = [
        conv(3, 11, 8, 8, true),
        conv(11, 6, 4, 4, false),
        conv(6, 13, 4, 4, true),
        conv(13, 9, 2, 2, true),
        head(9, 10),
    ];
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 37, 2);
    Bench::new(hw, network, 5, images)
}

pub const WRITES: CellFaults = CellFaults {
    device_seed: Some(11),
    stuck: [0.0; 2],
    telegraph: Telegraph { fraction: 0.0, capture_reads: 1.0, emission_reads: 1.0, probability: 1.0 },
    write: Rates { p01: 6e-3, p10: 4e-3 },
    verify: None,
    scrub_period: Some(64),
};

fn scrubbed(totals: &Totals) -> Scrubbed {
    totals.scrubbed.expect("the hardware has a scrubber")
}

#[test]
fn a_scrubbed_memory_equals_golden() {
    let telegraph = Telegraph { fraction: 0.01, capture_reads: 3.0, emission_reads: 2.0, probability: 0.6 };
    let all = CellFaults { stuck: [2e-3, 3e-3], telegraph, ..WRITES };
    let verify = |noisy| Some(Verify { max_pulses: 2, noisy });
    let uneven = Rates { p01: 4e-3, p10: 2e-3 };
    for (code, on_detected, kinds) in [
        (Code::Secded { data_bits: 16 }, OnDetected::Zero, Kinds::ALL),
        (Code::Tmr, OnDetected::Pass, vec![Kind::Write].into()),
    ] {
        let bench = bench(scrubbing(code, on_detected, kinds));
        let (hardware, words) = (hardware(&bench.hw, Unknowns::Fast), u64::from(bench.schedule.weight_words()));
        let run = |rates: Rates, cells| {
            bench.assert_plan_equal(&bench.faulty(rates, cells, AtRisk::PARAMETERS, 3), &hardware)
        };
        // What one walk mends the next one finds right, but for pulses that failed; and reads find less to correct.
        let mended = run(0.0.into(), WRITES);
        let never = run(0.0.into(), CellFaults { scrub_period: None, ..WRITES });
        let Scrubbed { words: walked, pulses, .. } = scrubbed(&mended);
        assert!(walked > 2 * words && pulses > 0, "{code}: {walked} of {words} words, {pulses} pulses");
        assert_eq!(scrubbed(&never), Scrubbed::default());
        let corrected = [&mended, &never].map(|totals| totals.counter("corrected_weights"));
        assert!(4 * corrected[0] < corrected[1], "{code}: {corrected:?}");
        // Nothing to mend, and a period that hardly ever comes.
        let clean = run(0.0.into(), CellFaults { write: 0.0.into(), ..WRITES });
        assert_eq!((scrubbed(&clean).words, scrubbed(&clean).pulses), (walked, 0));
        assert!(scrubbed(&run(0.0.into(), CellFaults { scrub_period: Some(1001), ..WRITES })).words < walked / 10);
        // More jobs change nothing: one hardware runs all batches, and each golden model those before its own.
        let plan = bench.faulty(0.0, WRITES, AtRisk::PARAMETERS, 3);
        let logits = |engine| bench.batches(&plan, engine, 2).into_iter().map(|batch| (batch.logits, batch.scrubbed));
        assert!(logits(Engine::Hardware((&hardware).into())).eq(logits(Engine::Golden(Depth::Logits))), "{code}");
        begins_anew_with_each_setting(&bench, &hardware);
        if kinds == Kinds::ALL {
            assert!(scrubbed(&mended).detected > 0);
            for cells in [CellFaults { verify: verify(false), ..all }, CellFaults { verify: verify(true), ..all }, all]
            {
                let totals = run(uneven, cells);
                assert!(scrubbed(&totals).values().iter().all(|&count| count > 0), "{totals:?}");
            }
            // Without check cells, and with some bits, at risk.
            let some = AtRisk { bits: [0x81, 0xf0, 0xff], checks: false, ..AtRisk::EVERYTHING };
            bench.assert_plan_equal(
                &bench.faulty(uneven, CellFaults { verify: verify(true), ..all }, some, 6),
                &hardware,
            );
        }
    }
}

/// One session, several settings: the walk begins anew, in the midst of one.
fn begins_anew_with_each_setting(bench: &Bench, hardware: &Hardware) {
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    for seed in [1, 2] {
        let cells = CellFaults { device_seed: None, ..WRITES };
        let plan = bench.faulty(0.0, cells, AtRisk::PARAMETERS, seed);
        accel.set_noise(plan.noise.clone(), seed).expect("it has a scrubber");
        let golden = Golden::new(&bench.network, &bench.hw, &bench.schedule, &plan.noise, seed);
        let mut golden = golden.beginning_at(bench.first);
        let images = Ifmaps { first: bench.first, images: &bench.images, clean: None };
        for range in &images.batches(&plan)[..5] {
            let part = &bench.images[(range.start - bench.first) as usize..(range.end - bench.first) as usize];
            let got = accel.batch(range.start, part, Depth::EveryLayer).expect("it runs");
            let want = golden.batch(range.start, part, Depth::EveryLayer);
            assert!(got.scrubbed.is_some_and(|counts| counts.words > 0));
            assert_eq!(hafnia_cosim::compare(&got, &want, false), None, "seed {seed}, images {range:?}");
        }
    }
}
