//! Small configurations, random networks and images, and where the tests build their hardware.

// Each test file is a crate of its own and uses a part of this module.
#![allow(dead_code)]

use std::path::PathBuf;

use hafnia_config::accel::{AccelConfig, ArrayConfig, InjectorConfig, MemoryConfig, ProtectionConfig};
use hafnia_config::protect::Code;
use hafnia_config::shape::{LayerKind, LayerShape};
use hafnia_golden::network::{Layer, Network, Scale};
use hafnia_verilate::Builder;
use ndarray::{Array1, Array3, Array4};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The random numbers of a test: the same on every machine.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A builder with the cache that these tests share; one compiler each, because the tests run side by side.
pub fn builder() -> Builder<'static> {
    Builder::new().folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilated")).jobs(1)
}

/// A small accelerator of `rows x cols` with codewords of `lane_weights` weights.
pub fn config(rows: u32, cols: u32, lane_weights: u32) -> AccelConfig {
    AccelConfig {
        name: format!("test_{rows}x{cols}"),
        clock_mhz: 80,
        array: ArrayConfig { rows, cols },
        memory: MemoryConfig {
            weight_words: 2048,
            map_words: 512,
            accumulator_words: 128,
            parameter_words: 64,
            program_descriptors: 32,
        },
        protection: ProtectionConfig { code: Code::None, weights_per_codeword: lane_weights },
        injector: InjectorConfig { weights: true },
    }
}

/// A convolution from `c` to `k` channels on a map of `height` x `width`.
pub fn conv(c: u32, k: u32, height: u32, width: u32, pool: bool) -> LayerShape {
    LayerShape { kind: LayerKind::Conv3x3, in_channels: c, out_channels: k, height, width, pool }
}

/// A linear head.
pub fn head(c: u32, k: u32) -> LayerShape {
    LayerShape { kind: LayerKind::Linear, in_channels: c, out_channels: k, height: 1, width: 1, pool: false }
}

/// A random network of these layers whose values fill the int8 range: some saturate, some are cut by ReLU, and every
/// other channel has small weights and a power of two as its scale, so that exact ties come up.
///
/// Without a head it is not a network to the user; its maps are compared all the same.
pub fn network(shapes: &[LayerShape], seed: u64) -> Network {
    let mut rng = rng(seed);
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

/// Random ifmaps of the network's first layer, over the whole int8 range.
pub fn images(network: &Network, count: usize, seed: u64) -> Vec<Array3<i8>> {
    let mut rng = rng(seed);
    let shape = network.layers[0].shape;
    let size = (shape.in_channels as usize, shape.height as usize, shape.width as usize);
    (0..count).map(|_| Array3::from_shape_simple_fn(size, || rng.random())).collect()
}
