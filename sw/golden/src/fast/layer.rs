//! One layer over some images: gather a tile of pixels, multiply, pool, requantise.

use std::ops::Range;

use super::corrections::Corrections;
use super::kernel::{Isa, LANES, Sums};
use super::map::{GROUP, Map};
use super::pack::PackedLayer;

/// Pixels of the smallest tile, and of a pooling window.
const WINDOW: usize = 4;

/// Pixels of the other tiles, where a block has two vectors of output channels and where it has one.
const LARGE: [usize; 2] = [12, 24];

/// Bytes of the tiles that meet a block of weights one after the other: tiles and block are then in the second-level cache.
pub(super) const AT_ONCE: usize = 1 << 19;

/// Buffers that keep their room between calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    pub tiles: Tiles,
    sums: Vec<Sums>,
}

/// Tiles that keep their room when they are cleared.
#[derive(Clone, Debug, Default)]
pub(super) struct Tiles {
    tiles: Vec<Tile>,
    count: usize,
}

/// Image, row and column.
pub(super) type Place = (usize, usize, usize);

/// Some pixels with all that lies under the kernel.
#[derive(Clone, Debug, Default)]
struct Tile {
    /// Pixels, padding included.
    size: usize,
    /// The real pixels.
    places: Vec<Place>,
    /// Step by step, four channels of each pixel.
    bytes: Vec<u8>,
}

/// The order of the pixels of a layer: images one after the other; in each, pooling windows or single pixels row by row.
#[derive(Clone, Copy)]
pub(super) struct Order {
    height: usize,
    width: usize,
    pool: bool,
}

impl Order {
    pub fn new(layer: &PackedLayer, ifmaps: &Map) -> Self {
        Self { height: ifmaps.height, width: ifmaps.width, pool: layer.shape.pool }
    }

    /// Pixels of an image.
    pub fn plane(&self) -> usize {
        self.height * self.width
    }

    fn place(&self, pixel: usize) -> Place {
        let (image, within) = (pixel / self.plane(), pixel % self.plane());
        if !self.pool {
            return (image, within / self.width, within % self.width);
        }
        let (window, corner) = (within / WINDOW, within % WINDOW);
        let half = self.width / 2;
        (image, 2 * (window / half) + corner / 2, 2 * (window % half) + corner % 2)
    }
}

impl Tile {
    /// Gathers the pixels from number `first` on, as many as fit and are left before `end`; returns the number of the next.
    fn gather(&mut self, layer: &PackedLayer, ifmaps: &Map, order: &Order, first: usize, end: usize) -> usize {
        let [of_two, of_one] = LARGE;
        let large = if layer.vectors == 2 { of_two } else { of_one };
        self.size = if end - first > WINDOW { large } else { WINDOW };
        let next = end.min(first + self.size);
        self.places.clear();
        self.places.extend((first..next).map(|pixel| order.place(pixel)));
        let side = layer.side();
        self.bytes.resize(layer.depth * self.size * GROUP, 0);
        let row = side * ifmaps.pixel;
        let top = usize::from(side == 1);
        for first in (0..self.size).step_by(WINDOW) {
            let starts: [usize; WINDOW] = std::array::from_fn(|p| {
                // Beyond the real pixels the last one is repeated.
                let (image, y, x) = self.places[(first + p).min(self.places.len() - 1)];
                ifmaps.border_at(image, y + top, x + top)
            });
            for r in 0..side {
                let down = r * (ifmaps.width + 2) * ifmaps.pixel;
                let pixels = starts.map(|start| ifmaps.bytes[start + down..start + down + row].as_chunks::<GROUP>().0);
                let steps = self.bytes[r * row * self.size..(r + 1) * row * self.size].as_chunks_mut::<GROUP>().0;
                interleave(pixels, steps, first, self.size);
            }
        }
        next
    }
}

/// Puts the groups of four pixels side by side: those of step `n` go to `steps[n * size + first..]`.
fn interleave(pixels: [&[[u8; GROUP]]; WINDOW], steps: &mut [[u8; GROUP]], first: usize, size: usize) {
    let groups = pixels[0].len();
    let [a, b, c, d] = pixels.map(|pixel| &pixel[..groups]);
    for (n, step) in steps.chunks_exact_mut(size).enumerate().take(groups) {
        step[first..first + WINDOW].copy_from_slice(&[a[n], b[n], c[n], d[n]]);
    }
}

impl Tiles {
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds the tiles of these pixels and returns their numbers.
    pub fn add(&mut self, layer: &PackedLayer, ifmaps: &Map, order: &Order, pixels: Range<usize>) -> Range<usize> {
        let (first, mut next) = (self.count, pixels.start);
        while next < pixels.end {
            if self.count == self.tiles.len() {
                self.tiles.push(Tile::default());
            }
            next = self.tiles[self.count].gather(layer, ifmaps, order, next, pixels.end);
            self.count += 1;
        }
        first..self.count
    }
}

/// Ofmaps under way.
pub(super) struct Pooling<'a> {
    pub isa: Isa,
    pub order: Order,
    pub ofmaps: &'a mut Map,
}

