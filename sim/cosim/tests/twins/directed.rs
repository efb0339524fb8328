//! Directed injection: one named cell is read wrong, at its next access or at each, and what comes of it is what golden says.

use crate::common::{Bench, builder, config, conv, hardware, head};
use hafnia_config::Elaborated;
use hafnia_config::accel::{InjectorConfig, ProtectionConfig};
use hafnia_config::fault::cell_hash::MAP_B;
use hafnia_config::fault::{Kind, Kinds, Site};
use hafnia_config::flip::Flip;
use hafnia_config::protect::Code;
use hafnia_cosim::{Hardware, design, random};
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, BatchRun, Depth, Directed, DriverError};
use hafnia_golden::network::Network;
use hafnia_golden::read::{bias_address, weight_places};
use hafnia_golden::run::{BatchResult, Golden};
use hafnia_verilate::{Design, Effort, Unknowns, Variant};

/// Hardware with directed injection and nothing else at each of these sites.
fn directed(code: Code, sites: &[Site]) -> Elaborated {
    let mut config = config(4, 8, 8);
    config.memory.accumulator_words = 64;
    let of = |site| if sites.contains(&site) { Kinds::from(vec![Kind::Directed]) } else { Kinds::NONE };
    let [weights, biases, activations] = Site::ALL.map(of);
    config.injector = InjectorConfig { weights, biases, activations };
    config.protection = ProtectionConfig::of(code, 8);
    config.validate().expect("the configuration is legal")
}

/// A batch of two images; layer 1 has accumulators for one of them, so it reads its parameters twice.
fn bench(hw: Elaborated) -> Bench {
    let shapes = [conv(3, 11, 8, 8, false), conv(11, 6, 8, 8, true), conv(6, 5, 4, 4, true), conv(5, 4, 2, 2, true)];
    let network = random::network(&[&shapes[..], &[head(4, 6)]].concat(), 1);
    let images = random::images(&network, 2, 2);
    let bench = Bench::new(hw, network, 0, images);
    assert_eq!((bench.schedule.batch, bench.schedule.layers[1].read_group), (2, 1));
    bench
}

/// Runs the batch twice on one device with a flip, and once more without; returns the runs and the hits after the first two.
fn runs(bench: &Bench, hardware: &Hardware, flip: Directed) -> ([BatchRun; 3], [u32; 2]) {
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    accel.direct(Some(flip)).expect("it has directed injection");
    let run = |accel: &mut Accel<'_, _>| accel.batch(0, &bench.images, Depth::EveryLayer).expect("it runs");
    let first = run(&mut accel);
    let after_first = accel.direct_hits().expect("it answers");
    let second = run(&mut accel);
    let after_second = accel.direct_hits().expect("it answers");
    accel.direct(None).expect("it has directed injection");
    ([first, second, run(&mut accel)], [after_first, after_second])
}

/// What golden says of a network without noise.
fn golden(bench: &Bench, network: &Network) -> BatchResult {
    let noise = bench.hw.noise(0.0, bench.hw.at_risk_by_default()).expect("zero is a rate");
    Golden::new(network, &bench.hw, &bench.schedule, &noise, 1).batch(0, &bench.images, Depth::EveryLayer)
}

/// The parameters of layer 1: a weight word or a bias, and a cell of it; with the network that has this cell turned over.
fn of_layer_1(bench: &Bench, site: Site) -> (u32, u32, u16, Network) {
    let (part, mut network) = (&bench.schedule.layers[1], bench.network.clone());
    let (hw, layer) = (&bench.hw, &mut network.layers[1]);
    if site == Site::Biases {
        layer.bias[5] ^= 1 << 9;
        return (part.parameter_base * hw.column_stride + bias_address(hw, 5), 5, 9, network);
    }
    let word = 23;
    let (k, c, r, s) = weight_places(hw, layer.weights.dim()).nth(word).expect("the layer has as many words");
    layer.weights[[k + 4, c, r, s]] ^= 1 << 6;
    (part.weight_base + word as u32, word as u32, 8 * 4 + 6, network)
}

#[test]
fn a_named_cell_is_read_wrong_at_each_access_or_at_the_next_alone() {
    let bench = bench(directed(Code::None, &Site::ALL));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let clean = golden(&bench, &bench.network);
    let groups = 2;
    for site in [Site::Weights, Site::Biases] {
        let (address, word, cell, turned) = of_layer_1(&bench, site);
        let (turned, before) = (golden(&bench, &turned), {
            let layer = &bench.network.layers[1];
            match site {
                Site::Biases => layer.bias[5] >> 9 & 1 == 1,
                _ => {
                    let (k, c, r, s) = weight_places(&bench.hw, layer.weights.dim()).nth(23).expect("it is there");
                    layer.weights[[k + 4, c, r, s]] >> 6 & 1 == 1
                }
            }
        });
        let flip = |group| Flip { layer: 1, group, site, word, bit: cell.into(), before };
        let each = Directed { site, address, cell, once: false };
        let ([first, second, without], hits) = runs(&bench, &hardware, each);
        assert_ne!(clean.outputs, turned.outputs, "the cell does something");
        assert_eq!([&first.outputs, &second.outputs], [&turned.outputs; 2], "{site}");
        assert_eq!(first.flips, (0..groups).map(flip).collect::<Vec<_>>(), "{site}");
        assert_eq!((hits, &without.outputs, without.flips.len()), ([groups, 2 * groups], &clean.outputs, 0), "{site}");
        // At the next access alone: in the first read group of the first run.
        let ([first, second, without], hits) = runs(&bench, &hardware, Directed { once: true, ..each });
        assert_eq!((first.flips, hits), (vec![flip(0)], [1; 2]), "{site}");
        let ofmaps = |outputs: &[Vec<_>]| outputs[1].clone();
        let want = [ofmaps(&turned.outputs)[0].clone(), ofmaps(&clean.outputs)[1].clone()];
        assert_eq!(ofmaps(&first.outputs), want, "{site}");
        assert_eq!([&second.outputs, &without.outputs], [&clean.outputs; 2], "{site}");
    }
}

