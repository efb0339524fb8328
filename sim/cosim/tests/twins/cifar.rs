//! The twin property on real CIFAR-10 test images: the committed network on every preset, and the full-width VGG-A.
//! The images and the trained full-width network are used where they are at hand.

use crate::common::{Bench, committed, hardware, preset};
use hafnia_dataset::{Dataset, Images};
use hafnia_golden::network::Network;
use hafnia_quantize::{Options, read_model};
use hafnia_testing::shared;
use hafnia_verilate::Unknowns;
use ndarray::Array3;

fn ifmaps(network: &Network, images: &Images) -> Vec<Array3<i8>> {
    images.iter().map(|(pixels, _)| network.quantise_image(pixels)).collect()
}

#[test]
fn real_images_on_every_preset_rate_and_seed_equal_golden() {
    let Some(shared) = shared() else { return };
    let images = Dataset::open(&shared.join("data")).unwrap().test().read(2, 4).unwrap();
    let network = committed("vgg-a8-cifar10");
    for name in ["4x4", "8x4", "8x8", "16x16"] {
        let bench = Bench::new(preset(name), network.clone(), 2, ifmaps(&network, &images));
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        for p in [0.0, 1e-4, 1e-2, 0.5] {
            for seed in [1, 2, 3] {
                bench.assert_equal(p, seed, &hardware);
            }
        }
    }
}

#[test]
fn full_width_vgg_a_equals_golden() {
    let Some(shared) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let trained = shared.join("models/vgg-a-cifar10");
    let output = folder.path().join("model.safetensors");
    let (weights, meta) = (trained.join("weights.safetensors"), trained.join("model.json"));
    let mut options = Options::new(weights, meta, Some(shared.join("data")), output.clone());
    options.test_images = Some(0);
    hafnia_quantize::run(&options, &mut |_| ()).unwrap();
    let network = read_model(&output).unwrap().network;
    let images = Dataset::open(&shared.join("data")).unwrap().test().read(0, 2).unwrap();
    for name in ["8x8", "16x16"] {
        let bench = Bench::new(preset(name), network.clone(), 0, ifmaps(&network, &images));
        let hardware = hardware(&bench.hw, Unknowns::Fast);
        for p in [0.0, 1e-4] {
            let totals = bench.assert_equal(p, 1, &hardware);
            assert_eq!(totals.counter("macs"), 2 * 152_769_536);
        }
    }
}