impl Pooling<'_> {
    /// Pools and requantises the sums of a tile's real pixels with a vector of output channels.
    pub fn take(&mut self, layer: &PackedLayer, vector: usize, places: &[Place], sums: &[Sums]) {
        let (per_output, shrink) = if self.order.pool { (WINDOW, 2) } else { (1, 1) };
        let first = vector * LANES;
        let count = LANES.min(self.ofmaps.channels.saturating_sub(first));
        for (places, sums) in places.chunks(per_output).zip(sums.chunks(per_output * layer.vectors)) {
            let bytes = self.isa.requantise(sums, layer.vectors, &layer.constants[vector]);
            let (image, y, x) = places[0];
            let at = self.ofmaps.at(image, y / shrink, x / shrink) + first;
            self.ofmaps.bytes[at..at + count].copy_from_slice(&bytes[..count]);
        }
    }
}

/// See [`super::Engine::conv`].
pub(super) fn conv(
    isa: Isa,
    layer: &PackedLayer,
    ifmaps: &Map,
    range: Range<usize>,
    corrections: Option<&Corrections>,
    ofmaps: &mut Map,
    scratch: &mut Scratch,
) {
    let order = Order::new(layer, ifmaps);
    let start = range.start;
    let mut pooling = Pooling { isa, order, ofmaps };
    each_tile(isa, layer, ifmaps, &order, range, scratch, |vector, places, sums| {
        correct(corrections, vector, start, places, sums, layer.vectors);
        pooling.take(layer, vector, places, sums);
    });
}

/// See [`super::Engine::head`].
pub(super) fn head(
    isa: Isa,
    layer: &PackedLayer,
    ifmaps: &Map,
    range: Range<usize>,
    corrections: Option<&Corrections>,
    scratch: &mut Scratch,
) -> Vec<Vec<i32>> {
    let classes = layer.shape.out_channels as usize;
    let start = range.start;
    let mut logits = vec![vec![0; classes]; range.len()];
    let order = Order::new(layer, ifmaps);
    each_tile(isa, layer, ifmaps, &order, range, scratch, |vector, places, sums| {
        correct(corrections, vector, start, places, sums, layer.vectors);
        let first = vector * LANES;
        let starts = &layer.constants[vector].start;
        for (&(image, ..), sums) in places.iter().zip(sums.iter().step_by(layer.vectors)) {
            let logits = logits[image - start].iter_mut().skip(first);
            logits.zip(sums.iter().zip(starts)).for_each(|(logit, (&sum, &start))| *logit = sum.wrapping_add(start));
        }
    });
    logits
}

/// Adds what wrongly read activations change; `start` is the first image that the corrections are of.
fn correct(
    corrections: Option<&Corrections>,
    vector: usize,
    start: usize,
    places: &[Place],
    sums: &mut [Sums],
    vectors: usize,
) {
    let Some(corrections) = corrections else { return };
    for (&(image, y, x), sums) in places.iter().zip(sums.iter_mut().step_by(vectors)) {
        let changes = corrections.of(image - start, y, x, vector);
        changes
            .into_iter()
            .for_each(|changes| sums.iter_mut().zip(changes).for_each(|(sum, c)| *sum = sum.wrapping_add(*c)));
    }
}

/// Computes the sums of every tile with every vector of output channels and hands them to `take`: the number of the
/// vector, the places of the real pixels, and the sums from the vector's own on, `layer.vectors` apart.
fn each_tile(
    isa: Isa,
    layer: &PackedLayer,
    ifmaps: &Map,
    order: &Order,
    range: Range<usize>,
    scratch: &mut Scratch,
    mut take: impl FnMut(usize, &[Place], &mut [Sums]),
) {
    let plane = order.plane();
    // Whole tiles of either size.
    let together = (AT_ONCE / (layer.depth * GROUP)).max(1).next_multiple_of(LARGE[1]);
    let end = range.end * plane;
    for first in (range.start * plane..end).step_by(together) {
        scratch.tiles.clear();
        let tiles = scratch.tiles.add(layer, ifmaps, order, first..end.min(first + together));
        for block in 0..layer.blocks() {
            scratch.meet(isa, layer, block, tiles.clone(), &mut take);
        }
    }
}

impl Scratch {
    /// Computes the sums of some tiles with a block of weights and hands them to `take`, see [`each_tile`].
    pub fn meet(
        &mut self,
        isa: Isa,
        layer: &PackedLayer,
        block: usize,
        tiles: Range<usize>,
        take: &mut impl FnMut(usize, &[Place], &mut [Sums]),
    ) {
        let vectors = layer.vectors;
        for tile in &self.tiles.tiles[tiles] {
            self.sums.resize(tile.size * vectors, [0; LANES]);
            isa.tile(tile.size, vectors, &tile.bytes, layer.block(block), &mut self.sums);
            for v in 0..vectors {
                take(block * vectors + v, &tile.places, &mut self.sums[v..tile.places.len() * vectors]);
            }
        }
    }
}
