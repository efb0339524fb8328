//! A run over images: read groups, noisy reads, counters.

use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::Noise;
use hafnia_config::flip::Flip;
use hafnia_config::program::Descriptor;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use ndarray::{Array1, Array3};

use crate::clean::LayerOutput;
use crate::fast::{Counts, Engine, Hit, Map, Reader};
use crate::network::Network;
use crate::prefix::CleanMaps;
use crate::read::Stream;

/// The golden model of one network on one configuration under one setting of noise.
pub struct Golden<'a> {
    engine: Engine,
    reader: Reader,
    /// Counters of an undisturbed run of each layer, by number of images less 1.
    expected: Vec<Vec<LayerCounters>>,
    hw: &'a Elaborated,
    schedule: &'a Schedule,
    seed: u64,
    clean: Option<&'a CleanMaps>,
    hits: Vec<Hit>,
}

/// How much of a batch is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The logits; the hardware lists its flips in any case, the golden model only counts them.
    Logits,
    /// The logits and the flips.
    Flips,
    /// The flips and every layer's ofmap.
    EveryLayer,
}

/// What one hardware batch gave.
pub struct BatchResult {
    /// Outputs `[layer][image]`, in the order of the images; the last layer holds the logits. That layer alone but with
    /// [`Depth::EveryLayer`].
    pub outputs: Vec<Vec<LayerOutput>>,
    /// Flips in read order; none with [`Depth::Logits`].
    pub flips: Vec<Flip>,
    /// Counters of each descriptor: layer number, counters. Cycles and stalls are those of weights that are never late.
    pub counters: Vec<(usize, LayerCounters)>,
}

impl<'a> Golden<'a> {
    /// Returns the model. `seed` is the run seed, `noise` the noise.
    pub fn new(network: &'a Network, hw: &'a Elaborated, schedule: &'a Schedule, noise: &Noise, seed: u64) -> Self {
        let reader = Reader::new(hw, schedule.layers.iter().map(|part| part.shape), noise);
        let expected = |layer: usize| {
            let images = 1..=schedule.layers[layer].read_group;
            images.map(|images| schedule.expected(hw, layer, images, noise.enable)).collect()
        };
        let expected = (0..schedule.layers.len()).map(expected).collect();
        Self { engine: Engine::new(network), reader, expected, hw, schedule, seed, clean: None, hits: Vec::new() }
    }

    /// Lets batches of the images of `clean` start where their first flip is. It changes no result.
    pub fn starting_from(self, clean: Option<&'a CleanMaps>) -> Self {
        Self { clean, ..self }
    }

    /// Runs images that lie in one hardware batch. `first` is the data set's number of the first image; images are
    /// quantised ifmaps `[C, H, W]`.
    pub fn batch(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> BatchResult {
        let mut result = BatchResult { outputs: Vec::new(), flips: Vec::new(), counters: Vec::new() };
        let program = self.schedule.program(self.hw, first, images.len() as u32, self.seed);
        let cached =
            self.clean.filter(|_| depth != Depth::EveryLayer).and_then(|clean| clean.batch(first, images.len()));
        // None as long as no layer had a flip and its ofmaps are at hand.
        let mut ifmaps = cached.is_none().then(|| Map::of(images));
        for (layer, descriptors) in program.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let reads = self.read(layer, descriptors, depth, &mut result);
            if ifmaps.is_none() && self.hits.is_empty() {
                continue;
            }
            let clean = cached.map(|clean| &clean.maps[layer]);
            let now = ifmaps.as_ref().or(clean).expect("the cache has every layer");
            let (ofmaps, logits) = compute(&mut self.engine, layer, now, &reads, &self.hits);
            match ofmaps {
                Some(ofmaps) => {
                    if depth == Depth::EveryLayer {
                        let maps = (0..images.len()).map(|image| LayerOutput::Map(ofmaps.image(image)));
                        result.outputs.push(maps.collect());
                    }
                    let done = ifmaps.replace(ofmaps);
                    self.engine.keep(layer, done);
                }
                None => result.outputs.push(outputs(logits)),
            }
        }
        if let Some(clean) = cached.filter(|_| result.outputs.is_empty()) {
            result.outputs.push(outputs(clean.logits.clone()));
        }
        result
    }

    /// Reads a layer's weights for each of its descriptors and counts; returns the images of each, with the place of its
    /// hits in `self.hits`.
    fn read(
        &mut self,
        layer: usize,
        descriptors: &[(usize, Descriptor)],
        depth: Depth,
        result: &mut BatchResult,
    ) -> Vec<(Range<usize>, Range<usize>)> {
        self.hits.clear();
        let mut images = 0;
        let mut read = |(_, descriptor): &(usize, Descriptor)| {
            let stream = Stream { seed: self.seed, layer: layer as u32, group: descriptor.group };
            let first = self.hits.len();
            let counts = self.reader.read(stream, &mut self.hits);
            if depth != Depth::Logits {
                let stored = |place| self.engine.layer(layer).bit(place);
                result.flips.extend(self.hits[first..].iter().flat_map(|hit| hit.flips(stream, stored)));
            }
            let timing = self.expected[layer][descriptor.images as usize - 1];
            let Counts { words: words_read, cells: cells_read, flips } = counts;
            result.counters.push((layer, LayerCounters { words_read, cells_read, flips, ..timing }));
            images += descriptor.images as usize;
            (images - descriptor.images as usize..images, first..self.hits.len())
        };
        descriptors.iter().map(&mut read).collect()
    }
}

