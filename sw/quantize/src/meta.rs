//! What a model file says of itself: the JSON under the key `hafnia` of the safetensors metadata. `models/README.md`
//! documents it.

use std::path::Path;

use hafnia_config::shape::{LayerKind, LayerShape, Vgg};
use hafnia_golden::network::Network;
use serde::{Deserialize, Serialize};

use crate::import::divides_widths;
use crate::{Granularity, QuantizeError};

/// The version of the schema that is written, and the only one that is read.
pub const SCHEMA_VERSION: u32 = 1;

/// More channels or a longer side than any network here has; a limit keeps a damaged file from asking for huge sizes.
const LARGEST_SIZE: u32 = 4096;

/// The JSON of a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelMeta {
    /// Version of this schema, [`SCHEMA_VERSION`].
    pub version: u32,
    /// Name of the network, e.g. `vgg-a8-cifar10`.
    pub name: String,
    /// Which published network it is; none for any other.
    pub vgg: Option<VggMeta>,
    /// Number of classes.
    pub classes: usize,
    /// Their names in label order; empty if not known.
    pub class_names: Vec<String>,
    /// The layers, in order.
    pub layers: Vec<LayerShape>,
    /// How it was quantised; none for a network that never had floating-point weights.
    pub quantisation: Option<Quantisation>,
    /// Accuracy before and after, measured when the file was written.
    pub accuracy: Option<Accuracy>,
    /// Where weights and data came from.
    pub provenance: Provenance,
}

/// A VGG configuration with divided widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VggMeta {
    /// A, B, D or E.
    pub config: Vgg,
    /// What the published widths are divided by.
    pub width_divisor: u32,
}

/// The settings and scales of the quantiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantisation {
    /// What shares one weight scale.
    pub granularity: Granularity,
    /// Percentile of the outputs that becomes 127.
    pub percentile: f64,
    /// Training images that the percentile was taken over.
    pub calibration_images: usize,
    /// Seed of their choice.
    pub seed: u64,
    /// What one step of each layer's input is worth; the first is that of the image.
    pub input_scales: Vec<f64>,
}

/// Top-1 accuracy on a whole test split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Name of the data set.
    pub dataset: String,
    /// Test images.
    pub images: usize,
    /// SHA-256 of their records.
    pub images_sha256: String,
    /// Images that the fp32 network classifies right.
    pub fp32_correct: usize,
    /// Their share.
    pub fp32_top1: f64,
    /// Images that the int8 network classifies right.
    pub int8_correct: usize,
    /// Their share.
    pub int8_top1: f64,
}

/// Where weights and data came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What the network was trained on, in the words of whoever trained it.
    pub training_data: Option<String>,
    /// SHA-256 of the trained weight file.
    pub weights_sha256: Option<String>,
    /// SHA-256 of the JSON beside it.
    pub meta_sha256: Option<String>,
    /// SHA-256 of the records of the calibration images.
    pub calibration_sha256: Option<String>,
}

impl ModelMeta {
    /// Returns the JSON of a network of which nothing but its layers is known, e.g. one made for a test.
    pub fn bare(network: &Network) -> Self {
        Self {
            version: SCHEMA_VERSION,
            name: network.name.clone(),
            vgg: None,
            classes: network.classes(),
            class_names: Vec::new(),
            layers: network.shapes(),
            quantisation: None,
            accuracy: None,
            provenance: Provenance::default(),
        }
    }

    /// Parses and checks the JSON; `path` is for messages.
    pub(crate) fn parse(path: &Path, json: &str) -> Result<Self, QuantizeError> {
        /// The one field that every version has.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let wrong = |e: serde_json::Error| QuantizeError::Json {
            path: path.into(),
            what: "the metadata `hafnia`",
            reason: format!("{e}; write the model file again with `hafnia quantize`"),
        };
        let Version { version } = serde_json::from_str(json).map_err(wrong)?;
        if version != SCHEMA_VERSION {
            let expected =
                format!("{SCHEMA_VERSION}; use a hafnia that knows it, or write the file again with `hafnia quantize`");
            return Err(field(path, "version", expected, version));
        }
        let meta: Self = serde_json::from_str(json).map_err(wrong)?;
        meta.check(path)?;
        Ok(meta)
    }

    fn check(&self, path: &Path) -> Result<(), QuantizeError> {
        if self.layers.is_empty() || self.layers.len() > 64 {
            return Err(field(path, "layers", "1 to 64 of them".into(), self.layers.len()));
        }
        self.layers.iter().enumerate().try_for_each(|(i, layer)| check_shape(path, i, layer))?;
        let logits = self.layers[self.layers.len() - 1].out_channels as usize;
        if self.classes != logits {
            return Err(field(path, "classes", format!("{logits}, one for each logit"), self.classes));
        }
        if !self.class_names.is_empty() && self.class_names.len() != self.classes {
            return Err(field(path, "class_names", format!("{} or none", self.classes), self.class_names.len()));
        }
        match self.vgg {
            Some(vgg) if !divides_widths(vgg.width_divisor) => {
                Err(field(path, "vgg", "a width divisor that is a power of two up to 64".into(), vgg.width_divisor))
            }
            Some(vgg) if vgg.config.layers(vgg.width_divisor) != self.layers => {
                Err(field(path, "layers", format!("those of VGG-{:?} / {}", vgg.config, vgg.width_divisor), "others"))
            }
            _ => Ok(()),
        }
    }
}

fn check_shape(path: &Path, i: usize, layer: &LayerShape) -> Result<(), QuantizeError> {
    let sizes = [layer.in_channels, layer.out_channels, layer.height, layer.width];
    if sizes.iter().any(|&n| n == 0 || n > LARGEST_SIZE) {
        return Err(field(path, "layers", format!("sizes of 1 to {LARGEST_SIZE}"), format!("{sizes:?} in layer {i}")));
    }
    if layer.pool && (layer.height % 2 == 1 || layer.width % 2 == 1) {
        let found = format!("{} x {} in layer {i}", layer.height, layer.width);
        return Err(field(path, "layers", "even sides where there is a pool".into(), found));
    }
    if layer.kind == LayerKind::Linear && (layer.height, layer.width, layer.pool) != (1, 1, false) {
        return Err(field(path, "layers", "a 1x1 map without pool for the linear head".into(), format!("{layer:?}")));
    }
    Ok(())
}

fn field(path: &Path, field: &'static str, expected: String, found: impl ToString) -> QuantizeError {
    QuantizeError::Field { path: path.into(), field, expected, found: found.to_string() }
}
