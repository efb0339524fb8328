//! Every way in which importing, quantising, writing or reading a model can fail, each with the next step.

use std::path::{Path, PathBuf};

use hafnia_dataset::DatasetError;
use hafnia_golden::network::NetworkError;

/// Why a model could not be imported, quantised, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The operating system refused.
    #[error("could not {action} `{path}`: {source}; check the path, and that it may be used")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is larger than any model can be.
    #[error("`{path}` has more than the {limit} bytes of the largest model; pass a safetensors weight or model file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// Not a safetensors file, or a truncated one.
    #[error(
        "`{path}` is no whole safetensors file ({reason}); copy it again, or export it again from the trained network"
    )]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        reason: String,
    },
    /// The JSON beside the weights, or inside a model file, is not of the documented form.
    #[error("`{path}`: {what}: {reason}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Which JSON.
        what: &'static str,
        /// What the reader found.
        reason: String,
    },
    /// A field of the JSON has a value that cannot be.
    #[error("`{path}`: field `{field}` is {found}, expected {expected}")]
    Field {
        /// The file.
        path: PathBuf,
        /// Field name.
        field: &'static str,
        /// Value expected.
        expected: String,
        /// Value found.
        found: String,
    },
    /// A tensor is missing.
    #[error(
        "`{path}`: tensor `{tensor}` is missing; the weights and the JSON are of different networks, or batch \
         normalisation is not folded"
    )]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Tensor name.
        tensor: String,
    },
    /// A tensor that belongs to no layer.
    #[error(
        "`{path}`: tensor `{tensor}` belongs to no layer; fold batch normalisation and export the convolutions \
         and the classifier alone"
    )]
    ForeignTensor {
        /// The file.
        path: PathBuf,
        /// Tensor name.
        tensor: String,
    },
    /// A tensor has the wrong shape.
    #[error(
        "`{path}`: tensor `{tensor}` has shape {found:?}, expected {expected:?}; the weights and the JSON are of \
         different networks"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Tensor name.
        tensor: String,
        /// Shape expected.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// A tensor has the wrong number type.
    #[error("`{path}`: tensor `{tensor}` holds {found}, expected {expected}")]
    Type {
        /// The file.
        path: PathBuf,
        /// Tensor name.
        tensor: String,
        /// Types expected.
        expected: &'static str,
        /// Type found.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "`{path}`: tensor `{tensor}` holds {value} at index {index:?}; the training run diverged, export an \
         earlier checkpoint"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Tensor name.
        tensor: String,
        /// Index in the tensor.
        index: Vec<usize>,
        /// The value.
        value: f32,
    },
    /// Model and data set have different classes.
    #[error(
        "the model has {model} classes, the data set `{dataset}` has {data}; pass the data set that the model was \
         trained on"
    )]
    Classes {
        /// Classes of the model.
        model: usize,
        /// Name of the data set.
        dataset: String,
        /// Classes of the data set.
        data: usize,
    },
    /// A network that takes other images than those of the data set.
    #[error(
        "`{path}`: the network takes {input:?} and has {classes} classes, the data set has 3x32x32 images of {data} \
         classes; pass a model trained on it"
    )]
    Images {
        /// The model file.
        path: PathBuf,
        /// Channels, height and width that it takes.
        input: [u32; 3],
        /// Its classes.
        classes: usize,
        /// Classes of the data set.
        data: usize,
    },
    /// An option is out of its range.
    #[error("option `{option}` is {found}, expected {expected}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A layer gave nothing but zeros, so it has no scale.
    #[error(
        "layer {layer} gives only zeros on the {images} calibration images; use more images, or check that the \
         data set and the JSON's mean and std are those of the training"
    )]
    DeadLayer {
        /// Layer number, from 0.
        layer: usize,
        /// Calibration images.
        images: usize,
    },
    /// A scale is outside what m and s can express.
    #[error(
        "layer {layer}, channel {channel}: scale {scale:e} cannot be written as m * 2^-s with m in [2^15, 2^16), \
         s in [1, 47] (Q3); check mean, std and the weights of this layer"
    )]
    Scale {
        /// Layer number, from 0.
        layer: usize,
        /// Output channel.
        channel: usize,
        /// The scale.
        scale: f64,
    },
    /// The quantised network breaks a rule of the integer model.
    #[error("`{path}`: {source}")]
    Network {
        /// The file.
        path: PathBuf,
        /// The rule.
        source: NetworkError,
    },
    /// The images could not be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl QuantizeError {
    /// Returns a closure that wraps an I/O error with what was being done to which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}
