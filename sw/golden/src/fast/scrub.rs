//! The scrubber, docs/protection.md: what it makes of the weights as a device runs batch after batch.
//!
//! It never touches words of the layer that runs, so a layer's reads meet one memory, and what a batch meets is what all
//! batches before it left.

use std::collections::BTreeMap;
use std::sync::Arc;

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{Noise, Site, device_key};
use hafnia_config::schedule::Schedule;
use hafnia_config::scrub::{Place, Scrubbed};

use super::cell_draw::{ByValue, LaneCells};
use super::coded::lane;
use super::linear::Linear;
use super::verify::ReadBack;
use super::writes::Writes;
use crate::cells::hash;
use crate::network::Network;
use crate::read::weight_places;

/// Codewords with wrong cells: address and lane, and which of its cells are wrong, those that hold nothing in use too.
type Errors = BTreeMap<(u32, u32), u128>;

/// A scrubber and the memory that it walks.
#[derive(Clone, Debug)]
pub struct Scrubber {
    codec: Linear,
    lanes: Vec<LaneCells>,
    device: [u32; 4],
    at_risk: u128,
    read_back: ReadBack,
    /// What a pulse leaves wrong, by what a cell is to hold.
    pulse: ByValue,
    /// Data of the codewords, lane by lane, word by word.
    data: Arc<Vec<u64>>,
    /// By layer, words that are taken in a run, by number of images less 1; and the addresses that are not.
    slots: Vec<Vec<u32>>,
    unscrubbed: Vec<std::ops::Range<u32>>,
    /// As programmed, and as it is now.
    programmed: Arc<Errors>,
    now: Errors,
    place: Place,
}

/// A codeword of which the wrong cells are others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Address of the word.
    pub address: u32,
    /// Lane in it.
    pub lane: u32,
    /// Its wrong cells.
    pub wrong: u128,
}

impl Scrubber {
    /// Returns the scrubber of a device that was just programmed; none where nothing is scrubbed.
    ///
    /// # Panics
    /// If the weights are not resident.
    pub fn new(
        hw: &Elaborated,
        schedule: &Schedule,
        network: &Network,
        writes: Option<&Writes>,
        noise: &Noise,
        run_seed: u64,
    ) -> Option<Self> {
        let period = noise.cells.scrub_period?;
        assert!(schedule.resident, "weights that stream in are not scrubbed");
        let codec = Linear::new(hw.codeword(Site::Weights)).expect("a scrubber has a code");
        let cells = noise.cells.thresholds();
        let (port, mut data, mut programmed) = (hw.port(Site::Weights), Vec::new(), Errors::new());
        for (l, (layer, part)) in (0..).zip(network.layers.iter().zip(&schedule.layers)) {
            for (address, place) in (part.weight_base..).zip(weight_places(hw, layer.weights.dim())) {
                let first = data.len();
                data.extend((0..port.lanes).map(|l| lane(layer, place, l * port.lane_bytes, port.lane_bytes).0));
                let Some(writes) = writes else { continue };
                writes.word(Site::Weights, l, [address, 0], |lane, wrong| {
                    let errors = wrong(codec.encode(data[first + lane]));
                    if errors != 0 {
                        programmed.insert((address, lane as u32), errors);
                    }
                });
            }
        }
        let layers = 0..schedule.layers.len();
        let slots = |layer: usize| {
            let images = 1..=schedule.layers[layer].read_group;
            images.map(|images| schedule.scrub_slots(hw, layer, images, period)).collect()
        };
        Some(Self {
            at_risk: noise.at_risk.cells_in(Site::Weights, 0, hw.codeword(Site::Weights)),
            lanes: LaneCells::of(hw, Site::Weights),
            device: device_key(noise.cells.device_seed(run_seed)),
            read_back: ReadBack::new(hw, Site::Weights, noise),
            pulse: ByValue::new([cells.written_01, cells.written_10]),
            slots: layers.clone().map(slots).collect(),
            unscrubbed: layers.map(|layer| schedule.unscrubbed(layer)).collect(),
            now: programmed.clone(),
            programmed: Arc::new(programmed),
            data: Arc::new(data),
            place: Place::default(),
            codec,
        })
    }

    /// Scrubs while a layer runs over `images` images; hands over each codeword that is another than before.
    pub fn run(&mut self, layer: usize, images: u32, mut rewritten: impl FnMut(Rewritten)) -> Scrubbed {
        let words = (self.data.len() / self.lanes.len()) as u32;
        let mut counts = Scrubbed::default();
        for _ in 0..self.slots[layer][images as usize - 1] {
            if self.unscrubbed[layer].contains(&self.place.address) {
                break;
            }
            for lane in 0..self.lanes.len() as u32 {
                self.scrub(lane, &mut counts).into_iter().for_each(&mut rewritten);
            }
            counts.words += 1;
            self.place = self.place.next(words);
        }
        counts
    }

    /// Goes back to the device as programmed; hands over each codeword that is another than before.
    pub fn restart(&mut self, mut rewritten: impl FnMut(Rewritten)) {
        let now = std::mem::replace(&mut self.now, Errors::clone(&self.programmed));
        for &(address, lane) in now.keys().chain(self.now.keys()) {
            let wrong = self.now.get(&(address, lane)).copied().unwrap_or(0);
            rewritten(Rewritten { address, lane, wrong });
        }
        self.place = Place::default();
    }

    /// Scrubs a codeword: returns it if it is another now.
    fn scrub(&mut self, lane: u32, counts: &mut Scrubbed) -> Option<Rewritten> {
        let Place { address, epoch } = self.place;
        let draws = |purpose, epoch, thresholds: [u32; 2]| match thresholds[1] {
            0 => [0; 2],
            _ => {
                let word = hash(self.device, purpose, Site::Weights, address, epoch);
                self.lanes[lane as usize].below(word, thresholds).map(|cells| cells & self.at_risk)
            }
        };
        let stuck = draws(Purpose::Cell, 0, self.read_back.stuck);
        let noise = draws(Purpose::Verify, epoch, self.read_back.noise.rising);
        let before = self.now.get(&(address, lane)).copied().unwrap_or(0);
        if before | stuck[1] | noise[1] == 0 {
            return None;
        }
        let data = self.data[address as usize * self.lanes.len() + lane as usize];
        let meant = self.codec.encode(data);
        let held = meant ^ before;
        let seen = self.read_back.seen(held, stuck, noise);
        let decoded = self.codec.decode(data, seen ^ meant);
        counts.corrected += u64::from(decoded.corrected.count_ones());
        counts.detected += u64::from(decoded.detected.count_ones());
        let wanted = if decoded.detected == 0 { self.codec.encode(decoded.data) } else { seen };
        let pulsed = seen ^ wanted;
        if pulsed == 0 {
            return None;
        }
        counts.pulses += u64::from(pulsed.count_ones());
        let wrong = self.pulse.below(draws(Purpose::Write, epoch, self.pulse.rising), wanted);
        let after = (held & !pulsed | (wanted ^ wrong) & pulsed) ^ meant;
        match after {
            0 => self.now.remove(&(address, lane)),
            wrong => self.now.insert((address, lane), wrong),
        };
        (after != before).then_some(Rewritten { address, lane, wrong: after })
    }
}
