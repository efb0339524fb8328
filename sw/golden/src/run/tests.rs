//! Noisy batches against the plain model.

use std::collections::BTreeSet;

use hafnia_config::accel::ProtectionConfig;
use hafnia_config::fault::{AtRisk, CellFaults, Draws, Kinds, Rates, Telegraph};
use hafnia_config::presets;
use hafnia_config::protect::{Code, OnDetected};
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::Array4;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::*;
use crate::cells::{Writes, first_words, in_memory, of_batch};
use crate::network::{Layer, Scale};
use crate::read::{read_activations, read_biases, read_weights};

const SEED: u64 = 3;

fn hardware(preset: &str) -> Elaborated {
    let mut config = presets::find(preset).unwrap();
    (config.injector.weights, config.injector.biases, config.injector.activations) =
        (Kinds::ALL, Kinds::ALL, Kinds::ALL);
    config.validate().unwrap()
}

fn random_layer(kind: LayerKind, c: u32, k: u32, side: u32, pool: bool, rng: &mut ChaCha8Rng) -> Layer {
    let shape = LayerShape { kind, in_channels: c, out_channels: k, height: side, width: side, pool };
    let taps = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let weights = Array4::from_shape_simple_fn((k as usize, c as usize, taps, taps), || rng.random());
    let scale = vec![Scale { m: 40_000, s: 24 }; if taps == 3 { k as usize } else { 0 }];
    let bias = Array1::from_shape_simple_fn(k as usize, || rng.random_range(-9000..9000));
    Layer { shape, weights, bias, scale }
}

fn network(rng: &mut ChaCha8Rng) -> Network {
    let mut layer = |kind, c: u32, k: u32, side: u32, pool| random_layer(kind, c, k, side, pool, rng);
    let layers = vec![
        layer(LayerKind::Conv3x3, 3, 18, 16, true),
        layer(LayerKind::Conv3x3, 18, 9, 8, true),
        layer(LayerKind::Conv3x3, 9, 40, 4, false),
        layer(LayerKind::Conv3x3, 40, 33, 4, true),
        layer(LayerKind::Conv3x3, 33, 40, 2, true),
        layer(LayerKind::Linear, 40, 10, 1, false),
    ];
    Network::new("random".into(), vec![[0; 256]; 3], layers).unwrap()
}

fn images(count: usize, rng: &mut ChaCha8Rng) -> Vec<Array3<i8>> {
    (0..count).map(|_| Array3::from_shape_simple_fn((3, 16, 16), || rng.random())).collect()
}

/// What is run.
#[derive(Clone, Copy)]
struct Case<'a> {
    network: &'a Network,
    hw: &'a Elaborated,
    schedule: &'a Schedule,
    noise: &'a Noise,
}

impl<'a> Case<'a> {
    fn golden(self) -> Golden<'a> {
        Golden::new(self.network, self.hw, self.schedule, self.noise, SEED)
    }
}

/// What the plain loops give: outputs of every layer, flips, and what the decoders of weights and biases did.
#[derive(Default)]
struct Plain {
    outputs: Vec<Vec<LayerOutput>>,
    flips: Vec<Flip>,
    events: [Events; 2],
}

