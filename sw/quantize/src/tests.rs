//! Import, model file and the whole run, on a small network and the built-in digits.

use std::fs;
use std::path::{Path, PathBuf};

use hafnia_golden::network::Network;
use proptest::prelude::*;

use crate::model::{decode, encode};
use crate::quantise::quantise;
use crate::testing::Files;
use crate::{Granularity, ModelMeta, Options, QuantizeError, read_model, run, write_model};

fn network() -> Network {
    let trained = Files::sound().import().unwrap();
    let q = quantise(&trained, &[4.0; 8], Granularity::PerChannel).unwrap();
    Network::new("tiny".into(), q.input, q.layers).unwrap()
}

fn message(files: &Files) -> String {
    files.import().unwrap_err().to_string()
}

#[test]
fn fp16_weights_are_read_as_fp32() {
    let mut files = Files::sound();
    files.fp16 = true;
    files.tensor("features.0.bias").2 = vec![0.333_333_34];
    let bias = files.import().unwrap().layers[0].bias[0];
    assert_eq!(bias, 0.333_251_95, "the nearest fp16 number to a third");
}

#[test]
fn a_weight_that_is_not_finite_is_named_with_its_index() {
    let mut files = Files::sound();
    files.tensor("features.8.weight").2[36 + 9 + 4] = f32::NAN;
    assert!(message(&files).contains("`features.8.weight` holds NaN at index [1, 1, 1, 1]"), "{}", message(&files));
    files.tensor("features.8.weight").2[36 + 9 + 4] = f32::NEG_INFINITY;
    assert!(message(&files).contains("holds -inf at index [1, 1, 1, 1]"));
}

#[test]
fn missing_foreign_and_misshapen_tensors_are_named() {
    let mut files = Files::sound();
    files.tensor("classifier.bias").0 = "classifier.offset".into();
    assert!(message(&files).contains("`classifier.bias` is missing"), "{}", message(&files));
    let mut files = Files::sound();
    files.tensors.push(("features.1.running_mean".into(), vec![1], vec![0.0]));
    assert!(message(&files).contains("`features.1.running_mean` belongs to no layer"));
    let mut files = Files::sound();
    *files.tensor("classifier.weight") = ("classifier.weight".into(), vec![7, 8], vec![0.0; 56]);
    assert!(message(&files).contains("`classifier.weight` has shape [7, 8], expected [10, 8]"));
}

#[test]
fn a_wrong_json_names_its_field() {
    for (field, value, want) in [
        ("width_divisor", serde_json::json!(3), "field `width_divisor` is 3"),
        ("widths", serde_json::json!([1, 2]), "field `widths`"),
        ("std", serde_json::json!([0.2, 0.0, 0.2]), "field `std`"),
        ("config", serde_json::json!("C"), "unknown variant `C`"),
        ("mean", serde_json::json!([1, 2]), "the JSON beside the weights"),
    ] {
        let mut files = Files::sound();
        files.json[field] = value;
        assert!(message(&files).contains(want), "{field}: {}", message(&files));
    }
}

#[test]
fn truncated_foreign_and_missing_weight_files_are_refused() {
    let files = Files::sound();
    files.write();
    let bytes = fs::read(files.weights()).unwrap();
    let import = || crate::import(&files.weights(), &files.meta()).unwrap_err();
    for cut in [0, 7, 8, 500, bytes.len() - 1] {
        fs::write(files.weights(), &bytes[..cut]).unwrap();
        assert!(matches!(import(), QuantizeError::Safetensors { .. }), "cut at {cut}");
    }
    fs::write(files.weights(), b"\x80\x02}q\x00. no safetensors").unwrap();
    assert!(import().to_string().contains("no whole safetensors file"));
    fs::remove_file(files.weights()).unwrap();
    assert!(matches!(import(), QuantizeError::Io { .. }));
}

#[test]
fn a_model_file_comes_back_as_it_was_written() {
    let (network, folder) = (network(), tempfile::tempdir().unwrap());
    let path = folder.path().join("new/model.safetensors");
    let sha256 = write_model(&path, &network, &ModelMeta::bare(&network)).unwrap();
    let model = read_model(&path).unwrap();
    assert_eq!((&model.network, &model.sha256), (&network, &sha256));
    assert_eq!(model.meta, ModelMeta::bare(&network));
    let bytes = fs::read(&path).unwrap();
    write_model(&path, &model.network, &model.meta).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes, "same network, same bytes");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file may stay");
}

#[test]
fn a_model_whose_json_disagrees_is_neither_written_nor_read() {
    let (network, folder) = (network(), tempfile::tempdir().unwrap());
    let path = folder.path().join("model.safetensors");
    let good = ModelMeta::bare(&network);
    let refused = |change: fn(&mut ModelMeta), want: &str| {
        let mut meta = good.clone();
        change(&mut meta);
        let error = write_model(&path, &network, &meta).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(!path.exists());
    };
    refused(|m| m.version = 2, "field `version` is 2, expected 1");
    refused(|m| m.classes = 9, "field `classes` is 9");
    refused(|m| m.class_names = vec!["one".into()], "field `class_names`");
    refused(|m| m.layers[3].out_channels = 0, "sizes of 1 to 4096");
    refused(|m| m.layers[3].out_channels = 5, "`layers.3.weight` has shape");
    refused(|m| m.layers.truncate(8), "field `classes`");
    refused(|m| m.layers.clear(), "field `layers`");
    refused(|m| m.vgg = Some(crate::VggMeta { config: hafnia_config::shape::Vgg::B, width_divisor: 64 }), "VGG-B / 64");
}

