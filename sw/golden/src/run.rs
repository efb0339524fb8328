//! A run over images: read groups, noisy reads, counters.

use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::flip::{Flip, FlipCounts};
use hafnia_config::program::Descriptor;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use ndarray::{Array1, Array3};

use crate::clean::LayerOutput;
use crate::fast::{BiasHit, BiasReader, Corrections, Engine, Hit, Map, MapHit, MapReader, Reader, Undo};
use crate::network::Network;
use crate::prefix::CleanMaps;
use crate::read::Stream;

/// The golden model of one network on one configuration under one setting of noise.
pub struct Golden<'a> {
    network: &'a Network,
    engine: Engine,
    reader: Reader,
    map_reader: MapReader,
    bias_reader: BiasReader,
    /// Counters of an undisturbed run of each layer, by number of images less 1.
    expected: Vec<Vec<LayerCounters>>,
    hw: &'a Elaborated,
    schedule: &'a Schedule,
    seed: u64,
    clean: Option<&'a CleanMaps>,
    hits: Vec<Hit>,
    bias_hits: Vec<BiasHit>,
    map_hits: Vec<MapHit>,
    undo: Vec<Undo>,
    corrections: Corrections,
}

/// The images of a read group, and the places of its hits in the lists of [`Golden`].
struct Group {
    images: Range<usize>,
    hits: Range<usize>,
    bias_hits: Range<usize>,
    map_hits: Range<usize>,
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
#[derive(Default)]
pub struct BatchResult {
    /// Outputs `[layer][image]`, in the order of the images; the last layer holds the logits. That layer alone but with
    /// [`Depth::EveryLayer`].
    pub outputs: Vec<Vec<LayerOutput>>,
    /// Flips in read order; none with [`Depth::Logits`].
    pub flips: Vec<Flip>,
    /// Counters of each descriptor: layer number, counters. Cycles and stalls are those of weights that are never late.
    pub counters: Vec<(usize, LayerCounters)>,
    /// Flips by site, direction and bit of a byte.
    pub flip_counts: FlipCounts,
}

impl<'a> Golden<'a> {
    /// Returns the model. `seed` is the run seed, `noise` the noise.
    pub fn new(network: &'a Network, hw: &'a Elaborated, schedule: &'a Schedule, noise: &Noise, seed: u64) -> Self {
        let reader = Reader::new(hw, schedule.layers.iter().map(|part| part.shape), noise);
        let expected = |layer: usize| {
            let images = 1..=schedule.layers[layer].read_group;
            images.map(|images| schedule.expected(hw, layer, images, noise.enable)).collect()
        };
        Self {
            network,
            engine: Engine::new(network),
            reader,
            map_reader: MapReader::new(hw, schedule.layers.iter().map(|part| part.shape), noise),
            bias_reader: BiasReader::new(hw, noise),
            expected: (0..schedule.layers.len()).map(expected).collect(),
            hw,
            schedule,
            seed,
            clean: None,
            hits: Vec::new(),
            bias_hits: Vec::new(),
            map_hits: Vec::new(),
            undo: Vec::new(),
            corrections: Corrections::default(),
        }
    }

    /// Lets batches of the images of `clean` start where their first flip is. It changes no result.
    pub fn starting_from(self, clean: Option<&'a CleanMaps>) -> Self {
        Self { clean, ..self }
    }