/// Runs a batch by the plain loops over everything as it was stored and read.
fn plain(case: Case<'_>, first: u32, images: &[Array3<i8>]) -> Plain {
    let Case { network, hw, schedule, noise } = case;
    let writes = Writes::new(noise, SEED);
    let write = |map: &Array3<i8>, layer: u32, at: u32, epoch: u32| {
        writes.as_ref().map_or(map.clone(), |writes| writes.map(hw, map, layer, at | in_memory(layer), epoch))
    };
    let network = writes.as_ref().map_or(network.clone(), |writes| writes.network(hw, schedule, network, 0));
    let image = schedule.layers[0].source_image;
    let slots = (0..).zip(images);
    let mut maps: Vec<_> =
        slots.map(|(slot, map)| write(map, 0, slot * image, of_batch(first, schedule.batch))).collect();
    let mut all = Plain::default();
    let program = schedule.program(hw, first, images.len() as u32, SEED);
    for (descriptors, layer) in program.chunk_by(|a, b| a.0 == b.0).zip(&network.layers) {
        let (mut outputs, mut rest) = (Vec::new(), &maps[..]);
        for (l, descriptor) in descriptors {
            let (l, group) = (*l as u32, descriptor.group);
            let stream = Stream { seed: SEED, layer: l, group };
            let at = first_words(hw, descriptor);
            let (weights, of_weights, decoded) =
                read_weights(hw, &layer.weights, at[0], stream, noise, writes.as_ref());
            all.events[0].add(decoded);
            let (bias, of_biases, decoded) = read_biases(hw, &layer.bias, at[1], stream, noise, writes.as_ref());
            all.events[1].add(decoded);
            let as_read = Layer { weights, bias, ..layer.clone() };
            let (ifmaps, later) = rest.split_at(descriptor.images as usize);
            let (given, of_maps) = read_activations(hw, &as_read, ifmaps, at[2], stream, noise);
            all.flips.extend(of_weights.into_iter().chain(of_biases).chain(of_maps));
            outputs.extend((0..).zip(given).map(|(image, output)| match output {
                LayerOutput::Map(map) => {
                    let at = descriptor.dest_base + image * descriptor.dest_image;
                    LayerOutput::Map(write(&map, l + 1, at, group))
                }
                logits @ LayerOutput::Logits(_) => logits,
            }));
            rest = later;
        }
        let map = |output: &LayerOutput| match output {
            LayerOutput::Map(map) => Some(map.clone()),
            LayerOutput::Logits(_) => None,
        };
        maps = outputs.iter().filter_map(map).collect();
        all.outputs.push(outputs);
    }
    all
}

/// Checks every layer, flip and counter of a batch against the plain loops, at every depth.
fn check(golden: &mut Golden<'_>, case: Case<'_>, first: u32, images: &[Array3<i8>]) {
    let Noise { cells, rates, at_risk, .. } = case.noise;
    let what = format!("{}, {cells:?}, {rates:?}, {at_risk:?}, image {first}", case.hw.config.name);
    let Plain { outputs, flips, events } = plain(case, first, images);
    // Twice: the weights must be whole again after a batch.
    let (whole, again) = (golden.batch(first, images, Depth::EveryLayer), golden.batch(first, images, Depth::Logits));
    for (layer, (got, want)) in whole.outputs.iter().zip(&outputs).enumerate() {
        assert!(got == want, "{what}, layer {layer}");
    }
    assert_eq!((whole.outputs.len(), again.outputs.len()), (outputs.len(), 1), "{what}");
    assert!(whole.flips == flips && again.flips.is_empty(), "{what}");
    assert!(again.outputs[0] == outputs[outputs.len() - 1], "{what}");
    assert_eq!(whole.counters, again.counters, "{what}");
    assert_eq!(whole.flip_counts, again.flip_counts, "{what}");
    let mut counts = FlipCounts::default();
    for flip in &flips {
        let (port, site, before) = (case.hw.port(flip.site), flip.site as usize, usize::from(flip.before));
        match flip.bit < 8 * port.lane_bytes * port.lanes {
            true => counts.counts[site][flip.bit as usize % 8 + 8 * before] += 1,
            false => counts.checks[site][before] += 1,
        }
    }
    assert_eq!(whole.flip_counts, counts, "{what}");
    let sum = |of: fn(&LayerCounters) -> u32| whole.counters.iter().map(|(_, counters)| of(counters)).sum();
    let decoded = [
        Events { corrected: sum(|c| c.corrected_weights), detected: sum(|c| c.detected_weights), silent: 0 },
        Events { corrected: sum(|c| c.corrected_biases), detected: sum(|c| c.detected_biases), silent: 0 },
    ];
    assert_eq!(decoded, events.map(|events| Events { silent: 0, ..events }), "{what}");
    assert_eq!(whole.silent, events.map(|events| u64::from(events.silent)), "{what}");
    let of_layers: u32 =
        Site::ALL.iter().map(|&site| whole.counters.iter().map(|(_, c)| c.flips(site)).sum::<u32>()).sum();
    assert_eq!(of_layers as usize, flips.len(), "{what}");
    check_together(case, first, images, &what);
    // From the clean maps of some of the batches, of this one, and of no whole one.
    for count in [0, images.len() / 2, images.len()] {
        let clean = CleanMaps::new(case.network, first, &images[..count], case.schedule.batch, 1 << 20);
        let from_clean = case.golden().starting_from(Some(&clean)).batch(first, images, Depth::Flips);
        assert!(from_clean.outputs == again.outputs && from_clean.flips == flips, "{what}, {count} clean images");
        assert_eq!(from_clean.counters, again.counters, "{what}, {count} clean images");
    }
}

