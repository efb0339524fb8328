//! Words from a flip of a cell to its next: geometric where every read draws afresh.

use std::ops::Range;

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::Check;
use super::source::{Hit, Shape};

/// Probability that a right generator fails anywhere in a run.
const ERROR: f64 = 1e-4;
/// Least gaps that are expected of a group of cells that is tested as one.
const OF_A_GROUP: f64 = 500.0;
/// Least gaps that are expected of a bin on average: gaps are whole, so a bin may get half of that, and chi-square still
/// describes the tail of the sum.
const OF_A_BIN: f64 = 25.0;
/// Most bins.
const BINS: f64 = 64.0;

/// Gaps of each cell.
#[derive(Clone, Debug)]
pub struct Gaps {
    shape: Shape,
    rate: f64,
    /// Groups of neighbouring bit positions that are tested as one; none where the rate lets expect too few gaps.
    groups: usize,
    /// The longest gap of each bin but the last, which has no end.
    longest: Vec<u64>,
    /// Lane by lane.
    cells: Vec<Sequence>,
}

/// The reads of a cell, one after another.
///
/// Sequences are chained, stream after stream and then cell after cell: where each read is independent a gap across a joint is
/// like any other. Leaving it out would leave out long gaps more often than short ones.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sequence {
    words: u64,
    /// The first and the last word with a flip.
    ends: Option<(u64, u64)>,
    /// Gaps in each bin.
    bins: Vec<u64>,
}

impl Gaps {
    /// Prepares for `words` codewords of each lane.
    pub fn new(shape: Shape, rate: f64, words: u64) -> Self {
        let of_a_cell = (words * shape.lanes as u64) as f64 * rate;
        let of_all = of_a_cell * shape.cells as f64;
        let groups = ((of_all / OF_A_GROUP) as usize).clamp((of_all >= 2.0 * OF_A_BIN).into(), shape.cells);
        let smallest = (shape.cells / groups.max(1)) as f64;
        let bins = (of_a_cell * smallest / OF_A_BIN).clamp(2.0, BINS).floor();
        // Bins of about the same probability: P(gap <= g) = 1 - (1 - p)^g. Gaps are whole, so at high rates some fall together.
        let end = |bin: u32| ((-f64::from(bin) / bins).ln_1p() / (-rate).ln_1p()).floor().max(1.0) as u64;
        let mut longest: Vec<u64> = (1..bins as u32).map(end).collect();
        longest.dedup();
        let cell = Sequence { words: 0, ends: None, bins: vec![0; longest.len() + 1] };
        Self { shape, rate, groups, longest, cells: vec![cell; shape.lanes * shape.cells] }
    }

    /// Adds a stream of `words` codewords in each lane.
    pub fn add(&mut self, lanes: &[Vec<Hit>], words: u32) {
        for (cells, hits) in self.cells.chunks_exact_mut(self.shape.cells).zip(lanes) {
            for hit in hits {
                hit.cells().for_each(|cell| cells[cell].hit(hit.word, &self.longest));
            }
        }
        self.cells.iter_mut().for_each(|cell| cell.words += u64::from(words));
    }

    /// Adds later streams.
    pub fn then(&mut self, next: &Self) {
        self.cells.iter_mut().zip(&next.cells).for_each(|(cell, next)| cell.then(next, &self.longest));
    }

