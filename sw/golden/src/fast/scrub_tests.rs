//! The scrubber against a plain one that goes cell by cell.

use std::collections::BTreeMap;

use hafnia_config::accel::ProtectionConfig;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{AtRisk, CellFaults, CellThresholds, Noise, Rates, Site, Verify, below, device_key};
use hafnia_config::presets;
use hafnia_config::protect::{Code, OnDetected};
use hafnia_config::schedule::Schedule;
use hafnia_config::scrub::{Place, Scrubbed};
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::{Array1, Array4};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scrub::{Rewritten, Scrubber};
use super::writes::Writes;
use crate::cells::{self, Class, draw, hash};
use crate::codec::Codec;
use crate::network::{Layer, Network, Scale};
use crate::port::Stored;
use crate::read::weight_places;

fn network() -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut layer = |kind, c: u32, k: u32, side: u32| {
        let shape = LayerShape { kind, in_channels: c, out_channels: k, height: side, width: side, pool: side > 1 };
        let taps = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
        let weights = Array4::from_shape_simple_fn((k as usize, c as usize, taps, taps), || rng.random());
        let scale = vec![Scale { m: 40_000, s: 24 }; if taps == 3 { k as usize } else { 0 }];
        Layer { shape, weights, bias: Array1::zeros(k as usize), scale }
    };
    let layers = vec![
        layer(LayerKind::Conv3x3, 3, 12, 4),
        layer(LayerKind::Conv3x3, 12, 9, 2),
        layer(LayerKind::Linear, 9, 10, 1),
    ];
    Network::new("random".into(), vec![[0; 256]; 3], layers).unwrap()
}

#[test]
fn scrubbing_equals_the_plain_one() {
    let network = network();
    let write = Rates { p01: 0.02, p10: 0.01 };
    let faults = CellFaults { write, device_seed: Some(7), scrub_period: Some(64), ..CellFaults::default() };
    let verify = |noisy| Some(Verify { max_pulses: 2, noisy });
    let often = CellFaults { verify: verify(true), write: 0.2.into(), stuck: [1e-3, 2e-3], ..faults };
    let some = AtRisk { bits: [0x8f, 0, 0], checks: false, ..AtRisk::EVERYTHING };
    for (code, on_detected) in [
        (Code::Secded { data_bits: 16 }, OnDetected::Zero),
        (Code::Secded { data_bits: 64 }, OnDetected::Pass),
        (Code::Tmr, OnDetected::Pass),
        (Code::MsbTmr { bits: 3 }, OnDetected::Pass),
    ] {
        let mut config = presets::find("8x8-faults").unwrap();
        let protection = ProtectionConfig::of(code, 8);
        config.protection = ProtectionConfig { write_verify: true, scrub: true, on_detected, ..protection };
        let hw = config.validate().unwrap();
        let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap();
        for (cells, at_risk) in [
            (faults, AtRisk::PARAMETERS),
            (CellFaults { verify: verify(true), ..faults }, AtRisk::PARAMETERS),
            (often, AtRisk::PARAMETERS),
            (CellFaults { verify: None, ..often }, some),
            (CellFaults { write: 0.0.into(), ..often }, some),
        ] {
            let noise = Noise { cells, ..hw.noise(Rates { p01: 4e-3, p10: 2e-3 }, at_risk).unwrap() };
            let writes = Writes::new(&hw, &noise, 1);
            let mut scrubber = Scrubber::new(&hw, &schedule, &network, writes.as_ref(), &noise, 1).unwrap();
            let mut plain = Plain::new(&hw, &schedule, &network, &noise);
            // Some walks, over the runs of all layers in turn.
            for layer in (0..network.layers.len()).cycle().take(5_000) {
                let mut rewritten = Vec::new();
                let counts = scrubber.run(layer, 1, |codeword| rewritten.push(codeword));
                assert_eq!((counts, rewritten), plain.run(layer, counts.words), "{code}, {cells:?}, layer {layer}");
            }
            assert!(plain.place.epoch > Place::default().epoch + 2, "{:?}", plain.place);
        }
    }
}

struct Plain<'a> {
    hw: &'a hafnia_config::Elaborated,
    noise: &'a Noise,
    codec: Codec,
    /// Codewords as they are meant and as they are, by address and lane.
    words: BTreeMap<(u32, u32), [u128; 2]>,
    own: Vec<std::ops::Range<u32>>,
    place: Place,
}

