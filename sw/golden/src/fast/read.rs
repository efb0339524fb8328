//! The reads of [`crate::read`], fast: the same draws, many at a time.
//!
//! Words that hold a flip, see [`super::search`], go through the second level one by one, in order, see [`super::draw`].

use std::sync::Arc;

use hafnia_config::fault::{Draws, Keep, Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_config::protect::Codeword;
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::LayerShape;
use hafnia_config::{Elaborated, accel};

use super::Engine;
use super::cells::{FixedCells, LaneHit, SiteCells, join, wrong_at};
use super::coded::Coded;
use super::draw::{Complete, draw};
use super::linear::ones;
use super::pack::PackedLayer;
use super::scrub::Rewritten;
use super::search::{Found, Search};
use super::skip::{BitsAtRisk, Candidate, CellsAtRisk, Skips};
use crate::codec::Events;
use crate::injector::{Marks, Tree, seeded_lanes};
use crate::read::{Stream, weight_words};

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
    /// The flipped cells: bit `b` is bit `b % 8` of weight `b / 8`; from the last weight on, check cells.
    pub cells: u128,
    /// What is stored, where that was asked for; without a code in the weights of flipped cells alone.
    pub stored: u128,
}

/// What the weights of a layer hold.
#[derive(Clone, Copy)]
struct Stored<'a> {
    layer: &'a PackedLayer,
    /// Where they have a code: the codewords, the number of the layer, and the weights in each.
    coded: Option<(&'a Coded, u32, u32)>,
}

impl Stored<'_> {
    /// Returns what a lane holds, without a code in the weights of `cells` alone.
    fn of(&self, hit: &Hit, cells: u128) -> u128 {
        match self.coded {
            Some((coded, layer, count)) => {
                coded.stored(layer, hit.place(), self.layer.lane(hit.k, hit.c, hit.tap, count))
            }
            None => self.layer.held(hit.k, hit.c, hit.tap, cells),
        }
    }
}

impl Hit {
    /// Returns this word with those of its candidates that flip, if any does; `faults` are the hits of faulty cells.
    fn flipped(self, marks: Marks, stored: Option<Stored<'_>>, keep: Option<Keep>, faults: &[Self]) -> Option<Self> {
        let stored = stored.map_or(0, |stored| stored.of(&self, marks.cells));
        // Candidates are thinned by what the cells give.
        let given = stored ^ if keep.is_some() { wrong_at(faults, self.word, self.column) } else { 0 };
        let cells = marks.flips(given, keep);
        (cells != 0).then_some(Self { cells, stored, ..self })
    }

    /// Returns the flipped cell, if it is one of the first 64 and the only one.
    pub(super) fn only_cell(&self) -> Option<u32> {
        let low = self.cells as u64;
        (low.is_power_of_two() && self.cells >> 64 == 0).then(|| low.trailing_zeros())
    }

    /// Lists the flips in read order; `port` is that of the weights.
    pub fn flips(&self, stream: Stream, port: accel::Port) -> impl Iterator<Item = Flip> {
        let Self { word, column, cells, stored, .. } = *self;
        let bit = move |cell| port.bit(column / port.lane_bytes, cell as u32);
        ones(cells).map(move |cell| stream.flip(Site::Weights, word, bit(cell), stored >> cell & 1 == 1))
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
    word: Codeword,
    coded: Option<Coded>,
    /// Hits of faulty cells.
    faults: Vec<Hit>,
}

#[derive(Clone, Debug)]
struct Layer {
    shape: LayerShape,
    /// Input channel and tap of each word of an output fold.
    fold: Vec<(u16, u16)>,
    search: Arc<Search>,
}

impl Reader {
    /// Prepares the reads of layers of these shapes.
    pub fn new(hw: &Elaborated, shapes: impl Iterator<Item = LayerShape>, noise: &Noise) -> Self {
        let tree = Tree::new(noise.of(Site::Weights));
        let layers = shapes.map(|shape| Layer::new(hw, shape)).collect();
        let Elaborated { lanes, lane_weights, cols, .. } = *hw;
        let complete = Complete::of(&tree);
        let (noise, found, marks) = (noise.clone(), Found::default(), Vec::new());
        Self {
            lanes,
            lane_weights,
            cols,
            noise,
            tree,
            complete,
            layers,
            found,
            marks,
            cells: None,
            word: hw.codeword(Site::Weights).clone(),
            coded: None,
            faults: Vec::new(),
        }
    }

