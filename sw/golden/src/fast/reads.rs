//! Layers whose weights and biases are read wrong: what is wrong is done in the packed weights, and undone again.
//!
//! Where each read serves few pixels, the reads of many images meet a block of weights one after the other: it is changed,
//! used and restored while it is in the second-level cache.

use std::ops::Range;

use hafnia_config::flip::FlipCounts;

use super::bias_read::BiasHit;
use super::kernel::{Isa, LANES};
use super::layer::{AT_ONCE, Order, Pooling, Scratch};
use super::map::{GROUP, Map};
use super::pack::{PackedLayer, Undo};
use super::read::Hit;

/// Pixels up to which a read serves few.
const FEW: usize = 64;

/// Hits between one whose weights are fetched into the cache and the one that is flipped.
const AHEAD: usize = 12;

/// A read of a layer's weights and biases.
#[derive(Clone, Debug)]
pub struct Read<'a> {
    /// The images that share it.
    pub images: Range<usize>,
    /// What is wrong.
    pub wrong: Wrong<'a>,
    /// The flips of weights that were done.
    pub counts: FlipCounts,
}

/// What is wrong with a read, in read order.
#[derive(Clone, Copy, Debug)]
pub struct Wrong<'a> {
    /// Weights.
    pub hits: &'a [Hit],
    /// Biases.
    pub bias_hits: &'a [BiasHit],
}

impl Wrong<'_> {
    /// Whether the read is right.
    pub(super) fn is_nothing(&self) -> bool {
        self.hits.is_empty() && self.bias_hits.is_empty()
    }

    /// Makes what a layer stores what is read, all of which lies in these vectors of output channels; [`PackedLayer::restore`]
    /// takes it back.
    pub(super) fn disturb(
        &self,
        layer: &mut PackedLayer,
        vectors: Range<usize>,
        undo: &mut Undo,
        counts: &mut FlipCounts,
    ) {
        layer.begin(vectors, undo);
        for (i, hit) in self.hits.iter().enumerate() {
            // Flips lie far apart: without this each waits for its weight.
            self.hits.get(i + AHEAD).into_iter().for_each(|hit| layer.prefetch(hit));
            layer.flip(hit, undo, counts);
        }
        self.bias_hits.iter().for_each(|hit| layer.add_to_bias(hit.k as usize, hit.difference()));
    }

    /// Splits off what is wrong before output channel `end`, with which a word begins.
    fn take_until(&mut self, end: u32) -> Self {
        let (hits, bias_hits);
        (hits, self.hits) = self.hits.split_at(self.hits.partition_point(|hit| hit.k < end));
        (bias_hits, self.bias_hits) = self.bias_hits.split_at(self.bias_hits.partition_point(|hit| hit.k < end));
        Self { hits, bias_hits }
    }
}

/// Whether reads that serve so many pixels of an image go together.
pub(super) fn go_together(reads: &[Read<'_>], plane: usize) -> bool {
    reads.len() > 1 && reads.iter().all(|read| read.images.len() * plane <= FEW)
}

/// Runs a convolution over the images of reads that go together; a word of weights holds `cols` output channels.
pub(super) fn conv(
    isa: Isa,
    layer: &mut PackedLayer,
    cols: usize,
    reads: &mut [Read<'_>],
    maps: (&Map, &mut Map),
    scratch: &mut Scratch,
    undo: &mut Undo,
) {
    let (ifmaps, ofmaps) = maps;
    let order = Order::new(layer, ifmaps);
    let plane = order.plane();
    let mut pooling = Pooling { isa, order, ofmaps };
    // So many blocks end where the output channels of a word do.
    let wide = layer.vectors * LANES;
    let together = (1..=cols).find(|blocks| (blocks * wide).is_multiple_of(cols)).expect("cols blocks do");
    let images = reads.iter().map(|read| read.images.len()).max().unwrap_or(1);
    let bytes = images * plane * layer.depth * GROUP;
    for reads in reads.chunks_mut((AT_ONCE / bytes).max(1)) {
        scratch.tiles.clear();
        let add = |read: &Read<'_>| {
            let pixels = read.images.start * plane..read.images.end * plane;
            scratch.tiles.add(layer, ifmaps, &order, pixels)
        };
        let tiles: Vec<Range<usize>> = reads.iter().map(add).collect();
        let mut left: Vec<Wrong<'_>> = reads.iter().map(|read| read.wrong).collect();
        for first in (0..layer.blocks()).step_by(together) {
            let blocks = first..layer.blocks().min(first + together);
            for ((read, tiles), left) in reads.iter_mut().zip(&tiles).zip(&mut left) {
                let wrong = left.take_until((blocks.end * wide) as u32);
                let vectors = blocks.start * layer.vectors..blocks.end * layer.vectors;
                wrong.disturb(layer, vectors, undo, &mut read.counts);
                for block in blocks.clone() {
                    scratch.meet(isa, layer, block, tiles.clone(), &mut |vector, places, sums| {
                        pooling.take(layer, vector, places, sums);
                    });
                }
                layer.restore(undo);
            }
        }
    }
}
