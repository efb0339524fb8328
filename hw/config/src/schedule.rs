//! How a network runs on a configuration: folds, addresses, batch, read groups and expected cycles.
//!
//! Hardware batches and read groups are aligned to multiples of their size in the data set's own numbering, so what an
//! image meets depends on its index alone and not on the range that is run.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::accel::Elaborated;
use crate::fault::{Noise, Site, stream_key};
use crate::program::Descriptor;
use crate::regs::LayerCounters;
use crate::shape::{LayerKind, LayerShape};

/// Largest hardware batch.
pub const MAX_BATCH: u32 = 16;

/// Why a network does not run on a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A memory is too small.
    #[error(
        "layer {layer} needs {need} words of `{memory}`, the configuration has {have}; raise it or pick a larger preset"
    )]
    TooSmall {
        /// Layer number, from 0.
        layer: usize,
        /// Field of the configuration.
        memory: &'static str,
        /// Words needed.
        need: u32,
        /// Words present.
        have: u32,
    },
    /// The requested batch is not possible.
    #[error(
        "a batch of {asked} is not possible: it must be a power of two from 1 to {most} for this network and configuration"
    )]
    Batch {
        /// Images asked for.
        asked: u32,
        /// Largest possible batch.
        most: u32,
    },
    /// Weights that stream in are to be scrubbed.
    #[error(
        "`scrub_period`: the network's {need} weight words do not fit `memory.weight_words` = {have} and stream in anew, so there \
         is nothing to scrub; take an array that holds them, or leave `scrub_period` out"
    )]
    Scrub {
        /// Words needed.
        need: u32,
        /// Words present.
        have: u32,
    },
    /// A map cannot be pooled or is too large for a descriptor.
    #[error("layer {layer} has a {height}x{width} map; sides must be 1 to 255, and even where a pool follows")]
    Map {
        /// Layer number, from 0.
        layer: usize,
        /// Height.
        height: u32,
        /// Width.
        width: u32,
    },
}

/// One layer's part of the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSchedule {
    /// The layer.
    pub shape: LayerShape,
    /// Input folds, `ceil(C / rows)`.
    pub c_folds: u32,
    /// Output folds, `ceil(K / cols)`.
    pub k_folds: u32,
    /// Images that share one read of the weights.
    pub read_group: u32,
    /// First weight word in the model's image.
    pub weight_base: u32,
    /// Weight words of one read of the layer.
    pub weight_words: u32,
    /// First word of biases and scales.
    pub parameter_base: u32,
    /// Words of one image's ifmap.
    pub source_image: u32,
    /// Words of one image's ofmap; 0 for the head.
    pub dest_image: u32,
}

/// The schedule of a network on a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Images resident at once, a power of two.
    pub batch: u32,
    /// Whether all weights fit the weight memory at once.
    pub resident: bool,
    /// The layers.
    pub layers: Vec<LayerSchedule>,
}

impl Schedule {
    /// Returns the schedule of `layers` on `hw`, with the largest batch that fits or with the batch asked for.
    ///
    /// # Errors
    /// What does not fit, and where.
    pub fn new(hw: &Elaborated, layers: &[LayerShape], batch: Option<u32>) -> Result<Self, ScheduleError> {
        let memory = &hw.config.memory;
        let mut most = MAX_BATCH;
        for (layer, shape) in layers.iter().enumerate() {
            check_map(layer, shape)?;
            let ofmap = if shape.kind == LayerKind::Linear {
                0
            } else {
                image_words(hw, shape.out_channels, shape.out_pixels())
            };
            let need = image_words(hw, shape.in_channels, shape.pixels()).max(ofmap);
            fit(layer, "memory.map_words", need, memory.map_words)?;
            let accumulators = match shape.kind {
                LayerKind::Conv3x3 => shape.pixels(),
                LayerKind::Linear => shape.out_channels.div_ceil(hw.cols),
            };
            fit(layer, "memory.accumulator_words", accumulators, memory.accumulator_words)?;
            while need * most > memory.map_words || heads_do_not_fit(hw, shape, most) {
                most /= 2;
            }
        }
        let batch = match batch {
            None => most,
            Some(asked) if asked.is_power_of_two() && asked <= most => asked,
            Some(asked) => return Err(ScheduleError::Batch { asked, most }),
        };
        let mut schedule = Self { batch, resident: true, layers: Vec::new() };
        let (mut weights, mut parameters) = (0, 0);
        for (layer, shape) in layers.iter().enumerate() {
            let part = layer_schedule(hw, shape, batch, weights, parameters);
            weights += part.weight_words;
            parameters += part.k_folds;
            fit(layer, "memory.parameter_words", parameters, memory.parameter_words)?;
            let descriptors: u32 = schedule.layers.iter().chain([&part]).map(|l| batch / l.read_group).sum();
            fit(layer, "memory.program_descriptors", descriptors, memory.program_descriptors)?;
            schedule.layers.push(part);
        }
        schedule.resident = weights <= memory.weight_words;
        Ok(schedule)
    }

