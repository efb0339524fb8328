//! From a difference to a waveform window: where in time it happened, and what the signals did there.

use std::path::Path;

use hafnia_config::schedule::Place;
use hafnia_verilate::{Builder, Design, Variant};
use ndarray::Array3;

use crate::compare::Difference;
use crate::run::{BatchReport, Engine, Found, Hardware, Trace, run};
use crate::window::{self, SIGNALS, Window};
use crate::{CosimError, Plan};

/// Cycles of the window before and after the place of a difference.
const AROUND: u64 = 48;
/// Cycles shown: those before the write of the value, the write itself and one more.
const SHOWN: usize = 16;

/// A difference found again in a run of its batch alone, with the window of cycles around it.
pub struct Replay {
    /// The waveform file and its window.
    pub trace: Trace,
    /// The cycles around the place of the difference, of the signals that matter.
    pub window: Window,
}

/// Runs the batch again that showed a difference, alone, then once more traced around the place into the VCD file
/// `path`. `images` are the images of that batch, the first of which has the data set's number `first`. Returns none if
/// the difference does not show when its batch runs alone: then it depends on what ran before.
///
/// # Errors
/// If the hardware cannot be run, or the waveform not be read back.
pub fn replay(
    plan: &Plan<'_>,
    builder: &Builder<'_>,
    design: &Design,
    first: u32,
    images: &[Array3<i8>],
    path: &Path,
) -> Result<Option<Replay>, CosimError> {
    let once = |hardware: &Hardware| -> Result<BatchReport, CosimError> {
        let mut last = BatchReport::default();
        run(plan, Engine::Both(hardware), first, images, 1, &mut |batch| {
            last = batch;
            true
        })?;
        Ok(last)
    };
    // Alone, the batch runs at other cycles than it did among others.
    let Some(found) = once(&builder.build(design, Variant::default())?.into())?.difference else {
        return Ok(None);
    };
    let write = Write::of(plan, &found, images.len() as u32);
    let trace = Trace { path: path.to_owned(), from: write.about.saturating_sub(AROUND), count: 2 * AROUND };
    once(&Hardware { model: builder.build(design, Variant::tracing(path))?, trace: Some(trace.clone()) })?;
    let whole = window::read(path, &SIGNALS)?;
    let last = write.position(&whole).unwrap_or(whole.cycles.len() / 2);
    let end = (last + 2).min(whole.cycles.len());
    Ok(Some(Replay { trace, window: whole.slice(end.saturating_sub(SHOWN)..end) }))
}

/// Where a difference became visible.
struct Write {
    /// The cycle, good to some ten cycles.
    about: u64,
    /// The word of the feature-map memory; none where the difference is not in a map.
    word: Option<u32>,
}

impl Write {
    /// The write of a map's value; for any other difference the end of its layer's run. `images` is the number of images
    /// of the batch.
    fn of(plan: &Plan<'_>, found: &Found, images: u32) -> Self {
        let (begin, end) = found.cycles;
        let Difference::Map { layer, image, channel, y, x, .. } = found.difference else {
            return Self { about: end.saturating_sub(AROUND), word: None };
        };
        let shape = &plan.schedule.layers[layer].shape;
        let width = if shape.pool { shape.width / 2 } else { shape.width };
        let (image, channel, pixel) = (image as u32, channel as u32, y as u32 * width + x as u32);
        let place = Place { image, k_fold: channel / plan.hw.cols, pixel };
        Self {
            about: begin + plan.schedule.about_written(plan.hw, layer, images, place, plan.thresholds.enable),
            word: Some(plan.schedule.ofmap_word(plan.hw, layer, image, channel, pixel)),
        }
    }

    /// The position in the window of the write to this word.
    fn position(&self, window: &Window) -> Option<usize> {
        let row = |name: &str| window.rows.iter().find(|row| row.signal == name).map(|row| &row.values);
        let (lanes, addresses) = (row("write_back_lanes_o")?, row("write_back_address_o")?);
        let number = |text: &String| u32::from_str_radix(text, 16).ok();
        (0..window.cycles.len()).find(|&i| number(&addresses[i]) == self.word && number(&lanes[i]) != Some(0))
    }
}
