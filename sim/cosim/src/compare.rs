//! The comparison: every layer's map, the logits, every flip, every counter.

use std::fmt;

use hafnia_config::fault::Site;
use hafnia_config::flip::Flip;
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::LayerCounters;
use hafnia_config::scrub::Scrubbed;
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
    /// The hardware's count of flips of a batch.
    FlipCount {
        /// Memory.
        site: Site,
        /// The stored bit.
        before: bool,
        /// Bit of a byte; none for check cells.
        bit: Option<usize>,
        /// The hardware's value.
        got: u64,
        /// The golden model's value.
        want: u64,
    },
    /// The signature of a batch's flips: there were as many of each kind, and they were others.
    FlipSignature {
        /// Memory.
        site: Site,
        /// The hardware's value.
        got: u32,
        /// The golden model's value.
        want: u32,
    },
    /// A count of what programming took.
    Programmed {
        /// Memory.
        site: Site,
        /// Name of the count.
        name: &'static str,
        /// The hardware's value.
        got: u64,
        /// The golden model's value.
        want: u64,
    },
    /// A count of what scrubbing took.
    Scrubbed {
        /// Name of the count.
        name: &'static str,
        /// The hardware's value.
        got: u64,
        /// The golden model's value.
        want: u64,
    },
    /// The hardware did not run the layer to its end.
    Unfinished {
        /// Layer number.
        layer: usize,
        /// What was seen last.
        status: String,
    },
}

impl Difference {
    /// Returns the layer in which the difference showed.
    pub fn layer(&self) -> usize {
        match self {
            Self::Map { layer, .. }
            | Self::Logit { layer, .. }
            | Self::Counter { layer, .. }
            | Self::Unfinished { layer, .. } => *layer,
            Self::FlipCount { .. } | Self::FlipSignature { .. } | Self::Programmed { .. } | Self::Scrubbed { .. } => 0,
            Self::Flip { got, want, .. } => got.iter().chain(want).map(|f| f.layer as usize).min().unwrap_or(0),
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
                    "layer {layer}, image {image} of the batch, channel {channel}, y {y}, x {x}: got {got} (0x{got:02x}), want {want} (0x{want:02x})"
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
            Self::FlipCount { site, before, bit, got, want } => {
                let (before, after) = (u8::from(*before), u8::from(!before));
                let cells = bit.map_or_else(|| "check cells".to_owned(), |bit| format!("bit {bit} of bytes"));
                write!(f, "flips of {site}, {before} to {after}, {cells}: got {got}, want {want}")
            }
            Self::FlipSignature { site, got, want } => {
                write!(f, "signature of the flips of {site}: got 0x{got:08x}, want 0x{want:08x}")
            }
            Self::Programmed { site, name, got, want } => {
                write!(f, "programming of {site}, `{name}`: got {got}, want {want}")
            }
            Self::Scrubbed { name, got, want } => write!(f, "scrubbing, `{name}`: got {got}, want {want}"),
            Self::Unfinished { layer, status } => write!(f, "layer {layer} did not run to its end: {status}"),
        }
    }
}

/// Compares one batch of which every layer was read back. What differs in the first layer that differs is returned:
/// its flips, which come before what they do, then its ofmap or logits; where all of that is equal, a counter, then a count
/// of flips or their signature, then of what programming and scrubbing took. `late` tells
/// whether the array may have waited for weights, as it does for those that come over the bus.
///
/// # Panics
/// If the two do not hold as many layers, images and descriptors.
pub fn compare(got: &BatchRun, want: &BatchResult, late: bool) -> Option<Difference> {
    let flip = flips(&got.flips, &want.flips);
    let before = flip.as_ref().map_or(want.outputs.len(), Difference::layer);
    let counts = || counters(got, want, late).or_else(|| flip_counts(got, want)).or_else(|| flip_signatures(got, want));
    outputs(got, want, before)
        .or(flip)
        .or_else(counts)
        .or_else(|| programmed(got, want))
        .or_else(|| scrubbed(got, want))
}

