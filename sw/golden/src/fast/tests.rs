use hafnia_config::flip::FlipCounts;
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::{Array1, Array4};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::clean::{self, LayerOutput};
use crate::network::{Layer, Scale};

fn available() -> Vec<Isa> {
    let list: Vec<Isa> = Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect();
    println!("{list:?}");
    list
}

/// A layer of `c` to `k` channels on a map of `side`; `k` of 0 stands for no such layer. Weights and scales over their whole
/// ranges.
fn layer(kind: LayerKind, c: u32, k: u32, height: u32, width: u32, pool: bool, rng: &mut ChaCha8Rng) -> Layer {
    let shape = LayerShape { kind, in_channels: c, out_channels: k, height, width, pool };
    let side = if kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let weights = Array4::from_shape_simple_fn((k as usize, c as usize, side, side), || rng.random());
    let bias = Array1::from_shape_simple_fn(k as usize, || rng.random_range(-30_000..30_000));
    let scale = || Scale { m: rng.random_range(1 << 15..=u16::MAX), s: rng.random_range(1..=28) };
    let count = if kind == LayerKind::Conv3x3 { k as usize } else { 0 };
    Layer { shape, weights, bias, scale: std::iter::repeat_with(scale).take(count).collect() }
}

fn maps(images: usize, c: u32, height: u32, width: u32, rng: &mut ChaCha8Rng) -> Vec<Array3<i8>> {
    let one = |_| Array3::from_shape_simple_fn((c as usize, height as usize, width as usize), || rng.random());
    (0..images).map(one).collect()
}

#[test]
fn convolutions_of_every_shape_equal_the_plain_loops() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for isa in available() {
        for (c, k, height, width, pool, images) in [
            (3, 8, 8, 8, false, 1),
            (3, 64, 4, 6, true, 3),
            (1, 1, 1, 1, false, 5),
            (4, 17, 2, 2, true, 7),
            (5, 33, 6, 2, true, 2),
            (7, 16, 3, 5, false, 2),
            (16, 32, 2, 2, true, 1),
            (64, 70, 4, 4, true, 2),
        ] {
            let layer = layer(LayerKind::Conv3x3, c, k, height, width, pool, &mut rng);
            let images = maps(images, c, height, width, &mut rng);
            let mut engine = Engine::of(isa, std::slice::from_ref(&layer));
            let mut ofmaps = engine.ofmaps(0, images.len());
            engine.conv(0, &Map::of(&images), 0..images.len(), None, &mut ofmaps);
            for (i, image) in images.iter().enumerate() {
                let want = clean::layer(&layer, image);
                let got = LayerOutput::Map(ofmaps.image(i));
                assert!(got == want, "{isa:?}: {c} to {k} channels, {height}x{width}, pool {pool}, image {i}");
            }
        }
    }
}

/// Sums as large as they come: every weight and value at -128, of 512 channels.
#[test]
fn largest_sums_do_not_saturate() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for isa in available() {
        for value in [i8::MIN, i8::MAX] {
            let mut layer = layer(LayerKind::Conv3x3, 512, 20, 2, 2, false, &mut rng);
            layer.weights.fill(i8::MIN);
            layer.scale.fill(Scale { m: u16::MAX, s: 37 });
            let image = Array3::from_elem((512, 2, 2), value);
            let mut engine = Engine::of(isa, std::slice::from_ref(&layer));
            let mut ofmaps = engine.ofmaps(0, 1);
            engine.conv(0, &Map::of(std::slice::from_ref(&image)), 0..1, None, &mut ofmaps);
            assert_eq!(LayerOutput::Map(ofmaps.image(0)), clean::layer(&layer, &image), "{isa:?}");
        }
    }
}