#[test]
fn a_scale_out_of_range_is_found_on_reading() {
    let mut network = network();
    network.layers[2].scale[1].s = 48;
    let error = decode(Path::new("x"), &encode(&network, &ModelMeta::bare(&network))).unwrap_err().to_string();
    assert!(error.contains("layer 2, channel 1") && error.contains("s = 48"), "{error}");
}

#[test]
fn a_weight_file_is_no_model_file() {
    let files = Files::sound();
    files.write();
    let error = read_model(&files.weights()).unwrap_err().to_string();
    assert!(error.contains("make one with `hafnia quantize`"), "{error}");
}

fn options(files: &Files, output: &str) -> Options {
    let digits = Some(PathBuf::from("digits"));
    Options {
        calibration_images: 40,
        ..Options::new(files.weights(), files.meta(), digits, files.folder.path().join(output))
    }
}

#[test]
fn a_run_gives_the_same_bytes_each_time_and_other_bytes_for_another_seed() {
    let files = Files::sound();
    files.write();
    let mut reports = Vec::new();
    let first = run(&options(&files, "a"), &mut |p| reports.push(p)).unwrap();
    let second = run(&options(&files, "b"), &mut |_| {}).unwrap();
    assert_eq!(fs::read(&first.output).unwrap(), fs::read(&second.output).unwrap());
    let other = run(&Options { seed: 2, ..options(&files, "c") }, &mut |_| {}).unwrap();
    assert_ne!(first.sha256, other.sha256);
    let read = read_model(&first.output).unwrap();
    assert_eq!((read.meta, read.sha256), (first.meta, first.sha256));
    assert_eq!(reports.last().map(|p| (p.done, p.total)), Some((360, 360)));
}

#[test]
fn options_out_of_range_are_named() {
    let files = Files::sound();
    files.write();
    for (changed, want) in [
        (Options { percentile: 101.0, ..options(&files, "a") }, "`--percentile` is 101"),
        (Options { percentile: f64::NAN, ..options(&files, "a") }, "`--percentile` is NaN"),
        (Options { calibration_images: 0, ..options(&files, "a") }, "`--calibration-images` is 0"),
        (Options { output: files.weights(), ..options(&files, "a") }, "`--output` is one of the files that are read"),
        (Options { calibration_images: 1438, ..options(&files, "a") }, "expected 1 to 1437"),
    ] {
        let error = run(&changed, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn a_layer_that_is_always_zero_is_named() {
    let mut files = Files::sound();
    files.tensor("features.6.bias").2.fill(-1e6);
    files.write();
    let error = run(&options(&files, "a"), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("layer 2 gives only zeros on the 40 calibration images"), "{error}");
    assert!(!files.folder.path().join("a").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever byte changes, reading ends with a network that keeps the rules, or an error.
    #[test]
    fn mutated_model_files_never_panic(
        at: prop::sample::Index, byte: u8, head in 0_usize..64, other: u8, cut: prop::sample::Index
    ) {
        let network = network();
        let mut bytes = encode(&network, &ModelMeta::bare(&network));
        prop_assert!(decode(Path::new("x"), &bytes[..cut.index(bytes.len())]).is_err());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes[head] = other;
        let _ = decode(Path::new("x"), &bytes);
    }

    /// A sound container with JSON from elsewhere.
    #[test]
    fn any_json_in_the_metadata_never_panics(
        channels in any::<u32>(), side in any::<u32>(), version in 0_u32..3, cut in 0_usize..400
    ) {
        let network = network();
        let mut meta = ModelMeta::bare(&network);
        meta.version = version;
        meta.layers[0].out_channels = channels;
        meta.layers[1].height = side;
        prop_assert!(decode(Path::new("x"), &encode(&network, &meta)).is_err());
        let json = serde_json::to_string(&ModelMeta::bare(&network)).unwrap();
        prop_assert!(ModelMeta::parse(Path::new("x"), &json[..cut]).is_err());
    }

    #[test]
    fn random_weight_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), length in 0_u64..700) {
        let files = Files::sound();
        files.write();
        let framed = [&length.to_le_bytes()[..], &bytes].concat();
        for bytes in [bytes, framed] {
            fs::write(files.weights(), &bytes).unwrap();
            prop_assert!(crate::import(&files.weights(), &files.meta()).is_err());
            prop_assert!(decode(Path::new("x"), &bytes).is_err());
        }
    }

    #[test]
    fn mutated_weight_files_never_panic(at: prop::sample::Index, byte: u8) {
        let files = Files::sound();
        files.write();
        let mut bytes = fs::read(files.weights()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        fs::write(files.weights(), &bytes).unwrap();
        let _ = crate::import(&files.weights(), &files.meta());
    }
}
