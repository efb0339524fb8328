//! The twin property on the digits network, and a negative control.

use std::path::Path;

use hafnia_config::fault::Thresholds;
use hafnia_config::presets;
use hafnia_config::schedule::Schedule;
use hafnia_cosim::{Outcome, Verify, design};
use hafnia_quantize::read_model;
use hafnia_verilate::{Builder, Unknowns, Variant};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/vgg-a8-digits/model.safetensors");

/// Runs images 5 to 13 (they cross a batch) of the digits on `preset`, with `change` made to the Verilog.
fn outcome(preset: &str, p: f64, seed: u64, unknowns: Unknowns, change: (&str, &str)) -> Outcome {
    let hw = presets::find(preset).unwrap().validate().unwrap();
    let network = read_model(Path::new(MODEL)).unwrap().network;
    let images = hafnia_dataset::Dataset::digits().test().read(5, 9).unwrap();
    let ifmaps: Vec<_> = (0..9).map(|i| network.quantise_image(images.pixels(i))).collect();
    let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap();
    let mut design = design(&hw);
    if !change.0.is_empty() {
        assert_eq!(design.verilog.matches(change.0).count(), 1, "{:?} is not in the Verilog once", change.0);
        design.verilog = design.verilog.replace(change.0, change.1);
    }
    let model = Builder::new().build(&design, Variant { unknowns, ..Variant::default() }).unwrap();
    let thresholds = Thresholds::new(p, hw.codeword_bits).unwrap();
    let verify = Verify { hw: &hw, network: &network, schedule: &schedule, thresholds, seed };
    verify.run(&model, 5, &ifmaps, &mut |_| ()).unwrap()
}

fn assert_equal(preset: &str, p: f64, seed: u64, unknowns: Unknowns) {
    match outcome(preset, p, seed, unknowns, ("", "")) {
        Outcome::Equal(summary) => {
            // 99.9% of binomial counts lie within 3.29 standard deviations.
            let cells = f64::from(summary.counters.cells_read);
            let (mean, sigma) = (cells * p, (cells * p * (1.0 - p)).sqrt());
            let flips = summary.flips.len() as f64;
            assert!((flips - mean).abs() <= 3.29 * sigma, "{preset}, p {p}: {flips} flips in {cells} cells");
        }
        Outcome::Differs { difference, .. } => panic!("{preset}, p {p}, seed {seed}: {difference}"),
    }
}

#[test]
fn resident_8x8_equals_golden_at_every_rate() {
    for (p, seed) in [(0.0, 1), (1e-4, 1), (1e-2, 2), (0.5, 3)] {
        assert_equal("8x8", p, seed, Unknowns::Fast);
    }
}

#[test]
fn streamed_4x4_and_8x4_equal_golden() {
    for preset in ["4x4", "8x4"] {
        assert_equal(preset, 1e-2, 1, Unknowns::Fast);
    }
}

#[test]
fn random_start_values_change_nothing() {
    assert_equal("4x4", 1e-2, 1, Unknowns::Randomise { seed: 7 });
}

#[test]
fn a_planted_fault_makes_the_comparison_fail() {
    for change in [
        ("rounded >>> s_2", "rounded >> s_2"),
        ("$signed({17'd0, product_low}) + $signed(half)", "$signed({17'd0, product_low})"),
        ("(clamped > largest)", "(clamped < largest)"),
        ("else if (~shifted[48] & |shifted[47:7]) clamped <= 8'sd127;", ""),
        ("x <= padding ? 32'd0 : pixel_i", "x <= pixel_i"),
        ("wire [8:0] pes = {1'd0, pixel_rows_i} *", "wire [8:0] pes = {1'd0, pixel_rows_i} +"),
    ] {
        let found = outcome("4x4", 1e-1, 1, Unknowns::Fast, change);
        assert!(matches!(found, Outcome::Differs { .. }), "{change:?} was not noticed");
    }
}
