//! The reads of activations of [`crate::read::read_activations`], fast: which of them are wrong, and what that adds to the
//! sums of the layer.

use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Draws, Keep, Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::LayerShape;

use super::cells::{LaneHit, join, wrong_at};
use super::corrections::Corrections;
use super::draw::{Complete, draw};
use super::kernel::LANES;
use super::map::Map;
use super::map_cells::MapCells;
use super::pack::PackedLayer;
use super::search::{Found, Search};
use super::skip::{BitsAtRisk, Candidate, Skips};
use crate::injector::{Marks, Tree, seeded_lanes};
use crate::read::{Stream, lies_inside, pixel_order};

/// One lane of a word that is read wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapHit {
    /// Number of the word in the run of its layer over the read group.
    pub word: u32,
    /// Row of the lane's first byte.
    pub row: u32,
    /// The flipped cells: bit `b` is bit `b % 8` of row `row + b / 8`.
    pub cells: u64,
    /// What the flipped bytes hold.
    pub stored: u64,
}

impl MapHit {
    /// Lists the flips in read order.
    pub fn flips(&self, stream: Stream) -> impl Iterator<Item = Flip> {
        let Self { word, row, cells, stored } = *self;
        let flipped = (0..u64::BITS).filter(move |cell| cells >> cell & 1 == 1);
        flipped.map(move |cell| stream.flip(Site::Activations, word, 8 * row + cell, stored >> cell & 1 == 1))
    }
}

impl LaneHit for MapHit {
    fn place(&self) -> (u32, u32) {
        (self.word, self.row)
    }

    fn cells(&self) -> u128 {
        self.cells.into()
    }

    fn joined(self, other: Self) -> Option<Self> {
        let cells = self.cells ^ other.cells;
        (cells != 0).then_some(Self { cells, ..self })
    }
}

/// The reads of a network's activations under one setting of noise.
#[derive(Clone, Debug)]
pub struct MapReader {
    lanes: u32,
    lane_bytes: u32,
    noise: Noise,
    tree: Tree,
    complete: Option<Complete>,
    layers: Vec<Layer>,
    found: Found,
    marks: Vec<Marks>,
    cells: Option<MapCells>,
    /// Hits of faulty cells.
    faults: Vec<MapHit>,
}

#[derive(Clone, Debug)]
pub(super) struct Layer {
    shape: LayerShape,
    rows: u32,
    cols: u32,
    c_folds: u32,
    pub(super) k_folds: u32,
    /// For each tap, the pixels under which it lies inside the map, in order.
    taps: Vec<Vec<(u16, u16)>>,
    /// For each tap and pixel, its number among them; empty where no cell is faulty.
    ranks: Vec<Vec<u32>>,
}

/// The ifmaps, the first image of the group and the number of its images; and the hits of faulty cells.
type Stored<'a> = (&'a Map, usize, usize, &'a [MapHit]);

/// Where a word comes from.
struct Place {
    /// Input folds of all output folds, counted through.
    fold: u32,
    tap: usize,
    image: usize,
    /// The pixel that it is used for.
    y: usize,
    x: usize,
}

impl MapReader {
    /// Prepares the reads of layers of these shapes.
    pub fn new(hw: &Elaborated, shapes: impl Iterator<Item = LayerShape>, noise: &Noise) -> Self {
        let port = hw.port(Site::Activations);
        let tree = Tree::new(noise.of(Site::Activations));
        Self {
            lanes: port.lanes,
            lane_bytes: port.lane_bytes,
            noise: noise.clone(),
            complete: Complete::of(&tree),
            tree,
            layers: shapes.map(|shape| Layer::new(hw, shape)).collect(),
            found: Found::default(),
            marks: Vec::new(),
            cells: None,
            faults: Vec::new(),
        }
    }

    /// Puts the activations into the cells of a device. `seed` is the run seed.
    pub fn on_cells(mut self, hw: &Elaborated, schedule: &Schedule, seed: u64) -> Self {
        self.cells = MapCells::new(hw, schedule, &self.noise, seed);
        if self.cells.is_some() {
            self.layers.iter_mut().for_each(Layer::add_ranks);
        }
        self
    }