    /// Returns the schedule with `images` images to every read of parameters, whatever the hardware could hold: for statistical
    /// draws, which no hardware follows.
    pub fn reading_once_for(mut self, images: u32) -> Self {
        self.batch = images;
        self.layers.iter_mut().for_each(|layer| layer.read_group = images);
        self
    }

    /// Returns the descriptors that run every layer over `images` images, the first of which has the data set's number
    /// `first`; with each, its layer number. All the images must lie in one aligned batch.
    ///
    /// # Panics
    /// If the images do not lie in one aligned batch.
    pub fn program(&self, hw: &Elaborated, first: u32, images: u32, seed: u64) -> Vec<(usize, Descriptor)> {
        assert!(images > 0 && first / self.batch == (first + images - 1) / self.batch, "images must lie in one batch");
        let mut program = Vec::new();
        for (layer, part) in self.layers.iter().enumerate() {
            let mut image = first;
            while image < first + images {
                let group = image / part.read_group;
                let end = ((group + 1) * part.read_group).min(first + images);
                program.push((layer, self.descriptor(hw, layer, image - first, end - image, group, seed)));
                image = end;
            }
        }
        program
    }

    fn descriptor(&self, hw: &Elaborated, layer: usize, slot: u32, images: u32, group: u32, seed: u64) -> Descriptor {
        let part = &self.layers[layer];
        let shape = &part.shape;
        let conv = shape.kind == LayerKind::Conv3x3;
        let weight_end = if self.resident { self.unscrubbed(layer).end } else { 0 };
        let keys = Site::ALL.map(|site| stream_key(seed, site, layer as u32, group));
        Descriptor {
            layer: layer as u32,
            pool: shape.pool.into(),
            relu: conv.into(),
            raw: (!conv).into(),
            source: layer as u32 % 2,
            taps9: conv.into(),
            group,
            height: shape.height,
            width: shape.width,
            images,
            emit_interval: emit_interval(hw, shape),
            c_folds: part.c_folds,
            k_folds: part.k_folds,
            rows_last: shape.in_channels - (part.c_folds - 1) * hw.rows,
            cols_last: shape.out_channels - (part.k_folds - 1) * hw.cols,
            weight_end: weight_end & 0xffff,
            weight_end_upper: weight_end >> 16,
            source_base: slot * part.source_image,
            source_image: part.source_image,
            source_plane: shape.pixels(),
            dest_base: slot * part.dest_image,
            dest_image: part.dest_image,
            dest_plane: shape.out_pixels(),
            weight_base: part.weight_base,
            parameter_base: part.parameter_base,
            accumulator_base: if conv { 0 } else { slot * part.k_folds },
            weight_key0: keys[0][0],
            weight_key1: keys[0][1],
            weight_key2: keys[0][2],
            weight_key3: keys[0][3],
            bias_key0: keys[1][0],
            bias_key1: keys[1][1],
            bias_key2: keys[1][2],
            bias_key3: keys[1][3],
            map_key0: keys[2][0],
            map_key1: keys[2][1],
            map_key2: keys[2][2],
            map_key3: keys[2][3],
            ..Descriptor::default()
        }
    }