/// Runs a layer, its weights as read: ofmaps of a convolution, logits of the head.
fn compute(
    engine: &mut Engine,
    layer: usize,
    ifmaps: &Map,
    reads: &[(Range<usize>, Range<usize>)],
    hits: &[Hit],
) -> (Option<Map>, Vec<Vec<i32>>) {
    let images = reads.last().map_or(0, |(images, _)| images.end);
    let mut ofmaps = engine.is_convolution(layer).then(|| engine.ofmaps(layer, images));
    let mut logits = Vec::new();
    for (images, hit) in reads {
        engine.toggle(layer, &hits[hit.clone()]);
        match &mut ofmaps {
            Some(ofmaps) => engine.conv(layer, ifmaps, images.clone(), ofmaps),
            None => logits.extend(engine.head(ifmaps, images.clone())),
        }
        // The store is unchanged by a read.
        engine.toggle(layer, &hits[hit.clone()]);
    }
    (ofmaps, logits)
}

fn outputs(logits: Vec<Vec<i32>>) -> Vec<LayerOutput> {
    logits.into_iter().map(|logits| LayerOutput::Logits(Array1::from(logits))).collect()
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
    use crate::clean;
    use crate::network::{Layer, Scale};
    use crate::read::read_weights;
    use hafnia_config::presets;
    use hafnia_config::shape::{LayerKind, LayerShape};
    use ndarray::Array4;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Every layer, flip and counter of noisy batches, against the plain loops over plainly flipped weights.
    #[test]
    fn noisy_batches_equal_the_plain_model() {
        let hw = presets::find("4x4").unwrap().validate().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut layer = |kind, c: u32, k: u32, side: u32, pool| {
            let shape = LayerShape { kind, in_channels: c, out_channels: k, height: side, width: side, pool };
            let taps = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
            let weights = Array4::from_shape_simple_fn((k as usize, c as usize, taps, taps), || rng.random());
            let scale = vec![Scale { m: 40_000, s: 24 }; if taps == 3 { k as usize } else { 0 }];
            Layer { shape, weights, bias: Array1::zeros(k as usize), scale }
        };
        let layers = vec![
            layer(LayerKind::Conv3x3, 3, 18, 16, true),
            layer(LayerKind::Conv3x3, 18, 9, 8, true),
            layer(LayerKind::Conv3x3, 9, 40, 4, false),
            layer(LayerKind::Conv3x3, 40, 33, 4, true),
            layer(LayerKind::Conv3x3, 33, 40, 2, true),
            layer(LayerKind::Linear, 40, 10, 1, false),
        ];
        let network = Network::new("random".into(), vec![[0; 256]; 3], layers).unwrap();
        let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap();
        let image = |_| Array3::from_shape_simple_fn((3, 16, 16), || rng.random());
        let images: Vec<Array3<i8>> = (0..5).map(image).collect();
        for p in [0.0, 2e-5, 1e-3, 0.5] {
            let noise = hw.noise(p).unwrap();
            let mut golden = Golden::new(&network, &hw, &schedule, &noise, 3);
            // Twice: the weights must be whole again after a batch.
            let (first, again) = (golden.batch(8, &images, Depth::EveryLayer), golden.batch(8, &images, Depth::Logits));
            let mut flips = Vec::new();
            let mut maps: Vec<_> = images.iter().cloned().map(LayerOutput::Map).collect();
            for (l, layer) in network.layers.iter().enumerate() {
                let groups = (8..13).map(|image| image / schedule.layers[l].read_group);
                let mut last = None;
                for (map, group) in maps.iter_mut().zip(groups) {
                    let stream = Stream { seed: 3, layer: l as u32, group };
                    let (weights, read) = read_weights(&hw, &layer.shape, &layer.weights, stream, &noise);
                    if last.replace(group) != Some(group) {
                        flips.extend(read.flips);
                    }
                    let LayerOutput::Map(ifmap) = &*map else { unreachable!("the head is last") };
                    *map = clean::layer(layer, &weights, ifmap);
                }
                assert!(first.outputs[l] == maps, "p {p}, layer {l}");
            }
            assert_eq!((&first.flips, again.flips.len()), (&flips, 0), "p {p}");
            // From the clean maps of some of the batches, of this one, and of no whole one.
            for count in [0, 2, 5] {
                let clean = CleanMaps::new(&network, 8, &images[..count], schedule.batch, 1 << 20);
                let model = Golden::new(&network, &hw, &schedule, &noise, 3);
                let from_clean = model.starting_from(Some(&clean)).batch(8, &images, Depth::Flips);
                assert!(from_clean.outputs == again.outputs && from_clean.flips == flips, "p {p}, {count} images");
                assert_eq!(from_clean.counters, again.counters);
            }
            assert_eq!((again.outputs.len(), &again.outputs[0]), (1, first.outputs.last().unwrap()));
            assert_eq!(first.counters, again.counters);
            let counted: u32 = first.counters.iter().map(|(_, c)| c.flips).sum();
            assert_eq!(counted as usize, flips.len());
        }
    }

    #[test]
    fn batches_are_aligned_to_the_data_set() {
        assert_eq!(aligned_batches(6..17, 8), vec![6..8, 8..16, 16..17]);
    }
}
