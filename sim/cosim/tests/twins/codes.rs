//! The twin property with codes: flips of check cells, what decoders correct and detect, beside every kind of fault.

use crate::common::{Bench, builder, config, conv, hardware, head};
use hafnia_config::Elaborated;
use hafnia_config::accel::{InjectorConfig, ProtectionConfig};
use hafnia_config::fault::{AtRisk, CellFaults, Kinds, Rates, Telegraph, Verify};
use hafnia_config::protect::{Code, OnDetected};
use hafnia_cosim::{design, random};
use hafnia_verilate::{Design, Effort, Unknowns, Variant};

/// Columns of the array for a code: no more than it takes, since wide ones take long to build.
fn cols(code: Code) -> u32 {
    if code == (Code::Secded { data_bits: 64 }) { 8 } else { 4 }
}

/// An array whose last output folds end within a codeword.
fn coded(protection: ProtectionConfig, kinds: Kinds, weight_words: u32) -> Elaborated {
    let cols = cols(protection.code);
    let mut config = config(4, cols, cols);
    config.name = format!("test_{}", protection.code);
    config.memory.weight_words = weight_words;
    config.injector = InjectorConfig { weights: kinds, biases: kinds, activations: kinds };
    config.protection = ProtectionConfig { write_verify: kinds == Kinds::ALL, ..protection };
    config.validate().expect("the configuration is legal")
}

fn bench(hw: Elaborated) -> Bench {
    let shapes = [
        conv(3, 11, 8, 8, true),
        conv(11, 6, 4, 4, false),
        conv(6, 13, 4, 4, true),
        conv(13, 9, 2, 2, true),
        head(9, 6),
    ];
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 5, 2);
    Bench::new(hw, network, 5, images)
}

const NONE: CellFaults = CellFaults {
    device_seed: None,
    stuck: [0.0; 2],
    telegraph: OFF,
    write: Rates { p01: 0.0, p10: 0.0 },
    verify: None,
    scrub_period: None,
};
const OFF: Telegraph = Telegraph { fraction: 0.0, capture_reads: 1.0, emission_reads: 1.0, probability: 1.0 };
const FAULTY: CellFaults = CellFaults {
    device_seed: Some(11),
    stuck: [2e-3, 3e-3],
    telegraph: Telegraph { fraction: 0.01, capture_reads: 3.0, emission_reads: 2.0, probability: 0.6 },
    write: Rates { p01: 3e-3, p10: 1e-3 },
    verify: None,
    scrub_period: None,
};

/// Every code with read noise; some with every kind of fault at once, and with check cells that are not at risk.
#[test]
fn every_code_equals_golden() {
    let secded = |data_bits| Code::Secded { data_bits };
    for (code, biases, on_detected, kinds, weight_words) in [
        (Code::Parity, None, OnDetected::Pass, Kinds::ALL, 2048),
        (secded(8), None, OnDetected::Zero, Kinds::READ, 64),
        (secded(16), Some(Code::Parity), OnDetected::Pass, Kinds::READ, 2048),
        (secded(32), None, OnDetected::Zero, Kinds::READ, 2048),
        (secded(64), None, OnDetected::Pass, Kinds::ALL, 64),
        (Code::Tmr, None, OnDetected::Pass, Kinds::READ, 2048),
        (Code::MsbTmr { bits: 2 }, None, OnDetected::Pass, Kinds::READ, 2048),
    ] {
        let protection = ProtectionConfig { biases, on_detected, ..ProtectionConfig::of(code, cols(code)) };
        let bench = bench(coded(protection, kinds, weight_words));
        assert_eq!(bench.schedule.resident, weight_words > 64);
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        bench.assert_plan_equal(&bench.faulty(0.0, NONE, AtRisk::EVERYTHING, 1), &hardware);
        let noisy = bench.assert_plan_equal(&bench.faulty(5e-3, NONE, AtRisk::EVERYTHING, 2), &hardware);
        assert!(noisy.flip_counts.checks[0].iter().all(|&flips| flips > 0), "{code}");
        let events = ["corrected_weights", "detected_weights"].map(|name| noisy.counter(name));
        let wanted = [code != Code::Parity, !matches!(code, Code::Tmr | Code::MsbTmr { .. })];
        assert_eq!(events.map(|count| count > 0), wanted, "{code}: {events:?}");
        let uneven = Rates { p01: 0.03, p10: 0.01 };
        let data_alone = AtRisk { bits: [0x81, 0xf0, 0], layers: 0b11010, checks: false };
        let faults = if kinds == Kinds::ALL { FAULTY } else { NONE };
        let no_checks = bench.assert_plan_equal(&bench.faulty(uneven, faults, data_alone, 3), &hardware);
        assert_eq!(no_checks.flip_counts.checks, [[0; 2]; 3], "{code}");
        bench.assert_plan_equal(&bench.faulty(uneven, faults, AtRisk::EVERYTHING, 4), &hardware);
        bench.assert_plan_equal(&bench.faulty(0.0, faults, AtRisk::PARAMETERS, 5), &hardware);
        if kinds == Kinds::ALL {
            let verify = Some(Verify { max_pulses: 3, noisy: true });
            let verified = CellFaults { write: Rates { p01: 0.1, p10: 0.2 }, verify, ..FAULTY };
            let totals = bench.assert_plan_equal(&bench.faulty(uneven, verified, AtRisk::EVERYTHING, 6), &hardware);
            let programmed = totals.programmed.expect("the hardware has write-verify");
            assert!(programmed.iter().all(|site| site.repeated > 0 && site.give_ups > 0), "{programmed:?}");
        }
    }
}

/// Decoders without any fault in the hardware: the latency of codes alone.
#[test]
fn codes_without_injectors_equal_golden() {
    for code in [Code::Secded { data_bits: 32 }, Code::Parity] {
        let mut config = coded(ProtectionConfig::of(code, cols(code)), Kinds::NONE, 2048).config;
        config.injector = InjectorConfig::default();
        let bench = bench(config.validate().expect("the configuration is legal"));
        bench.assert_plan_equal(&bench.plan(0.0, 1), &hardware(&bench.hw, Unknowns::Fast));
    }
}

/// A decoder that corrects nothing, and noise that does not spare check cells; the proofs of the generator have more.
#[test]
fn every_fault_in_a_code_is_seen() {
    let bench = bench(coded(ProtectionConfig::of(Code::Secded { data_bits: 16 }, 4), Kinds::READ, 2048));
    let at_risk = AtRisk { checks: false, ..AtRisk::PARAMETERS };
    let plan = bench.faulty(5e-3, NONE, at_risk, 3);
    let sound = design(&bench.hw);
    for (text, instead) in [("data <= held ^ turned;", "data <= held;"), ("bits_i[8] & ", "")] {
        assert!(sound.verilog.contains(text), "`{text}` is not there");
        let faulty = Design { verilog: sound.verilog.replace(text, instead), ..sound.clone() };
        let model = builder().build(&faulty, Variant { effort: Effort::Quick, ..Variant::default() });
        let hardware = model.unwrap_or_else(|error| panic!("{error}")).into();
        let (_, found) = bench.compare(&plan, &hardware);
        assert!(found.is_some(), "`{instead}` in place of `{text}` is not seen");
    }
}