    /// Whether a read in a layer may be wrong.
    pub fn flips_in(&self, layer: u32) -> bool {
        (self.noise.enable || self.cells.is_some()) && self.noise.at_risk.bits_in(Site::Activations, layer) != 0
    }

    /// Reads the activations of the images `images` of a hardware batch, which begins at image `first` of `ifmaps`: adds what is
    /// hit to `hits`, in read order.
    pub fn read(&mut self, stream: Stream, ifmaps: &Map, first: usize, images: Range<usize>, hits: &mut Vec<MapHit>) {
        let start = hits.len();
        let layer = &self.layers[stream.layer as usize];
        let mut faults = std::mem::take(&mut self.faults);
        faults.clear();
        if let Some(cells) = &mut self.cells {
            let bits = self.noise.at_risk.bits_in(Site::Activations, stream.layer);
            cells.read(stream, layer, (ifmaps, first), images.clone(), bits, &mut faults);
        }
        let bits = self.noise.bits_in(Site::Activations, stream.layer);
        let stored = (ifmaps, first + images.start, images.len(), &faults[..]);
        match self.noise.draws {
            _ if bits == 0 => {}
            Draws::Exact => self.draw(stream, bits, stored, hits),
            Draws::Statistical => self.skip(stream, BitsAtRisk::new(bits), stored, hits),
        }
        join(hits, start, &faults);
        self.faults = faults;
    }

    /// Draws as the hardware does.
    fn draw(&mut self, stream: Stream, bits: u8, stored: Stored<'_>, hits: &mut Vec<MapHit>) {
        let images = stored.2;
        let at_risk = u128::from_ne_bytes([bits; 16]);
        let (layer, tree) = (&self.layers[stream.layer as usize], &self.tree);
        let search = Search::of(layer.words(images as u32));
        let mut lanes = seeded_lanes(stream.key(Site::Activations), self.lanes, tree);
        let start = hits.len();
        for (lane, l) in lanes.iter_mut().zip(0..) {
            search.find(lane.word().registers(), tree.word_threshold(), &mut self.found);
            let words = &self.found.words;
            draw(self.complete.as_ref(), lane, words.len(), &mut self.marks);
            let row = l * self.lane_bytes;
            for (&word, marks) in words.iter().zip(&self.marks) {
                let marks = Marks { cells: marks.cells & at_risk, ..*marks };
                hits.extend(layer.hit(word, row, marks, tree.keep(), stored));
            }
        }
        if self.lanes > 1 {
            hits[start..].sort_unstable_by_key(|hit| (hit.word, hit.row));
        }
    }

    /// The same by skipping from candidate to candidate.
    fn skip(&mut self, stream: Stream, bits: BitsAtRisk, stored: Stored<'_>, hits: &mut Vec<MapHit>) {
        let images = stored.2;
        let layer = &self.layers[stream.layer as usize];
        let (pass, rows) = (u64::from(layer.pass(images as u32)), u64::from(layer.rows));
        let channels = u64::from(layer.shape.in_channels);
        let per_k_fold = pass * channels;
        let skips = Skips::new(stream, Site::Activations, &self.noise, bits.of(per_k_fold * u64::from(layer.k_folds)));
        let keep = self.tree.keep();
        let mut open: Option<(u32, u32, Marks)> = None;
        let mut add = |(word, row, marks)| hits.extend(layer.hit(word, row, marks, keep, stored));
        for Candidate { cell, kept } in skips {
            let (byte, bit) = bits.place(cell);
            let (k_fold, rest) = (byte / per_k_fold, byte % per_k_fold);
            // Every input fold but the last has a channel in all rows.
            let c_fold = rest / (pass * rows);
            let (live, rest) = (rows.min(channels - c_fold * rows), rest - c_fold * pass * rows);
            let fold = k_fold * u64::from(layer.c_folds) + c_fold;
            let (word, row) = ((fold * pass + rest / live) as u32, (rest % live) as u32);
            let first_row = row / self.lane_bytes * self.lane_bytes;
            let place = 8 * (row - first_row) + bit;
            let mark = Marks { cells: 1 << place, kept: u128::from(kept) << place };
            match &mut open {
                Some((w, r, marks)) if (*w, *r) == (word, first_row) => {
                    marks.cells |= mark.cells;
                    marks.kept |= mark.kept;
                }
                _ => open.replace((word, first_row, mark)).into_iter().for_each(&mut add),
            }
        }
        open.into_iter().for_each(&mut add);
    }

