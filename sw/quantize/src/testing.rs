//! A small trained network for tests: VGG-A with widths divided by 64, seeded weights.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use half::f16;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::{FloatNetwork, QuantizeError, import};

/// Weight file and JSON in a folder of their own.
pub(crate) struct Files {
    pub folder: tempfile::TempDir,
    pub tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    pub json: serde_json::Value,
    pub fp16: bool,
}

impl Files {
    /// The files of a sound network.
    pub fn sound() -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut uniform = |range: f32| (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * 2.0 * range;
        let widths = [(0, 3, 1), (3, 1, 2), (6, 2, 4), (8, 4, 4), (11, 4, 8), (13, 8, 8), (16, 8, 8), (18, 8, 8)];
        let mut tensors = Vec::new();
        for (i, c, k) in widths {
            let weights = (0..k * c * 9).map(|_| uniform(0.6)).collect();
            tensors.push((format!("features.{i}.weight"), vec![k, c, 3, 3], weights));
            tensors.push((format!("features.{i}.bias"), vec![k], (0..k).map(|_| 0.2 + uniform(0.1)).collect()));
        }
        tensors.push(("classifier.weight".into(), vec![10, 8], (0..80).map(|_| uniform(1.0)).collect()));
        tensors.push(("classifier.bias".into(), vec![10], (0..10).map(|_| uniform(0.1)).collect()));
        let json = serde_json::json!({
            "name": "tiny", "config": "A", "width_divisor": 64,
            "widths": [1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"],
            "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.25, 0.2], "more": "is passed over",
        });
        Self { folder: tempfile::tempdir().unwrap(), tensors, json, fp16: false }
    }

    pub fn weights(&self) -> PathBuf {
        self.folder.path().join("weights.safetensors")
    }

    pub fn meta(&self) -> PathBuf {
        self.folder.path().join("model.json")
    }

    /// The values of one tensor, to be changed.
    pub fn tensor(&mut self, name: &str) -> &mut (String, Vec<usize>, Vec<f32>) {
        self.tensors.iter_mut().find(|t| t.0 == name).unwrap()
    }

    pub fn write(&self) {
        let to_bytes =
            |v: &f32| if self.fp16 { f16::from_f32(*v).to_le_bytes().to_vec() } else { v.to_le_bytes().to_vec() };
        let dtype = if self.fp16 { Dtype::F16 } else { Dtype::F32 };
        let bytes: HashMap<&str, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(name, _, values)| (name.as_str(), values.iter().flat_map(to_bytes).collect()))
            .collect();
        let views = self.tensors.iter().map(|(name, shape, _)| {
            (name.as_str(), TensorView::new(dtype, shape.clone(), &bytes[name.as_str()]).unwrap())
        });
        fs::write(self.weights(), safetensors::serialize(views, None).unwrap()).unwrap();
        fs::write(self.meta(), self.json.to_string()).unwrap();
    }

    /// Writes and imports.
    pub fn import(&self) -> Result<FloatNetwork, QuantizeError> {
        self.write();
        import(&self.weights(), &self.meta())
    }
}
