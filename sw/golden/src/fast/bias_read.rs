//! The reads of a layer's biases: those of [`crate::read::read_biases`], or drawn by skipping.

use hafnia_config::Elaborated;
use hafnia_config::fault::{CellFaults, Draws, Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_config::schedule::Schedule;
use ndarray::Array1;

use super::cells::{FixedCells, LaneHit, SiteCells, join, wrong_at};
use super::coded::Coded;
use super::skip::{Candidate, CellsAtRisk, Skips};
use crate::codec::Events;
use crate::injector::{Marks, Tree};
use crate::network::Network;
use crate::port::{Port, Stored};
use crate::read::{Stream, bias_address};

/// A bias that is read wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiasHit {
    /// Output channel.
    pub k: u32,
    /// The flipped cells.
    pub cells: u128,
    /// What is stored.
    pub stored: u128,
}

impl BiasHit {
    /// Returns what is read less what is stored, two's complement.
    pub fn difference(&self) -> i32 {
        (self.stored as i32 ^ self.cells as i32).wrapping_sub(self.stored as i32)
    }

    /// Lists the flips in read order.
    pub fn flips(&self, stream: Stream) -> impl Iterator<Item = Flip> {
        let Self { k, cells, stored } = *self;
        let flipped = (0..u128::BITS).filter(move |bit| cells >> bit & 1 == 1);
        flipped.map(move |bit| stream.flip(Site::Biases, k, bit, stored >> bit & 1 == 1))
    }
}

impl LaneHit for BiasHit {
    fn place(&self) -> (u32, u32) {
        (self.k, 0)
    }

    fn cells(&self) -> u128 {
        self.cells
    }

    fn joined(self, other: Self) -> Option<Self> {
        let cells = self.cells ^ other.cells;
        (cells != 0).then_some(Self { cells, ..self })
    }
}

/// The reads of biases under one setting of noise.
#[derive(Clone, Debug)]
pub struct BiasReader {
    hw: Elaborated,
    /// Without faults of the cells.
    noise: Noise,
    tree: Tree,
    cells: Option<FixedCells>,
    coded: Option<Coded>,
    /// Hits of faulty cells.
    faults: Vec<BiasHit>,
}

impl BiasReader {
    /// Prepares the reads of sound cells.
    pub fn new(hw: &Elaborated, noise: &Noise) -> Self {
        let (tree, noise) =
            (Tree::new(noise.of(Site::Biases)), Noise { cells: CellFaults::default(), ..noise.clone() });
        Self { hw: hw.clone(), noise, tree, cells: None, coded: None, faults: Vec::new() }
    }

    /// Reads codewords, where there are any.
    pub fn coded(self, coded: Option<Coded>) -> Self {
        Self { coded, ..self }
    }

    /// Puts the biases of a network into the cells of a device, as they are stored. `seed` is the run seed.
    pub fn on_cells(mut self, schedule: &Schedule, stored: &Network, noise: &Noise, seed: u64) -> Self {
        let Some(cells) = SiteCells::new(&self.hw, Site::Biases, noise, seed) else { return self };
        let mut cells = FixedCells::new(cells);
        for (l, (layer, part)) in (0..).zip(stored.layers.iter().zip(&schedule.layers)) {
            let at_risk = noise.at_risk.cells_in(Site::Biases, l, self.hw.codeword(Site::Biases));
            let first = part.parameter_base * self.hw.column_stride;
            let words = (0..layer.bias.len() as u32).map(|k| (k, first + bias_address(&self.hw, k)));
            cells.add_layer(words, |k, _| (self.stored(l, k, layer.bias[k as usize]), at_risk));
        }
        self.cells = Some(cells);
        self
    }

    /// Returns what the cells of a bias hold.
    fn stored(&self, layer: u32, k: u32, bias: i32) -> u128 {
        let data = u64::from(bias as u32);
        self.coded.as_ref().map_or(data.into(), |coded| coded.stored(layer, (k, 0), data))
    }

    /// Decodes what [`BiasReader::read`] gave for a layer, `flips`: adds the biases that are read wrong to `hits`.
    pub fn decode(&self, layer: u32, biases: &Array1<i32>, flips: &[BiasHit], hits: &mut Vec<BiasHit>) -> Events {
        let Some(coded) = &self.coded else {
            hits.extend(flips);
            return Events::default();
        };
        let at = |(k, _)| BiasHit { k, cells: 0, stored: 0 };
        let data = |hit: &BiasHit| u64::from(biases[hit.k as usize] as u32);
        coded.decode(layer, flips, at, data, |hit, wrong, data| {
            hits.push(BiasHit { k: hit.k, cells: wrong.into(), stored: data.into() });
        })
    }

    /// Reads the biases of a layer once: adds what is hit to `hits`, in read order.
    pub fn read(&mut self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let first = hits.len();
        self.faults.clear();
        if let Some(mut cells) = self.cells.take() {
            cells.read(stream, |fault, cells| {
                let stored = self.stored(stream.layer, fault.word, biases[fault.word as usize]);
                self.faults.push(BiasHit { k: fault.word, cells, stored });
            });
            self.cells = Some(cells);
        }
        let bits = self.noise.bits_in(Site::Biases, stream.layer);
        match self.noise.draws {
            _ if bits == 0 => {}
            Draws::Exact => self.draw(stream, biases, hits),
            Draws::Statistical => self.skip(stream, biases, hits),
        }
        join(hits, first, &self.faults);
    }

    /// Draws as the hardware does.
    fn draw(&self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let Some(mut port) = Port::new(&self.hw, Site::Biases, stream, &self.noise, &self.tree) else { return };
        let in_use = self.hw.codeword(Site::Biases).cells_in_use(4);
        for (k, &bias) in (0..).zip(biases) {
            let stored = self.stored(stream.layer, k, bias);
            // The read noise turns over what the cells give. The address matters to faulty cells alone.
            let given = Stored { cells: stored ^ wrong_at(&self.faults, k, 0), in_use };
            let cells = port.read(0, &[given])[0];
            if cells != 0 {
                hits.push(BiasHit { k, cells, stored });
            }
        }
    }

    fn skip(&self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let first = hits.len();
        let at_risk =
            CellsAtRisk::new(self.noise.at_risk.cells_in(Site::Biases, stream.layer, self.hw.codeword(Site::Biases)));
        let cells = at_risk.of(biases.len() as u64);
        for Candidate { cell, kept } in Skips::new(stream, Site::Biases, &self.noise, cells) {
            let (k, place) = at_risk.place(cell);
            let stored = self.stored(stream.layer, k as u32, biases[k as usize]);
            let marks = Marks { cells: 1 << place, kept: u128::from(kept) << place };
            let cells = marks.flips(stored ^ wrong_at(&self.faults, k as u32, 0), self.tree.keep());
            match hits[first..].last_mut() {
                Some(hit) if u64::from(hit.k) == k => hit.cells |= cells,
                _ if cells != 0 => hits.push(BiasHit { k: k as u32, cells, stored }),
                _ => {}
            }
        }
    }
}