/// Compares the outputs of the layers below `end`.
fn outputs(got: &BatchRun, want: &BatchResult, end: usize) -> Option<Difference> {
    assert_eq!(got.outputs.len(), want.outputs.len(), "layers read back");
    for (layer, (got, want)) in got.outputs.iter().zip(&want.outputs).enumerate().take(end) {
        assert_eq!(got.len(), want.len(), "images of layer {layer}");
        for (image, (got, want)) in got.iter().zip(want).enumerate() {
            match (got, want) {
                (LayerOutput::Map(got), LayerOutput::Map(want)) => {
                    assert_eq!(got.dim(), want.dim(), "ofmap of layer {layer}");
                    for ((channel, y, x), &value) in want.indexed_iter() {
                        let got = got[[channel, y, x]];
                        if got != value {
                            return Some(Difference::Map { layer, image, channel, y, x, got, want: value });
                        }
                    }
                }
                (LayerOutput::Logits(got), LayerOutput::Logits(want)) => {
                    assert_eq!(got.len(), want.len(), "logits");
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

fn counters(got: &BatchRun, want: &BatchResult, late: bool) -> Option<Difference> {
    assert_eq!(got.counters.len(), want.counters.len(), "descriptors");
    for (descriptor, ((layer, got), (other, want))) in got.counters.iter().zip(&want.counters).enumerate() {
        assert_eq!(layer, other, "layer of descriptor {descriptor}");
        let want = if late { delayed(want, got) } else { *want };
        for (name, (got, want)) in LayerCounters::NAMES.into_iter().zip(got.values().into_iter().zip(want.values())) {
            if got != want {
                return Some(Difference::Counter { layer: *layer, descriptor, name, got, want });
            }
        }
    }
    None
}

fn flip_counts(got: &BatchRun, want: &BatchResult) -> Option<Difference> {
    for site in Site::ALL {
        for before in [false, true] {
            let (got, want) = (&got.flip_counts, &want.flip_counts);
            let checks = [got, want].map(|counts| counts.checks[site as usize][usize::from(before)]);
            let (got, want) = (got.of(site, before), want.of(site, before));
            let bits = (0..8).map(|bit| (Some(bit), got[bit], want[bit]));
            let differs = bits.chain([(None, checks[0], checks[1])]).find(|(_, got, want)| got != want);
            if let Some((bit, got, want)) = differs {
                return Some(Difference::FlipCount { site, before, bit, got, want });
            }
        }
    }
    None
}

fn flip_signatures(got: &BatchRun, want: &BatchResult) -> Option<Difference> {
    let pairs = Site::ALL.into_iter().zip(got.flip_signatures.into_iter().zip(want.flip_signatures?));
    let (site, (got, want)) = pairs.into_iter().find(|(_, (got, want))| got != want)?;
    Some(Difference::FlipSignature { site, got, want })
}

fn programmed(got: &BatchRun, want: &BatchResult) -> Option<Difference> {
    let pairs = Site::PROGRAMMED.into_iter().zip(got.programmed?.into_iter().zip(want.programmed?));
    pairs.into_iter().find_map(|(site, (got, want))| {
        let counts = got.values().into_iter().zip(want.values());
        let mut named = Programmed::NAMES.into_iter().zip(counts);
        let (name, (got, want)) = named.find(|(_, (got, want))| got != want)?;
        Some(Difference::Programmed { site, name, got, want })
    })
}

fn scrubbed(got: &BatchRun, want: &BatchResult) -> Option<Difference> {
    let [got, want] = [got.scrubbed, want.scrubbed].map(|counts| counts.unwrap_or_default().values());
    let counts = got.into_iter().zip(want);
    let (name, (got, want)) = Scrubbed::NAMES.into_iter().zip(counts).find(|(_, (got, want))| got != want)?;
    Some(Difference::Scrubbed { name, got, want })
}

/// What the golden model wants where weights came late: every cycle that the array waited for them must show both as a
/// stall and in the total.
fn delayed(want: &LayerCounters, got: &LayerCounters) -> LayerCounters {
    let stall_weights = got.stall_weights.max(want.stall_weights);
    LayerCounters { stall_weights, cycles: want.cycles - want.stall_weights + stall_weights, ..*want }
}