    /// Reads codewords, where there are any.
    pub fn coded(self, coded: Option<Coded>) -> Self {
        Self { coded, ..self }
    }

    /// Puts the weights into the cells of a device, as they are stored. `seed` is the run seed.
    pub fn on_cells(mut self, hw: &Elaborated, schedule: &Schedule, stored: &Engine, seed: u64) -> Self {
        let Some(cells) = SiteCells::new(hw, Site::Weights, &self.noise, seed) else { return self };
        let mut cells = FixedCells::new(cells);
        for (l, (layer, part)) in self.layers.iter().zip(&schedule.layers).enumerate() {
            let at_risk = self.noise.at_risk.cells_in(Site::Weights, l as u32, &self.word);
            let words = if at_risk == 0 { 0 } else { part.weight_words };
            cells.add_layer((0..words).map(|word| (word, part.weight_base + word)), |word, lane| {
                let (place, in_use) = self.place(layer, word, lane);
                let cells = in_use & at_risk;
                (self.stored(l as u32, stored.layer(l)).of(&place, cells), cells)
            });
        }
        self.cells = Some(cells);
        self
    }

    /// Makes a codeword what scrubbing left of it. `stored` are the weights of its layer, which begins at address `base`.
    pub fn rewrite(&mut self, layer: u32, base: u32, stored: &PackedLayer, rewritten: Rewritten) {
        let Rewritten { address, lane, wrong } = rewritten;
        let (place, in_use) = self.place(&self.layers[layer as usize], address - base, lane);
        let coded = self.coded.as_mut().expect("a scrubber has a code");
        coded.rewrite(layer, place.place(), wrong & in_use);
        if let Some(mut cells) = self.cells.take() {
            let in_use = in_use & self.noise.at_risk.cells_in(Site::Weights, layer, &self.word);
            let held = self.stored(layer, stored).of(&place, in_use);
            cells.renew(layer as usize, (place.word, address), lane, (held, in_use));
            self.cells = Some(cells);
        }
    }

    /// Returns the place of a lane of a word, and its cells that are in use.
    fn place(&self, layer: &Layer, word: u32, lane: u32) -> (Hit, u128) {
        let fold = word / layer.fold.len() as u32;
        let rest = word as usize - fold as usize * layer.fold.len();
        let column = lane * self.lane_weights;
        let k = fold * self.cols + column;
        // Weights of the lane that are real: columns of the array that have an output channel.
        let live = self.cols.saturating_sub(column).min(layer.shape.out_channels.saturating_sub(k));
        let in_use = self.word.cells_in_use(live.min(self.lane_weights));
        let (c, tap) = layer.fold[rest];
        (Hit { word, c, tap, k, column, cells: 0, stored: 0 }, in_use)
    }

    fn stored<'a>(&'a self, number: u32, layer: &'a PackedLayer) -> Stored<'a> {
        Stored { layer, coded: self.coded.as_ref().map(|coded| (coded, number, self.lane_weights)) }
    }

    /// Decodes what [`Reader::read`] gave for a layer, `flips`: adds the weights that are read wrong to `hits`.
    pub fn decode(&self, layer: u32, stored: &PackedLayer, flips: &[Hit], hits: &mut Vec<Hit>) -> Events {
        let coded = self.coded.as_ref().expect("weights without a code are read as they are");
        let at = |(word, column)| self.place(&self.layers[layer as usize], word, column / self.lane_weights).0;
        let data = |hit: &Hit| stored.lane(hit.k, hit.c, hit.tap, self.lane_weights);
        coded.decode(layer, flips, at, data, |hit, wrong, data| {
            // What becomes of weights that do not exist has no effect.
            let live = (stored.shape.out_channels - hit.k).min(self.lane_weights);
            let cells = u128::from(wrong) & self.word.data_cells() & self.word.cells_in_use(live);
            if cells != 0 {
                hits.push(Hit { cells, stored: data.into(), ..hit });
            }
        })
    }

