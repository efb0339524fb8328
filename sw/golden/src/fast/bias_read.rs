//! The reads of a layer's biases: those of [`crate::read::read_biases`], or drawn by skipping.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Draws, Noise, Site};
use hafnia_config::flip::Flip;
use ndarray::Array1;

use super::skip::{BitsAtRisk, Candidate, Skips};
use crate::injector::{Marks, Tree};
use crate::port::Port;
use crate::read::Stream;

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

/// The reads of biases under one setting of noise.
#[derive(Clone, Debug)]
pub struct BiasReader {
    hw: Elaborated,
    noise: Noise,
    tree: Tree,
}

impl BiasReader {
    /// Prepares the reads.
    pub fn new(hw: &Elaborated, noise: &Noise) -> Self {
        Self { hw: hw.clone(), noise: noise.clone(), tree: Tree::new(noise.of(Site::Biases)) }
    }

    /// Reads the biases of a layer once: adds what is hit to `hits`, in read order.
    pub fn read(&self, stream: Stream, biases: &Array1<i32>, hits: &mut Vec<BiasHit>) {
        let bits = self.noise.bits_in(Site::Biases, stream.layer);
        match self.noise.draws {
            _ if bits == 0 => {}
            Draws::Exact => {
                let Some(mut port) = Port::new(&self.hw, Site::Biases, stream, &self.noise, &self.tree) else { return };
                for (k, &stored) in (0..).zip(biases) {
                    let mut cells = 0;
                    port.read(&stored.to_le_bytes(), |bit, _| cells |= 1 << bit);
                    if cells != 0 {
                        hits.push(BiasHit { k, cells, stored });
                    }
                }
            }
            Draws::Statistical => self.skip(stream, BitsAtRisk::new(bits), biases, hits),
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
            let cells = marks.flips((stored as u32).into(), self.tree.keep()) as u32;
            match hits[first..].last_mut() {
                Some(hit) if hit.k == k => hit.cells |= cells,
                _ if cells != 0 => hits.push(BiasHit { k, cells, stored }),
                _ => {}
            }
        }
    }
}
