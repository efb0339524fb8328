//! One layer over some images: gather a tile of pixels, multiply, pool, requantise.

use std::ops::Range;

use super::kernel::{Isa, LANES, Sums};
use super::map::{GROUP, Map};
use super::map_read::Corrections;
use super::pack::PackedLayer;

/// Pixels of the smallest tile, and of a pooling window.
const WINDOW: usize = 4;

/// Tiles that meet a block of weights one after the other: the block is then in the second-level cache.
const TILES: usize = 4;

/// Buffers that keep their room between calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    tiles: [Tile; TILES],
    sums: Vec<Sums>,
}

/// Image, row and column.
type Place = (usize, usize, usize);

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
struct Order {
    height: usize,
    width: usize,
    pool: bool,
}

impl Order {
    fn place(&self, pixel: usize) -> Place {
        let (image, within) = (pixel / (self.height * self.width), pixel % (self.height * self.width));
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
        let large = if layer.vectors == 2 { 12 } else { 24 };
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
    let order = Order { height: ifmaps.height, width: ifmaps.width, pool: layer.shape.pool };
    let per_output = if order.pool { WINDOW } else { 1 };
    let shrink = if order.pool { 2 } else { 1 };
    let channels = ofmaps.channels;
    let start = range.start;
    each_tile(isa, layer, ifmaps, &order, range, scratch, |vector, places, sums| {
        correct(corrections, vector, start, places, sums, layer.vectors);
        let first = vector * LANES;
        let count = LANES.min(channels.saturating_sub(first));
        for (places, sums) in places.chunks(per_output).zip(sums.chunks(per_output * layer.vectors)) {
            let bytes = isa.requantise(sums, layer.vectors, &layer.constants[vector]);
            let (image, y, x) = places[0];
            let at = ofmaps.at(image, y / shrink, x / shrink) + first;
            ofmaps.bytes[at..at + count].copy_from_slice(&bytes[..count]);
        }
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
    let order = Order { height: ifmaps.height, width: ifmaps.width, pool: false };
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
    let Scratch { tiles, sums } = scratch;
    let plane = order.height * order.width;
    let vectors = layer.vectors;
    let block = layer.depth * vectors * LANES * GROUP;
    let (mut next, end) = (range.start * plane, range.end * plane);
    while next < end {
        let mut count = 0;
        while next < end && count < TILES {
            next = tiles[count].gather(layer, ifmaps, order, next, end);
            count += 1;
        }
        for (b, weights) in layer.bytes.chunks_exact(block).enumerate() {
            for tile in &tiles[..count] {
                sums.resize(tile.size * vectors, [0; LANES]);
                isa.tile(tile.size, vectors, &tile.bytes, weights, sums);
                for v in 0..vectors {
                    take(b * vectors + v, &tile.places, &mut sums[v..tile.places.len() * vectors]);
                }
            }
        }
    }
}
