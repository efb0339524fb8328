//! Draws at a cost in proportion to the flips: from one candidate to the next by a gap of the geometric law. The same law as
//! the hardware's draws, other flips.

use hafnia_config::fault::{Noise, Site};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rand_distr::{Distribution as _, Exp1};

use crate::read::Stream;

/// The candidates among cells at risk that are counted through from 0, in order.
pub(super) struct Skips {
    rng: ChaCha8Rng,
    /// -1 / ln(1 - p).
    scale: f64,
    /// Share of the candidates of the lower rate that is kept.
    share: f64,
    next: u64,
    end: u64,
}

/// A candidate.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    /// Number of the cell.
    pub cell: u64,
    /// Whether it flips where it holds the value of the lower rate.
    pub kept: bool,
}

impl Skips {
    /// Returns the candidates among `cells` cells of a site in the run of a layer over a read group.
    pub fn new(stream: Stream, site: Site, noise: &Noise, cells: u64) -> Self {
        // The key of the hardware's generators, and a half of its own.
        let mut seed = *b"................statistical.....";
        for (bytes, word) in seed.chunks_exact_mut(4).zip(stream.key(site)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let p = noise.rates.higher();
        Self {
            rng: ChaCha8Rng::from_seed(seed),
            scale: -(-p).ln_1p().recip(),
            share: noise.rates.lower() / p,
            next: 0,
            end: cells,
        }
    }

    /// A number above 0, up to 1.
    fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        ((self.rng.next_u64() >> 11) + 1) as f64 * STEP
    }
}

impl Iterator for Skips {
    type Item = Candidate;

    #[inline]
    fn next(&mut self) -> Option<Candidate> {
        let wait: f64 = Exp1.sample(&mut self.rng);
        // One beyond all cells is cut by the conversion.
        let gap = (wait * self.scale) as u64;
        let cell = self.next.saturating_add(gap);
        if cell >= self.end {
            self.next = self.end;
            return None;
        }
        self.next = cell + 1;
        let kept = self.share == 1.0 || self.uniform() <= self.share;
        Some(Candidate { cell, kept })
    }
}

/// Cells of a codeword that are at risk, one after the other.
pub(super) struct CellsAtRisk {
    places: Vec<u32>,
}

impl CellsAtRisk {
    /// Returns the cells of a mask.
    pub fn new(mask: u128) -> Self {
        Self { places: (0..u128::BITS).filter(|cell| mask >> cell & 1 == 1).collect() }
    }

    /// Returns how many cells at risk so many codewords have.
    pub fn of(&self, words: u64) -> u64 {
        words * self.places.len() as u64
    }

    /// Returns the number of the codeword of a cell, and its place in it.
    pub fn place(&self, cell: u64) -> (u64, u32) {
        let count = self.places.len() as u64;
        (cell / count, self.places[(cell % count) as usize])
    }
}

/// Bits of a byte that are at risk, one after the other.
#[derive(Clone, Copy)]
pub(super) struct BitsAtRisk {
    places: [u32; 8],
    count: u64,
}

impl BitsAtRisk {
    /// Returns the bits of a mask.
    pub fn new(mask: u8) -> Self {
        let (mut places, mut count) = ([0; 8], 0);
        for bit in (0..8).filter(|bit| mask >> bit & 1 == 1) {
            places[count] = bit;
            count += 1;
        }
        Self { places, count: count as u64 }
    }

    /// Returns how many cells at risk so many bytes have.
    pub fn of(&self, bytes: u64) -> u64 {
        bytes * self.count
    }

    /// Returns byte and bit of a cell.
    pub fn place(&self, cell: u64) -> (u64, u32) {
        // All eight, as a rule; a division takes longer than the rest.
        match self.count {
            8 => (cell / 8, (cell % 8) as u32),
            count => (cell / count, self.places[(cell % count) as usize]),
        }
    }
}
