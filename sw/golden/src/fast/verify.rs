//! Write-verify, fast: [`crate::cells::Writes::programmed`] of all cells of a lane at once, and what it takes to program a network.

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{Kind, Noise, Site};
use hafnia_config::programmed::Programmed;
use hafnia_config::schedule::{LayerSchedule, Schedule};

use super::cell_draw::ByValue;
use super::writes::Writes;
use crate::cells::hash;
use crate::codec::Codec;
use crate::network::{Layer, Network};
use crate::read::{bias_address, lanes_of, weight_places};

/// How words of a site are read back, Eq. (18).
#[derive(Clone, Debug)]
pub(super) struct ReadBack {
    /// Thresholds of stuck cells, in rising order.
    pub stuck: [u32; 2],
    /// Thresholds of read noise, by what a cell gives.
    pub noise: ByValue,
}

impl ReadBack {
    /// Returns how words of a site are read back under `noise`: right, where the hardware does not verify them.
    pub fn new(hw: &Elaborated, site: Site, noise: &Noise) -> Self {
        let (kinds, cells) = (hw.config.injector.at(site), noise.cells.thresholds());
        let with = |kind, thresholds: [u32; 2]| match hw.verifies(site) && kinds.has(kind) {
            true => thresholds,
            false => [0; 2],
        };
        let read = noise.cells.verify.map_or([0; 2], |verify| verify.thresholds(noise.rates));
        Self { stuck: with(Kind::Stuck, [cells.stuck_0, cells.stuck_1]), noise: ByValue::new(with(Kind::Read, read)) }
    }

    /// Returns what is read of cells that hold `held`, given those that are drawn below the thresholds.
    pub fn seen(&self, held: u128, stuck: [u128; 2], noise: [u128; 2]) -> u128 {
        let given = held & !stuck[1] | stuck[1] & !stuck[0];
        given ^ self.noise.below(noise, given)
    }
}

/// How words of a site are verified.
#[derive(Clone, Debug)]
pub(super) struct Verifier {
    max_pulses: u32,
    read_back: ReadBack,
    /// Cells that each lane has: without a code a word may end before its last lane does.
    cells: Vec<u128>,
}

impl Verifier {
    /// Returns how words of a site are verified under `noise`, if they are.
    pub fn new(hw: &Elaborated, site: Site, noise: &Noise) -> Option<Self> {
        let verify = noise.cells.verify.filter(|_| hw.verifies(site))?;
        let (port, written) = (hw.port(site), hw.written_cells(site));
        let existing = |lane| u128::MAX >> (128 - port.cells.min(written - lane * port.cells));
        Some(Self {
            max_pulses: verify.max_pulses,
            read_back: ReadBack::new(hw, site, noise),
            cells: (0..port.lanes).map(existing).collect(),
        })
    }
}

impl Writes {
    /// Programs a word with write-verify, Eq. (18): hands each lane in which a cell may be left wrong or get another pulse what
    /// tells, given what its cells are to hold, which are left wrong, and how many pulses were repeated and cells given up.
    pub(super) fn verified(
        &self,
        site: Site,
        layer: u32,
        [address, epoch]: [u32; 2],
        mut each: impl FnMut(usize, &dyn Fn(u128) -> (u128, Programmed)),
    ) {
        let verifier = self.verify[site as usize].as_ref().expect("the site is verified");
        let read_back = &verifier.read_back;
        let at_risk = self.at_risk.cells_in(site, layer, &self.words[site as usize]);
        let hash = |purpose, epoch| hash(self.device, purpose, site, address, epoch);
        for (l, (lane, cells)) in self.lanes[site as usize].iter().zip(&verifier.cells).enumerate() {
            let at_risk = at_risk & cells;
            let draws = |purpose, epoch, thresholds: [u32; 2]| match thresholds[1] {
                0 => [0; 2],
                _ => lane.below(hash(purpose, epoch), thresholds).map(|cells| cells & at_risk),
            };
            let stuck = draws(Purpose::Cell, 0, read_back.stuck);
            let pulse = |number| draws(Purpose::Write, epoch + number, self.thresholds.rising);
            let noise = |number| draws(Purpose::Verify, epoch + number, read_back.noise.rising);
            let (first, seen) = (pulse(0), noise(0));
            if first[1] | seen[1] | stuck[1] == 0 {
                continue;
            }
            each(l, &|wanted| {
                let (mut held, mut pulsed, mut counts) = (wanted, at_risk, Programmed::default());
                for number in 0..verifier.max_pulses {
                    let (pulse, noise) = if number == 0 { (first, seen) } else { (pulse(number), noise(number)) };
                    held = held & !pulsed | (wanted ^ self.thresholds.below(pulse, wanted)) & pulsed;
                    pulsed &= read_back.seen(held, stuck, noise) ^ wanted;
                    let again = u64::from(pulsed.count_ones());
                    let last = number + 1 == verifier.max_pulses;
                    *(if last { &mut counts.give_ups } else { &mut counts.repeated }) += again;
                    if again == 0 {
                        break;
                    }
                }
                (held ^ wanted, counts)
            });
        }
    }
}

/// Returns what it takes to program weights, and biases, of each layer once, where the hardware has write-verify. Columns that do
/// not exist are programmed too, as 0.
pub fn programmed(
    hw: &Elaborated,
    schedule: &Schedule,
    network: &Network,
    writes: Option<&Writes>,
) -> Option<[Vec<Programmed>; 2]> {
    let site = |site| {
        let codec = Codec::new(hw.codeword(site));
        let verified = writes.filter(|writes| writes.verify[site as usize].is_some());
        let layer = |(l, (layer, part)): (u32, (&Layer, &LayerSchedule))| {
            let words = if site == Site::Weights { part.weight_words } else { part.k_folds * hw.cols };
            let mut sum = Programmed { words: words.into(), ..Programmed::default() };
            if let Some(writes) = verified {
                for (address, bytes) in words_of(hw, site, layer, part) {
                    let lanes = lanes_of(hw, site, codec.as_ref(), &bytes);
                    writes.verified(site, l, [address, 0], |lane, program| sum += program(lanes[lane].cells).1);
                }
            }
            sum
        };
        (0..).zip(network.layers.iter().zip(&schedule.layers)).map(layer).collect()
    };
    hw.config.protection.write_verify.then(|| Site::PROGRAMMED.map(site))
}

/// The words of a layer that are programmed: address and bytes.
fn words_of(hw: &Elaborated, site: Site, layer: &Layer, part: &LayerSchedule) -> Vec<(u32, Vec<u8>)> {
    let (kernels, cols) = (layer.bias.len(), hw.cols as usize);
    if site == Site::Weights {
        let places = (part.weight_base..).zip(weight_places(hw, layer.weights.dim()));
        let bytes = |(first, c, r, s): (usize, usize, usize, usize)| {
            (first..kernels.min(first + cols)).map(|k| layer.weights[[k, c, r, s]] as u8).collect()
        };
        return places.map(|(address, place)| (address, bytes(place))).collect();
    }
    let first = part.parameter_base * hw.column_stride;
    let bias = |k: usize| layer.bias.get(k).copied().unwrap_or(0).to_le_bytes().to_vec();
    (0..kernels.next_multiple_of(cols)).map(|k| (first + bias_address(hw, k as u32), bias(k))).collect()
}
