//! Trained weights: a safetensors file (fp32 or fp16, batch normalisation folded) and the JSON beside it.

use std::path::Path;

use hafnia_config::digest::sha256;
use hafnia_config::shape::{LayerKind, LayerShape, Vgg};
use half::f16;
use ndarray::{Array1, Array2};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;

use crate::QuantizeError;
use crate::file::{self, Tensors};

/// One layer in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// Kind and sizes.
    pub shape: LayerShape,
    /// Weights `[K, C * R * S]`, row-major as `[K, C, R, S]`.
    pub weights: Array2<f32>,
    /// Biases `[K]`.
    pub bias: Array1<f32>,
}

/// A trained network in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    /// Name, e.g. `vgg-a8-cifar10`.
    pub name: String,
    /// VGG configuration.
    pub config: Vgg,
    /// What the published widths are divided by.
    pub width_divisor: u32,
    /// Mean of each input channel, in units of a pixel of 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation of each input channel.
    pub std: [f64; 3],
    /// The layers, in order.
    pub layers: Vec<FloatLayer>,
    /// What it was trained on, in the words of whoever trained it.
    pub training_data: Option<String>,
    /// SHA-256 of the weight file.
    pub weights_sha256: String,
    /// SHA-256 of the JSON beside it.
    pub meta_sha256: String,
}

/// The JSON beside the weights; fields that are not needed here are passed over.
#[derive(Deserialize)]
struct Sidecar {
    name: String,
    config: Vgg,
    width_divisor: u32,
    widths: Vec<Width>,
    mean: [f64; 3],
    std: [f64; 3],
    #[serde(default)]
    data: Option<String>,
}

/// An entry of `widths`: the channels of a convolution, or "M" for a 2x2 max pool.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Width {
    Channels(u32),
    Pool(String),
}

/// Reads trained weights and the JSON beside them.
///
/// Tensors are named as PyTorch names them: `features.{i}.weight`, `features.{i}.bias`, where `i` counts convolution,
/// ReLU and pool in order, and `classifier.weight`, `classifier.bias`.
///
/// # Errors
/// A file that cannot be read, is truncated or foreign; a shape, width, class count or type that does not fit; a NaN or
/// infinite weight.
pub fn import(weights: &Path, meta: &Path) -> Result<FloatNetwork, QuantizeError> {
    let json = file::read(meta)?;
    let sidecar = parse_sidecar(meta, &json)?;
    let bytes = file::read(weights)?;
    let layers = read_layers(weights, &bytes, &sidecar)?;
    Ok(FloatNetwork {
        name: sidecar.name,
        config: sidecar.config,
        width_divisor: sidecar.width_divisor,
        mean: sidecar.mean,
        std: sidecar.std,
        layers,
        training_data: sidecar.data,
        weights_sha256: sha256(&bytes),
        meta_sha256: sha256(&json),
    })
}

fn parse_sidecar(path: &Path, json: &[u8]) -> Result<Sidecar, QuantizeError> {
    let sidecar: Sidecar = serde_json::from_slice(json).map_err(|e| QuantizeError::Json {
        path: path.into(),
        what: "the JSON beside the weights",
        reason: e.to_string(),
    })?;
    let wrong = |field, expected: &str, found: String| {
        Err(QuantizeError::Field { path: path.into(), field, expected: expected.into(), found })
    };
    if !divides_widths(sidecar.width_divisor) {
        return wrong("width_divisor", "a power of two up to 64", sidecar.width_divisor.to_string());
    }
    let want = widths(&sidecar.config.layers(sidecar.width_divisor));
    if sidecar.widths != want {
        return wrong("widths", &format!("{want:?}"), format!("{:?}", sidecar.widths));
    }
    if sidecar.mean.iter().any(|v| !v.is_finite()) {
        return wrong("mean", "finite numbers", format!("{:?}", sidecar.mean));
    }
    if sidecar.std.iter().any(|&v| !v.is_finite() || v < 1e-6) {
        return wrong("std", "numbers above 0", format!("{:?}", sidecar.std));
    }
    Ok(sidecar)
}

/// Whether all published widths, 64 and its multiples, can be divided by `divisor`.
pub(crate) fn divides_widths(divisor: u32) -> bool {
    divisor > 0 && 64_u32.is_multiple_of(divisor)
}

fn widths(layers: &[LayerShape]) -> Vec<Width> {
    let mut widths = Vec::new();
    for layer in layers.iter().filter(|l| l.kind == LayerKind::Conv3x3) {
        widths.push(Width::Channels(layer.out_channels));
        if layer.pool {
            widths.push(Width::Pool("M".into()));
        }
    }
    widths
}

fn read_layers(path: &Path, bytes: &[u8], sidecar: &Sidecar) -> Result<Vec<FloatLayer>, QuantizeError> {
    let mut tensors = Tensors::open(path, bytes)?;
    let (mut layers, mut index) = (Vec::new(), 0);
    for shape in sidecar.config.layers(sidecar.width_divisor) {
        let (k, c) = (shape.out_channels as usize, shape.in_channels as usize);
        let (name, dims) = match shape.kind {
            LayerKind::Conv3x3 => (format!("features.{index}"), vec![k, c, 3, 3]),
            LayerKind::Linear => ("classifier".to_string(), vec![k, c]),
        };
        // Convolution and ReLU, and a pool if there is one, each take a number.
        index += if shape.pool { 3 } else { 2 };
        let weights = read_floats(path, &format!("{name}.weight"), &dims, &mut tensors)?;
        let bias = read_floats(path, &format!("{name}.bias"), &[k], &mut tensors)?;
        let columns = c * shape.kind.taps() as usize;
        let weights = Array2::from_shape_vec((k, columns), weights).expect("the shape was checked");
        layers.push(FloatLayer { shape, weights, bias: bias.into() });
    }
    tensors.finish()?;
    Ok(layers)
}

fn read_floats(path: &Path, name: &str, shape: &[usize], tensors: &mut Tensors) -> Result<Vec<f32>, QuantizeError> {
    let tensor = tensors.take(name, shape)?;
    let values = to_f32(&tensor).ok_or_else(|| QuantizeError::Type {
        path: path.into(),
        tensor: name.into(),
        expected: "F32 or F16",
        found: format!("{:?}", tensor.dtype()),
    })?;
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(flat) => Err(QuantizeError::NotFinite {
            path: path.into(),
            tensor: name.into(),
            index: unflatten(flat, shape),
            value: values[flat],
        }),
    }
}

fn to_f32(tensor: &TensorView) -> Option<Vec<f32>> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => Some(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F16 => Some(data.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
        _ => None,
    }
}

/// The index `[k, c, r, s]` of element number `flat`.
fn unflatten(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, &size) in shape.iter().enumerate().rev() {
        index[at] = flat % size;
        flat /= size;
    }
    index
}
