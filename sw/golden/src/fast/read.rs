//! The reads of [`crate::read`], fast: the same draws, many at a time.
//!
//! The first level draws once for each word, and few words hold a flip. The generator is linear over GF(2), so a matrix
//! takes it any number of draws ahead: the words of a layer are cut into sixteen stretches, whose generators advance side
//! by side. Words that hold a flip go through the second level one by one, in order, see [`super::draw`].

use hafnia_config::Elaborated;
use hafnia_config::fault::{CELL_GENERATOR, Draws, Keep, Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::LayerShape;

use super::Engine;
use super::cells::{FixedCells, LaneHit, SiteCells, join, wrong_at};
use super::draw::{Complete, draw};
use super::pack::PackedLayer;
use super::skip::{BitsAtRisk, Candidate, Skips};
use crate::generator::step;
use crate::injector::{Marks, Tree, seeded_lanes};
use crate::read::{Stream, weight_words};

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
    /// What the weights of flipped cells hold, where that was asked for.
    pub stored: u128,
}

impl Hit {
    /// Returns this word with those of its candidates that flip, if any does; `faults` are the hits of faulty cells.
    fn flipped(self, marks: Marks, stored: Option<&PackedLayer>, keep: Option<Keep>, faults: &[Self]) -> Option<Self> {
        let stored = stored.map_or(0, |stored| stored.held(self.k, self.c, self.tap, marks.cells));
        // Candidates are thinned by what the cells give.
        let given = stored ^ if keep.is_some() { wrong_at(faults, self.word, self.column) } else { 0 };
        let cells = marks.flips(given, keep);
        (cells != 0).then_some(Self { cells, stored, ..self })
    }

    /// Lists the flips in read order.
    pub fn flips(&self, stream: Stream) -> impl Iterator<Item = Flip> {
        let Self { word, column, mut cells, stored, .. } = *self;
        std::iter::from_fn(move || {
            let cell = (cells != 0).then(|| cells.trailing_zeros())?;
            cells &= cells - 1;
            Some(stream.flip(Site::Weights, word, 8 * column + cell, stored >> cell & 1 == 1))
        })
    }
}

impl LaneHit for Hit {
    fn place(&self) -> (u32, u32) {
        (self.word, self.column)
    }

    fn cells(&self) -> u128 {
        self.cells
    }

    fn joined(self, other: Self) -> Option<Self> {
        let cells = self.cells ^ other.cells;
        (cells != 0).then_some(Self { cells, stored: self.stored | other.stored, ..self })
    }
}

/// The reads of a network's layers under one setting of noise.
#[derive(Clone, Debug)]
pub struct Reader {
    lanes: u32,
    lane_weights: u32,
    cols: u32,
    noise: Noise,
    tree: Tree,
    complete: Option<Complete>,
    layers: Vec<Layer>,
    found: Found,
    /// Candidates of the words found.
    marks: Vec<Marks>,
    cells: Option<FixedCells>,
    /// Hits of faulty cells.
    faults: Vec<Hit>,
}

#[derive(Clone, Debug)]
struct Layer {
    shape: LayerShape,
    /// Input channel and tap of each word of an output fold.
    fold: Vec<(u16, u16)>,
    search: Search,
}

/// The search for the words of a run that hold a candidate.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Words.
    words: u32,
    /// Words of a stretch.
    stretch: u32,
    jump: Jump,
}

/// What the first level found; buffers that keep their room between reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// For each draw, the stretches that it hit.
    draws: Vec<u16>,
    /// For each stretch, the words hit.
    pub words: [Vec<u32>; STRETCHES],
}

impl Reader {
    /// Prepares the reads of layers of these shapes.
    pub fn new(hw: &Elaborated, shapes: impl Iterator<Item = LayerShape>, noise: &Noise) -> Self {
        let tree = Tree::new(noise.of(Site::Weights));
        let layers = shapes.map(|shape| Layer::new(hw, shape)).collect();
        let Elaborated { lanes, lane_weights, cols, .. } = *hw;
        let complete = Complete::of(&tree);
        let (noise, found, marks) = (noise.clone(), Found::default(), Vec::new());
        Self { lanes, lane_weights, cols, noise, tree, complete, layers, found, marks, cells: None, faults: Vec::new() }
    }

    /// Puts the weights into the cells of a device, as they are stored. `seed` is the run seed.
    pub fn on_cells(mut self, hw: &Elaborated, schedule: &Schedule, stored: &Engine, seed: u64) -> Self {
        let Some(cells) = SiteCells::new(hw, Site::Weights, &self.noise, seed) else { return self };
        let mut cells = FixedCells::new(cells);
        for (l, (layer, part)) in self.layers.iter().zip(&schedule.layers).enumerate() {
            let bits = self.noise.at_risk.bits_in(Site::Weights, l as u32);
            let at_risk = u128::from_ne_bytes([bits; 16]);
            let words = if bits == 0 { 0 } else { part.weight_words };
            cells.add_layer((0..words).map(|word| (word, part.weight_base + word)), |word, lane| {
                let (place, in_use) = self.place(layer, word, lane);
                let cells = in_use & at_risk & u128::from(u64::MAX);
                (stored.layer(l).held(place.k, place.c, place.tap, cells) as u64, cells as u64)
            });
        }
        self.cells = Some(cells);
        self
    }

