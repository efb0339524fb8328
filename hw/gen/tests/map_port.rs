//! The noisy read port of the feature maps.

mod common;

use std::collections::VecDeque;

use common::golden::GoldenPort;
use common::records::Records;
use common::{Bench, array, injecting, rng, with_nodes_of_three_cells};
use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, INJECTOR_LATENCY, Noise, Rates, Site, stream_key};
use hafnia_golden::injector::Tree;
use hafnia_golden::read::Stream;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

fn reset(bench: &mut Bench) {
    bench.set("rst_i", 1);
    for _ in 0..8 {
        assert_eq!(bench.get("record_valid_o"), 0, "nothing is a flip during reset");
        bench.step();
    }
    bench.set("rst_i", 0);
}

/// Runs a descriptor of random words: most are read, the others are padding and gaps, for which nothing is drawn or
/// counted. The rows in use change as they do from one input fold to the next.
fn run(bench: &mut Bench, hw: &Elaborated, noise: &Noise, stream: Stream, rng: &mut ChaCha8Rng) {
    let rows = hw.rows as usize;
    let tree = Tree::new(noise.of(Site::Activations));
    let mut golden = GoldenPort::new(hw, Site::Activations, stream, noise, &tree);
    let bits = noise.bits_in(Site::Activations, stream.layer);
    bench.set_noise(noise.of(Site::Activations), bits);
    bench.set("enable_i", u64::from(bits != 0));
    bench.set("valid_i", 0);
    bench
        .seed(hw.seed_words(Site::Activations), stream_key(stream.seed, Site::Activations, stream.layer, stream.group));
    bench.set("clear_i", 1);
    bench.step();
    bench.set("clear_i", 0);
    let mut records = Records::new(bench, Site::Activations, stream);
    let mut under_way = VecDeque::new();
    let mut in_use = rows;
    for cycle in 0..1000 + INJECTOR_LATENCY + 2 {
        let valid = cycle < 1000 && rng.random_bool(0.8);
        if rng.random_bool(0.02) {
            in_use = rng.random_range(1..=rows);
        }
        let pixel: Vec<u8> = (0..rows).map(|_| rng.random()).collect();
        bench.set("valid_i", valid.into());
        bench.set("rows_i", (1 << in_use) - 1);
        bench.set_bytes("pixel_i", &pixel);
        under_way.push_back(if valid { golden.read(&pixel, in_use) } else { pixel });
        bench.step();
        if under_way.len() as u32 == INJECTOR_LATENCY {
            let want = under_way.pop_front().expect("it is not empty");
            assert_eq!(bench.get_bytes("pixel_o", rows), want, "cycle {cycle}");
        }
        records.look(bench, &golden.stored);
    }
    records.assert_equal(bench, &golden.flips);
}

/// Every bit of a byte at risk and some, directions alike and apart; with several lanes, one, and one of other codewords.
#[test]
fn words_read_flip_as_the_golden_model_flips_them_and_padding_never() {
    let port_of = |rows| injecting(&array(rows, 5, 2), &[Site::Activations]);
    for hw in [port_of(3), port_of(9), port_of(16), with_nodes_of_three_cells()] {
        let mut bench = Bench::new(&hw, "map_port");
        let mut rng = rng(u64::from(hw.rows));
        reset(&mut bench);
        let rates = [0.0, 1e-3, 0.1, 1.0].map(Rates::from).into_iter();
        let rates = rates.chain([(0.2, 0.01), (0.05, 0.5), (1.0, 0.0)].map(|(p01, p10)| Rates { p01, p10 }));
        for (group, rates) in (0..).zip(rates) {
            // Layer 1 is spared.
            for (bits, layer) in [(0xff, 0), (0x81, 2), (0xff, 1)] {
                let at_risk = AtRisk { bits: [0, 0, bits], layers: !0b10 };
                let noise = hw.noise(rates, at_risk).expect("the site has an injector");
                run(&mut bench, &hw, &noise, Stream { seed: 4, layer, group }, &mut rng);
            }
        }
    }
}