#[test]
fn a_range_of_images_leaves_the_others_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for isa in available() {
        let layer = layer(LayerKind::Conv3x3, 6, 20, 4, 4, true, &mut rng);
        let images = maps(5, 6, 4, 4, &mut rng);
        let mut engine = Engine::of(isa, &[layer]);
        let ifmaps = Map::of(&images);
        let (mut whole, mut parts) = (engine.ofmaps(0, 5), engine.ofmaps(0, 5));
        engine.conv(0, &ifmaps, 0..5, None, &mut whole);
        engine.conv(0, &ifmaps, 3..5, None, &mut parts);
        assert_eq!(parts.image(2), engine.ofmaps(0, 5).image(2));
        engine.conv(0, &ifmaps, 0..3, None, &mut parts);
        assert!(whole == parts, "{isa:?}");
    }
}

#[test]
fn flipped_bits_equal_flipped_weights_and_flip_back() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for kind in [LayerKind::Conv3x3, LayerKind::Linear] {
        let taps = if kind == LayerKind::Conv3x3 { 9 } else { 1 };
        let mut layer = layer(kind, 9, 37, 1, 1, false, &mut rng);
        let sound = PackedLayer::new(&layer);
        let mut packed = sound.clone();
        // Eight output channels from k on, so that a hit crosses a block; beyond the last one nothing may flip.
        let mut hit = || {
            let (k, cells) = (rng.random_range(0..37), rng.random::<u64>() & rng.random::<u64>());
            let live = if k > 29 { (1 << (8 * (37 - k))) - 1 } else { u64::MAX };
            let (c, tap) = (rng.random_range(0..9), rng.random_range(0..taps));
            Hit { word: 0, c, tap, k, column: 0, cells: (cells & live).into(), stored: 0 }
        };
        let hits: Vec<Hit> = (0..500).map(|_| hit()).collect();
        let (mut undo, mut counts) = (Undo::default(), FlipCounts::default());
        packed.begin(0..packed.constants.len(), &mut undo);
        for hit in &hits {
            let side = if taps == 9 { 3 } else { 1 };
            for cell in (0..64).filter(|cell| hit.cells >> cell & 1 == 1) {
                let (k, c, tap) = ((hit.k + cell / 8) as usize, usize::from(hit.c), usize::from(hit.tap));
                let weight = &mut layer.weights[[k, c, tap / side, tap % side]];
                let held = packed.held(hit.k, hit.c, hit.tap, 1 << cell);
                assert_eq!(held >> cell & 1 == 1, *weight >> (cell % 8) & 1 == 1);
                *weight ^= (1u8 << (cell % 8)) as i8;
            }
            packed.flip(hit, &mut undo, &mut counts);
        }
        let want = PackedLayer::new(&layer);
        let starts = |p: &PackedLayer| p.constants.iter().flat_map(|c| c.start).collect::<Vec<_>>();
        assert!(packed.bytes == want.bytes && starts(&packed) == starts(&want));
        let flips: u32 = hits.iter().map(|hit| hit.cells.count_ones()).sum();
        assert_eq!(counts.counts[0].iter().sum::<u64>(), u64::from(flips));
        packed.restore(&undo);
        assert!(packed.bytes == sound.bytes && starts(&packed) == starts(&sound));
    }
}

#[test]
fn whole_networks_equal_the_plain_model() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let layers = vec![
        layer(LayerKind::Conv3x3, 3, 12, 8, 8, true, &mut rng),
        layer(LayerKind::Conv3x3, 12, 20, 4, 4, false, &mut rng),
        layer(LayerKind::Conv3x3, 20, 40, 4, 4, true, &mut rng),
        layer(LayerKind::Conv3x3, 40, 24, 2, 2, true, &mut rng),
        layer(LayerKind::Linear, 24, 21, 1, 1, false, &mut rng),
    ];
    let network = Network::new("random".into(), vec![[0; 256]; 3], layers).unwrap();
    let images = maps(6, 3, 8, 8, &mut rng);
    let want: Vec<Vec<i32>> = images.iter().map(|image| clean::forward(&network, image)).collect();
    for isa in available() {
        assert_eq!(Engine::with(&network, isa).forward(&images), want, "{isa:?}");
    }
}
