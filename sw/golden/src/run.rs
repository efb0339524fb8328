//! A run over images: read groups, noisy reads, counters.

use std::borrow::Cow;
use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::flip::{Flip, FlipCounts, signatures};
use hafnia_config::program::Descriptor;
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use hafnia_config::scrub::Scrubbed;
use ndarray::{Array1, Array3};

use crate::cells::{in_memory, of_batch};
use crate::clean::LayerOutput;
use crate::codec::Events;
use crate::fast::{
    BiasHit, BiasReader, Coded, Corrections, Engine, Hit, Map, MapHit, MapReader, Read, Reader, Rewritten, Scrubber,
    Writes, Wrong, programmed,
};
use crate::network::Network;
use crate::prefix::{CleanBatch, CleanMaps};
use crate::read::Stream;

/// Images whose batches go through the layers together.
const TOGETHER: usize = 8;

/// Share of the cells that may flip up to which flips take less room than weights, so that batches go together.
const FEW_FLIPS: f64 = 1e-3;

/// The golden model of one network on one configuration under one setting of noise.
#[derive(Clone)]
pub struct Golden<'a> {
    /// As stored; where a site has a code, as it is meant to be.
    network: Cow<'a, Network>,
    engine: Engine,
    reader: Reader,
    map_reader: MapReader,
    bias_reader: BiasReader,
    writes: Option<Writes>,
    scrubber: Option<Scrubber>,
    /// The first image that the device runs after it was programmed, and the one with which the next batch begins.
    first: u32,
    next: u32,
    /// What it takes to program weights and biases of each layer once, with write-verify.
    programmed: Option<[Vec<Programmed>; 2]>,
    /// Counters of an undisturbed run of each layer, by number of images less 1.
    expected: Vec<Vec<LayerCounters>>,
    hw: &'a Elaborated,
    schedule: &'a Schedule,
    seed: u64,
    /// Hardware batches that go through the layers together.
    batches_together: usize,
    clean: Option<&'a CleanMaps>,
    hits: Vec<Hit>,
    bias_hits: Vec<BiasHit>,
    map_hits: Vec<MapHit>,
    /// Flips of a read, not yet decoded.
    flips: Vec<Hit>,
    bias_flips: Vec<BiasHit>,
    corrections: Corrections,
}

/// A hardware batch under way.
struct Batch<'a> {
    /// Its images among those that go together.
    images: Range<usize>,
    program: Vec<(usize, Descriptor)>,
    /// The undisturbed run, as long as no layer had a flip and its ofmaps are at hand.
    clean: Option<&'a CleanBatch>,
    logits: Vec<Vec<i32>>,
    result: BatchResult,
}

/// A read group: its batch, its number, its images among those that go together, and the places of its hits in the lists of
/// [`Golden`].
struct Group {
    batch: usize,
    /// Number of its counters among those of the batch.
    counters: usize,
    number: u32,
    images: Range<usize>,
    hits: Range<usize>,
    bias_hits: Range<usize>,
    map_hits: Range<usize>,
}

impl Group {
    /// Whether its reads are right.
    fn is_sound(&self) -> bool {
        self.hits.is_empty() && self.bias_hits.is_empty() && self.map_hits.is_empty()
    }
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
    /// Signatures of the flips by site; none with [`Depth::Logits`].
    pub flip_signatures: Option<[u32; 3]>,
    /// Units of weights, and of biases, that were read wrong without any being detected: what no hardware can count.
    pub silent: [u64; 2],
    /// What programming weights and biases takes, with write-verify: of all layers once, or where weights stream in, of those that do
    /// for the batch.
    pub programmed: Option<[Programmed; 2]>,
    /// What scrubbing took while the batch ran, where the hardware has a scrubber.
    pub scrubbed: Option<Scrubbed>,
}

