//! Write errors, fast: [`crate::cells::Writes`], many cells at a time.

use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{AtRisk, CellThresholds, Kind, Noise, Site, device_key};
use hafnia_config::protect::Codeword;
use hafnia_config::schedule::Schedule;

use super::cell_draw::{ByValue, LaneCells};
use super::map::{Map, OFFSET};
use super::verify::Verifier;
use crate::cells::{hash, in_layer};
use crate::network::{Layer, Network};
use crate::read::{bias_address, weight_places};

/// The write errors of a device.
#[derive(Clone, Debug)]
pub struct Writes {
    pub(super) at_risk: AtRisk,
    pub(super) device: [u32; 4],
    /// By what a cell is to hold.
    pub(super) thresholds: ByValue,
    /// How words of a site are verified.
    pub(super) verify: [Option<Verifier>; 3],
    pub(super) lanes: [Vec<LaneCells>; 3],
    pub(super) words: [Codeword; 3],
    rows: usize,
}

impl Writes {
    /// Returns the write errors; none where writes do not fail and none is verified.
    pub fn new(hw: &Elaborated, noise: &Noise, run_seed: u64) -> Option<Self> {
        let CellThresholds { written_01, written_10, .. } = noise.cells.thresholds();
        let fail = noise.cells.kinds().any(|kind| kind == Kind::Write);
        (fail || noise.cells.verify.is_some()).then(|| Self {
            at_risk: noise.at_risk,
            device: device_key(noise.cells.device_seed(run_seed)),
            thresholds: ByValue::new([written_01, written_10]),
            verify: Site::ALL.map(|site| Verifier::new(hw, site, noise)),
            lanes: Site::ALL.map(|site| LaneCells::of(hw, site)),
            words: hw.codewords.clone(),
            rows: hw.rows as usize,
        })
    }

    /// Returns the network as stored; a site that has a code is left as it is, see [`super::Coded`].
    pub fn network(&self, hw: &Elaborated, schedule: &Schedule, network: &Network) -> Network {
        let mut stored = network.clone();
        for (l, (layer, part)) in (0..).zip(stored.layers.iter_mut().zip(&schedule.layers)) {
            self.weights(hw, l, part.weight_base, layer);
            if self.at_risk.bits_in(Site::Biases, l) != 0 && !hw.is_coded(Site::Biases) {
                let first = part.parameter_base * hw.column_stride;
                for (k, bias) in (0..).zip(&mut layer.bias) {
                    self.word(Site::Biases, l, [first + bias_address(hw, k), 0], |_, flips| {
                        *bias ^= flips(u128::from(*bias as u32)) as i32;
                    });
                }
            }
        }
        stored
    }

    fn weights(&self, hw: &Elaborated, l: u32, base: u32, layer: &mut Layer) {
        if self.at_risk.bits_in(Site::Weights, l) == 0 || hw.is_coded(Site::Weights) {
            return;
        }
        let size = layer.weights.dim();
        for (address, (first_k, c, r, s)) in (base..).zip(weight_places(hw, size)) {
            self.word(Site::Weights, l, [address, 0], |lane, flips| {
                let column = lane * hw.lane_weights as usize;
                let end = size.0.min(first_k + hw.cols as usize).min(first_k + column + hw.lane_weights as usize);
                let live = first_k + column..end;
                let held =
                    live.clone().rev().fold(0, |held, k| held << 8 | u128::from(layer.weights[[k, c, r, s]] as u8));
                for (k, flips) in live.zip(flips(held).to_le_bytes()) {
                    layer.weights[[k, c, r, s]] ^= flips as i8;
                }
            });
        }
    }

    /// Makes images of maps what is stored of them. `layer` is the one that reads them, `first` the address of the first word of
    /// image 0; `epoch` is the read group of the layer that wrote them, or [`crate::cells::of_batch`].
    pub fn maps(&self, maps: &mut Map, images: Range<usize>, layer: u32, first: u32, epoch: u32) {
        if self.at_risk.bits_in(Site::Activations, layer) == 0 {
            return;
        }
        let (height, width, channels) = (maps.height, maps.width, maps.channels);
        let folds = channels.div_ceil(self.rows);
        let places = images.flat_map(|i| (0..folds).flat_map(move |f| (0..height * width).map(move |p| (i, f, p))));
        for (image, fold, pixel) in places {
            let address = first + ((image * folds + fold) * height * width + pixel) as u32;
            let at = maps.at(image, pixel / width, pixel % width);
            self.word(Site::Activations, layer, [address, in_layer(layer, epoch)], |lane, flips| {
                let channel = fold * self.rows + 8 * lane;
                let live = channels.min((fold + 1) * self.rows).saturating_sub(channel).min(8);
                let bytes = &mut maps.bytes[at + channel..][..live];
                let held = bytes.iter().rev().fold(0, |held, byte| held << 8 | u128::from(byte ^ OFFSET));
                bytes.iter_mut().zip(flips(held).to_le_bytes()).for_each(|(byte, flips)| *byte ^= flips);
            });
        }
    }

    /// Draws for a word: hands each lane that a write may leave wrong what tells which of its cells it does, given what they
    /// are to hold.
    pub(super) fn word(
        &self,
        site: Site,
        layer: u32,
        [address, epoch]: [u32; 2],
        mut written: impl FnMut(usize, &dyn Fn(u128) -> u128),
    ) {
        if self.verify[site as usize].is_some() {
            return self.verified(site, layer, [address, epoch], |lane, program| {
                written(lane, &|held| program(held).0);
            });
        }
        let at_risk = self.at_risk.cells_in(site, layer, &self.words[site as usize]);
        let word = hash(self.device, Purpose::Write, site, address, epoch);
        for (l, lane) in self.lanes[site as usize].iter().enumerate() {
            let below = lane.below(word, self.thresholds.rising).map(|cells| cells & at_risk);
            if below[1] != 0 {
                written(l, &|held| self.thresholds.below(below, held));
            }
        }
    }
}