    /// Reads the weights of a layer, `stored`, once, see [`crate::read::read_weights`]: adds what is hit to `hits`, in read
    /// order. What is stored there is looked up where the flips depend on it, or where `list` says that they will be listed.
    pub fn read(&mut self, stream: Stream, stored: &PackedLayer, list: bool, hits: &mut Vec<Hit>) {
        let first = hits.len();
        let coded = self.coded.take();
        let code = coded.as_ref().map(|coded| (coded, stream.layer, self.lane_weights));
        let is_asked = list || self.tree.keep().is_some() || code.is_some();
        let stored = is_asked.then_some(Stored { layer: stored, coded: code });
        let mut faults = std::mem::take(&mut self.faults);
        faults.clear();
        self.read_cells(stream, stored, &mut faults);
        let bits = self.noise.bits_in(Site::Weights, stream.layer);
        match (self.noise.draws, code) {
            _ if bits == 0 => {}
            (Draws::Exact, _) => self.draw(stream, stored, &faults, hits),
            (Draws::Statistical, None) => self.skip(stream, BitsAtRisk::new(bits), stored, &faults, hits),
            (Draws::Statistical, Some(_)) => self.skip_codewords(stream, stored, &faults, hits),
        }
        join(hits, first, &faults);
        (self.faults, self.coded) = (faults, coded);
    }

    /// Adds the hits of faulty cells.
    fn read_cells(&mut self, stream: Stream, stored: Option<Stored<'_>>, faults: &mut Vec<Hit>) {
        let Some(mut cells) = self.cells.take() else { return };
        let layer = &self.layers[stream.layer as usize];
        cells.read(stream, |fault, cells| {
            let (place, _) = self.place(layer, fault.word, fault.lane);
            let stored = stored.map_or(0, |stored| stored.of(&place, cells));
            faults.push(Hit { cells, stored, ..place });
        });
        self.cells = Some(cells);
    }

