//! The whole way from trained weights to a model file, with both accuracies measured.

use std::path::PathBuf;

use hafnia_dataset::{Dataset, Images, locate};
use hafnia_files::same_file;
use hafnia_golden::network::Network;
use serde::Serialize;

use crate::calibrate::{ranges, sample};
use crate::float::FloatModel;
use crate::import::{FloatNetwork, import};
use crate::meta::{Accuracy, ModelMeta, Provenance, Quantisation, SCHEMA_VERSION, VggMeta};
use crate::model::{create, write_into};
use crate::quantise::quantise;
use crate::{Granularity, QuantizeError, evaluate};

/// Test images between two reports of progress.
const CHUNK: usize = 250;

/// What to quantise, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Trained weights, a safetensors file.
    pub weights: PathBuf,
    /// The JSON beside them.
    pub meta: PathBuf,
    /// Data set for calibration and test: a folder, or `digits`; none looks where [`locate`] looks.
    pub calibration: Option<PathBuf>,
    /// The model file to write.
    pub output: PathBuf,
    /// What shares one weight scale.
    pub granularity: Granularity,
    /// Percentile of each layer's outputs that becomes 127, above 50 and up to 100.
    pub percentile: f64,
    /// Training images to calibrate with.
    pub calibration_images: usize,
    /// Seed of their choice.
    pub seed: u64,
    /// Test images, from the first, on which both accuracies are measured; all unless told otherwise, 0 measures none.
    pub test_images: Option<usize>,
}

impl Options {
    /// Percentile unless told otherwise. From 99.9 to 100 the test networks differ by at most 0.25 points; 99.5 loses
    /// up to 0.6.
    pub const PERCENTILE: f64 = 99.99;
    /// Calibration images unless told otherwise.
    pub const CALIBRATION_IMAGES: usize = 512;
    /// Seed unless told otherwise.
    pub const SEED: u64 = 1;

    /// Returns options with the default settings.
    pub fn new(weights: PathBuf, meta: PathBuf, calibration: Option<PathBuf>, output: PathBuf) -> Self {
        Self {
            weights,
            meta,
            calibration,
            output,
            granularity: Granularity::default(),
            percentile: Self::PERCENTILE,
            calibration_images: Self::CALIBRATION_IMAGES,
            seed: Self::SEED,
            test_images: None,
        }
    }

    fn check(&self, dataset: &Dataset) -> Result<(), QuantizeError> {
        let (train, test) = (dataset.train(), dataset.test());
        let wrong = |option, expected: String, found: String| Err(QuantizeError::Option { option, expected, found });
        if !(self.percentile > 50.0 && self.percentile <= 100.0) {
            return wrong("--percentile", "above 50 and up to 100".into(), self.percentile.to_string());
        }
        if !(1..=train.len()).contains(&self.calibration_images) {
            let expected = format!("1 to {}, the training images", train.len());
            return wrong("--calibration-images", expected, self.calibration_images.to_string());
        }
        if let Some(images) = self.test_images.filter(|&images| images > test.len()) {
            return wrong("--test-images", format!("up to {}, the test images", test.len()), images.to_string());
        }
        let images = dataset.all_files();
        if [&self.weights, &self.meta].into_iter().chain(&images).any(|input| same_file(input, &self.output)) {
            return wrong("--output", "a file of its own".into(), "one of the files that are read".into());
        }
        Ok(())
    }
}

/// What [`run`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Running calibration images through the fp32 network.
    Calibrate,
    /// Measuring fp32 top-1.
    EvaluateFp32,
    /// Measuring int8 top-1.
    EvaluateInt8,
}

/// How far [`run`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Images done.
    pub done: usize,
    /// Images in all.
    pub total: usize,
}

/// What [`run`] wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The model file.
    pub output: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// What it says of itself, accuracies included.
    pub meta: ModelMeta,
}

