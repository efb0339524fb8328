//! The reads of [`crate::read`], fast: the same draws, sixteen at a time.
//!
//! The first level draws once for each word, and few words hold a flip. The generator is linear over GF(2), so a matrix
//! takes it any number of draws ahead: the words of a layer are cut into sixteen stretches, whose generators advance side
//! by side. Words that hold a flip are few and go through the second level one by one, in order.

use hafnia_config::Elaborated;
use hafnia_config::fault::{CELL_GENERATOR, Thresholds, stream_key};
use hafnia_config::flip::Flip;
use hafnia_config::shape::LayerShape;

use crate::generator::step;
use crate::injector::{Tree, seeded_lanes};
use crate::read::{Place, Read, Stream};

/// Stretches that advance side by side.
pub(super) const STRETCHES: usize = 16;

/// The reads of a network's layers under one setting of noise.
#[derive(Clone, Debug)]
pub struct Reader {
    /// None where nothing is drawn.
    tree: Option<Tree>,
    layers: Vec<Layer>,
    found: Found,
}

#[derive(Clone, Debug)]
struct Layer {
    shape: LayerShape,
    /// What a read without a flip is.
    still: Read,
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
    pub fn new(hw: &Elaborated, shapes: impl Iterator<Item = LayerShape>, thresholds: &Thresholds) -> Self {
        let layer = |shape| {
            let still = Read::of(hw, &shape);
            let stretch = still.words.div_ceil(STRETCHES as u32);
            Layer { shape, jump: Jump::new(stretch), still, stretch }
        };
        let tree = thresholds.enable.then(|| Tree::new(hw.codeword_bits, thresholds));
        Self { tree, layers: shapes.map(layer).collect(), found: Found::default() }
    }

    /// Reads a layer's weights once, see [`crate::read::read`].
    pub fn read(&mut self, hw: &Elaborated, stream: Stream, mut flip: impl FnMut(Place) -> bool) -> Read {
        let part = &self.layers[stream.layer as usize];
        let mut read = part.still.clone();
        let Some(tree) = &self.tree else { return read };
        let mut lanes = seeded_lanes(stream_key(stream.seed, stream.layer, stream.group), hw.lanes, tree);
        let order = Order::new(hw, &part.shape);
        let mut masks = Vec::new();
        for (l, lane) in lanes.iter_mut().enumerate() {
            part.find(lane.word().registers(), tree.word_threshold(), &mut self.found);
            masks.extend(self.found.words.iter().flatten().map(|&word| (word, l, lane.flips())));
        }
        if lanes.len() > 1 {
            masks.sort_unstable_by_key(|&(word, lane, _)| (word, lane));
        }
        for (word, lane, mut mask) in masks {
            let (first_k, c, tap) = order.place(word);
            while mask != 0 {
                let cell = mask.trailing_zeros();
                mask &= mask - 1;
                let column = lane as u32 * hw.lane_weights + cell / 8;
                if first_k + column < part.shape.out_channels && column < hw.cols {
                    let k = (first_k + column) as usize;
                    let before = flip(Place { k, c: c as usize, tap: tap as usize, bit: cell % 8 });
                    let bit = 8 * column + cell % 8;
                    read.flips.push(Flip { layer: stream.layer, group: stream.group, word, bit, before });
                }
            }
        }
        read
    }
}

impl Layer {
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

/// The order of a layer's words: output folds, input folds, taps, input channels of the fold.
struct Order {
    rows: u32,
    cols: u32,
    channels: u32,
    taps: u32,
}

impl Order {
    fn new(hw: &Elaborated, shape: &LayerShape) -> Self {
        Self { rows: hw.rows, cols: hw.cols, channels: shape.in_channels, taps: shape.kind.taps() }
    }

    /// First output channel of the fold, input channel and tap of a word.
    fn place(&self, word: u32) -> (u32, u32, u32) {
        let (fold, rest) = (word / (self.channels * self.taps), word % (self.channels * self.taps));
        let (c_fold, rest) = (rest / (self.rows * self.taps), rest % (self.rows * self.taps));
        let rows = self.rows.min(self.channels - c_fold * self.rows);
        (fold * self.cols, c_fold * self.rows + rest % rows, rest / rows)
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

    /// Flips, places and counts against [`crate::read::read`], for layers of fewer and more words than stretches.
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
            for p in [0.0, 1e-4, 1e-2, 0.3, 1.0] {
                let thresholds = hw.thresholds(p).unwrap();
                let mut reader = Reader::new(&hw, shapes.into_iter(), &thresholds);
                for (layer, shape) in shapes.iter().enumerate() {
                    for group in [0, 7] {
                        let stream = Stream { seed: 5, layer: layer as u32, group };
                        let stored = |place: Place| (place.k + place.c + place.tap).is_multiple_of(2);
                        let (mut plain, mut fast) = (Vec::new(), Vec::new());
                        let want = crate::read::read(&hw, shape, stream, &thresholds, |place| {
                            plain.push(place);
                            stored(place)
                        });
                        let got = reader.read(&hw, stream, |place| {
                            fast.push(place);
                            stored(place)
                        });
                        assert!(got == want && fast == plain, "{rows}x{cols}, p {p}, layer {layer}, group {group}");
                    }
                }
            }
        }
    }
}