    /// Adds to `sums` what the hits of a read group change, given the weights as they were read.
    pub fn correct(&self, layer: usize, weights: &PackedLayer, images: usize, hits: &[MapHit], sums: &mut Corrections) {
        let layer = &self.layers[layer];
        let (width, height) = (layer.shape.width as usize, layer.shape.height as usize);
        sums.reset(layer.shape.out_channels as usize, height, width, images);
        // Hits come in order of tiles, so that a tile's weights are gathered once.
        let mut tile = Tile { fold: u32::MAX, tap: 0, first_k: 0, count: 0, weights: [[0; LANES]; LANES] };
        for hit in hits {
            let place = layer.place(hit.word, images);
            if (tile.fold, tile.tap) != (place.fold, place.tap) {
                tile = layer.tile(&place, weights);
            }
            let at = sums.at(place.image, place.y, place.x) + tile.first_k;
            let sums = &mut sums.values[at..at + tile.count];
            let mut bytes = hit.cells;
            while bytes != 0 {
                let byte = bytes.trailing_zeros() / 8;
                bytes &= !(0xff << (8 * byte));
                let (flips, stored) = ((hit.cells >> (8 * byte)) as u8, (hit.stored >> (8 * byte)) as u8);
                let change = i32::from((stored ^ flips) as i8) - i32::from(stored as i8);
                for (sum, weight) in sums.iter_mut().zip(&tile.weights[(hit.row + byte) as usize]) {
                    *sum = sum.wrapping_add(change * weight);
                }
            }
        }
    }
}

/// The weights of one tile, by input channel and output channel of its folds.
struct Tile {
    fold: u32,
    tap: usize,
    first_k: usize,
    /// Output channels.
    count: usize,
    weights: [[i32; LANES]; LANES],
}

impl Layer {
    fn new(hw: &Elaborated, shape: LayerShape) -> Self {
        let inside = |tap: usize| {
            let pixels = pixel_order(&shape).into_iter().filter(|&pixel| lies_inside(&shape, tap, pixel));
            pixels.map(|(y, x)| (y as u16, x as u16)).collect()
        };
        Self {
            shape,
            rows: hw.rows,
            cols: hw.cols,
            c_folds: shape.in_channels.div_ceil(hw.rows),
            k_folds: shape.out_channels.div_ceil(hw.cols),
            taps: (0..shape.kind.taps() as usize).map(inside).collect(),
            ranks: Vec::new(),
        }
    }

    fn add_ranks(&mut self) {
        let rank = |pixels: &Vec<(u16, u16)>| {
            let mut ranks = vec![0; self.shape.pixels() as usize];
            for (rank, &(y, x)) in (0..).zip(pixels) {
                ranks[usize::from(y) * self.shape.width as usize + usize::from(x)] = rank;
            }
            ranks
        };
        self.ranks = self.taps.iter().map(rank).collect();
    }

    /// Returns input fold, row and column of a word of an image.
    pub(super) fn stored_at(&self, word: u32) -> (u32, usize, usize) {
        let (pixel, width) = (word % self.shape.pixels(), self.shape.width);
        (word / self.shape.pixels(), (pixel / width) as usize, (pixel % width) as usize)
    }

    /// Returns the channel in a row of the array, and how many up to the eighth from there on are in use.
    pub(super) fn live(&self, c_fold: u32, row: u32) -> (u32, u32) {
        let channel = c_fold * self.rows + row;
        (channel, self.rows.saturating_sub(row).min(self.shape.in_channels.saturating_sub(channel)).min(8))
    }

