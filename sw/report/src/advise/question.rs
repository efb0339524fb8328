//! What setups must share to be compared.

use std::fmt;

use serde::Serialize;

use crate::curve::Curve;
use crate::setup::{Setup, faults_in_words};

/// A network, its images, and what goes wrong: all that a protection has to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Name of the network.
    pub model: String,
    /// Checksum of its file.
    pub model_sha256: String,
    /// `cifar10` or `digits`.
    pub data: String,
    /// First test image.
    pub first: u32,
    /// Number of images.
    pub images: u64,
    /// Memories at risk, joined by `+`.
    pub sites: String,
    /// Directions in which cells are read wrong.
    pub direction: String,
    /// Bits of a byte that are cells at risk.
    pub bit_mask: u8,
    /// Layers whose cells are at risk; bit 0 is the first.
    pub layer_mask: u32,
    /// Faults of the cells at risk, as `key=value,...`, whatever write-verify does about them.
    pub faults: String,
}

/// The questions that are asked; what is none is not chosen by.
#[derive(Clone, Debug, Default)]
pub struct Only {
    /// Name of the network.
    pub model: Option<String>,
    /// Memories at risk, joined by `+`.
    pub sites: Option<String>,
    /// Faults of the cells at risk, as `key=value,...`.
    pub faults: Option<String>,
}

impl Only {
    /// Whether a question is asked.
    pub(super) fn has(&self, question: &Question) -> bool {
        let pairs = [(&self.model, &question.model), (&self.sites, &question.sites), (&self.faults, &question.faults)];
        pairs.into_iter().all(|(asked, is)| asked.as_ref().is_none_or(|asked| asked == is))
    }
}

impl Question {
    /// Returns the question of a setup.
    pub(super) fn of(setup: &Setup) -> Self {
        let Setup { model, model_sha256, data, first, images, sites, direction, bit_mask, layer_mask, .. } =
            setup.clone();
        let (faults, _) = setup.faults();
        Self { model, model_sha256, data, first, images, sites, direction, bit_mask, layer_mask, faults }
    }

    /// Returns the network and its images, in words.
    pub(super) fn network(&self) -> String {
        let Self { model, data, first, images, .. } = self;
        format!("{model}, {data} {first} to {}", u64::from(*first) + images - 1)
    }

    /// Returns the highest top-1 that the curves have at rate 0 without faults of cells, for the same network and images. It is
    /// the same on all hardware.
    pub(super) fn clean<'a>(&self, curves: impl Iterator<Item = &'a Curve>) -> Option<f64> {
        let of = |setup: &Setup| {
            let same = (&setup.model_sha256, &setup.data, setup.first, setup.images)
                == (&self.model_sha256, &self.data, self.first, self.images);
            same && setup.faults().0.is_empty()
        };
        let points = curves.filter(|curve| of(&curve.setup)).filter_map(|curve| curve.at(0.0));
        points.flat_map(|point| &point.top1).copied().reduce(f64::max)
    }
}

/// `vgg-a8-digits, digits 0 to 359, weights and biases at risk in layers 0 to 8, no faults of cells`.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sites, direction, bit_mask, layer_mask, faults, .. } = self;
        write!(f, "{}, {} at risk", self.network(), sites.replace('+', " and "))?;
        if layer_mask.trailing_ones() == layer_mask.count_ones() && *layer_mask != 0 {
            write!(f, " in layers 0 to {}", layer_mask.ilog2())?;
        } else {
            write!(f, " in layers 0x{layer_mask:x}")?;
        }
        if *bit_mask != u8::MAX {
            write!(f, ", bits 0x{bit_mask:02x}")?;
        }
        if direction != "both" {
            write!(f, ", read noise {}", direction.replace("->", " to "))?;
        }
        write!(f, ", {}", faults_in_words(faults))
    }
}
