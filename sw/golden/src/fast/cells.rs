//! Stuck cells and traps of a site, fast: the cells of a device are looked through once, and a read then goes by those
//! that are stuck or trapped. [`crate::cells`] states the same plainly.

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::{EPOCH_CLASSES, Purpose};
use hafnia_config::fault::{CellThresholds, Epochs, Noise, Site, device_key, telegraph_key};

use super::cell_draw::LaneCells;
use crate::cells::{hash, in_layer};
use crate::read::Stream;

/// The draws of the cells of a site.
#[derive(Clone, Debug)]
pub(super) struct SiteCells {
    site: Site,
    lanes: Vec<LaneCells>,
    thresholds: CellThresholds,
    device: [u32; 4],
    telegraph: [u32; 4],
    epochs: Epochs,
}

/// The faulty cells of a lane of a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faulty {
    /// Stuck cells.
    pub stuck: u128,
    /// Those of them that are stuck at 1.
    pub ones: u128,
    /// Cells with a trap.
    pub trapped: u128,
}

impl Faulty {
    /// Returns the cells that are always wrong and those that may be, of the cells in `at_risk`, where this is stored.
    pub fn wrong(self, stored: u128, at_risk: u128) -> (u128, u128) {
        (self.stuck & (stored ^ self.ones) & at_risk, self.trapped & !stored & at_risk)
    }
}

/// The run of a layer over a read group: what the draws of its traps go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    layer: u32,
    group: u32,
    epochs: [u16; EPOCH_CLASSES],
}

impl SiteCells {
    /// Returns the draws. None where no cell of the site is at risk, or no cell is stuck or has a trap.
    pub fn new(hw: &Elaborated, site: Site, noise: &Noise, run_seed: u64) -> Option<Self> {
        let thresholds = noise.cells.thresholds();
        (noise.cells.at_reads() && noise.at_risk.bits[site as usize] != 0).then(|| Self {
            site,
            lanes: LaneCells::of(hw, site),
            thresholds,
            device: device_key(noise.cells.device_seed(run_seed)),
            telegraph: telegraph_key(run_seed),
            epochs: Epochs::new(run_seed, thresholds.refresh),
        })
    }

    /// Finds the faulty cells of the word at an address: the lanes that have any.
    pub fn look(&self, address: u32, mut found: impl FnMut(u32, Faulty)) {
        let CellThresholds { stuck_0, stuck_1, trapped, .. } = self.thresholds;
        let word = hash(self.device, Purpose::Cell, self.site, address, 0);
        for (l, lane) in (0..).zip(&self.lanes) {
            let [zeros, stuck, any] = lane.below(word, [stuck_0, stuck_1, trapped]);
            if any != 0 {
                found(l, Faulty { stuck, ones: stuck & !zeros, trapped: any & !stuck });
            }
        }
    }

    /// Returns what a run's draws go by.
    pub fn run(&mut self, stream: Stream) -> Run {
        let Stream { layer, group, .. } = stream;
        Run { layer, group, epochs: self.epochs.of(layer, group as u16) }
    }

    /// Returns those of the traps in a lane of the word at an address that hold a charge.
    pub fn charged(&self, run: &Run, address: u32, lane: u32, traps: u128) -> u128 {
        let epoch = in_layer(run.layer, run.epochs[address as usize % EPOCH_CLASSES].into());
        self.of(traps, self.thresholds.captured, Purpose::Charge, lane, [address, epoch])
    }

    /// Returns those of the traps in a lane that make read number `word` wrong, of those that hold a charge.
    pub fn misread(&self, run: &Run, word: u32, lane: u32, traps: u128) -> u128 {
        self.of(traps, self.thresholds.read_wrong, Purpose::Read, lane, [word, in_layer(run.layer, run.group)])
    }

    fn of(&self, traps: u128, threshold: u32, purpose: Purpose, lane: u32, [x, y]: [u32; 2]) -> u128 {
        if traps == 0 || threshold == u32::MAX {
            return traps;
        }
        traps & self.lanes[lane as usize].below(hash(self.telegraph, purpose, self.site, x, y), [threshold])[0]
    }
}