    /// Tells the reads, for the first output fold, of the word of an input fold, image of the group and pixel.
    pub(super) fn reads_of(
        &self,
        c_fold: u32,
        image: usize,
        y: usize,
        x: usize,
        images: usize,
        mut read: impl FnMut(u32),
    ) {
        let (height, width) = (self.shape.height as usize, self.shape.width as usize);
        let side = if self.taps.len() == 9 { 3 } else { 1 };
        let mut before = c_fold * self.pass(images as u32);
        for (tap, pixels) in self.taps.iter().enumerate() {
            // The pixel that it is used for.
            let (to_y, to_x) = ((y + side / 2).wrapping_sub(tap / side), (x + side / 2).wrapping_sub(tap % side));
            if to_y < height && to_x < width {
                read(before + (image * pixels.len()) as u32 + self.ranks[tap][to_y * width + to_x]);
            }
            before += (images * pixels.len()) as u32;
        }
    }

    /// Words read for an output fold.
    pub(super) fn fold_words(&self, images: usize) -> u32 {
        self.pass(images as u32) * self.c_folds
    }

    /// Words of a tile pass of all taps over so many images.
    fn pass(&self, images: u32) -> u32 {
        self.taps.iter().map(|pixels| pixels.len() as u32).sum::<u32>() * images
    }

    fn words(&self, images: u32) -> u32 {
        self.pass(images) * self.c_folds * self.k_folds
    }

    fn place(&self, word: u32, images: usize) -> Place {
        let pass = self.pass(images as u32);
        let (fold, mut rest) = (word / pass, (word % pass) as usize);
        let mut tap = 0;
        while rest >= self.taps[tap].len() * images {
            rest -= self.taps[tap].len() * images;
            tap += 1;
        }
        let pixels = &self.taps[tap];
        let (y, x) = pixels[rest % pixels.len()];
        Place { fold, tap, image: rest / pixels.len(), y: y.into(), x: x.into() }
    }

    /// Returns those candidates of a lane's word that flip, if any does.
    fn hit(
        &self,
        word: u32,
        row: u32,
        marks: Marks,
        keep: Option<Keep>,
        (ifmaps, first, images, faults): Stored<'_>,
    ) -> Option<MapHit> {
        let place = self.place(word, images);
        // Rows of the lane that hold a channel.
        let (channel, live) = self.live(place.fold % self.c_folds, row);
        let marks = Marks { cells: marks.cells & ((1 << (8 * live)) - 1), ..marks };
        if marks.cells == 0 {
            return None;
        }
        let stored = ifmaps.held(self.source(ifmaps, &place, first) + channel as usize, live);
        // Candidates are thinned by what the cells give.
        let given = u128::from(stored) ^ if keep.is_some() { wrong_at(faults, word, row) } else { 0 };
        let cells = marks.flips(given, keep) as u64;
        (cells != 0).then_some(MapHit { word, row, cells, stored })
    }

    fn tile(&self, place: &Place, layer: &PackedLayer) -> Tile {
        let (k_fold, c_fold) = (place.fold / self.c_folds, place.fold % self.c_folds);
        let (first_k, first_c) = (k_fold * self.cols, c_fold * self.rows);
        let count = self.cols.min(self.shape.out_channels - first_k) as usize;
        let mut weights = [[0; LANES]; LANES];
        let channels = first_c as usize..self.shape.in_channels.min(first_c + self.rows) as usize;
        for (row, c) in weights.iter_mut().zip(channels) {
            let column = layer.column(first_k as usize, c, place.tap);
            row.iter_mut().zip(column).for_each(|(weight, value)| *weight = value.into());
        }
        Tile { fold: place.fold, tap: place.tap, first_k: first_k as usize, count, weights }
    }

    /// Position in the maps of the pixel that a word is read from.
    fn source(&self, ifmaps: &Map, place: &Place, first: usize) -> usize {
        let side = if self.taps.len() == 9 { 3 } else { 1 };
        // With the border counted, the first tap of a 3x3 kernel lies at the pixel's own numbers.
        let (y, x) = (place.y + place.tap / side, place.x + place.tap % side);
        let border = if side == 3 { 0 } else { 1 };
        ifmaps.border_at(first + place.image, y + border, x + border)
    }
}
