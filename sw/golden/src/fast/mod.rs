//! The same network, fast: int8 dot products of the processor over packed weights, the same bits as the plain loops of
//! [`crate::conv`] and [`crate::clean`].
//!
//! Way of a layer: 12 or 24 pixels are gathered into a tile; each tile meets 16 or 32 output channels at a time in a kernel
//! that keeps all their accumulators in registers; pooling windows lie side by side in a tile, so the largest of four
//! accumulators is requantised once: requantisation is monotonic. The packed layout is ours because flips are done and undone in it;
//! the one int8 GEMM crate that came near in speed (`rten-gemm`) keeps its own opaque, and its AVX2 path saturates.

mod bias_read;
mod cell_draw;
mod cells;
mod coded;
mod corrections;
mod draw;
mod kernel;
mod layer;
mod linear;
mod map;
mod map_cells;
mod map_read;
mod pack;
mod read;
mod reads;
mod scrub;
#[cfg(test)]
mod scrub_tests;
mod search;
mod skip;
mod verify;
#[cfg(test)]
mod verify_tests;
mod writes;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::Arc;

use hafnia_config::shape::LayerKind;
use ndarray::Array3;

use crate::network::{Layer, Network};
pub use bias_read::{BiasHit, BiasReader};
pub use coded::{Coded, check_cells};
pub use corrections::Corrections;
pub use kernel::Isa;
use layer::Scratch;
pub use map::Map;
pub use map_read::{MapHit, MapReader};
pub use pack::PackedLayer;
use pack::Undo;
pub use read::{Hit, Reader};
pub use reads::{Read, Wrong};
pub use scrub::{Rewritten, Scrubber};
pub use verify::programmed;
pub use writes::Writes;

/// A network in the layout of the kernels. Clones share the weights until one of them flips a bit.
#[derive(Clone, Debug)]
pub struct Engine {
    isa: Isa,
    layers: Vec<Arc<PackedLayer>>,
    scratch: Scratch,
    /// What takes back that a read is wrong.
    undo: Undo,
    /// Ofmaps of the last batch, by layer.
    spare: Vec<Option<Map>>,
}

impl Engine {
    /// Packs `network` for the best instructions that this processor has.
    pub fn new(network: &Network) -> Self {
        Self::with(network, Isa::best())
    }

    /// Packs `network` for the instructions named.
    ///
    /// # Panics
    /// If this processor lacks them.
    pub fn with(network: &Network, isa: Isa) -> Self {
        assert!(isa.is_available(), "this processor lacks {isa:?}");
        Self::of(isa, &network.layers)
    }

    fn of(isa: Isa, layers: &[Layer]) -> Self {
        let layers: Vec<_> = layers.iter().map(|layer| Arc::new(PackedLayer::new(layer))).collect();
        Self { isa, scratch: Scratch::default(), undo: Undo::default(), spare: vec![None; layers.len()], layers }
    }

    /// Returns a layer's packed weights.
    pub fn layer(&self, layer: usize) -> &PackedLayer {
        &self.layers[layer]
    }

    /// Returns whether a layer is a convolution; otherwise it is the head.
    pub fn is_convolution(&self, layer: usize) -> bool {
        self.layers[layer].shape.kind == LayerKind::Conv3x3
    }

    /// Makes a layer's weights and biases what they are read as; [`Engine::restore`] takes it back.
    pub fn disturb(&mut self, layer: usize, read: &mut Read<'_>) {
        self.undo.clear();
        // Where nothing is wrong the weights stay shared.
        if !read.wrong.is_nothing() {
            let layer = Arc::make_mut(&mut self.layers[layer]);
            let all = 0..layer.constants.len();
            read.wrong.disturb(layer, all, &mut self.undo, &mut read.counts);
        }
    }

    /// Takes [`Engine::disturb`] back: the store is unchanged by a read.
    pub fn restore(&mut self, layer: usize) {
        if !self.undo.is_empty() {
            Arc::make_mut(&mut self.layers[layer]).restore(&self.undo);
        }
    }

    /// Returns room for the ifmaps of `layer` over `images` images; they have the shape of `like`.
    pub fn ifmaps(&mut self, layer: usize, like: &Map, images: usize) -> Map {
        match layer.checked_sub(1) {
            Some(before) => self.ofmaps(before, images),
            None => Map::new(images, like.channels, like.height, like.width),
        }
    }