impl<'a> Golden<'a> {
    /// Returns the model. `seed` is the run seed, `noise` the noise.
    pub fn new(network: &'a Network, hw: &'a Elaborated, schedule: &'a Schedule, noise: &Noise, seed: u64) -> Self {
        let shapes = || schedule.layers.iter().map(|part| part.shape);
        let writes = Writes::new(hw, noise, seed);
        let read = if noise.enable { noise.rates.higher() } else { 0.0 };
        // What is written is named by its place in its batch, so that batches with write errors go alone; so do those that
        // find what scrubbing left in the batches before.
        let scrubber = Scrubber::new(hw, schedule, network, writes.as_ref(), noise, seed);
        let few = writes.is_none() && scrubber.is_none() && noise.cells.share().max(read) <= FEW_FLIPS;
        let batches_together = if few { (TOGETHER / schedule.batch as usize).max(1) } else { 1 };
        let programmed = programmed(hw, schedule, network, writes.as_ref());
        let stored = |writes: &Writes| Cow::Owned(writes.network(hw, schedule, network));
        let network = writes.as_ref().map_or(Cow::Borrowed(network), stored);
        let engine = Engine::new(&network);
        let coded = |site| Coded::new(hw, site, schedule, &network, writes.as_ref());
        let (weights, biases) = (coded(Site::Weights), coded(Site::Biases));
        let expected = |layer: usize| {
            let images = 1..=schedule.layers[layer].read_group;
            images.map(|images| schedule.expected(hw, layer, images, noise.enable)).collect()
        };
        Self {
            reader: Reader::new(hw, shapes(), noise).coded(weights).on_cells(hw, schedule, &engine, seed),
            map_reader: MapReader::new(hw, shapes(), noise).on_cells(hw, schedule, seed),
            bias_reader: BiasReader::new(hw, noise).coded(biases).on_cells(schedule, &network, noise, seed),
            writes,
            scrubber,
            first: 0,
            next: 0,
            programmed,
            network,
            engine,
            expected: (0..schedule.layers.len()).map(expected).collect(),
            hw,
            schedule,
            seed,
            batches_together,
            clean: None,
            hits: Vec::new(),
            bias_hits: Vec::new(),
            map_hits: Vec::new(),
            flips: Vec::new(),
            bias_flips: Vec::new(),
            corrections: Corrections::default(),
        }
    }

    /// Lets batches of the images of `clean` start where their first flip is. It changes no result: where writes fail, no pass is
    /// undisturbed, and they start from their images.
    pub fn starting_from(self, clean: Option<&'a CleanMaps>) -> Self {
        Self { clean, ..self }
    }

    /// Has the device begin with the image `first` after it was programmed; else it does with image 0. Only to scrubbing does it
    /// make a difference: batches run as if all from there on had.
    pub fn beginning_at(self, first: u32) -> Self {
        Self { first, next: first, ..self }
    }

