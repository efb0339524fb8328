//! The reads of [`crate::read`], fast: the same draws, many at a time.
//!
//! The first level draws once for each word, and few words hold a flip. The generator is linear over GF(2), so a matrix
//! takes it any number of draws ahead: the words of a layer are cut into sixteen stretches, whose generators advance side
//! by side. Words that hold a flip go through the second level one by one, in order, see [`super::draw`].

use hafnia_config::Elaborated;
use hafnia_config::fault::{AtRisk, CELL_GENERATOR, Noise, stream_key};
use hafnia_config::flip::Flip;
use hafnia_config::shape::LayerShape;

use super::draw::{Complete, draw};
use crate::generator::step;
use crate::injector::{Tree, seeded_lanes};
use crate::read::{Place, Read, Stream};

/// Stretches that advance side by side.
pub(super) const STRETCHES: usize = 16;

/// What one lane of a weight word is read with: at least one flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Number of the word in its layer, in read order.
    pub word: u32,
    /// Input channel of its weights.
    pub c: u16,
    /// Tap of its weights, row-major.
    pub tap: u16,
    /// Output channel of the lane's first weight.
    pub k: u32,
    /// Column of the lane's first weight.
    pub column: u32,
    /// The flipped cells: bit `b` is bit `b % 8` of weight `b / 8`.
    pub cells: u128,
}

impl Hit {
    /// Lists the flips in read order; `stored` returns a stored bit.
    pub fn flips(&self, stream: Stream, stored: impl Fn(Place) -> bool) -> impl Iterator<Item = Flip> {
        let Self { word, c, tap, k, column, mut cells } = *self;
        std::iter::from_fn(move || {
            let cell = (cells != 0).then(|| cells.trailing_zeros())?;
            cells &= cells - 1;
            let before = stored(Place { k: (k + cell / 8) as usize, c: c.into(), tap: tap.into(), bit: cell % 8 });
            Some(Flip { layer: stream.layer, group: stream.group, word, bit: 8 * column + cell, before })
        })
    }
}

/// Counts of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Weight words read.
    pub words: u32,
    /// Cells read: bits of real weights.
    pub cells: u32,
    /// Bits flipped.
    pub flips: u32,
}

/// The reads of a network's layers under one setting of noise.
#[derive(Clone, Debug)]
pub struct Reader {
    lanes: u32,
    lane_weights: u32,
    cols: u32,
    at_risk: AtRisk,
    /// None where nothing is drawn.
    tree: Option<Tree>,
    complete: Option<Complete>,
    layers: Vec<Layer>,
    found: Found,
    /// Flipped cells of the words found.
    cells: Vec<u128>,
}

#[derive(Clone, Debug)]
struct Layer {
    shape: LayerShape,
    /// What a read without a flip is.
    still: Read,
    /// Input channel and tap of each word of an output fold.
    fold: Vec<(u16, u16)>,
    /// Words of a stretch.
    stretch: u32,
    jump: Jump,
}

/// What the first level found; buffers that keep their room between reads.
#[derive(Clone, Debug, Default)]
struct Found {
    /// For each draw, the stretches that it hit.
    draws: Vec<u16>,
    /// For each stretch, the words hit.
    words: [Vec<u32>; STRETCHES],
}

impl Reader {
    /// Prepares the reads of layers of these shapes.
    pub fn new(hw: &Elaborated, shapes: impl Iterator<Item = LayerShape>, noise: &Noise) -> Self {
        let tree = noise.enable.then(|| Tree::new(hw.codeword_bits, noise));
        let layers = shapes.map(|shape| Layer::new(hw, shape)).collect();
        let Elaborated { lanes, lane_weights, cols, .. } = *hw;
        let complete = tree.as_ref().and_then(Complete::of);
        Self {
            lanes,
            lane_weights,
            cols,
            at_risk: noise.at_risk,
            tree,
            complete,
            layers,
            found: Found::default(),
            cells: Vec::new(),
        }
    }