    /// Returns the place of a lane of a word, and its cells that are in use.
    fn place(&self, layer: &Layer, word: u32, lane: u32) -> (Hit, u128) {
        let (fold, rest) = (word / layer.fold.len() as u32, word as usize % layer.fold.len());
        let column = lane * self.lane_weights;
        let k = fold * self.cols + column;
        // Weights of the lane that are real: columns of the array that have an output channel.
        let live = self.cols.saturating_sub(column).min(layer.shape.out_channels.saturating_sub(k));
        let in_use = (1 << (8 * live.min(self.lane_weights))) - 1;
        let (c, tap) = layer.fold[rest];
        (Hit { word, c, tap, k, column, cells: 0, stored: 0 }, in_use)
    }

    /// Reads the weights of a layer, `stored`, once, see [`crate::read::read_weights`]: adds what is hit to `hits`, in read
    /// order. What is stored there is looked up where the flips depend on it, or where `list` says that they will be listed.
    pub fn read(&mut self, stream: Stream, stored: &PackedLayer, list: bool, hits: &mut Vec<Hit>) {
        let first = hits.len();
        let stored = Some(stored).filter(|_| list || self.tree.keep().is_some());
        let mut faults = std::mem::take(&mut self.faults);
        faults.clear();
        self.read_cells(stream, stored, &mut faults);
        let bits = self.noise.bits_in(Site::Weights, stream.layer);
        match self.noise.draws {
            _ if bits == 0 => {}
            Draws::Exact => self.draw(stream, bits, stored, &faults, hits),
            Draws::Statistical => self.skip(stream, BitsAtRisk::new(bits), stored, &faults, hits),
        }
        join(hits, first, &faults);
        self.faults = faults;
    }

    /// Adds the hits of faulty cells.
    fn read_cells(&mut self, stream: Stream, stored: Option<&PackedLayer>, faults: &mut Vec<Hit>) {
        let Some(mut cells) = self.cells.take() else { return };
        let layer = &self.layers[stream.layer as usize];
        cells.read(stream, |fault, cells| {
            let (place, _) = self.place(layer, fault.word, fault.lane);
            let stored = stored.map_or(0, |stored| stored.held(place.k, place.c, place.tap, cells.into()));
            faults.push(Hit { cells: cells.into(), stored, ..place });
        });
        self.cells = Some(cells);
    }

    /// Draws as the hardware does.
    fn draw(&mut self, stream: Stream, bits: u8, stored: Option<&PackedLayer>, faults: &[Hit], hits: &mut Vec<Hit>) {
        let (layer, tree) = (&self.layers[stream.layer as usize], &self.tree);
        let at_risk = u128::from_ne_bytes([bits; 16]);
        let mut lanes = seeded_lanes(stream.key(Site::Weights), self.lanes, tree);
        let first = hits.len();
        for (lane, l) in lanes.iter_mut().zip(0..) {
            layer.search.find(lane.word().registers(), tree.word_threshold(), &mut self.found);
            let words = self.found.words.iter().flatten();
            draw(self.complete.as_ref(), lane, words.clone().count(), &mut self.marks);
            for (&word, &marks) in words.zip(&self.marks) {
                let (place, in_use) = self.place(layer, word, l);
                let marks = Marks { cells: marks.cells & in_use & at_risk, ..marks };
                if marks.cells != 0 {
                    hits.extend(place.flipped(marks, stored, tree.keep(), faults));
                }
            }
        }
        if self.lanes > 1 {
            hits[first..].sort_unstable_by_key(|hit| (hit.word, hit.column));
        }
    }
}

