//! Faults of the cells themselves, plainly: stuck cells, traps and write errors, Eqs. (11) to (17) of `docs/fault-model.md`.

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::{
    CELL_ROUNDS, EPOCH_CLASSES, LAYER_SHIFT, MAP_B, Purpose, ROTATIONS, WORD_ROUNDS, pair_constant, tweak,
};
use hafnia_config::fault::{CellThresholds, Epochs, Kind, Noise, Site, below, device_key, telegraph_key};
use hafnia_config::program::Descriptor;
use hafnia_config::schedule::Schedule;
use ndarray::Array3;

use crate::network::Network;
use crate::port::Stored;
use crate::read::{Stream, bias_address, lanes_of, weight_places};

/// Returns the hash of a word, Eq. (11): all draws of its cells are made of it.
pub fn hash(key: [u32; 4], purpose: Purpose, site: Site, mut x: u32, mut y: u32) -> [u32; 2] {
    for round in 0..WORD_ROUNDS {
        x = x.rotate_right(ROTATIONS.0).wrapping_add(y) ^ key[round as usize % 4] ^ tweak(purpose, site, round);
        y = y.rotate_left(ROTATIONS.1) ^ x;
    }
    [x, y]
}

/// Returns the draw of a cell of a word, given the hash of the word.
pub fn draw([x, y]: [u32; 2], cell: u32) -> u32 {
    let [c0, c1] = pair_constant(cell / 2);
    let (mut a, mut b) = (x ^ c0, y ^ c1);
    for _ in 0..CELL_ROUNDS {
        a = a.rotate_right(ROTATIONS.0).wrapping_add(b);
        b = b.rotate_left(ROTATIONS.1) ^ a;
    }
    if cell.is_multiple_of(2) { a } else { b }
}

/// What is the matter with a cell for as long as the device lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing.
    Sound,
    /// It holds this value for ever.
    Stuck(bool),
    /// It has a trap.
    Trapped,
}

impl Class {
    /// Returns the class of a cell with this draw, Eq. (13).
    pub fn of(u: u32, thresholds: &CellThresholds) -> Self {
        if below(u, thresholds.stuck_0) {
            Self::Stuck(false)
        } else if below(u, thresholds.stuck_1) {
            Self::Stuck(true)
        } else if below(u, thresholds.trapped) {
            Self::Trapped
        } else {
            Self::Sound
        }
    }
}

/// Returns the second word of what is hashed for a layer: with a read group, or with the epoch of a trap.
pub fn in_layer(layer: u32, number: u32) -> u32 {
    layer << LAYER_SHIFT | number
}

/// Returns the number that stands for a write of images by the host: that of their batch of `batch` images, of which the first
/// is `first`.
pub fn of_batch(first: u32, batch: u32) -> u32 {
    (first / batch) & ((1 << LAYER_SHIFT) - 1)
}

/// Returns the addresses of the first words that a descriptor reads, in the order of [`Site::ALL`].
pub fn first_words(hw: &Elaborated, descriptor: &Descriptor) -> [u32; 3] {
    let Descriptor { weight_base, parameter_base, source_base, source, .. } = *descriptor;
    [weight_base, parameter_base * hw.column_stride, source_base | in_memory(source)]
}

/// Returns what an address in the memory from which `layer` reads has set.
pub fn in_memory(layer: u32) -> u32 {
    if layer.is_multiple_of(2) { 0 } else { MAP_B }
}

/// Stuck cells and traps of a site, as the run of a layer over a read group meets them.
pub struct Reads {
    thresholds: CellThresholds,
    device: [u32; 4],
    telegraph: [u32; 4],
    site: Site,
    layer: u32,
    group: u32,
    epochs: [u16; EPOCH_CLASSES],
}