    /// Reads a layer's weights once, see [`crate::read::read`]: adds what is hit to `hits`, in read order, and returns the
    /// counts.
    pub fn read(&mut self, stream: Stream, hits: &mut Vec<Hit>) -> Counts {
        let layer = &self.layers[stream.layer as usize];
        let mut counts = Counts { words: layer.still.words, cells: layer.still.cells, flips: 0 };
        let bits = self.at_risk.bits_in(stream.layer);
        let Some(tree) = self.tree.as_ref().filter(|_| bits != 0) else { return counts };
        let at_risk = u128::from_ne_bytes([bits; 16]);
        let mut lanes = seeded_lanes(stream_key(stream.seed, stream.layer, stream.group), self.lanes, tree);
        let first = hits.len();
        for (lane, l) in lanes.iter_mut().zip(0..) {
            layer.find(lane.word().registers(), tree.word_threshold(), &mut self.found);
            let words = self.found.words.iter().flatten();
            draw(self.complete.as_ref(), lane, words.clone().count(), &mut self.cells);
            let column = l * self.lane_weights;
            for (&word, &cells) in words.zip(&self.cells) {
                let (fold, rest) = (word / layer.fold.len() as u32, word as usize % layer.fold.len());
                let k = fold * self.cols + column;
                // Weights of the lane that are real: columns of the array that have an output channel.
                let live = self.cols.saturating_sub(column).min(layer.shape.out_channels.saturating_sub(k));
                let cells = if live < self.lane_weights { cells & ((1 << (8 * live)) - 1) } else { cells } & at_risk;
                if cells != 0 {
                    counts.flips += cells.count_ones();
                    let (c, tap) = layer.fold[rest];
                    hits.push(Hit { word, c, tap, k, column, cells });
                }
            }
        }
        if self.lanes > 1 {
            hits[first..].sort_unstable_by_key(|hit| (hit.word, hit.column));
        }
        counts
    }
}

impl Layer {
    fn new(hw: &Elaborated, shape: LayerShape) -> Self {
        let still = Read::of(hw, &shape);
        let channels = shape.in_channels as u16;
        let mut fold = Vec::new();
        for first in (0..channels).step_by(hw.rows as usize) {
            let channels = first..channels.min(first + hw.rows as u16);
            fold.extend((0..shape.kind.taps() as u16).flat_map(|tap| channels.clone().map(move |c| (c, tap))));
        }
        let stretch = still.words.div_ceil(STRETCHES as u32);
        Self { shape, jump: Jump::new(stretch), still, fold, stretch }
    }

    /// Finds the words whose first-level draw is at most `threshold`, in order, for a generator with these registers.
    fn find(&self, registers: [u32; 3], threshold: u32, found: &mut Found) {
        let mut states = [[0; STRETCHES]; 3];
        let mut at = registers;
        for stretch in 0..STRETCHES {
            states.iter_mut().zip(at).for_each(|(states, register)| states[stretch] = register);
            at = self.jump.apply(at);
        }
        found.draws.resize(self.stretch as usize, 0);
        #[cfg(target_arch = "x86_64")]
        if super::x86::has_avx512() {
            // SAFETY: the processor has what the function is compiled for.
            unsafe { super::x86::find_avx512(&states, threshold, &mut found.draws) };
            return found.sort(self.stretch, self.still.words);
        }
        find(&mut states, threshold, &mut found.draws);
        found.sort(self.stretch, self.still.words);
    }
}

impl Found {
    /// Lists the hits in the order of their words; word `all` and those after it do not exist.
    fn sort(&mut self, stretch: u32, all: u32) {
        self.words.iter_mut().for_each(Vec::clear);
        for (word, &hits) in (0..).zip(&self.draws).filter(|(_, hits)| **hits != 0) {
            let mut hits = hits;
            while hits != 0 {
                let number = hits.trailing_zeros() * stretch + word;
                if number < all {
                    self.words[hits.trailing_zeros() as usize].push(number);
                }
                hits &= hits - 1;
            }
        }
    }
}

/// Draws from the generators of all stretches, once for each entry of `hits`, whose bit `i` tells whether the draw of
/// stretch `i` is at most `threshold`.
fn find(states: &mut [[u32; STRETCHES]; 3], threshold: u32, hits: &mut [u16]) {
    for hits in hits {
        let hit = |i: usize| u16::from(states[0][i] ^ states[1][i] ^ states[2][i] <= threshold) << i;
        *hits = (0..STRETCHES).map(hit).fold(0, |hits, hit| hits | hit);
        for (states, component) in states.iter_mut().zip(&CELL_GENERATOR) {
            states.iter_mut().for_each(|z| *z = step(*z, component));
        }
    }
}

/// A number of draws ahead, as a matrix over GF(2) for each component: column `i` is where bit `i` goes.
#[derive(Clone, Debug)]
struct Jump([[u32; 32]; 3]);

impl Jump {
    /// By repeated squaring.
    fn new(draws: u32) -> Self {
        let mut jump = Self([std::array::from_fn(|i| 1 << i); 3]);
        let mut square = Self(CELL_GENERATOR.map(|component| std::array::from_fn(|i| step(1 << i, &component))));
        let mut left = draws;
        while left > 0 {
            if left & 1 == 1 {
                jump = jump.then(&square);
            }
            square = square.then(&square);
            left >>= 1;
        }
        jump
    }

