//! The model file: one safetensors file with the int8 network, and JSON that says what it is.
//!
//! Tensors: `layers.{i}.weight` int8 `[K, C, R, S]`, `layers.{i}.bias` i32 `[K]`; for convolutions `layers.{i}.m` u16
//! `[K]` and `layers.{i}.s` u8 `[K]`; `input.table` int8 `[C, 256]`.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use hafnia_config::digest::sha256;
use hafnia_config::shape::{LayerKind, LayerShape};
use hafnia_dataset::{Dataset, SIDE};
use hafnia_files::WholeFile;
use hafnia_golden::network::{Layer, Network, Scale};
use ndarray::{Array1, Array4};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::file::{self, Tensors};
use crate::{ModelMeta, QuantizeError};

/// The key of the JSON in the safetensors metadata.
const KEY: &str = "hafnia";

/// A model file's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The network, checked.
    pub network: Network,
    /// What the file says of it.
    pub meta: ModelMeta,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Model {
    /// Checks that the network runs on the images of `dataset`; `path` is the model's, for the message.
    ///
    /// # Errors
    /// [`QuantizeError::Images`] if it takes others, or has other classes.
    pub fn check_images(&self, path: &Path, dataset: &Dataset) -> Result<(), QuantizeError> {
        let shape = self.network.layers[0].shape;
        let (input, classes) = ([shape.in_channels, shape.height, shape.width], self.network.classes());
        if input == [3, SIDE as u32, SIDE as u32] && classes == dataset.classes().len() {
            return Ok(());
        }
        Err(QuantizeError::Images { path: path.into(), input, classes, data: dataset.classes().len() })
    }
}

/// Reads and checks a model file.
///
/// # Errors
/// A file that cannot be read, is truncated or foreign, has another schema version, or holds a network that breaks a
/// rule.
pub fn read_model(path: &Path) -> Result<Model, QuantizeError> {
    let bytes = file::read(path)?;
    decode(path, &bytes)
}

/// Writes a model file beside `path` and renames it, so that no half-written file ever has that name. Same network and
/// JSON, same bytes. Returns the SHA-256.
///
/// # Errors
/// The folder cannot be written to, or the network and the JSON do not agree.
pub fn write_model(path: &Path, network: &Network, meta: &ModelMeta) -> Result<String, QuantizeError> {
    write_into(create(path)?, path, network, meta)
}

/// Starts the file of [`write_model`]: what stands in its way shows before the long work.
pub(crate) fn create(path: &Path) -> Result<WholeFile, QuantizeError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(QuantizeError::io("create", folder))?;
    WholeFile::create(path).map_err(QuantizeError::io("write", path))
}

/// Finishes `file`, started for `path`.
pub(crate) fn write_into(
    mut file: WholeFile,
    path: &Path,
    network: &Network,
    meta: &ModelMeta,
) -> Result<String, QuantizeError> {
    let bytes = encode(network, meta);
    // Read back before it is written: a file that this program cannot read must not come to be.
    let model = decode(path, &bytes)?;
    file.write_all(&bytes).and_then(|()| file.finish()).map_err(QuantizeError::io("write", path))?;
    Ok(model.sha256)
}

pub(crate) fn encode(network: &Network, meta: &ModelMeta) -> Vec<u8> {
    let mut tensors = vec![OwnedTensor {
        name: "input.table".into(),
        dtype: Dtype::I8,
        shape: vec![network.input.len(), 256],
        bytes: network.input.as_flattened().iter().map(|v| v.to_le_bytes()[0]).collect(),
    }];
    for (i, layer) in network.layers.iter().enumerate() {
        let mut add = |name: &str, dtype, shape: &[usize], bytes| {
            tensors.push(OwnedTensor { name: format!("layers.{i}.{name}"), dtype, shape: shape.into(), bytes });
        };
        let k = layer.bias.len();
        add("weight", Dtype::I8, layer.weights.shape(), layer.weights.iter().map(|v| v.to_le_bytes()[0]).collect());
        add("bias", Dtype::I32, &[k], layer.bias.iter().flat_map(|v| v.to_le_bytes()).collect());
        if layer.shape.kind == LayerKind::Conv3x3 {
            add("m", Dtype::U16, &[k], layer.scale.iter().flat_map(|v| v.m.to_le_bytes()).collect());
            add("s", Dtype::U8, &[k], layer.scale.iter().map(|v| v.s).collect());
        }
    }
    let views = tensors.iter().map(|t| (t.name.as_str(), t.view()));
    // One key only: the order of several in this map would differ from run to run.
    let json = serde_json::to_string(meta).expect("the schema has no map with keys other than strings");
    let metadata = HashMap::from([(KEY.to_string(), json)]);
    safetensors::serialize(views, Some(metadata)).expect("names are unique and sizes agree")
}