impl Reads {
    /// Returns what there is. None where no cell of the site is at risk in the layer, or no cell is stuck or has a trap.
    pub fn new(site: Site, stream: Stream, noise: &Noise) -> Option<Self> {
        let Stream { seed, layer, group } = stream;
        let thresholds = noise.cells.thresholds();
        (noise.cells.at_reads() && noise.at_risk.bits_in(site, layer) != 0).then(|| Self {
            thresholds,
            device: device_key(noise.cells.device_seed(seed)),
            telegraph: telegraph_key(seed),
            site,
            layer,
            group,
            epochs: Epochs::new(seed, thresholds.refresh).of(layer, group as u16),
        })
    }

    /// Returns which cells in use of a lane of a word give another value than they hold, Eqs. (13) to (15). `address` is that of
    /// the word, `read` the number of the read in the run, `first` the number of the lane's first cell in the word.
    pub fn wrong(&self, address: u32, read: u32, first: u32, lane: Stored) -> u128 {
        let Self { thresholds, device, telegraph, site, layer, group, epochs } = self;
        let epoch = epochs[address as usize % EPOCH_CLASSES];
        let cells = hash(*device, Purpose::Cell, *site, address, 0);
        let charges = || hash(*telegraph, Purpose::Charge, *site, address, in_layer(*layer, epoch.into()));
        let reads = || hash(*telegraph, Purpose::Read, *site, read, in_layer(*layer, *group));
        let is_wrong = |&bit: &u32| {
            let (cell, held) = (first + bit, lane.cells >> bit & 1 == 1);
            match Class::of(draw(cells, cell), thresholds) {
                Class::Sound => false,
                Class::Stuck(value) => value != held,
                Class::Trapped => {
                    !held
                        && below(draw(charges(), cell), thresholds.captured)
                        && below(draw(reads(), cell), thresholds.read_wrong)
                }
            }
        };
        (0..u128::BITS)
            .filter(|bit| lane.in_use >> bit & 1 == 1)
            .filter(is_wrong)
            .fold(0, |wrong, bit| wrong | 1 << bit)
    }
}

/// Write errors of a device: what its memories hold after a write.
pub struct Writes<'n> {
    noise: &'n Noise,
    thresholds: CellThresholds,
    device: [u32; 4],
}

impl<'n> Writes<'n> {
    /// Returns the write errors; none where writes do not fail and none is verified.
    pub fn new(noise: &'n Noise, run_seed: u64) -> Option<Self> {
        let fail = noise.cells.kinds().any(|kind| kind == Kind::Write);
        (fail || noise.cells.verify.is_some()).then(|| Self {
            noise,
            thresholds: noise.cells.thresholds(),
            device: device_key(noise.cells.device_seed(run_seed)),
        })
    }

    /// Returns the network as stored: each cell of a weight or bias has met one pulse, number `pulse`. Where a site has a code it
    /// is left as it is: there the codewords are wrong, see [`Writes::wrong`].
    pub fn network(&self, hw: &Elaborated, schedule: &Schedule, network: &Network, pulse: u32) -> Network {
        let mut stored = network.clone();
        for (l, (layer, part)) in (0..).zip(stored.layers.iter_mut().zip(&schedule.layers)) {
            let places = weight_places(hw, layer.weights.dim()).filter(|_| !hw.is_coded(Site::Weights));
            for (address, (first_k, c, r, s)) in (part.weight_base..).zip(places) {
                let live = first_k..layer.weights.dim().0.min(first_k + hw.cols as usize);
                let mut word: Vec<u8> = live.clone().map(|k| layer.weights[[k, c, r, s]] as u8).collect();
                self.word(hw, Site::Weights, l, [address, pulse], &mut word);
                live.zip(word).for_each(|(k, byte)| layer.weights[[k, c, r, s]] = byte as i8);
            }
            let first = part.parameter_base * hw.column_stride;
            for (k, bias) in (0..).zip(&mut layer.bias).filter(|_| !hw.is_coded(Site::Biases)) {
                let mut word = bias.to_le_bytes();
                let address = first + bias_address(hw, k);
                self.word(hw, Site::Biases, l, [address, pulse], &mut word);
                *bias = i32::from_le_bytes(word);
            }
        }
        stored
    }