    /// Returns room for the ofmaps of `layer` over `images` images: what [`Engine::keep`] left, or new.
    pub fn ofmaps(&mut self, layer: usize, images: usize) -> Map {
        if let Some(maps) = self.spare[layer].take().filter(|maps| maps.images() == images) {
            return maps;
        }
        let shape = &self.layers[layer].shape;
        let side = |side: u32| if shape.pool { side as usize / 2 } else { side as usize };
        Map::new(images, shape.out_channels as usize, side(shape.height), side(shape.width))
    }

    /// Keeps the ifmaps of `layer`, which are ofmaps of the layer before, as room for the next batch: the borders stay, the
    /// rest will be written over.
    pub fn keep(&mut self, layer: usize, ifmaps: Option<Map>) {
        if let Some(before) = layer.checked_sub(1) {
            self.spare[before] = ifmaps;
        }
    }

    /// Runs a convolution over the images `range` of `ifmaps`, into the same places of `ofmaps`; `corrections`, of these
    /// images, are added to its sums.
    pub fn conv(
        &mut self,
        layer: usize,
        ifmaps: &Map,
        range: Range<usize>,
        corrections: Option<&Corrections>,
        ofmaps: &mut Map,
    ) {
        layer::conv(self.isa, &self.layers[layer], ifmaps, range, corrections, ofmaps, &mut self.scratch);
    }

    /// Runs a convolution over the images of each read, as it was read, into the same places of `ofmaps`, if the reads may go
    /// together; returns whether they did. A word of weights holds `cols` output channels. Images lie in the order of the reads.
    pub fn conv_together(
        &mut self,
        layer: usize,
        cols: u32,
        reads: &mut [Read<'_>],
        ifmaps: &Map,
        ofmaps: &mut Map,
    ) -> bool {
        if reads.iter().all(|read| read.wrong.is_nothing()) {
            for run in reads.chunk_by(|a, b| a.images.end == b.images.start) {
                let images = run[0].images.start..run[run.len() - 1].images.end;
                self.conv(layer, ifmaps, images, None, ofmaps);
            }
            return true;
        }
        let together = reads::go_together(reads, ifmaps.height * ifmaps.width);
        if together {
            let packed = Arc::make_mut(&mut self.layers[layer]);
            let Self { isa, scratch, undo, .. } = self;
            reads::conv(*isa, packed, cols as usize, reads, (ifmaps, ofmaps), scratch, undo);
        }
        together
    }

    /// Runs the head over the images `range` and returns their logits, Eq. (Q5); `corrections` as in [`Engine::conv`].
    pub fn head(&mut self, ifmaps: &Map, range: Range<usize>, corrections: Option<&Corrections>) -> Vec<Vec<i32>> {
        let head = self.layers.last().expect("a network has a head");
        layer::head(self.isa, head, ifmaps, range, corrections, &mut self.scratch)
    }

    /// Runs the whole network on quantised images `[C, H, W]` and returns their logits.
    pub fn forward(&mut self, images: &[Array3<i8>]) -> Vec<Vec<i32>> {
        let mut maps = Map::of(images);
        for layer in 0..self.layers.len() - 1 {
            let mut next = self.ofmaps(layer, images.len());
            self.conv(layer, &maps, 0..images.len(), None, &mut next);
            let done = std::mem::replace(&mut maps, next);
            self.keep(layer, Some(done));
        }
        self.head(&maps, 0..images.len(), None)
    }

    /// Runs the whole network and returns the ifmaps of every layer, and the logits.
    pub fn every_ifmap(&mut self, images: &[Array3<i8>]) -> (Vec<Map>, Vec<Vec<i32>>) {
        let mut maps = vec![Map::of(images)];
        for layer in 0..self.layers.len() - 1 {
            let mut next = self.ofmaps(layer, images.len());
            self.conv(layer, &maps[layer], 0..images.len(), None, &mut next);
            maps.push(next);
        }
        let logits = self.head(&maps[self.layers.len() - 1], 0..images.len(), None);
        (maps, logits)
    }
}

#[cfg(test)]
mod cell_draw_tests;
#[cfg(test)]
mod telegraph_tests;
#[cfg(test)]
mod tests;
