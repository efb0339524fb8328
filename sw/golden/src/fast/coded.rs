//! Codes, fast: the codewords as stored, and from the cells that are read wrong the data that is. [`crate::read`] states the same
//! plainly.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::schedule::Schedule;

use super::cells::LaneHit;
use super::linear::Linear;
use super::writes::Writes;
use crate::codec::Events;
use crate::network::{Layer, Network};
use crate::read::{bias_address, weight_places};

/// The codewords of the weights or of the biases of a network.
#[derive(Clone, Debug)]
pub struct Coded {
    codec: Linear,
    layers: Vec<Stored>,
}

/// What writes left wrong in a layer.
#[derive(Clone, Debug, Default)]
struct Stored {
    /// In read order.
    errors: Vec<Error>,
    /// Cells that were to hold 0, and 1.
    wrong: [u64; 2],
}

/// A codeword with cells that were left wrong.
#[derive(Clone, Copy, Debug)]
struct Error {
    /// Number of the word in the reads of its layer, and the lane's first byte in it.
    place: (u32, u32),
    cells: u128,
}

impl Coded {
    /// Returns the codewords of a site, of which `writes` left some wrong; none where the site has no code.
    pub fn new(
        hw: &Elaborated,
        site: Site,
        schedule: &Schedule,
        network: &Network,
        writes: Option<&Writes>,
    ) -> Option<Self> {
        let codec = Linear::new(hw.codeword(site))?;
        let layers = (0..).zip(network.layers.iter().zip(&schedule.layers)).map(|(l, (layer, part))| {
            let mut stored = Stored::default();
            let Some(writes) = writes else { return stored };
            let lane_bytes = hw.port(site).lane_bytes;
            let mut word = |number: u32, address: u32, data: &dyn Fn(u32) -> (u64, u32)| {
                writes.word(site, l, [address, 0], |lane, wrong| {
                    let (data, bytes) = data(lane as u32 * lane_bytes);
                    let cells = codec.encode(data);
                    let errors = wrong(cells) & codec.word().cells_in_use(bytes);
                    stored.add((number, lane as u32 * lane_bytes), cells, errors);
                });
            };
            if site == Site::Biases {
                for (k, &bias) in (0..).zip(&layer.bias) {
                    let address = part.parameter_base * hw.column_stride + bias_address(hw, k);
                    word(k, address, &|_| (u64::from(bias as u32), 4));
                }
            } else {
                for (number, place) in (0..).zip(weight_places(hw, layer.weights.dim())) {
                    word(number, part.weight_base + number, &|first| lane(layer, place, first, lane_bytes));
                }
            }
            stored
        });
        Some(Self { layers: layers.collect(), codec })
    }

    /// Returns what the cells of a lane of a word hold, the data of which is `data`.
    pub(super) fn stored(&self, layer: u32, place: (u32, u32), data: u64) -> u128 {
        let errors = &self.layers[layer as usize].errors;
        let at = errors.binary_search_by_key(&place, |error| error.place);
        self.codec.encode(data) ^ at.map_or(0, |at| errors[at].cells)
    }

    /// Makes `cells` those of a codeword that are wrong, all of them in use.
    pub(super) fn rewrite(&mut self, layer: u32, place: (u32, u32), cells: u128) {
        let errors = &mut self.layers[layer as usize].errors;
        let at = errors.binary_search_by_key(&place, |error| error.place);
        match (at, cells) {
            (Ok(at), 0) => drop(errors.remove(at)),
            (Ok(at), _) => errors[at].cells = cells,
            (Err(_), 0) => {}
            (Err(at), _) => errors.insert(at, Error { place, cells }),
        }
    }

    /// Returns how many cells of a layer writes left wrong, of those that are to hold 0 and 1.
    pub fn wrong_in(&self, layer: usize) -> [u64; 2] {
        self.layers[layer].wrong
    }

    /// Decodes the read of a layer. `flips` are the cells that are read wrong, in read order; `at` returns the place of a lane of
    /// a word, and `data` what is to be read there. Hands over each lane that is read wrong, with the wrong bits and what should
    /// be read.
    pub(super) fn decode<H: LaneHit>(
        &self,
        layer: u32,
        flips: &[H],
        at: impl Fn((u32, u32)) -> H,
        data: impl Fn(&H) -> u64,
        mut wrong: impl FnMut(H, u64, u64),
    ) -> Events {
        let mut events = Events::default();
        let mut errors = self.layers[layer as usize].errors.iter().peekable();
        let mut decode = |hit: H, cells: u128| {
            let data = data(&hit);
            let bits = events.count(self.codec.word(), data, self.codec.decode(data, cells));
            if bits != 0 {
                wrong(hit, bits, data);
            }
        };
        for &flip in flips {
            while let Some(error) = errors.next_if(|error| error.place < flip.place()) {
                decode(at(error.place), error.cells);
            }
            let stored = errors.next_if(|error| error.place == flip.place()).map_or(0, |error| error.cells);
            decode(flip, flip.cells() ^ stored);
        }
        for error in errors {
            decode(at(error.place), error.cells);
        }
        events
    }
}

impl Stored {
    /// Adds a codeword, unless it is sound.
    fn add(&mut self, place: (u32, u32), cells: u128, errors: u128) {
        if errors != 0 {
            self.errors.push(Error { place, cells: errors });
            self.wrong[0] += u64::from((errors & !cells).count_ones());
            self.wrong[1] += u64::from((errors & cells).count_ones());
        }
    }
}

/// Returns the weights of a lane of a word that begins at column `first`, and their number.
pub(super) fn lane(
    layer: &Layer,
    (k, c, r, s): (usize, usize, usize, usize),
    first: u32,
    lane_bytes: u32,
) -> (u64, u32) {
    let start = k + first as usize;
    let live = layer.weights.dim().0.saturating_sub(start).min(lane_bytes as usize);
    let weights = (start..start + live).rev().map(|k| layer.weights[[k, c, r, s]] as u8);
    (weights.fold(0, |data, byte| data << 8 | u64::from(byte)), live as u32)
}

/// Returns the check cells in use of one read of a layer's weights or biases, as they are meant to be: those that hold 0, and 1.
pub fn check_cells(hw: &Elaborated, site: Site, layer: &Layer) -> [u64; 2] {
    let Some(codec) = Linear::new(hw.codeword(site)) else { return [0; 2] };
    let lane_bytes = hw.port(site).lane_bytes;
    let mut counts = [0; 2];
    let mut add = |data: u64, bytes: u32| {
        let checks = codec.word().check_cells() & codec.word().cells_in_use(bytes);
        let ones = (codec.encode(data) & checks).count_ones();
        counts[0] += u64::from(checks.count_ones() - ones);
        counts[1] += u64::from(ones);
    };
    if site == Site::Biases {
        layer.bias.iter().for_each(|&bias| add(u64::from(bias as u32), 4));
        return counts;
    }
    for place in weight_places(hw, layer.weights.dim()) {
        for first in (0..hw.cols).step_by(lane_bytes as usize) {
            let (data, bytes) = lane(layer, place, first, lane_bytes);
            add(data, bytes);
        }
    }
    counts
}
