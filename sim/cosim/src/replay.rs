//! From a difference to a waveform window: where in time it happened, and what the signals did there.

use std::ops::Range;
use std::path::Path;

use hafnia_config::accel::MEMORY_LATENCY;
use hafnia_config::fault::Site;
use hafnia_config::flip::Flip;
use hafnia_config::schedule::emit_interval;
use hafnia_golden::read::{lies_inside, pixel_order};
use hafnia_verilate::{Builder, Design, Variant};

use crate::compare::Difference;
use crate::run::{BatchReport, Engine, Found, Hardware, Ifmaps, Trace, run};
use crate::window::{self, SIGNALS, Window};
use crate::{CosimError, Plan};

/// Cycles of the waveform before and after the place of a difference.
const AROUND: u64 = 48;
/// Cycles shown before and after the write of a wrong value.
const SHOWN_OF_WRITE: (usize, usize) = (14, 1);
/// Cycles shown before and after the read of a word whose flips differ.
const SHOWN_OF_READ: (usize, usize) = (1, 14);
/// Cycles around a descriptor's run: its fetch and the store of its counters.
const DESCRIPTOR_CYCLES: u32 = 51;

/// A difference found again in a run of its batch alone.
pub struct Replay {
    /// The waveform file and its window.
    pub trace: Trace,
    /// The cycles around the place of the difference, of the signals that matter; none where no one place can be named:
    /// for a counter, a logit, or a layer that did not end.
    pub window: Option<Window>,
}

/// Runs the batch again that showed a difference, alone, then once more traced around the place into the VCD file
/// `path`. `ifmaps` are those of that batch. Returns none if the difference does not show when its batch runs alone: then it
/// depends on what ran before.
///
/// # Errors
/// If the hardware cannot be run, or the waveform not be read back.
pub fn replay(
    plan: &Plan<'_>,
    builder: &Builder<'_>,
    design: &Design,
    ifmaps: Ifmaps<'_>,
    path: &Path,
) -> Result<Option<Replay>, CosimError> {
    let once = |hardware: &Hardware| -> Result<BatchReport, CosimError> {
        let mut last = BatchReport::default();
        run(plan, Engine::Both(hardware.into()), ifmaps, 1, &mut |batch| {
            last = batch;
            true
        })?;
        Ok(last)
    };
    // Alone, the batch runs at other cycles than it did among others.
    let Some(found) = once(&builder.build(design, Variant::default())?.into())?.difference else {
        return Ok(None);
    };
    let place = Place::of(plan, &found, ifmaps.first, ifmaps.images.len() as u32);
    let trace = Trace { path: path.to_owned(), from: place.about.saturating_sub(AROUND), count: 2 * AROUND };
    once(&Hardware { model: builder.build(design, Variant::tracing(path))?, trace: Some(trace.clone()) })?;
    let of_reads = match place.kind {
        Kind::Read(site, _) => window::signals_of_reads(site).to_vec(),
        Kind::Write(_) | Kind::Unknown => Vec::new(),
    };
    let signals: Vec<&str> = of_reads.iter().map(String::as_str).chain(SIGNALS).collect();
    let mut whole = window::read(path, &signals)?;
    // The file counts from reset, this run from the moment at which the network was loaded.
    for (cycle, number) in whole.cycles.iter_mut().zip(trace.from..) {
        *cycle = number;
    }
    let window = place.shown(&whole).map(|(range, mark)| whole.slice(range, mark));
    Ok(Some(Replay { trace, window }))
}

/// Where a difference became visible.
struct Place {
    /// The cycle, good to some ten cycles while weights are never late.
    about: u64,
    kind: Kind,
}

enum Kind {
    /// The write of this word of a feature-map memory.
    Write(u32),
    /// The read of this word of the layer.
    Read(Site, u32),
    /// No one place.
    Unknown,
}

impl Place {
    /// `first` and `images` are the batch.
    fn of(plan: &Plan<'_>, found: &Found, first: u32, images: u32) -> Self {
        let (begin, end) = found.cycles;
        match found.difference {
            Difference::Map { layer, image, channel, y, x, .. } => {
                let shape = &plan.schedule.layers[layer].shape;
                let width = if shape.pool { shape.width / 2 } else { shape.width };
                let (image, channel, pixel) = (image as u32, channel as u32, y as u32 * width + x as u32);
                Self {
                    about: begin + Timing::of(plan, layer, images, image).written(channel / plan.hw.cols, pixel),
                    kind: Kind::Write(plan.schedule.ofmap_word(plan.hw, layer, image, channel, pixel)),
                }
            }
            Difference::Flip { got, want, .. } => {
                // The earlier of the two is the one that the other engine lacks.
                let order = |flip: &Flip| (flip.layer, flip.group, flip.site, flip.word, flip.bit);
                let flip = got.into_iter().chain(want).min_by_key(order).expect("one of the two has a flip");
                let layer = flip.layer as usize;
                let image = (flip.group * plan.schedule.layers[layer].read_group).saturating_sub(first);
                let timing = Timing::of(plan, layer, images, image);
                let about = match flip.site {
                    Site::Weights => timing.weight_read(flip.word),
                    Site::Biases => timing.bias_read(flip.word),
                    Site::Activations => timing.activation_read(flip.word),
                };
                Self { about: begin + about, kind: Kind::Read(flip.site, flip.word) }
            }
            Difference::Logit { .. }
            | Difference::Counter { .. }
            | Difference::FlipCount { .. }
            | Difference::FlipSignature { .. }
            | Difference::Programmed { .. }
            | Difference::Scrubbed { .. }
            | Difference::Unfinished { .. } => Self { about: end.saturating_sub(AROUND), kind: Kind::Unknown },
        }
    }

