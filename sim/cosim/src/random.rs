//! Random networks and images, for tests and benchmarks.

use hafnia_config::shape::{LayerKind, LayerShape};
use hafnia_golden::network::{Layer, Network, Scale};
use ndarray::{Array1, Array3, Array4};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Returns a random network of these layers whose values fill the int8 range: some saturate, some are cut by ReLU, and
/// every other channel has small weights and a power of two as its scale, so that exact ties come up.
///
/// The layers need not end with a head; their maps can be compared all the same.
pub fn network(shapes: &[LayerShape], seed: u64) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let layers = shapes.iter().map(|shape| layer(shape, &mut rng)).collect();
    let input = vec![[0; 256]; shapes[0].in_channels as usize];
    Network { name: "random".into(), input, layers }
}

fn layer(shape: &LayerShape, rng: &mut ChaCha8Rng) -> Layer {
    let (k, c) = (shape.out_channels as usize, shape.in_channels as usize);
    let side = if shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let small = |channel: usize| shape.kind == LayerKind::Conv3x3 && channel % 2 == 1;
    let weights = Array4::from_shape_fn((k, c, side, side), |(channel, ..)| {
        let most = if small(channel) { 3 } else { 127 };
        rng.random_range(-most..=most)
    });
    let bias = Array1::from_shape_fn(k, |channel| {
        let most = if small(channel) { 300 } else { 20_000 };
        rng.random_range(-most..=most)
    });
    // Weights and ifmap of about two thirds of their range, root mean square, give values of about 80.
    let terms = f64::from(shape.in_channels * shape.kind.taps());
    let scales = (0..k).map(|channel| {
        let rms = terms.sqrt() * 50.0 * if small(channel) { 2.0 } else { 73.0 };
        let m = if small(channel) { 1 << 15 } else { rng.random_range(1 << 15..=u16::MAX) };
        Scale { m, s: (15.0 + (rms / 80.0).log2()).round().max(1.0) as u8 + u8::from(!small(channel)) }
    });
    let scale = if shape.kind == LayerKind::Conv3x3 { scales.collect() } else { Vec::new() };
    Layer { shape: *shape, weights, bias, scale }
}

/// Returns random ifmaps of the network's first layer, over the whole int8 range.
pub fn images(network: &Network, count: usize, seed: u64) -> Vec<Array3<i8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shape = network.layers[0].shape;
    let size = (shape.in_channels as usize, shape.height as usize, shape.width as usize);
    (0..count).map(|_| Array3::from_shape_simple_fn(size, || rng.random())).collect()
}
