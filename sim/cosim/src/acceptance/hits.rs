//! Flips of each cell against the rate.

use super::source::{Hit, Shape};
use super::tail::binomial;
use super::{Check, of};

/// Probability that a right generator leaves the interval anywhere in a run: that is the 99.9% binomial interval.
const ERROR: f64 = 1e-3;

/// Flips of each cell of each lane.
#[derive(Clone, Debug)]
pub struct Hits {
    shape: Shape,
    /// Lane by lane.
    counts: Vec<u64>,
}

impl Hits {
    /// Returns no flips.
    pub fn new(shape: Shape) -> Self {
        Self { shape, counts: vec![0; shape.lanes * shape.cells] }
    }

    /// Adds a stream.
    pub fn add(&mut self, lanes: &[Vec<Hit>]) {
        for (counts, hits) in self.counts.chunks_exact_mut(self.shape.cells).zip(lanes) {
            hits.iter().flat_map(Hit::cells).for_each(|cell| counts[cell] += 1);
        }
    }

    /// Adds later streams.
    pub fn then(&mut self, next: &Self) {
        self.counts.iter_mut().zip(&next.counts).for_each(|(count, next)| *count += next);
    }

    /// Returns the flips of all cells.
    pub fn all(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the flips of a bit position, of all lanes.
    pub fn of_cell(&self, cell: usize) -> u64 {
        self.counts.iter().skip(cell).step_by(self.shape.cells).sum()
    }

    /// Looks at each cell of each lane, each bit position, each lane, and all together. `words`: codewords of a lane.
    pub fn check(&self, words: u64, rate: f64, settings: usize) -> Check {
        let Shape { lanes, cells } = self.shape;
        let lane = |lane: usize| &self.counts[lane * cells..][..cells];
        let all = [("all cells".to_owned(), lanes * cells, self.all())];
        let of_lanes = (0..lanes).map(|l| (format!("lane {l}"), cells, lane(l).iter().sum()));
        let of_cells = (0..cells).map(|cell| (format!("bit {cell}"), lanes, self.of_cell(cell)));
        let of_each = (0..lanes * cells).map(|n| (format!("lane {}, bit {}", n / cells, n % cells), 1, self.counts[n]));
        let places: Vec<_> = all.into_iter().chain(of_lanes).chain(of_cells).chain(of_each).collect();
        let judged = places.iter().map(|(place, cells, hits)| {
            let draws = (words * *cells as u64) as f64;
            (binomial(draws, *hits as f64, rate), format!("{place}: {}", of(*hits, draws * rate)))
        });
        let worst = judged.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are cells");
        Check::shared("hits", places.len() * settings, worst, ERROR)
    }
}
