//! Tests of thresholds and cells at risk.

use super::*;

#[test]
fn seed_word_that_would_stop_a_component_is_changed_and_no_other() {
    assert_eq!([0, 127, 128, 1 << 31].map(live_seed), [1 << 31, 127 | 1 << 31, 128, 1 << 31]);
    let whole = |c: &Tausworthe| c.mask() >> SEED_LOW_BITS << SEED_LOW_BITS == u32::MAX << SEED_LOW_BITS;
    assert!(CELL_GENERATOR.iter().chain(&SEED_GENERATOR).all(whole));
}

#[test]
fn cells_at_risk_are_those_of_the_lists() {
    let some = AtRisk::new([0x81, 0, 3], Some(&[0, 3, 3]), 9).unwrap();
    assert_eq!([0, 1, 3, 32].map(|layer| some.bits_in(Site::Weights, layer)), [0x81, 0, 0x81, 0x81]);
    assert_eq!((some.bits_in(Site::Biases, 0), some.bits_in(Site::Activations, 3)), (0, 3));
    assert_eq!(some.sites().collect::<Vec<_>>(), [Site::Weights, Site::Activations]);
    let all = AtRisk::EVERYTHING;
    assert_eq!((some.layers_of(9), all.layers_of(9), all.layers_of(40)), (0b1001, 0x1ff, u32::MAX));
    assert_eq!(AtRisk::new([0xff; 3], None, 9), Ok(all));
    for (bits, layers, phrase) in [(0, None, "0x01"), (1, Some(&[][..]), "at least one"), (1, Some(&[9]), "0 to 8")] {
        let error = AtRisk::new([bits, 0, 0], layers, 9).unwrap_err().to_string();
        assert!(error.contains(phrase), "{error}");
    }
}

#[test]
fn a_rate_of_one_flips_always_and_zero_never() {
    let always = Thresholds::new(1.0, 64).unwrap();
    assert!(always.word == u32::MAX && always.nodes.iter().all(|n| n.both == u32::MAX));
    assert!(!Noise::new(0.0.into(), AtRisk::EVERYTHING, [64; 3]).unwrap().enable);
}

#[test]
fn rates_that_are_no_probability_are_refused() {
    for p in [-1e-9, 1.5, f64::NAN, f64::INFINITY] {
        assert!(Thresholds::new(p, 64).is_err(), "{p}");
        assert!(Thresholds::new(Rates { p01: 0.1, p10: p }, 64).is_err(), "{p}");
    }
}

#[test]
fn rates_below_the_resolution_of_the_thresholds_are_refused() {
    let error = Thresholds::new(1e-12, 64).unwrap_err().to_string();
    assert!(error.contains("1e-12") && error.contains("the least is 1.8e-10"), "{error}");
    let rate = f64::from(Thresholds::new(2e-10, 64).unwrap().word + 1) / 4_294_967_296.0;
    assert!((rate / (64.0 * 2e-10) - 1.0).abs() < 0.01, "{rate}");
    let error = Thresholds::new(Rates { p01: 0.5, p10: 1e-9 }, 64).unwrap_err().to_string();
    assert!(error.contains("1e-9") && error.contains("1.2e-8"), "{error}");
    assert!(Thresholds::new(Rates { p01: 0.5, p10: 0.0 }, 64).is_ok());
}

const SIZES: [u32; 8] = [8, 13, 22, 32, 39, 64, 72, 128];

fn rate(t: u32) -> f64 {
    (f64::from(t) + 1.0) / 4_294_967_296.0
}

/// Half a step of the first threshold, relative to the rate it stands for, and a margin for the others.
fn tolerance(p: f64, cells: u32) -> f64 {
    1e-6 + 1.0 / (8_589_934_592.0 * p * f64::from(cells))
}

/// The tree gives each cell the rate p: P(cell) is the product of the conditional rates on the way to it.
#[test]
fn every_cell_of_the_tree_is_a_candidate_at_the_requested_rate() {
    for n in SIZES {
        for p in [0.5, 1e-1, 1e-3, 1e-6] {
            let noise = Thresholds::new(p, n).unwrap();
            let sizes = node_sizes(n);
            let mut stack = vec![(n, rate(noise.word))];
            while let Some((size, reach)) = stack.pop() {
                if size == 1 {
                    assert!((reach / p - 1.0).abs() < tolerance(p, n), "n {n}, p {p}: {reach}");
                    continue;
                }
                let node = noise.nodes[sizes.iter().position(|&s| s == size).unwrap()];
                let (lower, upper) = halves(size);
                stack.push((lower, reach * rate(node.left)));
                stack.push((upper, reach * (1.0 - rate(node.left) + rate(node.both))));
            }
        }
    }
}

/// The share kept of each candidate is the ratio of the rates, and of two candidates of a node both are kept at its square.
#[test]
fn every_candidate_is_kept_at_the_ratio_of_the_rates() {
    for (p, ratio) in [(0.5, 0.2), (1.0, 0.7), (1e-1, 0.0), (1e-3, 0.5), (1e-4, 0.01)] {
        let thresholds = Thresholds::new(Rates { p01: p, p10: p * ratio }, 39).unwrap();
        let sizes = node_sizes(39);
        let keep = thresholds.keep.unwrap();
        assert!(keep.weak, "stored ones have the lower rate");
        for (size, share) in [(2, keep.pair), (3, keep.triple)] {
            let node = thresholds.nodes[sizes.iter().position(|&s| s == size).unwrap()];
            let (both, left) = (f64::from(node.both) + 1.0, f64::from(node.left) + 1.0);
            let near = |part: f64, of: f64, want: f64| {
                assert!((part - of * want).abs() <= 1.0, "{size} cells, p {p}, ratio {ratio}: {part} of {of}");
            };
            let at = |t: u32| f64::from(t);
            near(at(share.both_both), both, ratio * ratio);
            near(at(share.both_lower), both, ratio);
            near(at(share.both_upper) - at(share.both_lower), both, ratio * (1.0 - ratio));
            near(at(share.lower) - both, left - both, ratio);
            near(at(share.upper) - left, 4_294_967_296.0 - left, ratio);
        }
    }
}