    fn then(&self, next: &Self) -> Self {
        Self(std::array::from_fn(|m| self.0[m].map(|column| image(&next.0[m], column))))
    }

    fn apply(&self, registers: [u32; 3]) -> [u32; 3] {
        std::array::from_fn(|m| image(&self.0[m], registers[m]))
    }
}

fn image(matrix: &[u32; 32], vector: u32) -> u32 {
    matrix.iter().enumerate().fold(0, |sum, (i, column)| sum ^ if vector >> i & 1 == 1 { *column } else { 0 })
}

#[cfg(test)]
mod tests {
    use hafnia_config::accel::ArrayConfig;
    use hafnia_config::presets;
    use hafnia_config::shape::LayerKind;

    use super::*;
    use crate::generator::CellGenerator;

    #[test]
    fn a_jump_equals_as_many_draws() {
        let start = [0x8ffb_9a8f, 0xad37_76fd, 0x2619_b965];
        let mut generator = CellGenerator::new(start);
        for draws in 0..300 {
            assert_eq!(Jump::new(draws).apply(start), generator.registers(), "{draws} draws");
            generator.draw();
        }
    }

    /// The plain search against the generator itself, and the search of the processor against the plain one.
    #[test]
    fn every_search_finds_the_same_draws() {
        let start: [[u32; STRETCHES]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|s| 0x9e37_79b9_u32.wrapping_mul((1 + i * STRETCHES + s) as u32))
        });
        for threshold in [0, 1 << 20, 1 << 28, u32::MAX] {
            let (mut plain, mut states) = (vec![0; 500], start);
            find(&mut states, threshold, &mut plain);
            for stretch in 0..STRETCHES {
                let mut generator = CellGenerator::new(start.map(|component| component[stretch]));
                for (n, hits) in plain.iter().enumerate() {
                    assert_eq!(hits >> stretch & 1 == 1, generator.draw() <= threshold, "stretch {stretch}, draw {n}");
                }
            }
            #[cfg(target_arch = "x86_64")]
            if super::super::x86::has_avx512() {
                let mut fast = vec![0; 500];
                // SAFETY: the processor has what the function is compiled for.
                unsafe { super::super::x86::find_avx512(&start, threshold, &mut fast) };
                assert_eq!(fast, plain, "threshold {threshold}");
            }
        }
    }

    /// Flips and counts against [`crate::read::read`], for layers of fewer and more words than stretches.
    #[test]
    fn reads_equal_the_plain_ones() {
        for (rows, cols, weights_per_codeword) in [(4, 4, 8), (3, 5, 2), (16, 16, 8), (7, 9, 1), (2, 16, 4)] {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows, cols };
            config.protection.weights_per_codeword = weights_per_codeword;
            let hw = config.validate().unwrap();
            let shape = |kind, in_channels, out_channels| LayerShape {
                kind,
                in_channels,
                out_channels,
                height: 4,
                width: 4,
                pool: false,
            };
            let conv = LayerKind::Conv3x3;
            let shapes = [shape(conv, 3, 40), shape(conv, 40, 21), shape(conv, 1, 1), shape(LayerKind::Linear, 33, 10)];
            let some = AtRisk { bits: 0b1010_0110, layers: 0b1101 };
            for (p, at_risk) in [0.0, 1e-4, 1e-2, 0.3, 1.0].map(|p| (p, AtRisk::ALL)).into_iter().chain([(0.1, some)]) {
                let noise = Noise { at_risk, ..hw.noise(p).unwrap() };
                let mut reader = Reader::new(&hw, shapes.into_iter(), &noise);
                for (layer, shape) in shapes.iter().enumerate() {
                    for group in [0, 7] {
                        let stream = Stream { seed: 5, layer: layer as u32, group };
                        let stored = |place: Place| (place.k + place.c + place.tap).is_multiple_of(2);
                        let want = crate::read::read(&hw, shape, stream, &noise, stored);
                        let mut hits = Vec::new();
                        let counts = reader.read(stream, &mut hits);
                        let flips: Vec<Flip> = hits.iter().flat_map(|hit| hit.flips(stream, stored)).collect();
                        assert_eq!(counts, Counts { words: want.words, cells: want.cells, flips: flips.len() as u32 });
                        assert!(flips == want.flips, "{rows}x{cols}, p {p}, layer {layer}, group {group}");
                    }
                }
            }
        }
    }
}