    /// Draws as the hardware does.
    fn draw(&mut self, stream: Stream, stored: Option<Stored<'_>>, faults: &[Hit], hits: &mut Vec<Hit>) {
        let (layer, tree) = (&self.layers[stream.layer as usize], &self.tree);
        let at_risk = self.noise.at_risk.cells_in(Site::Weights, stream.layer, &self.word);
        let mut lanes = seeded_lanes(stream.key(Site::Weights), self.lanes, tree);
        let first = hits.len();
        for (lane, l) in lanes.iter_mut().zip(0..) {
            layer.search.find(lane.word().registers(), tree.word_threshold(), &mut self.found);
            let words = &self.found.words;
            draw(self.complete.as_ref(), lane, words.len(), &mut self.marks);
            for (&word, &marks) in words.iter().zip(&self.marks) {
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
        stored: Option<Stored<'_>>,
        faults: &[Hit],
        hits: &mut Vec<Hit>,
    ) {
        let layer = &self.layers[stream.layer as usize];
        let (cols, kernels) = (self.cols, layer.shape.out_channels);
        let fold_words = layer.fold.len() as u32;
        let skips = Skips::new(stream, Site::Weights, &self.noise, bits.of(u64::from(fold_words) * u64::from(kernels)));
        let keep = self.tree.keep();
        let start = hits.len();
        self.marks.clear();
        // The output fold, its first weight, and its columns that have an output channel: all, but in the last one.
        let (mut fold, mut first_weight, mut live) = (0, 0, cols.min(kernels));
        for Candidate { cell, kept } in skips {
            let (weight, bit) = bits.place(cell);
            let mut rest = weight as u32 - first_weight;
            while rest >= fold_words * live {
                rest -= fold_words * live;
                first_weight += fold_words * live;
                fold += 1;
                live = cols.min(kernels - fold * cols);
            }
            // A division takes longer than the rest.
            let (in_fold, of_word) = match live.is_power_of_two() {
                true => (rest >> live.trailing_zeros(), rest & (live - 1)),
                false => (rest / live, rest % live),
            };
            let column = if self.lanes == 1 { 0 } else { of_word / self.lane_weights * self.lane_weights };
            let word = fold * fold_words + in_fold;
            let cells = 1 << (8 * (of_word - column) + bit);
            match hits[start..].last_mut() {
                Some(hit) if (hit.word, hit.column) == (word, column) => hit.cells |= cells,
                _ => {
                    let (c, tap) = layer.fold[in_fold as usize];
                    hits.push(Hit { word, c, tap, k: fold * cols + column, column, cells, stored: 0 });
                    self.marks.extend(keep.map(|_| Marks::default()));
                }
            }
            if let Some(marks) = self.marks.last_mut().filter(|_| kept) {
                marks.kept |= cells;
            }
        }
        if stored.is_some() {
            let candidates = hits.split_off(start);
            for (n, hit) in candidates.into_iter().enumerate() {
                let kept = self.marks.get(n).map_or(hit.cells, |marks| marks.kept);
                hits.extend(hit.flipped(Marks { cells: hit.cells, kept }, stored, keep, faults));
            }
        }
    }
}

impl Reader {
    /// The same in codewords, check cells last in each; candidates in cells that are not in use are dropped.
    fn skip_codewords(&self, stream: Stream, stored: Option<Stored<'_>>, faults: &[Hit], hits: &mut Vec<Hit>) {
        let layer = &self.layers[stream.layer as usize];
        let at_risk = CellsAtRisk::new(self.noise.at_risk.cells_in(Site::Weights, stream.layer, &self.word));
        let folds = layer.shape.out_channels.div_ceil(self.cols);
        let words = u64::from(folds) * layer.fold.len() as u64 * u64::from(self.lanes);
        let mut under_way: Option<(u64, Marks)> = None;
        let mut finish = |(number, marks): (u64, Marks)| {
            let (word, lane) = (number / u64::from(self.lanes), number % u64::from(self.lanes));
            let (place, in_use) = self.place(layer, word as u32, lane as u32);
            let marks = Marks { cells: marks.cells & in_use, ..marks };
            if marks.cells != 0 {
                hits.extend(place.flipped(marks, stored, self.tree.keep(), faults));
            }
        };
        for Candidate { cell, kept } in Skips::new(stream, Site::Weights, &self.noise, at_risk.of(words)) {
            let (number, place) = at_risk.place(cell);
            if let Some(done) = under_way.take_if(|(at, _)| *at != number) {
                finish(done);
            }
            let (_, marks) = under_way.get_or_insert((number, Marks::default()));
            marks.cells |= 1 << place;
            marks.kept |= u128::from(kept) << place;
        }
        if let Some(done) = under_way {
            finish(done);
        }
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
        Self { shape, fold, search: Search::of(weight_words(hw, &shape)) }
    }
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
    use crate::network::Layer;
    use crate::read::read_weights;

    /// Flips against [`crate::read::read_weights`], for layers of fewer and more words than stretches, with one rate for
    /// both directions and with two.
    #[test]
    fn reads_equal_the_plain_ones() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (rows, cols, weights_per_codeword) in [(4, 4, 8), (3, 5, 2), (16, 16, 8), (7, 9, 1), (2, 16, 4)] {
            let mut config = presets::find("8x8").unwrap();
            config.array = ArrayConfig { rows, cols, soft_rows: 0 };
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
            let some = AtRisk { bits: [0b1010_0110, 0, 0], layers: 0b1101, checks: true };
            let uneven = [(0.3, 0.01), (0.0, 0.1), (1.0, 0.5)].map(|(p01, p10)| (Rates { p01, p10 }, some));
            for (rates, at_risk) in even.into_iter().chain(uneven).chain([(0.1.into(), some)]) {
                let noise = hw.noise(rates, at_risk).unwrap();
                let mut reader = Reader::new(&hw, layers.iter().map(|layer| layer.shape), &noise);
                for (number, (layer, packed)) in (0..).zip(layers.iter().zip(&packed)) {
                    for group in [0, 7] {
                        let stream = Stream { seed: 5, layer: number, group };
                        let (_, want, _) = read_weights(&hw, &layer.weights, 0, stream, &noise, None);
                        let mut hits = Vec::new();
                        reader.read(stream, packed, true, &mut hits);
                        let flips: Vec<Flip> =
                            hits.iter().flat_map(|hit| hit.flips(stream, hw.port(Site::Weights))).collect();
                        assert!(flips == want, "{rows}x{cols}, {rates:?}, layer {number}, group {group}");
                    }
                }
            }
        }
    }
}