    /// Runs images that lie in one hardware batch. `first` is the data set's number of the first image; images are
    /// quantised ifmaps `[C, H, W]`.
    pub fn batch(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> BatchResult {
        let mut result = BatchResult::default();
        let program = self.schedule.program(self.hw, first, images.len() as u32, self.seed);
        let cached =
            self.clean.filter(|_| depth != Depth::EveryLayer).and_then(|clean| clean.batch(first, images.len()));
        // None as long as no layer had a flip and its ofmaps are at hand.
        let mut ifmaps = cached.is_none().then(|| Map::of(images));
        for (layer, descriptors) in program.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let clean = cached.map(|clean| &clean.maps[layer]);
            let now = ifmaps.as_ref().or(clean).expect("the cache has every layer");
            let groups = self.read(layer, descriptors, now, depth, &mut result);
            let still = self.hits.is_empty() && self.bias_hits.is_empty() && self.map_hits.is_empty();
            if ifmaps.is_none() && still {
                continue;
            }
            let (ofmaps, logits) = self.compute(layer, now, &groups, &mut result.flip_counts);
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

    /// Reads a layer's weights, biases and activations for each of its descriptors and counts; fills the lists of hits.
    fn read(
        &mut self,
        layer: usize,
        descriptors: &[(usize, Descriptor)],
        ifmaps: &Map,
        depth: Depth,
        result: &mut BatchResult,
    ) -> Vec<Group> {
        self.hits.clear();
        self.bias_hits.clear();
        self.map_hits.clear();
        let mut images = 0;
        let mut read = |(_, descriptor): &(usize, Descriptor)| {
            let stream = Stream { seed: self.seed, layer: layer as u32, group: descriptor.group };
            let (first, first_bias, first_map) = (self.hits.len(), self.bias_hits.len(), self.map_hits.len());
            self.reader.read(stream, self.engine.layer(layer), depth != Depth::Logits, &mut self.hits);
            let hits = first..self.hits.len();
            if depth != Depth::Logits {
                result.flips.extend(self.hits[hits.clone()].iter().flat_map(|hit| hit.flips(stream)));
            }
            let mut counters = self.expected[layer][descriptor.images as usize - 1];
            counters.flips_weights = self.hits[hits.clone()].iter().map(|hit| hit.cells.count_ones()).sum();
            self.bias_reader.read(stream, &self.network.layers[layer].bias, &mut self.bias_hits);
            for hit in &self.bias_hits[first_bias..] {
                counters.flips_biases += hit.cells.count_ones();
                result.flip_counts.add(Site::Biases, hit.cells.into(), (hit.stored as u32).into());
                if depth != Depth::Logits {
                    result.flips.extend(hit.flips(stream));
                }
            }
            let group = images..images + descriptor.images as usize;
            images = group.end;
            if self.map_reader.draws_in(stream.layer) {
                self.map_reader.read(stream, ifmaps, group.start, group.len(), &mut self.map_hits);
            }
            for hit in &self.map_hits[first_map..] {
                counters.flips_activations += hit.cells.count_ones();
                result.flip_counts.add(Site::Activations, hit.cells.into(), hit.stored.into());
                if depth != Depth::Logits {
                    result.flips.extend(hit.flips(stream));
                }
            }
            result.counters.push((layer, counters));
            Group {
                images: group,
                hits,
                bias_hits: first_bias..self.bias_hits.len(),
                map_hits: first_map..self.map_hits.len(),
            }
        };
        descriptors.iter().map(&mut read).collect()
    }

    /// Runs a layer, everything as read: ofmaps of a convolution, logits of the head. Counts the flips of weights.
    fn compute(
        &mut self,
        layer: usize,
        ifmaps: &Map,
        groups: &[Group],
        counts: &mut FlipCounts,
    ) -> (Option<Map>, Vec<Vec<i32>>) {
        let engine = &mut self.engine;
        let images = groups.last().map_or(0, |group| group.images.end);
        let mut ofmaps = engine.is_convolution(layer).then(|| engine.ofmaps(layer, images));
        let mut logits = Vec::new();
        for group in groups {
            let (hits, bias_hits) = (&self.hits[group.hits.clone()], &self.bias_hits[group.bias_hits.clone()]);
            self.undo.clear();
            engine.flip(layer, hits, &mut self.undo, counts);
            bias_hits.iter().for_each(|hit| engine.add_to_bias(layer, hit.k as usize, hit.difference()));
            let map_hits = &self.map_hits[group.map_hits.clone()];
            let corrections = (!map_hits.is_empty()).then(|| {
                let (count, sums) = (group.images.len(), &mut self.corrections);
                self.map_reader.correct(layer, engine.layer(layer), count, map_hits, sums);
                &self.corrections
            });
            match &mut ofmaps {
                Some(ofmaps) => engine.conv(layer, ifmaps, group.images.clone(), corrections, ofmaps),
                None => logits.extend(engine.head(ifmaps, group.images.clone(), corrections)),
            }
            // The store is unchanged by a read.
            engine.restore(layer, &self.undo);
            bias_hits.iter().for_each(|hit| engine.add_to_bias(layer, hit.k as usize, hit.difference().wrapping_neg()));
        }
        (ofmaps, logits)
    }
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
    use crate::network::{Layer, Scale};
    use crate::read::{read_activations, read_biases, read_weights};
    use hafnia_config::fault::{AtRisk, Kinds, Rates};
    use hafnia_config::presets;
    use hafnia_config::shape::{LayerKind, LayerShape};
    use ndarray::Array4;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Every layer, flip and counter of noisy batches, against the plain loops over plainly flipped weights.
    #[test]
    fn noisy_batches_equal_the_plain_model() {
        let mut config = presets::find("4x4").unwrap();
        config.injector.activations = Kinds::READ;
        let hw = config.validate().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut layer = |kind, c: u32, k: u32, side: u32, pool| {
            let shape = LayerShape { kind, in_channels: c, out_channels: k, height: side, width: side, pool };
            let taps = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
            let weights = Array4::from_shape_simple_fn((k as usize, c as usize, taps, taps), || rng.random());
            let scale = vec![Scale { m: 40_000, s: 24 }; if taps == 3 { k as usize } else { 0 }];
            let bias = Array1::from_shape_simple_fn(k as usize, || rng.random_range(-9000..9000));
            Layer { shape, weights, bias, scale }
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
        let even = [0.0, 2e-5, 1e-3, 0.5].map(Rates::from);
        let uneven = [Rates { p01: 1e-3, p10: 0.05 }];
        let settings = even
            .into_iter()
            .chain(uneven)
            .flat_map(|rates| [AtRisk::PARAMETERS, AtRisk::EVERYTHING].map(|at_risk| (rates, at_risk)));
        for (rates, at_risk) in settings {
            let noise = hw.noise(rates, at_risk).unwrap();
            let mut golden = Golden::new(&network, &hw, &schedule, &noise, 3);
            // Twice: the weights must be whole again after a batch.
            let (first, again) = (golden.batch(8, &images, Depth::EveryLayer), golden.batch(8, &images, Depth::Logits));
            let mut flips = Vec::new();
            let mut maps = images.clone();
            for (l, layer) in network.layers.iter().enumerate() {
                let group = |&image: &u32| image / schedule.layers[l].read_group;
                let numbers: Vec<u32> = (8..13).collect();
                let (mut outputs, mut rest) = (Vec::new(), &maps[..]);
                for numbers in numbers.chunk_by(|a, b| group(a) == group(b)) {
                    let stream = Stream { seed: 3, layer: l as u32, group: group(&numbers[0]) };
                    let (weights, of_weights) = read_weights(&hw, &layer.weights, stream, &noise);
                    let (bias, of_biases) = read_biases(&hw, &layer.bias, stream, &noise);
                    let as_read = Layer { weights, bias, ..layer.clone() };
                    let (ifmaps, later) = rest.split_at(numbers.len());
                    let (given, of_maps) = read_activations(&hw, &as_read, ifmaps, stream, &noise);
                    flips.extend(of_weights.into_iter().chain(of_biases).chain(of_maps));
                    outputs.extend(given);
                    rest = later;
                }
                assert!(first.outputs[l] == outputs, "{rates:?}, {at_risk:?}, layer {l}");
                let map = |output: &LayerOutput| match output {
                    LayerOutput::Map(map) => Some(map.clone()),
                    LayerOutput::Logits(_) => None,
                };
                maps = outputs.iter().filter_map(map).collect();
            }
            assert_eq!((&first.flips, again.flips.len()), (&flips, 0), "{rates:?}");
            // From the clean maps of some of the batches, of this one, and of no whole one.
            for count in [0, 2, 5] {
                let clean = CleanMaps::new(&network, 8, &images[..count], schedule.batch, 1 << 20);
                let model = Golden::new(&network, &hw, &schedule, &noise, 3);
                let from_clean = model.starting_from(Some(&clean)).batch(8, &images, Depth::Flips);
                assert!(from_clean.outputs == again.outputs && from_clean.flips == flips, "{rates:?}, {count} images");
                assert_eq!(from_clean.counters, again.counters);
            }
            assert_eq!((again.outputs.len(), &again.outputs[0]), (1, first.outputs.last().unwrap()));
            assert_eq!(first.counters, again.counters);
            let counted: u32 =
                first.counters.iter().map(|(_, c)| Site::ALL.map(|site| c.flips(site)).iter().sum::<u32>()).sum();
            assert_eq!(counted as usize, flips.len());
        }
    }

    #[test]
    fn batches_are_aligned_to_the_data_set() {
        assert_eq!(aligned_batches(6..17, 8), vec![6..8, 8..16, 16..17]);
    }
}