    /// Looks at each bit position, or at groups of them where the rate is too low for that; at nothing where it is lower still.
    pub fn check(&self, settings: usize) -> Option<Check> {
        let judged = (0..self.groups).map(|group| {
            let bits = [group, group + 1].map(|n| n * self.shape.cells / self.groups);
            let (chi_square, freedom) = self.chi_square(&self.chained(bits[0]..bits[1]).bins);
            let law = ChiSquared::new(freedom).expect("there are two bins");
            // Gaps that are more even than chance are no better than uneven ones.
            let probability = 2.0 * law.sf(chi_square).min(law.cdf(chi_square));
            let bits = match bits {
                [bit, end] if end == bit + 1 => format!("bit {bit}"),
                [first, end] => format!("bits {first} to {}", end - 1),
            };
            (probability, format!("{bits}: chi-square {chi_square:.1}, {freedom} degrees"))
        });
        let worst = judged.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Check::shared("gaps", self.groups * settings, worst, ERROR))
    }

    /// The sequences of some bit positions, one after another.
    fn chained(&self, bits: Range<usize>) -> Sequence {
        let Shape { lanes, cells } = self.shape;
        let mut all = bits.flat_map(|bit| (0..lanes).map(move |lane| &self.cells[lane * cells + bit]));
        let first = all.next().expect("a group has cells").clone();
        all.fold(first, |mut one, next| {
            one.then(next, &self.longest);
            one
        })
    }

    /// Chi-square of gaps against the geometric law, and its degrees of freedom.
    fn chi_square(&self, bins: &[u64]) -> (f64, f64) {
        let longer = |gap: u64| (gap as f64 * (-self.rate).ln_1p()).exp();
        let ends = self.longest.iter().map(|&gap| longer(gap)).chain([0.0]);
        let mut before = 1.0;
        let shares = ends.map(|end| std::mem::replace(&mut before, end) - end);
        let all: u64 = bins.iter().sum();
        let terms = bins.iter().zip(shares).map(|(&count, share)| {
            let expected = share * all as f64;
            if expected > 0.0 { (count as f64 - expected).powi(2) / expected } else { 0.0 }
        });
        (terms.sum(), (bins.len() - 1) as f64)
    }
}

impl Sequence {
    /// Takes a flip in a word of the stream that is being added.
    fn hit(&mut self, word: u32, longest: &[u64]) {
        let word = self.words + u64::from(word);
        if let Some((_, last)) = self.ends {
            self.gap(word - last, longest);
        }
        self.ends = Some((self.ends.map_or(word, |(first, _)| first), word));
    }

    fn gap(&mut self, gap: u64, longest: &[u64]) {
        self.bins[longest.partition_point(|&end| end < gap)] += 1;
    }

    fn then(&mut self, next: &Self, longest: &[u64]) {
        if let Some((first, last)) = next.ends {
            let (first, last) = (self.words + first, self.words + last);
            if let Some((_, before)) = self.ends {
                self.gap(first - before, longest);
            }
            self.ends = Some((self.ends.map_or(first, |(first, _)| first), last));
        }
        self.words += next.words;
        self.bins.iter_mut().zip(&next.bins).for_each(|(bin, next)| *bin += next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { lanes: 1, cells: 2 };

    fn gaps(streams: &[&[u32]]) -> Gaps {
        let mut gaps = Gaps::new(SHAPE, 0.5, 1000);
        for words in streams {
            gaps.add(&[words.iter().map(|&word| Hit { word, mask: 2 }).collect()], 10);
        }
        gaps
    }

    /// Flips of cell 1 in words 3, 4, 19, 31 and 32: gaps of 1, 15, 12 and 1 words.
    #[test]
    fn gaps_go_on_from_stream_to_stream() {
        let streams: [&[u32]; 4] = [&[3, 4], &[9], &[], &[1, 2]];
        let whole = gaps(&streams);
        assert_eq!(whole.longest, [1, 2, 3, 4]);
        assert_eq!((&whole.cells[1].bins[..], &whole.cells[0].bins[..]), (&[2, 0, 0, 0, 2][..], &[0; 5][..]));
        for cut in 0..=streams.len() {
            let mut parts = gaps(&streams[..cut]);
            parts.then(&gaps(&streams[cut..]));
            assert_eq!(parts.cells, whole.cells, "cut at {cut}");
        }
        // Cell 0 has no flip: its words lengthen no gap.
        assert_eq!(whole.chained(0..2).bins, whole.cells[1].bins);
    }

    #[test]
    fn chi_square_is_that_against_geometric_gaps() {
        let gaps = gaps(&[]);
        for (bins, want) in [([32, 16, 8, 4, 4], 0.0), ([32, 16, 8, 0, 8], 8.0)] {
            let (chi_square, freedom) = gaps.chi_square(&bins);
            assert!((chi_square - want).abs() < 1e-9 && freedom == 4.0, "{chi_square}, {freedom} degrees");
        }
    }
}
