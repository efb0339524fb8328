//! The comparison: every layer's map, the logits, every flip, every counter.

use std::fmt;

use hafnia_config::flip::Flip;
use hafnia_config::regs::LayerCounters;
use hafnia_driver::BatchRun;
use hafnia_golden::clean::LayerOutput;
use hafnia_golden::run::BatchResult;

/// The first place where the hardware and the golden model differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A value of an ofmap.
    Map {
        /// Layer number.
        layer: usize,
        /// Image within the batch.
        image: usize,
        /// Channel.
        channel: usize,
        /// Row.
        y: usize,
        /// Column.
        x: usize,
        /// The hardware's value.
        got: i8,
        /// The golden model's value.
        want: i8,
    },
    /// A logit.
    Logit {
        /// Layer number of the head.
        layer: usize,
        /// Image within the batch.
        image: usize,
        /// Class.
        class: usize,
        /// The hardware's value.
        got: i32,
        /// The golden model's value.
        want: i32,
    },
    /// A flip that one has and the other has not, or not there.
    Flip {
        /// Position in the list of flips.
        index: usize,
        /// The hardware's flip.
        got: Option<Flip>,
        /// The golden model's flip.
        want: Option<Flip>,
    },
    /// A counter.
    Counter {
        /// Layer number.
        layer: usize,
        /// Position in the layer program.
        descriptor: usize,
        /// Name of the counter.
        name: &'static str,
        /// The hardware's value.
        got: u32,
        /// The golden model's value.
        want: u32,
    },
}

impl Difference {
    /// Returns the layer in which the difference showed.
    pub fn layer(&self) -> usize {
        match self {
            Self::Map { layer, .. } | Self::Logit { layer, .. } | Self::Counter { layer, .. } => *layer,
            Self::Flip { got, want, .. } => want.or(*got).map_or(0, |f| f.layer as usize),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flip = |f: &Option<Flip>| f.map_or_else(|| "none".to_owned(), |f| f.to_string());
        match self {
            Self::Map { layer, image, channel, y, x, got, want } => {
                write!(
                    f,
                    "layer {layer}, image {image} of the batch, channel {channel}, y {y}, x {x}: got {got}, want {want}"
                )
            }
            Self::Logit { layer, image, class, got, want } => {
                write!(f, "layer {layer} (head), image {image} of the batch, class {class}: got {got}, want {want}")
            }
            Self::Flip { index, got, want } => {
                write!(f, "flip {index} ({}): got {}, want {}", Flip::CSV_HEADER, flip(got), flip(want))
            }
            Self::Counter { layer, descriptor, name, got, want } => {
                write!(f, "layer {layer}, descriptor {descriptor}, counter `{name}`: got {got}, want {want}")
            }
        }
    }
}

/// Compares one batch. Maps come first, in layer order, because a wrong map names the place; then logits, flips and
/// counters. `resident` tells whether the weights were in the memory all along, so that none was ever late.
pub fn compare(got: &BatchRun, want: &BatchResult, resident: bool) -> Option<Difference> {
    outputs(got, want).or_else(|| flips(&got.flips, &want.flips)).or_else(|| counters(got, want, resident))
}

fn outputs(got: &BatchRun, want: &BatchResult) -> Option<Difference> {
    // With logits alone, the hardware's list holds just the last layer.
    let first = want.outputs.len() - got.outputs.len();
    for (layer, (got, want)) in (first..).zip(got.outputs.iter().zip(&want.outputs[first..])) {
        for (image, (got, want)) in got.iter().zip(want).enumerate() {
            match (got, want) {
                (LayerOutput::Map(got), LayerOutput::Map(want)) => {
                    for ((channel, y, x), &value) in want.indexed_iter() {
                        let got = got[[channel, y, x]];
                        if got != value {
                            return Some(Difference::Map { layer, image, channel, y, x, got, want: value });
                        }
                    }
                }
                (LayerOutput::Logits(got), LayerOutput::Logits(want)) => {
                    if let Some(class) = (0..want.len()).find(|&c| got[c] != want[c]) {
                        return Some(Difference::Logit { layer, image, class, got: got[class], want: want[class] });
                    }
                }
                _ => unreachable!("both follow the same network"),
            }
        }
    }
    None
}

fn flips(got: &[Flip], want: &[Flip]) -> Option<Difference> {
    let index = (0..got.len().max(want.len())).find(|&i| got.get(i) != want.get(i))?;
    Some(Difference::Flip { index, got: got.get(index).copied(), want: want.get(index).copied() })
}

fn counters(got: &BatchRun, want: &BatchResult, resident: bool) -> Option<Difference> {
    for (descriptor, ((layer, got), (_, want))) in got.counters.iter().zip(&want.counters).enumerate() {
        let want = if resident { *want } else { late(want, got) };
        for (name, (got, want)) in LayerCounters::NAMES.into_iter().zip(got.values().into_iter().zip(want.values())) {
            if got != want {
                return Some(Difference::Counter { layer: *layer, descriptor, name, got, want });
            }
        }
    }
    None
}

/// What the golden model wants where the weights were streamed: they may come late, and every cycle that the array
/// waited for them must show both as a stall and in the total.
fn late(want: &LayerCounters, got: &LayerCounters) -> LayerCounters {
    let stall_weights = got.stall_weights.max(want.stall_weights);
    LayerCounters { stall_weights, cycles: want.cycles - want.stall_weights + stall_weights, ..*want }
}
