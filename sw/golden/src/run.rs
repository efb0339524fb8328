//! A run over images: read groups, noisy reads, counters.

use std::collections::HashMap;
use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::Thresholds;
use hafnia_config::flip::Flip;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use ndarray::Array3;

use crate::clean::{LayerOutput, layer};
use crate::network::Network;
use crate::read::{Read, read_weights};

/// The golden model of one network on one configuration under one setting of noise.
pub struct Golden<'a> {
    network: &'a Network,
    hw: &'a Elaborated,
    schedule: &'a Schedule,
    thresholds: Thresholds,
    seed: u64,
}

/// What one hardware batch gave.
pub struct BatchResult {
    /// Outputs `[layer][image]`, in the order of the images; the last layer holds the logits.
    pub outputs: Vec<Vec<LayerOutput>>,
    /// Flips in read order.
    pub flips: Vec<Flip>,
    /// Counters of each descriptor: layer number, counters. Cycles and stalls are those of weights that are never late.
    pub counters: Vec<(usize, LayerCounters)>,
}

impl<'a> Golden<'a> {
    /// Returns the model. `seed` is the run seed, `thresholds` the noise.
    pub fn new(
        network: &'a Network,
        hw: &'a Elaborated,
        schedule: &'a Schedule,
        thresholds: Thresholds,
        seed: u64,
    ) -> Self {
        Self { network, hw, schedule, thresholds, seed }
    }

    /// Runs images that lie in one hardware batch. `first` is the data set's number of the first image; images are
    /// quantised ifmaps `[C, H, W]`.
    pub fn batch(&self, first: u32, images: &[Array3<i8>]) -> BatchResult {
        let count = images.len() as u32;
        let mut result = BatchResult { outputs: Vec::new(), flips: Vec::new(), counters: Vec::new() };
        let mut reads: HashMap<(usize, u32), Read> = HashMap::new();
        for (l, descriptor) in self.schedule.program(self.hw, first, count, self.seed) {
            let weights = &self.network.layers[l].weights;
            let read = read_weights(self.hw, weights, l as u32, descriptor.group, self.seed, &self.thresholds);
            let timing = self.schedule.expected(self.hw, l, descriptor.images, self.thresholds.enable);
            result.counters.push((
                l,
                LayerCounters {
                    words_read: read.words,
                    cells_read: read.cells,
                    flips: read.flips.len() as u32,
                    ..timing
                },
            ));
            result.flips.extend(&read.flips);
            reads.insert((l, descriptor.group), read);
        }
        for (l, part) in self.network.layers.iter().enumerate() {
            let outputs = (0..images.len())
                .map(|i| {
                    let group = (first + i as u32) / self.schedule.layers[l].read_group;
                    let ifmap = match l.checked_sub(1).map(|before| &result.outputs[before][i]) {
                        None => &images[i],
                        Some(LayerOutput::Map(map)) => map,
                        Some(LayerOutput::Logits(_)) => unreachable!("the head is last"),
                    };
                    layer(part, &reads[&(l, group)].weights, ifmap)
                })
                .collect();
            result.outputs.push(outputs);
        }
        result
    }
}

/// Splits a range of image numbers into the hardware batches it touches, aligned to multiples of `batch`.
pub fn aligned_batches(images: Range<u32>, batch: u32) -> Vec<Range<u32>> {
    let mut ranges = Vec::new();
    let mut first = images.start;
    while first < images.end {
        let end = ((first / batch + 1) * batch).min(images.end);
        ranges.push(first..end);
        first = end;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_aligned_to_the_data_set() {
        assert_eq!(aligned_batches(6..17, 8), vec![6..8, 8..16, 16..17]);
    }
}
