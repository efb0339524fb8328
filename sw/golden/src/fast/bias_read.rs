//! The reads of a layer's biases: those of [`crate::read::read_biases`], or drawn by skipping.

use hafnia_config::Elaborated;
use hafnia_config::fault::{CellFaults, Draws, Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_config::schedule::Schedule;
use ndarray::Array1;

use super::cells::{FixedCells, LaneHit, SiteCells, join, wrong_at};
use super::skip::{BitsAtRisk, Candidate, Skips};
use crate::injector::{Marks, Tree};
use crate::network::Network;
use crate::port::Port;
use crate::read::{Stream, bias_address};

/// A bias that is read wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BiasHit {
    /// Output channel.
    pub k: u32,
    /// The flipped bits.
    pub cells: u32,
    /// What is stored.
    pub stored: i32,
}

impl BiasHit {
    /// Returns what is read less what is stored, two's complement.
    pub fn difference(&self) -> i32 {
        (self.stored ^ self.cells as i32).wrapping_sub(self.stored)
    }

    /// Lists the flips in read order.
    pub fn flips(&self, stream: Stream) -> impl Iterator<Item = Flip> {
        let Self { k, cells, stored } = *self;
        let flipped = (0..u32::BITS).filter(move |bit| cells >> bit & 1 == 1);
        flipped.map(move |bit| stream.flip(Site::Biases, k, bit, stored >> bit & 1 == 1))
    }
}

impl LaneHit for BiasHit {
    fn place(&self) -> (u32, u32) {
        (self.k, 0)
    }

    fn cells(&self) -> u128 {
        self.cells.into()
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
    /// Hits of faulty cells.
    faults: Vec<BiasHit>,
}

impl BiasReader {
    /// Prepares the reads of sound cells.
    pub fn new(hw: &Elaborated, noise: &Noise) -> Self {
        let (tree, noise) =
            (Tree::new(noise.of(Site::Biases)), Noise { cells: CellFaults::default(), ..noise.clone() });
        Self { hw: hw.clone(), noise, tree, cells: None, faults: Vec::new() }
    }

    /// Puts the biases of a network into the cells of a device, as they are stored. `seed` is the run seed.
    pub fn on_cells(mut self, schedule: &Schedule, stored: &Network, noise: &Noise, seed: u64) -> Self {
        let Some(cells) = SiteCells::new(&self.hw, Site::Biases, noise, seed) else { return self };
        let mut cells = FixedCells::new(cells);
        for (l, (layer, part)) in (0..).zip(stored.layers.iter().zip(&schedule.layers)) {
            let at_risk = u64::from_ne_bytes([noise.at_risk.bits_in(Site::Biases, l); 8]);
            let first = part.parameter_base * self.hw.column_stride;
            let words = (0..layer.bias.len() as u32).map(|k| (k, first + bias_address(&self.hw, k)));
            cells.add_layer(words, |k, _| (u64::from(layer.bias[k as usize] as u32), at_risk));
        }
        self.cells = Some(cells);
        self
    }

    /// Reads the biases of a layer once: adds what is hit to `hits`, in read order.
    pub fn read(&mut self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let first = hits.len();
        self.faults.clear();
        if let Some(cells) = &mut self.cells {
            let hit = |k: u32, cells| BiasHit { k, cells, stored: biases[k as usize] };
            cells.read(stream, |fault, cells| self.faults.push(hit(fault.word, cells as u32)));
        }
        let bits = self.noise.bits_in(Site::Biases, stream.layer);
        match self.noise.draws {
            _ if bits == 0 => {}
            Draws::Exact => self.draw(stream, biases, hits),
            Draws::Statistical => self.skip(stream, BitsAtRisk::new(bits), biases, hits),
        }
        join(hits, first, &self.faults);
    }

    /// Returns what the cells of a bias give: the read noise turns it over.
    fn given(&self, k: u32, stored: i32) -> i32 {
        stored ^ wrong_at(&self.faults, k, 0) as i32
    }

    /// Draws as the hardware does.
    fn draw(&self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let Some(mut port) = Port::new(&self.hw, Site::Biases, stream, &self.noise, &self.tree) else { return };
        for (k, &stored) in (0..).zip(biases) {
            let mut cells = 0;
            // The address matters to faulty cells alone.
            port.read(0, &self.given(k, stored).to_le_bytes(), |bit, _| cells |= 1 << bit);
            if cells != 0 {
                hits.push(BiasHit { k, cells, stored });
            }
        }
    }

    fn skip(&self, stream: Stream, bits: BitsAtRisk, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let first = hits.len();
        for Candidate { cell, kept } in Skips::new(stream, Site::Biases, &self.noise, bits.of(4 * biases.len() as u64))
        {
            let (byte, bit) = bits.place(cell);
            let (k, place) = ((byte / 4) as u32, 8 * (byte % 4) as u32 + bit);
            let stored = biases[k as usize];
            let marks = Marks { cells: 1 << place, kept: u128::from(kept) << place };
            let cells = marks.flips((self.given(k, stored) as u32).into(), self.tree.keep()) as u32;
            match hits[first..].last_mut() {
                Some(hit) if hit.k == k => hit.cells |= cells,
                _ if cells != 0 => hits.push(BiasHit { k, cells, stored }),
                _ => {}
            }
        }
    }
}
