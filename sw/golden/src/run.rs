//! A run over images: read groups, noisy reads, counters.

use std::borrow::Cow;
use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::flip::{Flip, FlipCounts};
use hafnia_config::program::Descriptor;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use ndarray::{Array1, Array3};

use crate::cells::{in_memory, of_batch};
use crate::clean::LayerOutput;
use crate::fast::{BiasHit, BiasReader, Corrections, Engine, Hit, Map, MapHit, MapReader, Reader, Undo, Writes};
use crate::network::Network;
use crate::prefix::CleanMaps;
use crate::read::Stream;

/// The golden model of one network on one configuration under one setting of noise.
pub struct Golden<'a> {
    /// As stored.
    network: Cow<'a, Network>,
    engine: Engine,
    reader: Reader,
    map_reader: MapReader,
    bias_reader: BiasReader,
    writes: Option<Writes>,
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

/// A read group: its number, its images, and the places of its hits in the lists of [`Golden`].
struct Group {
    number: u32,
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
        let shapes = || schedule.layers.iter().map(|part| part.shape);
        let writes = Writes::new(hw, noise, seed);
        let stored = |writes: &Writes| Cow::Owned(writes.network(hw, schedule, network));
        let network = writes.as_ref().map_or(Cow::Borrowed(network), stored);
        let engine = Engine::new(&network);
        let expected = |layer: usize| {
            let images = 1..=schedule.layers[layer].read_group;
            images.map(|images| schedule.expected(hw, layer, images, noise.enable)).collect()
        };
        Self {
            reader: Reader::new(hw, shapes(), noise).on_cells(hw, schedule, &engine, seed),
            map_reader: MapReader::new(hw, shapes(), noise).on_cells(hw, schedule, seed),
            bias_reader: BiasReader::new(hw, noise).on_cells(schedule, &network, noise, seed),
            writes,
            network,
            engine,
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

    /// Lets batches of the images of `clean` start where their first flip is. It changes no result: where writes fail, no pass is
    /// undisturbed, and they start from their images.
    pub fn starting_from(self, clean: Option<&'a CleanMaps>) -> Self {
        Self { clean, ..self }
    }

    /// Runs images that lie in one hardware batch. `first` is the data set's number of the first image; images are
    /// quantised ifmaps `[C, H, W]`.
    pub fn batch(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> BatchResult {
        let mut result = BatchResult::default();
        let program = self.schedule.program(self.hw, first, images.len() as u32, self.seed);
        let clean = self.clean.filter(|_| depth != Depth::EveryLayer && self.writes.is_none());
        let cached = clean.and_then(|clean| clean.batch(first, images.len()));
        // None as long as no layer had a flip and its ofmaps are at hand.
        let mut ifmaps = cached.is_none().then(|| self.written(first, images));
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

    /// Returns images as stored; the first has the number `first`.
    fn written(&self, first: u32, images: &[Array3<i8>]) -> Map {
        let mut maps = Map::of(images);
        if let Some(writes) = &self.writes {
            writes.maps(&mut maps, 0..images.len(), 0, in_memory(0), of_batch(first, self.schedule.batch));
        }
        maps
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
            if self.map_reader.flips_in(stream.layer) {
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
                number: descriptor.group,
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
                Some(ofmaps) => {
                    engine.conv(layer, ifmaps, group.images.clone(), corrections, ofmaps);
                    if let Some(writes) = &self.writes {
                        let reader = layer as u32 + 1;
                        writes.maps(ofmaps, group.images.clone(), reader, in_memory(reader), group.number);
                    }
                }
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
mod tests;
