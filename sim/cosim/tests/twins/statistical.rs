//! Statistical draws have the law of the hardware's: over many seeds nothing tells the two apart but the flips themselves.

use crate::common::{Bench, committed};
use hafnia_config::fault::{AtRisk, Draws, Kinds, Noise, Rates, Site};
use hafnia_config::schedule::Schedule;
use hafnia_config::{Elaborated, presets};
use hafnia_cosim::{Engine, Plan, Totals};
use hafnia_driver::Depth;

const SEEDS: u64 = 60;

/// Largest distance between the empirical distributions of two samples.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let below = |sample: &[f64], x: f64| sample.iter().filter(|&&v| v <= x).count() as f64 / sample.len() as f64;
    one.iter().chain(other).map(|&x| (below(one, x) - below(other, x)).abs()).fold(0.0, f64::max)
}

/// The distance that samples of one law exceed with probability 1e-4: Kolmogorov and Smirnov's asymptotic law.
fn bound(count: usize) -> f64 {
    (-(0.5e-4_f64).ln() / 2.0).sqrt() * (2.0 / count as f64).sqrt()
}

/// Accuracy, then flips by layer and site, of each seed.
fn samples(bench: &Bench, labels: &[u8], noise: &Noise) -> Vec<Vec<f64>> {
    let layers = bench.network.layers.len();
    let one = |seed| {
        let Bench { hw, network, schedule, .. } = bench;
        let plan = Plan { hw, network, schedule, noise: noise.clone(), seed };
        let (mut totals, mut flips) = (Totals::new(&plan), vec![0.0; 3 * layers]);
        for batch in bench.batches(&plan, Engine::Golden(Depth::Logits), 1) {
            totals.add(&batch, &labels[batch.first as usize..]);
            for (layer, counters) in &batch.counters {
                Site::ALL.iter().for_each(|&site| flips[3 * layer + site as usize] += f64::from(counters.flips(site)));
            }
        }
        [vec![totals.top1()], flips].concat()
    };
    let seeds: Vec<Vec<f64>> = (1..=SEEDS).map(one).collect();
    (0..=3 * layers).map(|i| seeds.iter().map(|values| values[i]).collect()).collect()
}

fn hardware() -> Elaborated {
    let mut config = presets::find("8x8").expect("a preset");
    config.injector.activations = Kinds::READ;
    config.validate().expect("the configuration is legal")
}

#[test]
fn flips_of_each_layer_and_accuracy_are_those_of_exact_draws() {
    let hw = hardware();
    let (mut bench, labels) = {
        let images = hafnia_dataset::Dataset::digits().test().read(0, 20).expect("the digits are built in");
        let network = committed("vgg-a8-digits");
        let ifmaps = images.iter().map(|(pixels, _)| network.quantise_image(pixels)).collect();
        (Bench::new(hw, network, 0, ifmaps), images.labels().to_vec())
    };
    // One image to every read, in both.
    bench.schedule = Schedule::new(&bench.hw, &bench.network.shapes(), Some(1)).expect("one image fits");
    let some = AtRisk { bits: [0x3f, 0xff, 0xf0], ..AtRisk::EVERYTHING };
    for (rates, at_risk) in [
        (Rates::from(2e-3), AtRisk::EVERYTHING),
        (Rates { p01: 1e-2, p10: 3e-3 }, some),
        (0.05.into(), AtRisk::WEIGHTS),
    ] {
        let exact = bench.hw.noise(rates, at_risk).expect("tests use probabilities");
        let statistical = Noise { draws: Draws::Statistical, ..exact.clone() };
        let (exact, statistical) = (samples(&bench, &labels, &exact), samples(&bench, &labels, &statistical));
        let bound = bound(SEEDS as usize);
        for (i, (exact, statistical)) in exact.iter().zip(&statistical).enumerate() {
            let far = distance(exact, statistical);
            assert!(far <= bound, "{rates:?}, sample {i}: {far} above {bound}\n{exact:?}\n{statistical:?}");
        }
        assert!(exact != statistical, "they are other flips");
        // The comparison sees a rate that is a tenth too high.
        let more = Rates { p01: 1.1 * rates.p01, p10: 1.1 * rates.p10 };
        let more =
            Noise { draws: Draws::Statistical, ..bench.hw.noise(more, at_risk).expect("tests use probabilities") };
        let seen =
            samples(&bench, &labels, &more).iter().zip(&exact).any(|(more, exact)| distance(more, exact) > bound);
        assert!(seen, "{rates:?}: a rate a tenth higher passes");
    }
}
