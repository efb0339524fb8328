//! From a difference to a waveform window: where in time it happened, and what the signals did there.

use std::path::Path;

use hafnia_config::schedule::Place;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_verilate::{Builder, Variant};
use ndarray::Array3;

use crate::compare::Difference;
use crate::hardware::design;
use crate::verify::{CosimError, Outcome, Verify};
use crate::window::{self, SIGNALS, Window};

/// Cycles shown before and after the place of a difference.
const AROUND: u64 = 48;
/// Cycles printed of those, around the write of the value.
const PRINTED: usize = 12;

/// A difference found again in a run of its batch alone, with the window of cycles around it.
pub struct Replay {
    /// First cycle of the window.
    pub from: u64,
    /// Last cycle of the window.
    pub to: u64,
    /// The last cycles of the signals that matter.
    pub window: Window,
}

/// Runs the batch again that showed `difference`, alone and traced around the place, into the VCD file `path`.
/// `images` are the images of that batch, the first of which has the data set's number `first`.
///
/// # Errors
/// If the hardware cannot be run, or the waveform not be read back.
pub fn replay(
    verify: &Verify<'_>,
    builder: &Builder<'_>,
    difference: &Difference,
    first: u32,
    images: &[Array3<i8>],
    path: &Path,
) -> Result<Option<Replay>, CosimError> {
    let design = design(verify.hw);
    // Alone, the batch runs at other cycles than it did among others.
    let plain = builder.build(&design, Variant::default())?;
    let Outcome::Differs { cycles, .. } = verify.run(&plain, first, images, &mut |_| ())? else {
        return Ok(None);
    };
    let centre = centre(verify, difference, images.len() as u32, cycles);
    let (from, to) = (centre.saturating_sub(AROUND), centre + AROUND);
    let traced = builder.build(&design, Variant::tracing(path))?;
    let mut dut = traced.dut()?;
    dut.trace_start(path, from, to + 1)?;
    verify.run_on(SimTransport::new(dut)?, first, images, &mut |_| ())?;
    Ok(Some(Replay { from, to, window: shown(path, from, to)? }))
}

/// The cycle around which the difference arose.
fn centre(verify: &Verify<'_>, difference: &Difference, images: u32, (begin, end): (u64, u64)) -> u64 {
    let Difference::Map { layer, image, channel, y, x, .. } = *difference else {
        return end.saturating_sub(AROUND);
    };
    let shape = &verify.schedule.layers[layer].shape;
    let width = if shape.pool { shape.width / 2 } else { shape.width };
    let place =
        Place { image: image as u32, k_fold: channel as u32 / verify.hw.cols, pixel: y as u32 * width + x as u32 };
    begin + verify.schedule.about_written(verify.hw, layer, images, place, verify.thresholds.enable)
}

/// The cycles around the last write within the window, or the last ones.
fn shown(path: &Path, from: u64, to: u64) -> Result<Window, CosimError> {
    let whole = window::read(path, &SIGNALS, from, to)?;
    let middle = whole.cycles.len().saturating_sub(1) / 2;
    let start = middle.saturating_sub(PRINTED / 2);
    Ok(whole.slice(start..(start + PRINTED).min(whole.cycles.len())))
}
