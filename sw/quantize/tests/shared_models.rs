//! The trained networks, where they are at hand.

use std::path::{Path, PathBuf};

use hafnia_quantize::{Options, Summary, read_model, run};
use hafnia_testing::shared;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Quantises with the default settings and checks the accuracy on `images` test images, without a number on all: int8 within
/// 0.5 points of fp32, and that on all images as the training run measured it.
fn quantise(shared: &Path, name: &str, images: Option<usize>, output: &Path) -> Summary {
    let folder = shared.join("models").join(name);
    let data = if name.ends_with("digits") { PathBuf::from("digits") } else { shared.join("data") };
    let (weights, meta) = (folder.join("weights.safetensors"), folder.join("model.json"));
    let mut options = Options::new(weights, meta.clone(), Some(data), output.into());
    options.test_images = images;
    let summary = run(&options, &mut |_| {}).unwrap();
    let trained: serde_json::Value = serde_json::from_slice(&std::fs::read(meta).unwrap()).unwrap();
    let accuracy = summary.meta.accuracy.as_ref().unwrap();
    eprintln!("{name}: fp32 {:.4}, int8 {:.4} of {}", accuracy.fp32_top1, accuracy.int8_top1, accuracy.images);
    // One image of 10,000 may fall the other way: the training run summed in another order.
    let as_trained = (accuracy.fp32_top1 - trained["test_accuracy_fp32"].as_f64().unwrap()).abs() < 1.5e-4;
    assert!(as_trained || images.is_some());
    assert!((accuracy.fp32_top1 - accuracy.int8_top1).abs() <= 0.005, "{accuracy:?}");
    summary
}

/// The command in `models/README.md` gives the committed file again, byte for byte.
fn reproduces_the_committed_file(name: &str) {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("model.safetensors");
    let summary = quantise(&shared, name, None, &output);
    let committed = workspace().join("models").join(name).join("model.safetensors");
    assert_eq!(read_model(&committed).unwrap().sha256, summary.sha256, "{name} differs from the committed file");
    assert_eq!(std::fs::read(&committed).unwrap(), std::fs::read(&output).unwrap());
}

#[test]
fn digits_are_within_half_a_point_and_reproduce_the_committed_file() {
    reproduces_the_committed_file("vgg-a8-digits");
}

#[test]
fn a8_is_within_half_a_point_and_reproduces_the_committed_file() {
    reproduces_the_committed_file("vgg-a8-cifar10");
}

#[test]
fn a4_is_within_half_a_point() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    quantise(&shared, "vgg-a4-cifar10", None, &folder.path().join("model.safetensors"));
}

/// The full width has sixteen times the work of a quarter, so on a part of the images.
#[test]
fn full_width_is_within_half_a_point() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    quantise(&shared, "vgg-a-cifar10", Some(2000), &folder.path().join("model.safetensors"));
}

/// The committed files need nothing else to be read.
#[test]
fn the_committed_models_are_sound_and_say_how_good_they_are() {
    for (name, images) in [("vgg-a8-digits", 360), ("vgg-a8-cifar10", 10_000)] {
        let model = read_model(&workspace().join("models").join(name).join("model.safetensors")).unwrap();
        let accuracy = model.meta.accuracy.unwrap();
        assert_eq!((model.network.name.as_str(), accuracy.images), (name, images));
        assert!((accuracy.fp32_top1 - accuracy.int8_top1).abs() <= 0.005);
        assert!(model.network.layers.iter().all(|l| l.weights.iter().all(|&w| w != -128)));
    }
}