/// Imports, calibrates, quantises, measures fp32 and int8 top-1 on the test split, and writes the model file.
/// The same files and settings give the same bytes on every machine.
///
/// # Errors
/// Whatever is wrong with the files, the data set or the options; nothing is written then.
pub fn run(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Summary, QuantizeError> {
    let dataset = locate(options.calibration.as_deref())?;
    options.check(&dataset)?;
    let trained = import(&options.weights, &options.meta)?;
    check_classes(&trained, &dataset)?;
    let file = create(&options.output)?;
    let model = FloatModel::new(&trained);

    let total = options.calibration_images;
    progress(Progress { stage: Stage::Calibrate, done: 0, total });
    let calibration = dataset.train().pick(&sample(dataset.train().len(), total, options.seed))?;
    let ranges = ranges(&model, trained.layers.len() - 1, &calibration, options.percentile)?;
    progress(Progress { stage: Stage::Calibrate, done: total, total });

    let quantised = quantise(&trained, &ranges, options.granularity)?;
    let network = Network::new(trained.name.clone(), quantised.input, quantised.layers)
        .map_err(|source| QuantizeError::Network { path: options.weights.clone(), source })?;

    let test = dataset.test().read(0, options.test_images.unwrap_or(dataset.test().len()))?;
    let fp32 = count(&test, Stage::EvaluateFp32, progress, |images| model.correct(images));
    let int8 = count(&test, Stage::EvaluateInt8, progress, |images| evaluate::correct(&network, images));
    let quantisation = Quantisation {
        granularity: options.granularity,
        percentile: options.percentile,
        calibration_images: options.calibration_images,
        seed: options.seed,
        input_scales: quantised.input_scales,
    };
    let accuracy = (!test.is_empty()).then(|| accuracy(&dataset, &test, fp32, int8));
    let meta = describe(trained, &network, &dataset, quantisation, accuracy, calibration.sha256());
    let sha256 = write_into(file, &options.output, &network, &meta)?;
    Ok(Summary { output: options.output.clone(), sha256, meta })
}

fn check_classes(trained: &FloatNetwork, dataset: &Dataset) -> Result<(), QuantizeError> {
    let model = trained.layers.last().map_or(0, |l| l.shape.out_channels as usize);
    let data = dataset.classes().len();
    if model == data { Ok(()) } else { Err(QuantizeError::Classes { model, dataset: dataset.name().into(), data }) }
}

/// Sums `correct` over chunks of the images, with a report of progress before each and at the end.
fn count(
    images: &Images,
    stage: Stage,
    progress: &mut dyn FnMut(Progress),
    correct: impl Fn(&Images) -> usize,
) -> usize {
    let total = images.len();
    let mut sum = 0;
    for first in (0..total).step_by(CHUNK) {
        progress(Progress { stage, done: first, total });
        sum += correct(&images.select(&(first..total.min(first + CHUNK)).collect::<Vec<_>>()));
    }
    progress(Progress { stage, done: total, total });
    sum
}

fn accuracy(dataset: &Dataset, test: &Images, fp32: usize, int8: usize) -> Accuracy {
    let share = |n: usize| n as f64 / test.len() as f64;
    Accuracy {
        dataset: dataset.name().into(),
        images: test.len(),
        images_sha256: test.sha256(),
        fp32_correct: fp32,
        fp32_top1: share(fp32),
        int8_correct: int8,
        int8_top1: share(int8),
    }
}

fn describe(
    trained: FloatNetwork,
    network: &Network,
    dataset: &Dataset,
    quantisation: Quantisation,
    accuracy: Option<Accuracy>,
    calibration_sha256: String,
) -> ModelMeta {
    ModelMeta {
        version: SCHEMA_VERSION,
        name: trained.name,
        vgg: Some(VggMeta { config: trained.config, width_divisor: trained.width_divisor }),
        classes: network.classes(),
        class_names: dataset.classes().iter().map(|&c| c.into()).collect(),
        layers: network.shapes(),
        quantisation: Some(quantisation),
        accuracy,
        provenance: Provenance {
            training_data: trained.training_data,
            weights_sha256: Some(trained.weights_sha256),
            meta_sha256: Some(trained.meta_sha256),
            calibration_sha256: Some(calibration_sha256),
        },
    }
}