impl Reader {
    /// The same by skipping from candidate to candidate.
    fn skip(
        &mut self,
        stream: Stream,
        bits: BitsAtRisk,
        stored: Option<&PackedLayer>,
        faults: &[Hit],
        hits: &mut Vec<Hit>,
    ) {
        let layer = &self.layers[stream.layer as usize];
        let (cols, kernels) = (self.cols, layer.shape.out_channels);
        let fold_words = layer.fold.len() as u32;
        let weights = u64::from(fold_words) * u64::from(kernels);
        let skips = Skips::new(stream, Site::Weights, &self.noise, bits.of(weights));
        let keep = self.tree.keep();
        let mut add = |place: Hit, marks: Marks| hits.extend(place.flipped(marks, stored, keep, faults));
        let mut open: Option<(Hit, Marks)> = None;
        for Candidate { cell, kept } in skips {
            let (weight, bit) = bits.place(cell);
            let weight = weight as u32;
            // Every output fold but the last has weights in all columns.
            let fold = weight / (fold_words * cols);
            let (live, rest) = (cols.min(kernels - fold * cols), weight - fold * fold_words * cols);
            let (in_fold, column) = (rest / live, rest % live);
            let word = fold * fold_words + in_fold;
            let first = column / self.lane_weights * self.lane_weights;
            if open.is_none_or(|(hit, _)| (hit.word, hit.column) != (word, first)) {
                open.take().into_iter().for_each(|(hit, marks)| add(hit, marks));
                let (c, tap) = layer.fold[in_fold as usize];
                let k = fold * cols + first;
                open = Some((Hit { word, c, tap, k, column: first, cells: 0, stored: 0 }, Marks::default()));
            }
            let (_, marks) = open.as_mut().expect("a word is open");
            let place = 8 * (column - first) + bit;
            marks.cells |= 1 << place;
            marks.kept |= u128::from(kept) << place;
        }
        open.into_iter().for_each(|(hit, marks)| add(hit, marks));
    }
}

impl Layer {
    fn new(hw: &Elaborated, shape: LayerShape) -> Self {
        let channels = shape.in_channels as u16;
        let mut fold = Vec::new();
        for first in (0..channels).step_by(hw.rows as usize) {
            let channels = first..channels.min(first + hw.rows as u16);
            fold.extend((0..shape.kind.taps() as u16).flat_map(|tap| channels.clone().map(move |c| (c, tap))));
        }
        Self { shape, fold, search: Search::new(weight_words(hw, &shape)) }
    }
}

impl Search {
    /// Prepares the search through `words` words.
    pub fn new(words: u32) -> Self {
        let stretch = words.div_ceil(STRETCHES as u32);
        Self { words, stretch, jump: Jump::new(stretch) }
    }

    /// Finds the words whose first-level draw is at most `threshold`, in order, for a generator with these registers.
    pub fn find(&self, registers: [u32; 3], threshold: u32, found: &mut Found) {
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
            return found.sort(self.stretch, self.words);
        }
        find(&mut states, threshold, &mut found.draws);
        found.sort(self.stretch, self.words);
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
    use hafnia_config::fault::{AtRisk, Rates};
    use hafnia_config::presets;
    use hafnia_config::shape::LayerKind;
    use ndarray::{Array1, Array4};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::generator::CellGenerator;
    use crate::network::Layer;
    use crate::read::read_weights;

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

    /// Flips against [`crate::read::read_weights`], for layers of fewer and more words than stretches, with one rate for
    /// both directions and with two.
    #[test]
    fn reads_equal_the_plain_ones() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (rows, cols, weights_per_codeword) in [(4, 4, 8), (3, 5, 2), (16, 16, 8), (7, 9, 1), (2, 16, 4)] {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows, cols };
            config.protection.weights_per_codeword = weights_per_codeword;
            let hw = config.validate().unwrap();
            let mut layer = |kind, in_channels: u32, out_channels: u32| {
                let shape = LayerShape { kind, in_channels, out_channels, height: 4, width: 4, pool: false };
                let side = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
                let size = (out_channels as usize, in_channels as usize, side, side);
                let weights = Array4::from_shape_simple_fn(size, || rng.random());
                Layer { shape, weights, bias: Array1::zeros(out_channels as usize), scale: Vec::new() }
            };
            let conv = LayerKind::Conv3x3;
            let layers = [layer(conv, 3, 40), layer(conv, 40, 21), layer(conv, 1, 1), layer(LayerKind::Linear, 33, 10)];
            let packed: Vec<_> = layers.iter().map(PackedLayer::new).collect();
            let even = [0.0, 1e-4, 1e-2, 0.3, 1.0].map(|p| (Rates::from(p), AtRisk::WEIGHTS));
            let some = AtRisk { bits: [0b1010_0110, 0, 0], layers: 0b1101 };
            let uneven = [(0.3, 0.01), (0.0, 0.1), (1.0, 0.5)].map(|(p01, p10)| (Rates { p01, p10 }, some));
            for (rates, at_risk) in even.into_iter().chain(uneven).chain([(0.1.into(), some)]) {
                let noise = hw.noise(rates, at_risk).unwrap();
                let mut reader = Reader::new(&hw, layers.iter().map(|layer| layer.shape), &noise);
                for (number, (layer, packed)) in (0..).zip(layers.iter().zip(&packed)) {
                    for group in [0, 7] {
                        let stream = Stream { seed: 5, layer: number, group };
                        let (_, want) = read_weights(&hw, &layer.weights, 0, stream, &noise);
                        let mut hits = Vec::new();
                        reader.read(stream, packed, true, &mut hits);
                        let flips: Vec<Flip> = hits.iter().flat_map(|hit| hit.flips(stream)).collect();
                        assert!(flips == want, "{rows}x{cols}, {rates:?}, layer {number}, group {group}");
                    }
                }
            }
        }
    }
}
