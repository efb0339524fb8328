//! States in which generators start.

use hafnia_golden::read::Stream;
use rayon::prelude::*;

use super::source::Source;
use super::{Check, Unit};
use crate::CosimError;

/// Layers of the streams that are compared, as many as VGG-E has.
const LAYERS: u32 = 19;
/// Seeds of the streams that are compared, one after another.
const SEEDS: u32 = 2;

/// Compares the states in which the generators of `streams` streams of neighbouring seeds, layers and read groups start.
///
/// # Errors
/// If the source fails.
pub fn check(source: &dyn Source, seed: u64, streams: u32) -> Result<Check, CosimError> {
    let stream =
        |n: u32| Stream { seed: seed + u64::from(n % SEEDS), layer: n / SEEDS % LAYERS, group: n / (SEEDS * LAYERS) };
    let of_streams: Result<Vec<_>, _> = (0..streams).into_par_iter().map(|n| source.starts(stream(n))).collect();
    let mut states = of_streams?.concat();
    states.par_sort_unstable();
    let looked_at = states.len();
    states.dedup();
    let repeats = looked_at - states.len();
    let worst = format!("{repeats} alike, of {streams} streams");
    Ok(Check { statistic: "starts", looked_at, worst, value: repeats as f64, bound: 0.0, unit: Unit::Repeats })
}