/// A pixel of layer 1's ifmap is read under each tap that meets it, in each output fold.
#[test]
fn a_named_activation_is_read_wrong_wherever_it_is_read() {
    let bench = bench(directed(Code::None, &[Site::Activations]));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let clean = golden(&bench, &bench.network);
    // Image 0, input fold 0, row 1, column 2 of 8 x 8: all nine taps meet it.
    let flip = Directed { site: Site::Activations, address: MAP_B | (8 + 2), cell: 8 + 7, once: false };
    let ([first, second, without], hits) = runs(&bench, &hardware, flip);
    assert!(hits[0] >= 9 && hits[1] == 2 * hits[0], "{hits:?}");
    assert_eq!((first.flips.len() as u32, first.flips), (hits[0], second.flips));
    assert_ne!(first.outputs, clean.outputs);
    assert_eq!((without.outputs, without.flips.len()), (clean.outputs, 0));
}

/// Decoders meet it as any other flip: data cells and check cells alike.
#[test]
fn codes_correct_or_detect_a_named_cell() {
    for (code, events) in
        [(Code::Secded { data_bits: 64 }, [1, 0]), (Code::MsbTmr { bits: 2 }, [1, 0]), (Code::Parity, [0, 1])]
    {
        let bench = bench(directed(code, &Site::ALL));
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        let clean = golden(&bench, &bench.network);
        let groups = 2;
        let (address, _, data_cell, _) = of_layer_1(&bench, Site::Weights);
        for cell in [data_cell, 64 + 1] {
            let flip = Directed { site: Site::Weights, address, cell, once: false };
            let ([run, ..], hits) = runs(&bench, &hardware, flip);
            assert_eq!(hits[0], groups);
            let layer = run.counters.iter().filter(|(l, _)| *l == 1);
            let sums = layer.fold([0; 2], |[corrected, detected], (_, counters)| {
                [corrected + counters.corrected_weights, detected + counters.detected_weights]
            });
            let want = events.map(|events| events * groups);
            assert_eq!(sums, want, "{code}, cell {cell}");
            assert_eq!(run.outputs == clean.outputs, code != Code::Parity, "{code}, cell {cell}");
            assert_eq!(
                run.flips.iter().map(|flip| flip.bit).collect::<Vec<_>>(),
                vec![u32::from(cell); groups as usize]
            );
        }
    }
}

/// Cells that hold no weight are not there to be wrong.
#[test]
fn a_cell_that_is_not_in_use_stays_right() {
    let bench = bench(directed(Code::None, &[Site::Weights]));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let (address, ..) = of_layer_1(&bench, Site::Weights);
    // Layer 1 has six channels, a word eight weights.
    for cell in [8 * 6, 8 * 8, u16::MAX] {
        let flip = Directed { site: Site::Weights, address, cell, once: false };
        let ([run, ..], hits) = runs(&bench, &hardware, flip);
        assert!(hits[0] > 0 && run.flips.is_empty(), "cell {cell}");
    }
}

#[test]
fn hardware_without_it_refuses_it() {
    let bench = bench(directed(Code::None, &[Site::Weights]));
    let hardware = hardware(&bench.hw, Unknowns::Fast);
    let link = SimTransport::new(hardware.model.dut().expect("a device")).expect("it resets");
    let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).expect("it is ours");
    let flip = Directed { site: Site::Biases, address: 0, cell: 0, once: true };
    let error = accel.direct(Some(flip)).expect_err("biases have none");
    assert!(matches!(error, DriverError::NotDirected { site: Site::Biases, .. }), "{error}");
    assert!(error.to_string().contains("`injector.biases`"), "{error}");
}

/// One that strikes twice, one that ignores the address, one that ignores what is in use.
#[test]
fn every_fault_in_it_is_seen() {
    let bench = bench(directed(Code::None, &[Site::Weights]));
    let sound = design(&bench.hw);
    let (address, _, cell, _) = of_layer_1(&bench, Site::Weights);
    let unused = Directed { site: Site::Weights, address, cell: 8 * 6, once: false };
    for (text, instead, flip, flips) in [
        ("if (hit_i & cell_i[18]) armed <= 1'b0;", "", Directed { cell, once: true, ..unused }, 1),
        (" & (address_i == target_i_0[31:0])", "", Directed { cell, once: true, ..unused }, 1),
        ("{8{live_5[6]}}", "{8{1'b1}}", unused, 0),
    ] {
        assert!(sound.verilog.contains(text), "`{text}` is not there");
        let faulty = Design { verilog: sound.verilog.replace(text, instead), ..sound.clone() };
        let model = builder().build(&faulty, Variant { effort: Effort::Quick, ..Variant::default() });
        let hardware = model.unwrap_or_else(|error| panic!("{error}")).into();
        let ([first, second, _], _) = runs(&bench, &hardware, flip);
        let at = |run: &BatchRun| run.flips.iter().filter(|flip| flip.layer == 1).count();
        assert!((at(&first), at(&second)) != (flips, 0), "`{instead}` in place of `{text}` is not seen");
    }
}