    /// Returns the passes of a run of `layer` over `images` images, in order.
    pub fn passes(&self, hw: &Elaborated, layer: usize, images: u32) -> Vec<Pass> {
        let part = &self.layers[layer];
        let shape = &part.shape;
        let taps = shape.kind.taps();
        let mut passes = Vec::new();
        for _k_fold in 0..part.k_folds {
            for fold in 0..part.c_folds {
                for tap in 0..taps {
                    let last = fold + 1 == part.c_folds && tap + 1 == taps;
                    let interval = if last { emit_interval(hw, shape) } else { 1 };
                    let pixels = u64::from(shape.pixels()) * u64::from(images) * u64::from(interval);
                    passes.push(Pass {
                        rows: (shape.in_channels - fold * hw.rows).min(hw.rows).into(),
                        own: pixels.max(hw.min_pass_cycles(shape.kind).into()),
                    });
                }
            }
        }
        passes
    }

    /// Returns the cycle, counted from the first of the layer's tile loads, in which each pass of a run starts; and the
    /// cycle in which the last one ends. Weights are never late.
    pub fn pass_starts(&self, hw: &Elaborated, layer: usize, images: u32) -> Vec<u64> {
        let passes = self.passes(hw, layer, images);
        let mut starts = vec![passes[0].rows - 1];
        for (i, pass) in passes.iter().enumerate() {
            let next_rows = passes.get(i + 1).map_or(0, |p| p.rows);
            starts.push(starts[i] + pass.own.max(next_rows));
        }
        starts
    }

    /// Checks that the network can run on `hw` under `noise`.
    ///
    /// # Errors
    /// [`ScheduleError::Scrub`] if weights that stream in are to be scrubbed.
    pub fn check(&self, hw: &Elaborated, noise: &Noise) -> Result<(), ScheduleError> {
        match noise.cells.scrub_period {
            Some(_) if !self.resident => {
                Err(ScheduleError::Scrub { need: self.weight_words(), have: hw.config.memory.weight_words })
            }
            _ => Ok(()),
        }
    }

    /// Returns the weight words of the network.
    pub fn weight_words(&self) -> u32 {
        self.layers.last().map_or(0, |last| last.weight_base + last.weight_words)
    }

    /// Returns the addresses that the scrubber keeps off while `layer` runs.
    pub fn unscrubbed(&self, layer: usize) -> Range<u32> {
        let LayerSchedule { weight_base, weight_words, .. } = self.layers[layer];
        weight_base..weight_base + weight_words
    }

    /// Returns how many words the scrubber takes in a run of `layer` over `images` images, if none is of the layer itself: the
    /// first one `period` cycles after the first tile load begins, the next one `period` cycles after the one before, each
    /// when the weight memory is next idle.
    pub fn scrub_slots(&self, hw: &Elaborated, layer: usize, images: u32, period: u32) -> u32 {
        let passes = self.passes(hw, layer, images);
        let starts = self.pass_starts(hw, layer, images);
        let loads = std::iter::once(0).chain(starts.iter().map(|start| start + 1));
        let mut loads = loads.zip(&passes).map(|(begin, pass)| begin..begin + pass.rows).peekable();
        let (mut slots, mut due) = (0, u64::from(period));
        loop {
            while loads.next_if(|load| load.end <= due).is_some() {}
            while let Some(load) = loads.next_if(|load| load.start <= due) {
                due = load.end;
            }
            if due >= starts[passes.len()] {
                return slots;
            }
            slots += 1;
            due += u64::from(period);
        }
    }

    /// Returns the counters that a run of `layer` over `images` images must show while weights are never late.
    /// Flips are left at 0: they are the injector's.
    pub fn expected(&self, hw: &Elaborated, layer: usize, images: u32, seeded: bool) -> LayerCounters {
        let part = &self.layers[layer];
        let shape = &part.shape;
        let passes = self.passes(hw, layer, images);
        let starts = self.pass_starts(hw, layer, images);
        let waits: u64 = passes.windows(2).map(|p| p[1].rows.saturating_sub(p[0].own)).sum();
        let seeding = if seeded { hw.seed_cycles } else { 0 };
        let saturated = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        LayerCounters {
            cycles: saturated(starts[passes.len()] + u64::from(seeding + hw.drain_cycles())),
            macs: saturated(shape.macs() * u64::from(images)),
            stall_weights: saturated(starts[0] + waits),
            words_read: part.weight_words,
            cells_weights: saturated(shape.weights() * 8),
            cells_biases: 32 * shape.out_channels,
            cells_activations: saturated(8 * self.pixel_reads(layer) * u64::from(part.k_folds * images)),
            ..LayerCounters::default()
        }
    }