struct OwnedTensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl OwnedTensor {
    fn view(&self) -> TensorView<'_> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes).expect("the bytes fill the shape")
    }
}

pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Model, QuantizeError> {
    let meta = ModelMeta::parse(path, &json(path, bytes)?)?;
    let mut reader = Reader { path, tensors: Tensors::open(path, bytes)? };
    let channels = meta.layers[0].in_channels as usize;
    let tables = reader.take("input.table", &[channels, 256], Dtype::I8)?;
    let input = tables.chunks_exact(256).map(|t| std::array::from_fn(|i| t[i] as i8)).collect();
    let layers = meta.layers.iter().enumerate().map(|(i, shape)| reader.layer(i, shape)).collect::<Result<_, _>>()?;
    reader.tensors.finish()?;
    let network = Network::new(meta.name.clone(), input, layers)
        .map_err(|source| QuantizeError::Network { path: path.into(), source })?;
    Ok(Model { network, meta, sha256: sha256(bytes) })
}

/// The JSON in the safetensors metadata.
fn json(path: &Path, bytes: &[u8]) -> Result<String, QuantizeError> {
    let (_, header) = SafeTensors::read_metadata(bytes)
        .map_err(|e| QuantizeError::Safetensors { path: path.into(), reason: e.to_string() })?;
    header.metadata().as_ref().and_then(|m| m.get(KEY)).cloned().ok_or_else(|| QuantizeError::Json {
        path: path.into(),
        what: "the metadata `hafnia`",
        reason: "there is none; this is no model file, make one with `hafnia quantize`".into(),
    })
}

struct Reader<'a> {
    path: &'a Path,
    tensors: Tensors<'a>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, name: &str, shape: &[usize], dtype: Dtype) -> Result<&'a [u8], QuantizeError> {
        let tensor = self.tensors.take(name, shape)?;
        if tensor.dtype() == dtype {
            return Ok(tensor.data());
        }
        let expected = match dtype {
            Dtype::I8 => "I8",
            Dtype::I32 => "I32",
            Dtype::U16 => "U16",
            _ => "U8",
        };
        let found = format!("{:?}", tensor.dtype());
        Err(QuantizeError::Type { path: self.path.into(), tensor: name.into(), expected, found })
    }

    fn layer(&mut self, i: usize, shape: &LayerShape) -> Result<Layer, QuantizeError> {
        let (k, c) = (shape.out_channels as usize, shape.in_channels as usize);
        let side = if shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
        let dims = [k, c, side, side];
        let weights = self.take(&format!("layers.{i}.weight"), &dims, Dtype::I8)?;
        let weights = weights.iter().map(|&b| b as i8).collect();
        let weights = Array4::from_shape_vec(dims, weights).expect("the shape was checked");
        let bias = self.take(&format!("layers.{i}.bias"), &[k], Dtype::I32)?;
        let bias: Array1<i32> = bias.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let mut scale = Vec::new();
        if shape.kind == LayerKind::Conv3x3 {
            let m = self.take(&format!("layers.{i}.m"), &[k], Dtype::U16)?;
            let s = self.take(&format!("layers.{i}.s"), &[k], Dtype::U8)?;
            let pairs = m.chunks_exact(2).zip(s);
            scale = pairs.map(|(m, &s)| Scale { m: u16::from_le_bytes([m[0], m[1]]), s }).collect();
        }
        Ok(Layer { shape: *shape, weights, bias, scale })
    }
}