/// Checks batches that go through the layers together, of one image and of two, without clean maps and with those of some.
fn check_together(case: Case<'_>, first: u32, images: &[Array3<i8>], what: &str) {
    for batch in [1, 2] {
        let schedule = Schedule::new(case.hw, &case.network.shapes(), Some(batch)).unwrap();
        let case = Case { schedule: &schedule, ..case };
        let mut alone = case.golden();
        let ranges = aligned_batches(first..first + images.len() as u32, batch);
        let part = |range: &Range<u32>| &images[(range.start - first) as usize..(range.end - first) as usize];
        let want: Vec<_> = ranges.iter().map(|range| alone.batch(range.start, part(range), Depth::Flips)).collect();
        let last = ranges.last().unwrap();
        for kept in [None, Some(&ranges[0]), Some(last), Some(&(first..last.end))] {
            let clean = kept.map(|kept| CleanMaps::new(case.network, kept.start, part(kept), batch, 1 << 20));
            let together = case.golden().starting_from(clean.as_ref()).batches(first, images, Depth::Flips);
            assert_eq!(together.len(), want.len());
            for (n, (got, want)) in together.iter().zip(&want).enumerate() {
                let what = format!("{what}, batches of {batch}, clean maps of {kept:?}, batch {n}");
                assert!(got.outputs == want.outputs && got.flips == want.flips, "{what}");
                assert_eq!((&got.counters, got.flip_counts), (&want.counters, want.flip_counts), "{what}");
            }
        }
    }
}

/// Batches that go together on arrays whose columns do not divide a block of output channels, over layers of several blocks.
#[test]
fn batches_together_equal_batches_alone_whatever_the_columns() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut layer = |kind, c: u32, k: u32, side: u32, pool| random_layer(kind, c, k, side, pool, &mut rng);
    let layers = vec![
        layer(LayerKind::Conv3x3, 3, 20, 4, false),
        layer(LayerKind::Conv3x3, 20, 170, 4, true),
        layer(LayerKind::Conv3x3, 170, 100, 2, true),
        layer(LayerKind::Linear, 100, 10, 1, false),
    ];
    let network = Network::new("random".into(), vec![[0; 256]; 3], layers).unwrap();
    let images: Vec<Array3<i8>> = (0..6).map(|_| Array3::from_shape_simple_fn((3, 4, 4), || rng.random())).collect();
    for cols in [5, 12, 16] {
        let mut config = hardware("8x8").config;
        config.array.cols = cols;
        let hw = config.validate().unwrap();
        let schedule = Schedule::new(&hw, &network.shapes(), Some(1)).unwrap();
        let stuck = CellFaults { stuck: [2e-4, 4e-4], device_seed: Some(9), ..CellFaults::default() };
        for (rate, cells) in [(1e-6, CellFaults::default()), (1e-3, CellFaults::default()), (0.0, stuck), (5e-4, stuck)]
        {
            let noise = Noise { cells, ..hw.noise(rate, AtRisk::EVERYTHING).unwrap() };
            let case = Case { network: &network, hw: &hw, schedule: &schedule, noise: &noise };
            let what = format!("{cols} columns, {rate}, {cells:?}");
            check_together(case, 7, &images, &what);
        }
    }
}

/// Every layer, flip and counter of noisy batches, against the plain loops over plainly flipped weights.
#[test]
fn noisy_batches_equal_the_plain_model() {
    let hw = hardware("4x4");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let network = network(&mut rng);
    let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap();
    let images = images(5, &mut rng);
    let even = [0.0, 2e-5, 1e-3, 0.5].map(Rates::from);
    for rates in even.into_iter().chain([Rates { p01: 1e-3, p10: 0.05 }]) {
        for at_risk in [AtRisk::PARAMETERS, AtRisk::EVERYTHING] {
            let noise = hw.noise(rates, at_risk).unwrap();
            let case = Case { network: &network, hw: &hw, schedule: &schedule, noise: &noise };
            check(&mut case.golden(), case, 8, &images);
        }
    }
}

