//! What the two readers share: a whole file in memory, its checksum, and tensors looked up by name.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::QuantizeError;

/// The largest file read: twice the fp32 weights of VGG-E.
const LARGEST: u64 = 160 << 20;

/// Reads a file of at most [`LARGEST`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, QuantizeError> {
    let bytes = hafnia_files::read(path, LARGEST).map_err(QuantizeError::io("read", path))?;
    bytes.ok_or_else(|| QuantizeError::TooLarge { path: path.into(), limit: LARGEST })
}

/// The tensors of one file, taken one by one; what is left at the end is foreign.
pub(crate) struct Tensors<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
    left: BTreeSet<String>,
}

impl<'a> Tensors<'a> {
    /// Opens a safetensors file held in memory.
    pub(crate) fn open(path: &'a Path, bytes: &'a [u8]) -> Result<Self, QuantizeError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| QuantizeError::Safetensors { path: path.into(), reason: e.to_string() })?;
        let left = tensors.names().into_iter().map(Into::into).collect();
        Ok(Self { path, tensors, left })
    }

    /// Takes the tensor `name`, which must have `shape`.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, QuantizeError> {
        self.left.remove(name);
        let tensor = self
            .tensors
            .tensor(name)
            .map_err(|_| QuantizeError::MissingTensor { path: self.path.into(), tensor: name.into() })?;
        if tensor.shape() == shape {
            return Ok(tensor);
        }
        Err(QuantizeError::Shape {
            path: self.path.into(),
            tensor: name.into(),
            expected: shape.into(),
            found: tensor.shape().into(),
        })
    }

    /// Checks that every tensor was taken.
    pub(crate) fn finish(self) -> Result<(), QuantizeError> {
        match self.left.into_iter().next() {
            None => Ok(()),
            Some(tensor) => Err(QuantizeError::ForeignTensor { path: self.path.into(), tensor }),
        }
    }
}
