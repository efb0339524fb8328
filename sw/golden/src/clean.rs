//! The network without faults, plainly. [`crate::fast`] gives the same bits in less time.

use hafnia_config::shape::LayerKind;
use ndarray::{Array1, Array3};

use crate::conv::{conv, max_pool, requantise};
use crate::network::{Layer, Network};

/// What one layer gives: its int8 ofmap after requantisation and pooling, or the logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerOutput {
    /// Ofmap `[K, H', W']`.
    Map(Array3<i8>),
    /// Logits `[K]`.
    Logits(Array1<i32>),
}

impl LayerOutput {
    /// Returns the number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Map(map) => map.len(),
            Self::Logits(logits) => logits.len(),
        }
    }

    /// Returns whether there is no value; no layer of a checked network gives none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the logits, if the layer is the head.
    pub fn into_logits(self) -> Option<Array1<i32>> {
        match self {
            Self::Logits(logits) => Some(logits),
            Self::Map(_) => None,
        }
    }
}

/// Runs one layer.
pub fn layer(layer: &Layer, ifmap: &Array3<i8>) -> LayerOutput {
    finish(layer, &conv(ifmap, &layer.weights, &layer.bias))
}

/// Turns the accumulators `[K, H, W]` of a layer into what it gives, Eqs. (Q3) to (Q5).
pub fn finish(layer: &Layer, acc: &Array3<i32>) -> LayerOutput {
    if layer.shape.kind == LayerKind::Linear {
        return LayerOutput::Logits(acc.iter().copied().collect());
    }
    let (_, height, width) = acc.dim();
    let map = Array3::from_shape_fn(acc.dim(), |(k, y, x)| requantise(acc[[k, y, x]], layer.scale[k], 0));
    debug_assert_eq!(height * width, layer.shape.pixels() as usize);
    LayerOutput::Map(if layer.shape.pool { max_pool(&map) } else { map })
}

/// Runs the network on one quantised image `[C, H, W]` and returns the logits.
pub fn forward(network: &Network, image: &Array3<i8>) -> Vec<i32> {
    let mut map = image.clone();
    for l in &network.layers {
        match layer(l, &map) {
            LayerOutput::Map(next) => map = next,
            LayerOutput::Logits(logits) => return logits.to_vec(),
        }
    }
    unreachable!("a network ends with its head")
}