/// Faulty cells of weights or biases, of which the values stored do not change.
#[derive(Clone, Debug)]
pub(super) struct FixedCells {
    cells: SiteCells,
    layers: Vec<Vec<Fault>>,
}

/// A lane of a word with faulty cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Number of the word in the reads of its layer.
    pub word: u32,
    address: u32,
    pub lane: u32,
    /// Cells that are always wrong.
    wrong: u128,
    /// Cells with a trap that hold 0.
    traps: u128,
}

impl FixedCells {
    /// Returns the cells of a site, not yet looked through.
    pub fn new(cells: SiteCells) -> Self {
        Self { cells, layers: Vec::new() }
    }

    /// Looks through the next layer: words as number in their order and address. `held` returns what a lane of a word holds,
    /// and which of its cells are in use and at risk.
    pub fn add_layer(&mut self, words: impl Iterator<Item = (u32, u32)>, held: impl Fn(u32, u32) -> (u128, u128)) {
        let mut faults = Vec::new();
        for (word, address) in words {
            self.cells.look(address, |lane, faulty| {
                let (stored, at_risk) = held(word, lane);
                let (wrong, traps) = faulty.wrong(stored, at_risk);
                if wrong | traps != 0 {
                    faults.push(Fault { word, address, lane, wrong, traps });
                }
            });
        }
        self.layers.push(faults);
    }

    /// Looks again at a lane of a word, which holds something else now; `held` is as in [`FixedCells::add_layer`].
    pub fn renew(&mut self, layer: usize, (word, address): (u32, u32), lane: u32, held: (u128, u128)) {
        let Self { cells, layers } = self;
        let faults = &mut layers[layer];
        let at = faults.partition_point(|fault| (fault.word, fault.lane) < (word, lane));
        faults.splice(at..at + usize::from(faults.get(at).is_some_and(|f| (f.word, f.lane) == (word, lane))), None);
        cells.look(address, |of, faulty| {
            let (wrong, traps) = faulty.wrong(held.0, held.1);
            if of == lane && wrong | traps != 0 {
                faults.insert(at, Fault { word, address, lane, wrong, traps });
            }
        });
    }

    /// Reads a layer once: tells the lanes that give other values than they hold, in read order, and which of their cells do.
    pub fn read(&mut self, stream: Stream, mut wrong: impl FnMut(&Fault, u128)) {
        let run = self.cells.run(stream);
        for fault in &self.layers[stream.layer as usize] {
            let charged = self.cells.charged(&run, fault.address, fault.lane, fault.traps);
            let cells = fault.wrong | self.cells.misread(&run, fault.word, fault.lane, charged);
            if cells != 0 {
                wrong(fault, cells);
            }
        }
    }
}

/// A lane of a word that is read wrong.
pub(super) trait LaneHit: Copy {
    /// Word and place of the lane in it.
    fn place(&self) -> (u32, u32);

    /// Cells that are read wrong.
    fn cells(&self) -> u128;

    /// Returns the same lane with cells of both turned over, if any is.
    fn joined(self, other: Self) -> Option<Self>;
}

/// Returns the wrong cells of a lane among hits in read order.
pub(super) fn wrong_at<H: LaneHit>(faults: &[H], word: u32, lane: u32) -> u128 {
    let at = faults.binary_search_by_key(&(word, lane), LaneHit::place);
    at.map_or(0, |at| faults[at].cells())
}

/// Joins hits of read noise, from `first` on, with those of faulty cells, both in read order.
pub(super) fn join<H: LaneHit>(hits: &mut Vec<H>, first: usize, faults: &[H]) {
    if faults.is_empty() {
        return;
    }
    let noise = hits.split_off(first);
    let mut noise = noise.into_iter().peekable();
    for &fault in faults {
        while let Some(hit) = noise.next_if(|hit| hit.place() < fault.place()) {
            hits.push(hit);
        }
        match noise.next_if(|hit| hit.place() == fault.place()) {
            Some(hit) => hits.extend(hit.joined(fault)),
            None => hits.push(fault),
        }
    }
    hits.extend(noise);
}
