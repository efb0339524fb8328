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

use hafnia_config::shape::LayerKind;
use ndarray::Array3;

use crate::network::Network;
pub use kernel::Isa;
use layer::Scratch;
pub use map::Map;
pub use pack::PackedLayer;
pub use read::Reader;

/// A network in the layout of the kernels.
#[derive(Clone, Debug)]
pub struct Engine {
    isa: Isa,
    layers: Vec<PackedLayer>,
    scratch: Scratch,
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
        let layers = network.layers.iter().map(PackedLayer::new).collect();
        Self { isa, layers, scratch: Scratch::default() }
    }

    /// Returns a layer's packed weights, to flip bits of.
    pub fn layer(&mut self, layer: usize) -> &mut PackedLayer {
        &mut self.layers[layer]
    }

    /// Returns room for the ofmaps of `layer` over `images` images.
    pub fn ofmaps(&self, layer: usize, images: usize) -> Map {
        let shape = &self.layers[layer].shape;
        let side = |side: u32| if shape.pool { side as usize / 2 } else { side as usize };
        Map::new(images, shape.out_channels as usize, side(shape.height), side(shape.width))
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
        for layer in 0..self.layers.len() {
            if self.layers[layer].shape.kind == LayerKind::Linear {
                break;
            }
            let mut next = self.ofmaps(layer, images.len());
            self.conv(layer, &maps, 0..images.len(), &mut next);
            maps = next;
        }
        self.head(&maps, 0..images.len())
    }
}

#[cfg(test)]
mod tests;