    /// Runs images that lie in one hardware batch. `first` is the data set's number of the first image; images are
    /// quantised ifmaps `[C, H, W]`.
    pub fn batch(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> BatchResult {
        let range = first..first + images.len() as u32;
        self.together(&[range], images, depth).pop().expect("a batch has a result")
    }

    /// Runs the hardware batches that images lie in, as [`Golden::batch`] does one after the other.
    pub fn batches(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> Vec<BatchResult> {
        let batches = aligned_batches(first..first + images.len() as u32, self.schedule.batch);
        let mut results = Vec::with_capacity(batches.len());
        for batches in batches.chunks(self.batches_together) {
            let (start, end) = (batches[0].start - first, batches[batches.len() - 1].end - first);
            results.extend(self.together(batches, &images[start as usize..end as usize], depth));
        }
        results
    }

    /// What is programmed for a batch with this program: weights that stream in come anew with each descriptor.
    fn programmed_for(&self, program: &[(usize, Descriptor)]) -> Option<[Programmed; 2]> {
        let [weights, biases] = self.programmed.as_ref()?;
        let streamed = program.iter().map(|(layer, _)| weights[*layer]);
        let weights = if self.schedule.resident { weights.iter().copied().sum() } else { streamed.sum() };
        Some([weights, biases.iter().copied().sum()])
    }

    /// Runs some batches that lie one after the other, layer by layer.
    fn together(&mut self, batches: &[Range<u32>], images: &[Array3<i8>], depth: Depth) -> Vec<BatchResult> {
        debug_assert!(self.writes.is_none() || batches.len() == 1, "write errors are those of one batch");
        let first = batches[0].start;
        self.age(first, batches[batches.len() - 1].end);
        let alone = self.writes.is_some() || self.scrubber.is_some();
        let clean = self.clean.filter(|_| depth != Depth::EveryLayer && !alone);
        let batch = |range: &Range<u32>| {
            let program = self.schedule.program(self.hw, range.start, range.len() as u32, self.seed);
            Batch {
                images: (range.start - first) as usize..(range.end - first) as usize,
                clean: clean.and_then(|clean| clean.batch(range.start, range.len())),
                logits: Vec::new(),
                result: BatchResult {
                    programmed: self.programmed_for(&program),
                    scrubbed: self.hw.config.protection.scrub.then(Scrubbed::default),
                    ..BatchResult::default()
                },
                program,
            }
        };
        let mut batches: Vec<Batch<'a>> = batches.iter().map(batch).collect();
        // The ifmaps of the batches that are no longer undisturbed.
        let disturbed = batches.iter().any(|batch| batch.clean.is_none());
        let mut ifmaps = disturbed.then(|| self.written(first, images));
        for layer in 0..self.schedule.layers.len() {
            self.hits.clear();
            self.bias_hits.clear();
            self.map_hits.clear();
            let mut groups = Vec::new();
            for (b, batch) in batches.iter_mut().enumerate() {
                let (maps, at) = match batch.clean {
                    Some(clean) => (&clean.maps[layer], 0),
                    None => (ifmaps.as_ref().expect("of disturbed batches"), batch.images.start),
                };
                let first = groups.len();
                self.read(layer, b, batch, (maps, at), depth, &mut groups);
                if batch.clean.is_some() && groups[first..].iter().all(Group::is_sound) {
                    groups.truncate(first);
                } else if let Some(clean) = batch.clean.take() {
                    let maps = &clean.maps[layer];
                    let room = ifmaps.get_or_insert_with(|| self.engine.ifmaps(layer, maps, images.len()));
                    room.copy(batch.images.start, maps);
                }
            }
            let Some(now) = &ifmaps else { continue };
            if let Some(ofmaps) = self.compute(layer, now, &groups, &mut batches) {
                if depth == Depth::EveryLayer {
                    for Batch { images, result, .. } in &mut batches {
                        let maps = images.clone().map(|image| LayerOutput::Map(ofmaps.image(image)));
                        result.outputs.push(maps.collect());
                    }
                }
                let done = ifmaps.replace(ofmaps);
                self.engine.keep(layer, done);
            }
        }
        let result = |batch: Batch<'_>| {
            let Batch { clean, logits, mut result, .. } = batch;
            result.flip_signatures = (depth != Depth::Logits).then(|| signatures(&result.flips));
            let logits = clean.map_or(logits, |clean| clean.logits.clone());
            if !logits.is_empty() {
                let logits = logits.into_iter().map(|logits| LayerOutput::Logits(Array1::from(logits)));
                result.outputs.push(logits.collect());
            }
            result
        };
        batches.into_iter().map(result).collect()
    }

    /// Makes the memory what the batches before image `first` left; those of now end before image `end`.
    fn age(&mut self, first: u32, end: u32) {
        if self.scrubber.is_none() {
            return;
        }
        // What came after a batch that was not whole is none of a device's that ran it whole.
        let broken = first > self.next && self.next != self.first && !self.next.is_multiple_of(self.schedule.batch);
        if first < self.next || broken {
            let mut rewritten = Vec::new();
            self.scrubber.as_mut().expect("it was just there").restart(|codeword| rewritten.push(codeword));
            self.rewrite(&rewritten);
            self.next = self.first;
        }
        for batch in aligned_batches(self.next..first, self.schedule.batch) {
            for (layer, descriptor) in self.schedule.program(self.hw, batch.start, batch.len() as u32, self.seed) {
                self.scrub(layer, descriptor.images);
            }
        }
        self.next = end;
    }

    /// Scrubs while a layer runs.
    fn scrub(&mut self, layer: usize, images: u32) -> Scrubbed {
        let Some(scrubber) = &mut self.scrubber else { return Scrubbed::default() };
        let mut rewritten = Vec::new();
        let counts = scrubber.run(layer, images, |codeword| rewritten.push(codeword));
        self.rewrite(&rewritten);
        counts
    }

    /// Makes codewords what scrubbing left of them.
    fn rewrite(&mut self, rewritten: &[Rewritten]) {
        for &codeword in rewritten {
            let layer = self.schedule.layers.partition_point(|part| part.weight_base <= codeword.address) - 1;
            let base = self.schedule.layers[layer].weight_base;
            self.reader.rewrite(layer as u32, base, self.engine.layer(layer), codeword);
        }
    }

    /// Returns images as stored; the first has the number `first`.
    fn written(&self, first: u32, images: &[Array3<i8>]) -> Map {
        let mut maps = Map::of(images);
        if let Some(writes) = &self.writes {
            writes.maps(&mut maps, 0..images.len(), 0, in_memory(0), of_batch(first, self.schedule.batch));
        }
        maps
    }

    /// Reads a layer's weights, biases and activations for each descriptor of a batch, whose ifmaps begin at image `at` of
    /// `maps`, and counts; fills the lists of hits.
    fn read(
        &mut self,
        layer: usize,
        number: usize,
        batch: &mut Batch<'_>,
        (maps, at): (&Map, usize),
        depth: Depth,
        groups: &mut Vec<Group>,
    ) {
        let Batch { program, result, .. } = batch;
        let mut images = 0;
        for (_, descriptor) in program.iter().filter(|(of, _)| *of == layer) {
            let scrubbed = self.scrub(layer, descriptor.images);
            if let Some(counts) = &mut result.scrubbed {
                *counts += scrubbed;
            }
            let stream = Stream { seed: self.seed, layer: layer as u32, group: descriptor.group };
            let (first, first_bias, first_map) = (self.hits.len(), self.bias_hits.len(), self.map_hits.len());
            let mut counters = self.expected[layer][descriptor.images as usize - 1];
            self.read_weights(stream, depth, &mut counters, result);
            self.read_biases(stream, depth, &mut counters, result);
            let group = images..images + descriptor.images as usize;
            images = group.end;
            if self.map_reader.flips_in(stream.layer) {
                self.map_reader.read(stream, maps, at, group.clone(), &mut self.map_hits);
            }
            for hit in &self.map_hits[first_map..] {
                counters.flips_activations += hit.cells.count_ones();
                result.flip_counts.add(Site::Activations, hit.cells.into(), hit.stored.into());
                if depth != Depth::Logits {
                    result.flips.extend(hit.flips(stream));
                }
            }
            result.counters.push((layer, counters));
            groups.push(Group {
                batch: number,
                counters: result.counters.len() - 1,
                number: descriptor.group,
                images: batch.images.start + group.start..batch.images.start + group.end,
                hits: first..self.hits.len(),
                bias_hits: first_bias..self.bias_hits.len(),
                map_hits: first_map..self.map_hits.len(),
            });
        }
    }

    /// Reads a layer's weights: adds what is read wrong to the hits. Where they have no code their flips are counted when they are
    /// done, see [`Golden::compute`].
    fn read_weights(&mut self, stream: Stream, depth: Depth, counters: &mut LayerCounters, result: &mut BatchResult) {
        let (layer, list) = (self.engine.layer(stream.layer as usize), depth != Depth::Logits);
        let port = self.hw.port(Site::Weights);
        if !self.hw.is_coded(Site::Weights) {
            let first = self.hits.len();
            self.reader.read(stream, layer, list, &mut self.hits);
            if list {
                result.flips.extend(self.hits[first..].iter().flat_map(|hit| hit.flips(stream, port)));
            }
            return;
        }
        self.flips.clear();
        self.reader.read(stream, layer, list, &mut self.flips);
        for hit in &self.flips {
            counters.flips_weights += hit.cells.count_ones();
            result.flip_counts.add_codeword(Site::Weights, self.hw.codeword(Site::Weights), hit.cells, hit.stored);
            if list {
                result.flips.extend(hit.flips(stream, port));
            }
        }
        let Events { corrected, detected, silent } =
            self.reader.decode(stream.layer, layer, &self.flips, &mut self.hits);
        (counters.corrected_weights, counters.detected_weights) = (corrected, detected);
        result.silent[0] += u64::from(silent);
    }

    /// Reads a layer's biases, the same way.
    fn read_biases(&mut self, stream: Stream, depth: Depth, counters: &mut LayerCounters, result: &mut BatchResult) {
        let biases = &self.network.layers[stream.layer as usize].bias;
        self.bias_flips.clear();
        self.bias_reader.read(stream, biases, &mut self.bias_flips);
        for hit in &self.bias_flips {
            counters.flips_biases += hit.cells.count_ones();
            result.flip_counts.add_codeword(Site::Biases, self.hw.codeword(Site::Biases), hit.cells, hit.stored);
            if depth != Depth::Logits {
                result.flips.extend(hit.flips(stream));
            }
        }
        let Events { corrected, detected, silent } =
            self.bias_reader.decode(stream.layer, biases, &self.bias_flips, &mut self.bias_hits);
        (counters.corrected_biases, counters.detected_biases) = (corrected, detected);
        result.silent[1] += u64::from(silent);
    }

    /// Runs a layer, everything as read: ofmaps of a convolution; the head's logits go to the batches. Counts the flips of
    /// weights without a code.
    fn compute(&mut self, layer: usize, ifmaps: &Map, groups: &[Group], batches: &mut [Batch<'_>]) -> Option<Map> {
        let engine = &mut self.engine;
        let (hits, bias_hits) = (&self.hits, &self.bias_hits);
        let read = |group: &Group| Read {
            images: group.images.clone(),
            wrong: Wrong { hits: &hits[group.hits.clone()], bias_hits: &bias_hits[group.bias_hits.clone()] },
            counts: FlipCounts::default(),
        };
        let mut reads: Vec<Read<'_>> = groups.iter().map(read).collect();
        let mut ofmaps = engine.is_convolution(layer).then(|| engine.ofmaps(layer, ifmaps.images()));
        let done = match &mut ofmaps {
            Some(ofmaps) if self.map_hits.is_empty() => {
                engine.conv_together(layer, self.hw.cols, &mut reads, ifmaps, ofmaps)
            }
            _ => false,
        };
        for (read, group) in reads.iter_mut().zip(groups).filter(|_| !done) {
            engine.disturb(layer, read);
            let map_hits = &self.map_hits[group.map_hits.clone()];
            let corrections = (!map_hits.is_empty()).then(|| {
                let (count, sums) = (group.images.len(), &mut self.corrections);
                self.map_reader.correct(layer, engine.layer(layer), count, map_hits, sums);
                &self.corrections
            });
            match &mut ofmaps {
                Some(ofmaps) => engine.conv(layer, ifmaps, group.images.clone(), corrections, ofmaps),
                None => {
                    let logits = engine.head(ifmaps, group.images.clone(), corrections);
                    batches[group.batch].logits.extend(logits);
                }
            }
            engine.restore(layer);
        }
        for (read, group) in reads.iter().zip(groups) {
            let result = &mut batches[group.batch].result;
            if !self.hw.is_coded(Site::Weights) {
                result.counters[group.counters].1.flips_weights = read.counts.total() as u32;
                result.flip_counts.merge(&read.counts);
            }
            if let (Some(writes), Some(ofmaps)) = (&self.writes, &mut ofmaps) {
                let reader = layer as u32 + 1;
                writes.maps(ofmaps, group.images.clone(), reader, in_memory(reader), group.number);
            }
        }
        ofmaps
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
mod tests;