/// The same with each kind of fault of the cells alone and with all, few and many, with and without read noise; over several
/// read groups and batches.
#[test]
fn batches_on_faulty_cells_equal_the_plain_model() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let network = network(&mut rng);
    let images = images(5, &mut rng);
    let telegraph =
        |fraction, probability| Telegraph { fraction, probability, capture_reads: 3.0, emission_reads: 2.0 };
    let (traps, some) = (telegraph(0.1, 0.7), telegraph(2e-3, 1.0));
    let (stuck, write) = ([0.02, 0.03], Rates { p01: 0.01, p10: 0.03 });
    let none = CellFaults::default();
    let kinds = [
        CellFaults { stuck, ..none },
        CellFaults { stuck: [0.0, 1e-4], device_seed: Some(9), ..none },
        CellFaults { telegraph: traps, ..none },
        CellFaults { telegraph: some, device_seed: Some(9), ..none },
        CellFaults { telegraph: telegraph(1.0, 1.0), ..none },
        CellFaults { write, ..none },
        CellFaults { write: Rates { p01: 1.0, p10: 0.0 }, ..none },
        CellFaults { stuck, telegraph: traps, write, device_seed: Some(9), verify: None, scrub_period: None },
        CellFaults {
            stuck: [1e-3, 1e-3],
            telegraph: some,
            write: 1e-3.into(),
            device_seed: None,
            verify: None,
            scrub_period: None,
        },
    ];
    let some_bits = AtRisk { bits: [0b1010_0110, 0x80, 0x41], layers: 0b11_0101, checks: false };
    // All settings on one array, some on the others.
    for (preset, first_setting) in [("4x4", 0), ("8x8", 7), ("16x16", 7)] {
        let hw = hardware(preset);
        let schedule = Schedule::new(&hw, &network.shapes(), Some(4)).unwrap();
        kinds.into_par_iter().skip(first_setting).for_each(|cells| {
            for (rates, at_risk) in [
                (0.0.into(), AtRisk::EVERYTHING),
                (0.0.into(), some_bits),
                (1e-2.into(), AtRisk::EVERYTHING),
                (Rates { p01: 0.02, p10: 0.3 }, some_bits),
                (Rates { p01: 0.2, p10: 0.0 }, AtRisk::EVERYTHING),
            ] {
                let noise = Noise { cells, ..hw.noise(rates, at_risk).unwrap() };
                let case = Case { network: &network, hw: &hw, schedule: &schedule, noise: &noise };
                let mut golden = case.golden();
                // Two whole batches, and one that begins and ends inside of a batch.
                for (first, images) in [(8, &images[..4]), (13, &images[..3]), (40, &images[4..])] {
                    check(&mut golden, case, first, images);
                }
            }
        });
    }
}

/// Codes of every kind, under read noise, faults of cells and write errors alone and together.
#[test]
fn batches_of_codewords_equal_the_plain_model() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let network = network(&mut rng);
    let images = images(3, &mut rng);
    let telegraph = Telegraph { fraction: 0.02, probability: 0.7, capture_reads: 3.0, emission_reads: 2.0 };
    let none = CellFaults::default();
    let faulty = CellFaults { stuck: [2e-3, 3e-3], telegraph, device_seed: Some(9), ..none };
    let written = CellFaults { write: Rates { p01: 0.01, p10: 0.02 }, ..none };
    let all = CellFaults { write: written.write, ..faulty };
    let [some_checks, no_checks] = [true, false].map(|checks| AtRisk { bits: [0xc3, 0xff, 0], layers: !0b10, checks });
    let secded = |data_bits| Code::Secded { data_bits };
    let codes = [
        (Code::Parity, None, OnDetected::Pass),
        (secded(8), None, OnDetected::Pass),
        (secded(16), Some(Code::None), OnDetected::Zero),
        (secded(32), None, OnDetected::Zero),
        (secded(64), Some(Code::Parity), OnDetected::Pass),
        (Code::Tmr, None, OnDetected::Pass),
        (Code::MsbTmr { bits: 3 }, None, OnDetected::Pass),
        (Code::None, Some(Code::Tmr), OnDetected::Pass),
    ];
    codes.into_par_iter().for_each(|(code, biases, on_detected)| {
        let mut config = hardware("8x8").config;
        config.name = format!("8x8-{code}");
        config.protection = ProtectionConfig { biases, on_detected, ..ProtectionConfig::of(code, 8) };
        let hw = config.validate().unwrap();
        let schedule = Schedule::new(&hw, &network.shapes(), Some(4)).unwrap();
        for (rates, cells, at_risk) in [
            (1e-3.into(), none, AtRisk::EVERYTHING),
            (Rates { p01: 0.02, p10: 0.1 }, none, no_checks),
            (0.0.into(), faulty, AtRisk::PARAMETERS),
            (0.0.into(), written, some_checks),
            (0.0.into(), written, AtRisk::EVERYTHING),
            (Rates { p01: 0.01, p10: 0.0 }, all, some_checks),
            (0.3.into(), all, AtRisk::PARAMETERS),
        ] {
            let noise = Noise { cells, ..hw.noise(rates, at_risk).unwrap() };
            let case = Case { network: &network, hw: &hw, schedule: &schedule, noise: &noise };
            check(&mut case.golden(), case, 13, &images);
        }
    });
}