    /// Returns how many activations of one image a layer reads for one output fold: every channel of every pixel under each
    /// tap, without the padding.
    fn pixel_reads(&self, layer: usize) -> u64 {
        let LayerShape { kind, in_channels, height, width, .. } = self.layers[layer].shape;
        let under = |side: u32| if kind == LayerKind::Conv3x3 { 3 * side - 2 } else { side };
        u64::from(in_channels) * u64::from(under(height)) * u64::from(under(width))
    }

    /// Returns the word of the feature-map memory that holds channel `channel` at `pixel` of image `image` of the batch, in
    /// the ofmap of `layer`.
    pub fn ofmap_word(&self, hw: &Elaborated, layer: usize, image: u32, channel: u32, pixel: u32) -> u32 {
        let part = &self.layers[layer];
        image * part.dest_image + channel / hw.rows * part.shape.out_pixels() + pixel
    }
}

/// One tile pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Weight words of its tile.
    pub rows: u64,
    /// Cycles it takes by itself.
    pub own: u64,
}

fn check_map(layer: usize, shape: &LayerShape) -> Result<(), ScheduleError> {
    let (height, width) = (shape.height, shape.width);
    let sides = (1..=255).contains(&height) && (1..=255).contains(&width);
    if !sides || (shape.pool && (height % 2 != 0 || width % 2 != 0)) {
        return Err(ScheduleError::Map { layer, height, width });
    }
    Ok(())
}

fn fit(layer: usize, memory: &'static str, need: u32, have: u32) -> Result<(), ScheduleError> {
    if need > have { Err(ScheduleError::TooSmall { layer, memory, need, have }) } else { Ok(()) }
}

fn image_words(hw: &Elaborated, channels: u32, pixels: u32) -> u32 {
    channels.div_ceil(hw.rows) * pixels
}

fn heads_do_not_fit(hw: &Elaborated, shape: &LayerShape, batch: u32) -> bool {
    shape.kind == LayerKind::Linear && shape.out_channels.div_ceil(hw.cols) * batch > hw.config.memory.accumulator_words
}

/// Returns the cycles between two pixels of a pass that writes an ofmap.
pub fn emit_interval(hw: &Elaborated, shape: &LayerShape) -> u32 {
    match (shape.kind, shape.pool) {
        (LayerKind::Linear, _) => 1,
        (LayerKind::Conv3x3, true) => hw.split_writes().div_ceil(4),
        (LayerKind::Conv3x3, false) => hw.split_writes(),
    }
}

