//! What is counted, block by block.

use hafnia_golden::read::Stream;

use super::gaps::Gaps;
use super::hits::Hits;
use super::pairs::{self, COMPARED, Compared, LAGS, add};
use super::source::{Hit, Shape, Source};
use super::together::Together;
use super::{Check, Unit, of};
use crate::CosimError;

/// Codewords of each lane that are read of a stream: about as many as a layer of VGG-A has.
pub const WORDS: u32 = 1 << 14;
/// Streams of a block: one, and its neighbours in layer, read group and seed.
pub const STREAMS: u64 = 4;

/// What the covariance of two events may be, in standard deviations.
const SIGMA: f64 = 5.0;
/// Whose stream a neighbour is, see [`streams`].
const NEIGHBOURS: [&str; 3] = ["next layer", "next group", "next seed"];

/// What a tally is of.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Lanes and cells.
    pub shape: Shape,
    /// Rate of a cell.
    pub rate: f64,
    /// Blocks of streams.
    pub blocks: u32,
}

impl Setting {
    /// Returns the codewords of each lane.
    fn words(&self) -> u64 {
        u64::from(self.blocks) * STREAMS * u64::from(WORDS)
    }

    /// Returns the cells drawn.
    pub fn draws(&self) -> u64 {
        self.words() * self.shape.cells_of_all_lanes()
    }
}

/// All counts of a number of blocks.
#[derive(Clone, Debug)]
pub struct Tally {
    shape: Shape,
    hits: Hits,
    gaps: Gaps,
    /// For each lane, 1 to [`LAGS`] words later.
    lags: Vec<Compared>,
    /// Row by row.
    cells: Vec<u64>,
    /// For each pair of lanes.
    lanes: Vec<Compared>,
    /// For each lane and neighbour.
    neighbours: Vec<Compared>,
}

/// The streams of a block. No two blocks share one: the first has an even layer, group and seed.
fn streams(seed: u64, block: u32) -> [Stream; 4] {
    let first = Stream { seed, layer: 2 * (block % 8), group: 2 * (block / 8) };
    let Stream { layer, group, .. } = first;
    [
        first,
        Stream { layer: layer + 1, ..first },
        Stream { group: group + 1, ..first },
        Stream { seed: seed + 1, ..first },
    ]
}

impl Tally {
    /// Returns no counts.
    pub fn new(setting: &Setting) -> Self {
        let shape = setting.shape;
        Self {
            shape,
            hits: Hits::new(shape),
            gaps: Gaps::new(shape, setting.rate, setting.words()),
            lags: vec![Default::default(); shape.lanes * LAGS],
            cells: vec![0; shape.cells * shape.cells],
            lanes: vec![Default::default(); shape.lanes * (shape.lanes - 1) / 2],
            neighbours: vec![Default::default(); shape.lanes * NEIGHBOURS.len()],
        }
    }

    /// Reads the streams of a block and adds what they give.
    ///
    /// # Errors
    /// If the source fails.
    pub fn add(&mut self, source: &dyn Source, seed: u64, block: u32) -> Result<(), CosimError> {
        let read = |stream| source.read(stream, WORDS);
        let [first, neighbours @ ..] = streams(seed, block);
        let first = read(first)?;
        self.stream(&first);
        for (n, stream) in neighbours.into_iter().enumerate() {
            let neighbour = read(stream)?;
            self.stream(&neighbour);
            for (lane, (one, other)) in first.iter().zip(&neighbour).enumerate() {
                let found = pairs::lanes(one, other, WORDS, self.shape);
                add(&mut self.neighbours[lane * NEIGHBOURS.len() + n], &found);
            }
        }
        Ok(())
    }

    fn stream(&mut self, lanes: &[Vec<Hit>]) {
        self.hits.add(lanes);
        self.gaps.add(lanes, WORDS);
        for (hits, lags) in lanes.iter().zip(self.lags.chunks_exact_mut(LAGS)) {
            pairs::lags(hits, WORDS, self.shape, lags);
            pairs::cells(hits, self.shape, &mut self.cells);
        }
        for ([one, other], sum) in pairs_of(lanes.len()).zip(&mut self.lanes) {
            add(sum, &pairs::lanes(&lanes[one], &lanes[other], WORDS, self.shape));
        }
    }

    /// Returns these counts and those of later blocks.
    pub fn then(mut self, next: Self) -> Self {
        self.hits.then(&next.hits);
        self.gaps.then(&next.gaps);
        self.cells.iter_mut().zip(&next.cells).for_each(|(count, next)| *count += next);
        self.lags.iter_mut().zip(&next.lags).for_each(|(sum, next)| add(sum, next));
        self.lanes.iter_mut().zip(&next.lanes).for_each(|(sum, next)| add(sum, next));
        self.neighbours.iter_mut().zip(&next.neighbours).for_each(|(sum, next)| add(sum, next));
        self
    }

    /// Returns the flips of all cells.
    pub fn flips(&self) -> u64 {
        self.hits.all()
    }

    /// Judges the counts of one of `settings` settings.
    pub fn checks(&self, setting: &Setting, settings: usize) -> Vec<Check> {
        let Setting { shape, rate, .. } = *setting;
        let lags = self.lags.iter().enumerate();
        let lags = lags.flat_map(|(n, found)| named(&format!("lane {}, {} later", n / LAGS, n % LAGS + 1), found));
        let cells = pairs_of(shape.cells).map(|[one, other]| {
            let draws = setting.words() * shape.lanes as u64;
            let count = self.cells[one * shape.cells + other];
            let together = Together { draws, count, one: self.hits.of_cell(one), other: self.hits.of_cell(other) };
            (format!("bits {one} and {other}"), together)
        });
        let lanes = pairs_of(shape.lanes).zip(&self.lanes);
        let lanes = lanes.flat_map(|([one, other], found)| named(&format!("lanes {one} and {other}"), found));
        let neighbours = self.neighbours.iter().enumerate().flat_map(|(n, found)| {
            named(&format!("lane {}, {}", n / NEIGHBOURS.len(), NEIGHBOURS[n % NEIGHBOURS.len()]), found)
        });
        let mut checks = vec![self.hits.check(setting.words(), rate, settings)];
        checks.extend(self.gaps.check(settings));
        checks.extend(worst("lags", lags, rate));
        checks.extend(worst("cells", cells, rate));
        checks.extend(worst("lanes", lanes, rate));
        checks.extend(worst("neighbours", neighbours, rate));
        checks
    }
}

/// Every pair of numbers below `count`, the lower one first.
fn pairs_of(count: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..count).flat_map(move |one| (one + 1..count).map(move |other| [one, other]))
}

fn named(what: &str, found: &Compared) -> Vec<(String, Together)> {
    COMPARED.iter().zip(found).map(|(how, found)| (format!("{what}, {how}"), *found)).collect()
}

/// The two events that are furthest from independent; none where there are no two, as with the lanes of hardware that has one.
fn worst(statistic: &'static str, all: impl Iterator<Item = (String, Together)>, rate: f64) -> Option<Check> {
    let judged: Vec<_> = all.map(|(what, together)| (together.sigma(rate), what, together)).collect();
    let looked_at = judged.len();
    let (value, what, Together { draws, count, .. }) = judged.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let worst = format!("{what}: {}", of(count, draws as f64 * rate * rate));
    Some(Check { statistic, looked_at, worst, value, bound: SIGMA, unit: Unit::Sigma })
}