/// Read noise, however it is drawn, turns over what faulty cells give: in the first layer, whose images are given, the flips
/// of both are those of either that are not of the other.
#[test]
fn flips_of_noise_and_of_cells_cancel_whatever_the_draws() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (hw, network) = (hardware("8x8"), network(&mut rng));
    let schedule = Schedule::new(&hw, &network.shapes(), Some(4)).unwrap();
    let images = images(4, &mut rng);
    let telegraph = Telegraph { fraction: 0.1, probability: 0.5, capture_reads: 2.0, emission_reads: 3.0 };
    let faulty = CellFaults { stuck: [0.1, 0.2], telegraph, ..CellFaults::default() };
    let flips = |rate: f64, cells, draws| -> BTreeSet<Flip> {
        let noise = Noise { cells, draws, ..hw.noise(rate, AtRisk::EVERYTHING).unwrap() };
        let flips = Golden::new(&network, &hw, &schedule, &noise, SEED).batch(0, &images, Depth::Flips).flips;
        flips.into_iter().filter(|flip| flip.layer == 0).collect()
    };
    for draws in [Draws::Exact, Draws::Statistical] {
        let (noise, cells) = (flips(0.1, CellFaults::default(), draws), flips(0.0, faulty, draws));
        assert!(noise.intersection(&cells).count() > 100);
        assert!(flips(0.1, faulty, draws).iter().eq(noise.symmetric_difference(&cells)), "{draws:?}");
    }
}

#[test]
fn batches_are_aligned_to_the_data_set() {
    assert_eq!(aligned_batches(6..17, 8), vec![6..8, 8..16, 16..17]);
}

/// A batch meets what scrubbing left in those before it, whichever are run, and in which order.
#[test]
fn scrubbed_batches_depend_on_the_device_and_not_on_the_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (network, images) = (network(&mut rng), images(40, &mut rng));
    let mut config = hardware("8x8").config;
    let code = ProtectionConfig::of(Code::Secded { data_bits: 64 }, 8);
    config.protection = ProtectionConfig { write_verify: true, scrub: true, ..code };
    let hw = config.validate().unwrap();
    let schedule = Schedule::new(&hw, &network.shapes(), Some(4)).unwrap();
    let write = 4e-3.into();
    let cells = CellFaults { write, stuck: [1e-3; 2], scrub_period: Some(64), ..CellFaults::default() };
    let noise = hw.with_cells(hw.noise(1e-3, AtRisk::PARAMETERS).unwrap(), cells).unwrap();
    let golden = || Case { network: &network, hw: &hw, schedule: &schedule, noise: &noise }.golden().beginning_at(6);
    // Images 6 and 7, and batches from 8 on.
    let all = golden().batches(6, &images[6..], Depth::Flips);
    let corrected = |of: &BatchResult| of.counters.iter().map(|(_, counters)| counters.corrected_weights).sum::<u32>();
    assert!(corrected(&all[8]) < corrected(&all[1]), "nothing was mended");
    let mut other = golden();
    // A batch that is not whole is forgotten.
    other.batch(8, &images[8..11], Depth::Logits);
    for n in [5, 6, 2, 8, 0] {
        let first = if n == 0 { 6 } else { 4 + 4 * n };
        let one = other.batch(first, &images[first as usize..4 * n as usize + 8], Depth::Flips);
        let parts = |of: &BatchResult| (of.outputs.clone(), of.flips.clone(), of.counters.clone(), of.scrubbed);
        assert_eq!(parts(&one), parts(&all[n as usize]), "batch {n}");
    }
}