    /// The positions in the window to show, and which of them is the place.
    fn shown(&self, window: &Window) -> Option<(Range<usize>, usize)> {
        let row = |name: &str| window.rows.iter().find(|row| row.signal == name).map(|row| &row.values);
        let number = |text: &String| u32::from_str_radix(text, 16).ok();
        let (valid, address, wanted, (before, after)) = match self.kind {
            Kind::Write(word) => (row("write_back_lanes_o")?, row("write_back_address_o")?, word, SHOWN_OF_WRITE),
            Kind::Read(site, word) => {
                let [issue, index, ..] = window::signals_of_reads(site);
                (row(&issue)?, row(&index)?, word, SHOWN_OF_READ)
            }
            Kind::Unknown => return None,
        };
        let here = |&i: &usize| number(&address[i]) == Some(wanted) && number(&valid[i]) != Some(0);
        let place = (0..window.cycles.len()).find(here)?;
        let start = place.saturating_sub(before);
        Some((start..(place + after + 1).min(window.cycles.len()), place - start))
    }
}

/// When things happen in the run of one read group, in cycles from the start of its layer's first descriptor.
struct Timing<'a> {
    plan: &'a Plan<'a>,
    layer: usize,
    /// Start of the first tile load.
    begin: u64,
    /// Ifmaps of the read group.
    images: u32,
    /// Position in the read group of the image asked for.
    within: u32,
}

impl<'a> Timing<'a> {
    /// The read group of image `image` of a batch of `images`.
    fn of(plan: &'a Plan<'a>, layer: usize, images: u32, image: u32) -> Self {
        let read_group = plan.schedule.layers[layer].read_group;
        let of_group = |g: u32| read_group.min(images - g * read_group);
        let seeded = plan.noise.enable;
        let before =
            |g| u64::from(plan.schedule.expected(plan.hw, layer, of_group(g), seeded).cycles + DESCRIPTOR_CYCLES);
        let seeding = if seeded { plan.hw.seed_cycles } else { 0 };
        let begin = (0..image / read_group).map(before).sum::<u64>() + u64::from(DESCRIPTOR_CYCLES + seeding);
        Self { plan, layer, begin, images: of_group(image / read_group), within: image % read_group }
    }

    /// About when an ofmap pixel of an output fold is written.
    fn written(&self, k_fold: u32, pixel: u32) -> u64 {
        let part = &self.plan.schedule.layers[self.layer];
        let starts = self.plan.schedule.pass_starts(self.plan.hw, self.layer, self.images);
        let last_pass = ((k_fold + 1) * part.c_folds * part.shape.kind.taps() - 1) as usize;
        let position = self.within * part.shape.pixels() + pixel * if part.shape.pool { 4 } else { 1 };
        let position = u64::from(position) * u64::from(emit_interval(self.plan.hw, &part.shape));
        self.begin + starts[last_pass] + position + u64::from(self.plan.hw.drain_cycles())
    }

    /// About when a weight word of the layer is read: each tile while the one before it is in use.
    fn weight_read(&self, word: u32) -> u64 {
        let schedule = self.plan.schedule;
        let starts = schedule.pass_starts(self.plan.hw, self.layer, self.images);
        let mut row = u64::from(word);
        for (tile, pass) in schedule.passes(self.plan.hw, self.layer, self.images).iter().enumerate() {
            if row < pass.rows {
                return self.begin + row + if tile == 0 { 0 } else { starts[tile - 1] };
            }
            row -= pass.rows;
        }
        self.begin
    }

    /// About when a bias of the layer is read: just before the first sums of its output fold leave the array.
    fn bias_read(&self, k: u32) -> u64 {
        let (hw, part) = (self.plan.hw, &self.plan.schedule.layers[self.layer]);
        let starts = self.plan.schedule.pass_starts(hw, self.layer, self.images);
        let first_pass = k / hw.cols * part.c_folds * part.shape.kind.taps();
        self.begin + starts[first_pass as usize] + u64::from(k % hw.cols + hw.rows + MEMORY_LATENCY)
    }

    /// About when a word of the layer's ifmaps is read: with the pixel that it goes to.
    fn activation_read(&self, word: u32) -> u64 {
        let (hw, part) = (self.plan.hw, &self.plan.schedule.layers[self.layer]);
        let starts = self.plan.schedule.pass_starts(hw, self.layer, self.images);
        let (taps, pixels) = (part.shape.kind.taps() as usize, pixel_order(&part.shape));
        let mut left = word as usize;
        for (pass, start) in starts.iter().enumerate() {
            let tap = pass % taps;
            let is_read = |n: &usize| lies_inside(&part.shape, tap, pixels[*n]);
            let reads: Vec<usize> = (0..pixels.len()).filter(is_read).collect();
            if left < reads.len() * self.images as usize {
                let position = left / reads.len() * pixels.len() + reads[left % reads.len()];
                let last_of_fold = (pass + 1) % (taps * part.c_folds as usize) == 0;
                let interval = if last_of_fold { emit_interval(hw, &part.shape) } else { 1 };
                return self.begin + start + position as u64 * u64::from(interval);
            }
            left -= reads.len() * self.images as usize;
        }
        self.begin
    }
}
