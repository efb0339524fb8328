//! The same network, fast: int8 dot products of the processor over packed weights, the same bits as the plain loops of
//! [`crate::conv`] and [`crate::clean`].
//!
//! Way of a layer: 12 or 24 pixels are gathered into a tile; each tile meets 16 or 32 output channels at a time in a kernel
//! that keeps all their accumulators in registers; pooling windows lie side by side in a tile, so the largest of four
//! accumulators is requantised once: requantisation is monotonic.

mod kernel;
mod layer;
mod map;
mod pack;
mod read;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use ndarray::Array3;

use crate::network::{Layer, Network};
pub use kernel::Isa;
use layer::Scratch;
pub use map::Map;
pub use pack::PackedLayer;
pub use read::Reader;

/// A network in the layout of the kernels. Clones share the weights until one of them flips a bit.
#[derive(Clone, Debug)]
pub struct Engine {
    isa: Isa,
    layers: Vec<Arc<PackedLayer>>,
    scratch: Scratch,
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
        Self { isa, scratch: Scratch::default(), spare: vec![None; layers.len()], layers }
    }

    /// Returns a layer's packed weights, to flip bits of.
    pub fn layer(&mut self, layer: usize) -> &mut PackedLayer {
        Arc::make_mut(&mut self.layers[layer])
    }

    /// Returns room for the ofmaps of `layer` over `images` images: what [`Engine::advance`] left, or new.
    pub fn ofmaps(&mut self, layer: usize, images: usize) -> Map {
        if let Some(maps) = self.spare[layer].take().filter(|maps| maps.images() == images) {
            return maps;
        }
        let shape = &self.layers[layer].shape;
        let side = |side: u32| if shape.pool { side as usize / 2 } else { side as usize };
        Map::new(images, shape.out_channels as usize, side(shape.height), side(shape.width))
    }

    /// Puts the ofmaps of `layer` in the place of its ifmaps. These are the ofmaps of the layer before, whose room is kept for
    /// the next batch: the borders stay, the rest will be written over.
    pub fn advance(&mut self, layer: usize, maps: &mut Map, ofmaps: Map) {
        let done = std::mem::replace(maps, ofmaps);
        if let Some(before) = layer.checked_sub(1) {
            self.spare[before] = Some(done);
        }
    }

    /// Runs a convolution over the images `range` of `ifmaps`, into the same places of `ofmaps`.
    pub fn conv(&mut self, layer: usize, ifmaps: &Map, range: std::ops::Range<usize>, ofmaps: &mut Map) {
        layer::conv(self.isa, &self.layers[layer], ifmaps, range, ofmaps, &mut self.scratch);
    }

    /// Runs the head over the images `range` and returns their logits, Eq. (Q5).
    pub fn head(&mut self, ifmaps: &Map, range: std::ops::Range<usize>) -> Vec<Vec<i32>> {
        let head = self.layers.last().expect("a network has a head");
        layer::head(self.isa, head, ifmaps, range, &mut self.scratch)
    }

    /// Runs the whole network on quantised images `[C, H, W]` and returns their logits.
    pub fn forward(&mut self, images: &[Array3<i8>]) -> Vec<Vec<i32>> {
        let mut maps = Map::of(images);
        for layer in 0..self.layers.len() - 1 {
            let mut next = self.ofmaps(layer, images.len());
            self.conv(layer, &maps, 0..images.len(), &mut next);
            self.advance(layer, &mut maps, next);
        }
        self.head(&maps, 0..images.len())
    }
}

#[cfg(test)]
mod tests;