impl<'a> Plain<'a> {
    fn new(hw: &'a hafnia_config::Elaborated, schedule: &Schedule, network: &Network, noise: &'a Noise) -> Self {
        let codec = Codec::new(hw.codeword(Site::Weights)).unwrap();
        let (port, mut words) = (hw.port(Site::Weights), BTreeMap::new());
        let writes = cells::Writes::new(noise, 1);
        for (l, (layer, part)) in (0..).zip(network.layers.iter().zip(&schedule.layers)) {
            for (address, (k, c, r, s)) in (part.weight_base..).zip(weight_places(hw, layer.weights.dim())) {
                for lane in 0..port.lanes {
                    let weight = |n| layer.weights.get([k + (lane * port.lane_bytes + n) as usize, c, r, s]);
                    let bytes =
                        (0..port.lane_bytes).map(|n| u64::from(weight(n).copied().unwrap_or(0) as u8) << (8 * n));
                    let meant = codec.encode(bytes.fold(0, |data, byte| data | byte));
                    let stored = Stored { cells: meant, in_use: u128::MAX >> (128 - port.cells) };
                    let wrong = writes.as_ref().map_or(0, |writes| {
                        writes.wrong(hw, Site::Weights, l, [address, 0], lane * port.cells, stored)
                    });
                    words.insert((address, lane), [meant, meant ^ wrong]);
                }
            }
        }
        let own = (0..network.layers.len()).map(|layer| schedule.unscrubbed(layer)).collect();
        Self { hw, noise, codec, words, own, place: Place::default() }
    }

    fn run(&mut self, layer: usize, words: u64) -> (Scrubbed, Vec<Rewritten>) {
        let (mut counts, mut rewritten) = (Scrubbed { words, ..Scrubbed::default() }, Vec::new());
        for _ in 0..words {
            assert!(!self.own[layer].contains(&self.place.address), "a word of the layer that runs");
            for lane in 0..self.hw.port(Site::Weights).lanes {
                rewritten.extend(self.codeword(lane, &mut counts));
            }
            self.place = self.place.next(self.words.len() as u32 / self.hw.port(Site::Weights).lanes);
        }
        (counts, rewritten)
    }

    fn codeword(&mut self, lane: u32, counts: &mut Scrubbed) -> Option<Rewritten> {
        let (hw, noise, Place { address, epoch }) = (self.hw, self.noise, self.place);
        let (port, thresholds) = (hw.port(Site::Weights), noise.cells.thresholds());
        let CellThresholds { written_01, written_10, .. } = thresholds;
        let read_wrong = noise.cells.verify.map_or([0; 2], |verify| verify.thresholds(noise.rates));
        let at_risk = noise.at_risk.cells_in(Site::Weights, 0, hw.codeword(Site::Weights));
        let device = device_key(7);
        let of =
            |purpose, epoch, cell| draw(hash(device, purpose, Site::Weights, address, epoch), lane * port.cells + cell);
        let [meant, held] = self.words[&(address, lane)];
        let all = (0..port.cells).filter(|cell| at_risk >> cell & 1 == 1);
        let seen = all.clone().fold(held, |seen, cell| {
            let given = match Class::of(of(Purpose::Cell, 0, cell), &thresholds) {
                Class::Stuck(value) => value,
                _ => held >> cell & 1 == 1,
            };
            let value = given ^ below(of(Purpose::Verify, epoch, cell), read_wrong[usize::from(given)]);
            seen & !(1 << cell) | u128::from(value) << cell
        });
        let decoded = self.codec.decode(seen);
        counts.corrected += u64::from(decoded.corrected.count_ones());
        counts.detected += u64::from(decoded.detected.count_ones());
        if decoded.detected != 0 {
            return None;
        }
        let wanted = self.codec.encode(decoded.data);
        counts.pulses += u64::from((seen ^ wanted).count_ones());
        let mended = (0..port.cells).filter(|cell| (seen ^ wanted) >> cell & 1 == 1).fold(held, |held, cell| {
            let bit = wanted >> cell & 1 == 1;
            let fails = below(of(Purpose::Write, epoch, cell), if bit { written_10 } else { written_01 });
            let value = bit ^ (fails && at_risk >> cell & 1 == 1);
            held & !(1 << cell) | u128::from(value) << cell
        });
        self.words.insert((address, lane), [meant, mended]);
        (mended != held).then_some(Rewritten { address, lane, wrong: mended ^ meant })
    }
}
