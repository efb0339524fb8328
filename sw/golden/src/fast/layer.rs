//! One layer over some images: gather a tile of pixels, multiply, pool, requantise.

use std::ops::Range;

use super::kernel::{Isa, LANES, Sums};
use super::map::{GROUP, Map};
use super::pack::PackedLayer;

/// Pixels of the smallest tile, and of a pooling window.
const WINDOW: usize = 4;

/// Buffers that keep their room between calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    tile: Vec<u8>,
    sums: Vec<Sums>,
}

/// The order of the pixels of a layer: images one after the other; in each, pooling windows or single pixels row by row.
struct Order {
    height: usize,
    width: usize,
    pool: bool,
}

impl Order {
    /// Image, row and column of a pixel.
    fn place(&self, pixel: usize) -> (usize, usize, usize) {
        let (image, within) = (pixel / (self.height * self.width), pixel % (self.height * self.width));
        if !self.pool {
            return (image, within / self.width, within % self.width);
        }
        let (window, corner) = (within / WINDOW, within % WINDOW);
        let half = self.width / 2;
        (image, 2 * (window / half) + corner / 2, 2 * (window % half) + corner % 2)
    }
}

/// Runs `job` for each tile: the first pixel, its number of pixels, and how many of these are real.
fn tiles(pixels: usize, vectors: usize, mut job: impl FnMut(usize, usize, usize)) {
    let large = if vectors == 2 { 12 } else { 24 };
    let mut first = 0;
    while first < pixels {
        let left = pixels - first;
        let size = if left > WINDOW { large } else { WINDOW };
        job(first, size, size.min(left));
        first += size;
    }
}

/// Gathers the pixels under the kernel of `size` places into `tile`: step by step, four channels of each place. Places
/// beyond the real ones repeat the last.
fn gather(layer: &PackedLayer, ifmaps: &Map, places: &[(usize, usize, usize)], size: usize, tile: &mut Vec<u8>) {
    let side = layer.side();
    tile.resize(layer.depth * size * GROUP, 0);
    let row = side * ifmaps.pixel;
    for p in 0..size {
        let (image, y, x) = places[p.min(places.len() - 1)];
        let (top, left) = if side == 3 { (y, x) } else { (y + 1, x + 1) };
        for r in 0..side {
            let from = ifmaps.border_at(image, top + r, left);
            let groups = ifmaps.bytes[from..from + row].as_chunks::<GROUP>().0;
            let steps = tile[r * row * size..(r + 1) * row * size].as_chunks_mut::<GROUP>().0;
            for (step, group) in groups.iter().enumerate() {
                steps[step * size + p] = *group;
            }
        }
    }
}

/// See [`super::Engine::conv`].
pub(super) fn conv(
    isa: Isa,
    layer: &PackedLayer,
    ifmaps: &Map,
    range: Range<usize>,
    ofmaps: &mut Map,
    scratch: &mut Scratch,
) {
    let order = Order { height: ifmaps.height, width: ifmaps.width, pool: layer.shape.pool };
    let per_output = if order.pool { WINDOW } else { 1 };
    let shrink = if order.pool { 2 } else { 1 };
    let channels = ofmaps.channels;
    each_tile(isa, layer, ifmaps, &order, range, scratch, |vector, places, sums| {
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
    scratch: &mut Scratch,
) -> Vec<Vec<i32>> {
    let classes = layer.shape.out_channels as usize;
    let start = range.start;
    let mut logits = vec![vec![0; classes]; range.len()];
    let order = Order { height: ifmaps.height, width: ifmaps.width, pool: false };
    each_tile(isa, layer, ifmaps, &order, range, scratch, |vector, places, sums| {
        let first = vector * LANES;
        let starts = &layer.constants[vector].start;
        for (&(image, ..), sums) in places.iter().zip(sums.iter().step_by(layer.vectors)) {
            let logits = logits[image - start].iter_mut().skip(first);
            logits.zip(sums.iter().zip(starts)).for_each(|(logit, (&sum, &start))| *logit = sum.wrapping_add(start));
        }
    });
    logits
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
    mut take: impl FnMut(usize, &[(usize, usize, usize)], &[Sums]),
) {
    let Scratch { tile, sums } = scratch;
    let plane = order.height * order.width;
    let vectors = layer.vectors;
    let block = layer.depth * vectors * LANES * GROUP;
    let mut places = [(0, 0, 0); 24];
    tiles(range.len() * plane, vectors, |first, size, real| {
        let places = &mut places[..real];
        for (p, place) in places.iter_mut().enumerate() {
            *place = order.place(range.start * plane + first + p);
        }
        gather(layer, ifmaps, places, size, tile);
        sums.resize(size * vectors, [0; LANES]);
        for (b, weights) in layer.bytes.chunks_exact(block).enumerate() {
            isa.tile(size, vectors, tile, weights, sums);
            for v in 0..vectors {
                take(b * vectors + v, places, &sums[v..real * vectors]);
            }
        }
    });
}