    /// Returns a map `[C, H, W]` as stored, of which `layer` is the one that reads it. `first` is the address of its first
    /// word; `epoch` is the read group of the layer that wrote it, or [`of_batch`].
    pub fn map(&self, hw: &Elaborated, map: &Array3<i8>, layer: u32, first: u32, epoch: u32) -> Array3<i8> {
        let mut stored = map.clone();
        let (channels, height, width) = map.dim();
        let mut address = first;
        for first_c in (0..channels).step_by(hw.rows as usize) {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let live = first_c..channels.min(first_c + hw.rows as usize);
                let mut word: Vec<u8> = live.clone().map(|c| map[[c, y, x]] as u8).collect();
                let place = [address, in_layer(layer, epoch)];
                self.word(hw, Site::Activations, layer, place, &mut word);
                live.zip(word).for_each(|(c, byte)| stored[[c, y, x]] = byte as i8);
                address += 1;
            }
        }
        stored
    }

    /// Returns the cells that a write leaves wrong in a lane of a word, Eqs. (16) and (18); it is to hold `lane`, and `first` is
    /// the number of its first cell in the word.
    pub fn wrong(
        &self,
        hw: &Elaborated,
        site: Site,
        layer: u32,
        [address, epoch]: [u32; 2],
        first: u32,
        lane: Stored,
    ) -> u128 {
        let at_risk = self.noise.at_risk.cells_in(site, layer, hw.codeword(site)) & lane.in_use;
        let is_wrong = |&cell: &u32| {
            let wanted = lane.cells >> cell & 1 == 1;
            self.programmed(hw, site, [address, epoch], first + cell, wanted).0 != wanted
        };
        (0..u128::BITS)
            .filter(|cell| at_risk >> cell & 1 == 1)
            .filter(is_wrong)
            .fold(0, |wrong, cell| wrong | 1 << cell)
    }

    /// Programs a cell at risk of a word, Eqs. (16) and (18): returns what it holds then, the pulses it got, and whether it was
    /// read right after the last of them; without write-verify it is not read.
    pub fn programmed(
        &self,
        hw: &Elaborated,
        site: Site,
        [address, epoch]: [u32; 2],
        cell: u32,
        wanted: bool,
    ) -> (bool, u32, bool) {
        let CellThresholds { written_01, written_10, .. } = self.thresholds;
        let of = |purpose, epoch| draw(hash(self.device, purpose, site, address, epoch), cell);
        let pulse = |number: u32| {
            let threshold = if wanted { written_10 } else { written_01 };
            wanted ^ below(of(Purpose::Write, epoch + number), threshold)
        };
        let Some(verify) = self.noise.cells.verify.filter(|_| hw.verifies(site)) else { return (pulse(0), 1, true) };
        let kinds = hw.config.injector.at(site);
        let noise = verify.thresholds(self.noise.rates);
        for number in 0..verify.max_pulses {
            let held = pulse(number);
            let given = match Class::of(of(Purpose::Cell, 0), &self.thresholds) {
                Class::Stuck(value) if kinds.has(Kind::Stuck) => value,
                _ => held,
            };
            let is_noisy =
                kinds.has(Kind::Read) && below(of(Purpose::Verify, epoch + number), noise[usize::from(given)]);
            if given ^ is_noisy == wanted {
                return (held, number + 1, true);
            }
        }
        (pulse(verify.max_pulses - 1), verify.max_pulses, false)
    }

    /// Writes a word without a code: `bytes` become what is stored.
    fn word(&self, hw: &Elaborated, site: Site, layer: u32, place: [u32; 2], bytes: &mut [u8]) {
        let port = hw.port(site);
        let lanes = lanes_of(hw, site, None, bytes);
        for ((l, lane), bytes) in (0..).zip(lanes).zip(bytes.chunks_mut(port.lane_bytes as usize)) {
            let wrong = self.wrong(hw, site, layer, place, l * port.cells, lane).to_le_bytes();
            bytes.iter_mut().zip(wrong).for_each(|(byte, wrong)| *byte ^= wrong);
        }
    }
}