fn layer_schedule(
    hw: &Elaborated,
    shape: &LayerShape,
    batch: u32,
    weight_base: u32,
    parameter_base: u32,
) -> LayerSchedule {
    let k_folds = shape.out_channels.div_ceil(hw.cols);
    let mut read_group = batch;
    while shape.kind == LayerKind::Conv3x3 && read_group * shape.pixels() > hw.config.memory.accumulator_words {
        read_group /= 2;
    }
    LayerSchedule {
        shape: *shape,
        c_folds: shape.in_channels.div_ceil(hw.rows),
        k_folds,
        read_group,
        weight_base,
        weight_words: k_folds * shape.in_channels * shape.kind.taps(),
        parameter_base,
        source_image: image_words(hw, shape.in_channels, shape.pixels()),
        dest_image: match shape.kind {
            LayerKind::Conv3x3 => image_words(hw, shape.out_channels, shape.out_pixels()),
            LayerKind::Linear => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;
    use crate::shape::Vgg;

    #[test]
    fn vgg_a8_is_resident_from_8x8_up() {
        for (preset, resident) in [("4x4", false), ("8x4", false), ("8x8", true), ("16x16", true)] {
            let hw = presets::find(preset).unwrap().validate().unwrap();
            assert_eq!(Schedule::new(&hw, &Vgg::A.layers(8), None).unwrap().resident, resident, "{preset}");
        }
    }

    #[test]
    fn every_vgg_runs_on_8x8_and_16x16() {
        for preset in ["8x8", "16x16"] {
            let hw = presets::find(preset).unwrap().validate().unwrap();
            for vgg in [Vgg::A, Vgg::B, Vgg::D, Vgg::E] {
                for divisor in [1, 2, 4, 8] {
                    Schedule::new(&hw, &vgg.layers(divisor), None)
                        .unwrap_or_else(|e| panic!("VGG-{vgg:?}/{divisor}: {e}"));
                }
            }
        }
    }

    /// Useful MACs / (cycles x PEs) of VGG-A's convolutions over one batch. The counters of the simulated hardware agree
    /// with [`Schedule::expected`]; `hafnia bench` reads them.
    #[test]
    fn vgg_a_keeps_the_array_busy() {
        let utilisation = |preset: &str, batch: Option<u32>| {
            let hw = presets::find(preset).unwrap().validate().unwrap();
            let schedule = Schedule::new(&hw, &Vgg::A.layers(1), batch).unwrap();
            let program = schedule.program(&hw, 0, schedule.batch, 1);
            let convolutions = program.iter().filter(|(l, _)| schedule.layers[*l].shape.kind == LayerKind::Conv3x3);
            let (macs, cycles) = convolutions
                .map(|(l, d)| schedule.expected(&hw, *l, d.images, true))
                .fold((0, 0), |(macs, cycles), c| (macs + u64::from(c.macs), cycles + u64::from(c.cycles)));
            macs as f64 / (cycles * u64::from(hw.rows * hw.cols)) as f64
        };
        assert!(utilisation("8x8", Some(1)) >= 0.85);
        assert!(utilisation("8x8", None) >= 0.95);
        assert!(utilisation("16x16", None) >= 0.90);
    }

    /// Cycle by cycle, for layers with passes of all kinds: the last ones load weights in every cycle.
    #[test]
    fn the_scrubber_takes_idle_cycles_alone() {
        let hw = presets::find("8x8").unwrap().validate().unwrap();
        let schedule = Schedule::new(&hw, &Vgg::A.layers(8), None).unwrap();
        for (layer, images) in (0..schedule.layers.len()).flat_map(|layer| [1, 2].map(|images| (layer, images))) {
            let passes = schedule.passes(&hw, layer, images);
            let starts = schedule.pass_starts(&hw, layer, images);
            let mut busy = vec![false; starts[passes.len()] as usize];
            for (n, pass) in passes.iter().enumerate() {
                let begin = if n == 0 { 0 } else { starts[n - 1] + 1 };
                busy[begin as usize..(begin + pass.rows) as usize].fill(true);
            }
            assert_eq!(busy.iter().filter(|busy| **busy).count(), schedule.layers[layer].weight_words as usize);
            for period in [64, 65, 100, 1000] {
                let (mut timer, mut slots) = (0, 0);
                for busy in &busy {
                    let taken = timer >= period && !busy;
                    slots += u32::from(taken);
                    timer = if taken { 1 } else { timer + 1 };
                }
                assert_eq!(schedule.scrub_slots(&hw, layer, images, period), slots, "layer {layer}, period {period}");
            }
        }
    }

    #[test]
    fn a_read_group_never_straddles_a_batch() {
        let hw = presets::find("8x8").unwrap().validate().unwrap();
        let schedule = Schedule::new(&hw, &Vgg::A.layers(8), None).unwrap();
        assert!(schedule.layers.iter().all(|l| schedule.batch.is_multiple_of(l.read_group)));
    }

    #[test]
    fn a_map_that_does_not_fit_names_memory_and_layer() {
        let mut config = presets::find("8x8").unwrap();
        config.memory.map_words = 512;
        let error = Schedule::new(&config.validate().unwrap(), &Vgg::A.layers(8), None).unwrap_err();
        assert_eq!(error, ScheduleError::TooSmall { layer: 0, memory: "memory.map_words", need: 1024, have: 512 });
    }
}
