//! Clean prefixes: up to its first flip a noisy pass is the undisturbed one, so it may start there.

use hafnia_config::shape::LayerShape;
use ndarray::Array3;
use rayon::prelude::*;

use crate::fast::{Engine, Map};
use crate::network::{Layer, Network};
use crate::run::aligned_batches;

/// What undisturbed passes over a range of images gave, batch by batch.
pub struct CleanMaps {
    batches: Vec<CleanBatch>,
}

/// One batch.
pub(crate) struct CleanBatch {
    first: u32,
    /// Ifmaps of every layer.
    pub maps: Vec<Map>,
    /// Logits of each image.
    pub logits: Vec<Vec<i32>>,
}

impl CleanMaps {
    /// Runs `images` (quantised ifmaps, the first with the data set's number `first`) in hardware batches of `batch` and
    /// keeps as many of the batches as `bytes` hold; those that are not kept start from their images.
    pub fn new(network: &Network, first: u32, images: &[Array3<i8>], batch: u32, bytes: usize) -> Self {
        let engine = Engine::new(network);
        // A border of one pixel, and channels in groups of four.
        let size = |layer: &Layer| {
            let LayerShape { in_channels, height, width, .. } = layer.shape;
            (in_channels.next_multiple_of(4) * (height + 2) * (width + 2)) as usize
        };
        let count = images.len().min(bytes / network.layers.iter().map(size).sum::<usize>());
        let batches = aligned_batches(first..first + count as u32, batch);
        let run = |engine: &mut Engine, range: std::ops::Range<u32>| {
            let part = &images[(range.start - first) as usize..(range.end - first) as usize];
            let (maps, logits) = engine.every_ifmap(part);
            CleanBatch { first: range.start, maps, logits }
        };
        Self { batches: batches.into_par_iter().map_init(|| engine.clone(), run).collect() }
    }

    /// Returns the batch of `images` images from `first` on.
    pub(crate) fn batch(&self, first: u32, images: usize) -> Option<&CleanBatch> {
        let at = self.batches.binary_search_by_key(&first, |batch| batch.first).ok()?;
        Some(&self.batches[at]).filter(|batch| batch.logits.len() == images)
    }
}
