//! fp32 to int8: symmetric, weights per output channel or per tensor, activations per tensor (`docs/numerics.md`).

use hafnia_config::shape::LayerKind;
use hafnia_golden::network::{Layer, Scale};
use ndarray::{Array1, Array4};
use serde::{Deserialize, Serialize};

use crate::QuantizeError;
use crate::float::input_values;
use crate::import::{FloatLayer, FloatNetwork};
use crate::scale::nearest;

/// The largest magnitude that the quantiser gives a value. -128 is left to flips.
const LARGEST: f64 = 127.0;
/// The smallest scale of Eq. (Q3), `2^15 * 2^-47`.
const SMALLEST_SCALE: f64 = 1.0 / (1_u64 << 32) as f64;

/// What shares one weight scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granularity {
    /// Each output channel of a convolution has its own.
    #[default]
    PerChannel,
    /// All weights of a layer share one.
    PerTensor,
}

/// Layers and input tables of the integer network, and the scales they stand for.
pub(crate) struct Quantised {
    pub layers: Vec<Layer>,
    pub input: Vec<[i8; 256]>,
    /// What one step of each layer's input is worth; the first is that of the image.
    pub input_scales: Vec<f64>,
}

/// Quantises a network whose convolutions give outputs of up to `ranges`.
///
/// # Errors
/// A scale that Eq. (Q3) cannot express.
pub(crate) fn quantise(
    network: &FloatNetwork,
    ranges: &[f64],
    granularity: Granularity,
) -> Result<Quantised, QuantizeError> {
    let values = input_values(network);
    let largest = values.as_flattened().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut input_scales = vec![largest / LARGEST];
    input_scales.extend(ranges.iter().map(|r| r / LARGEST));
    let input = values.map(|table| table.map(|v| to_i8(v / input_scales[0], -128.0))).to_vec();
    let layer = |(i, layer): (usize, &FloatLayer)| {
        let scales = Scales { input: input_scales[i], output: input_scales.get(i + 1).copied() };
        quantise_layer(i, layer, scales, granularity)
    };
    let layers = network.layers.iter().enumerate().map(layer).collect::<Result<_, _>>()?;
    Ok(Quantised { layers, input, input_scales })
}

/// The scales of a layer's input and, for a convolution, its output.
#[derive(Clone, Copy)]
struct Scales {
    input: f64,
    output: Option<f64>,
}

fn quantise_layer(
    number: usize,
    layer: &FloatLayer,
    scales: Scales,
    granularity: Granularity,
) -> Result<Layer, QuantizeError> {
    let (k, c) = (layer.shape.out_channels as usize, layer.shape.in_channels as usize);
    let weight_scales = weight_scales(layer, scales, granularity);
    let side = if layer.shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let weights = layer.weights.rows().into_iter().zip(&weight_scales);
    let weights =
        weights.flat_map(|(row, s)| row.iter().map(|&w| to_i8(f64::from(w) / s, -LARGEST)).collect::<Vec<_>>());
    let weights =
        Array4::from_shape_vec((k, c, side, side), weights.collect()).expect("the shape was checked on import");
    // In range by the third bound of `weight_scales`.
    let bias = layer.bias.iter().zip(&weight_scales);
    let bias: Array1<i32> = bias.map(|(&b, s)| (f64::from(b) / (scales.input * s)).round_ties_even() as i32).collect();
    let scale = match scales.output {
        None => Vec::new(),
        Some(output) => requantisation(number, &weight_scales, scales.input, output)?,
    };
    Ok(Layer { shape: layer.shape, weights, bias, scale })
}

/// What one step of the weights of each output channel is worth: the smallest that satisfies three bounds.
fn weight_scales(layer: &FloatLayer, scales: Scales, granularity: Granularity) -> Vec<f64> {
    // Room that the worst case of the weights leaves to the bias in i32 (Q2), less one for rounding.
    let worst = layer.weights.ncols() as f64 * 128.0 * 128.0;
    let room = f64::from(i32::MAX) - worst - 1.0;
    let bound = |row: ndarray::ArrayView1<f32>, bias: f32| {
        let range = row.iter().fold(0.0_f64, |m, &w| m.max(f64::from(w).abs()));
        // (1) The largest weight is 127.
        let by_weight = range / LARGEST;
        // (2) A channel with next to no weights must still have an expressible scale ...
        let by_scale = SMALLEST_SCALE * scales.output.unwrap_or(1.0) / scales.input;
        // (3) ... and a bias that fits.
        let by_bias = f64::from(bias).abs() / (scales.input * room);
        by_weight.max(by_scale).max(by_bias)
    };
    let each = layer.weights.rows().into_iter().zip(&layer.bias).map(|(row, &b)| bound(row, b));
    // The logits of the head are compared with each other (Q5), so its channels always share a scale.
    if granularity == Granularity::PerChannel && layer.shape.kind == LayerKind::Conv3x3 {
        return each.collect();
    }
    vec![each.fold(0.0, f64::max); layer.bias.len()]
}

fn requantisation(layer: usize, weights: &[f64], input: f64, output: f64) -> Result<Vec<Scale>, QuantizeError> {
    let constants = |(channel, &weight): (usize, &f64)| {
        let scale = input * weight / output;
        // The bound (2) may come out a hair below the limit by rounding.
        let scale = if scale < SMALLEST_SCALE && scale > SMALLEST_SCALE * 0.999 { SMALLEST_SCALE } else { scale };
        nearest(scale).ok_or(QuantizeError::Scale { layer, channel, scale })
    };
    weights.iter().enumerate().map(constants).collect()
}

/// Rounds half to even and clamps to `[least, 127]`.
fn to_i8(value: f64, least: f64) -> i8 {
    value.round_ties_even().clamp(least, LARGEST) as i8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Files;

    fn quantised(files: &Files, granularity: Granularity) -> Quantised {
        quantise(&files.import().unwrap(), &[4.0; 8], granularity).unwrap()
    }

    /// The value that m and s stand for.
    fn value(scale: Scale) -> f64 {
        f64::from(scale.m) * 2_f64.powi(-i32::from(scale.s))
    }

    #[test]
    fn each_weight_is_within_half_a_step_and_never_minus_128() {
        for granularity in [Granularity::PerChannel, Granularity::PerTensor] {
            let trained = Files::sound().import().unwrap();
            let q = quantise(&trained, &[4.0; 8], granularity).unwrap();
            for (i, (layer, float)) in q.layers.iter().zip(&trained.layers).enumerate() {
                let scales = Scales { input: q.input_scales[i], output: q.input_scales.get(i + 1).copied() };
                let steps = weight_scales(float, scales, granularity);
                let per_row = float.weights.ncols();
                for (n, (&w, &f)) in layer.weights.iter().zip(&float.weights).enumerate() {
                    let step = steps[n / per_row];
                    assert!((f64::from(w) * step - f64::from(f)).abs() <= step * 0.500_001);
                    assert_ne!(w, -128);
                }
                for (k, &scale) in layer.scale.iter().enumerate() {
                    let wanted = scales.input * steps[k] / scales.output.unwrap();
                    assert!((value(scale) / wanted - 1.0).abs() <= 1.0 / 65536.0);
                }
            }
        }
    }

    #[test]
    fn per_tensor_and_the_head_share_one_scale() {
        let q = quantised(&Files::sound(), Granularity::PerTensor);
        assert!(q.layers.iter().all(|l| l.scale.windows(2).all(|w| w[0] == w[1])));
        let q = quantised(&Files::sound(), Granularity::PerChannel);
        assert!(q.layers[7].scale.windows(2).any(|w| w[0] != w[1]));
        // Only the row with the largest weight reaches 127 when all share a scale.
        let head = &q.layers[8].weights;
        let full = head.outer_iter().filter(|row| row.iter().any(|w| w.unsigned_abs() == 127)).count();
        assert!(full < 10, "{full} rows of the head reach 127");
    }

    #[test]
    fn a_dead_channel_and_a_huge_bias_stay_expressible() {
        let mut files = Files::sound();
        files.tensor("features.13.weight").2[..72].fill(0.0);
        files.tensor("features.13.bias").2[0] = 0.0;
        files.tensor("features.13.weight").2[72..144].fill(1e-20);
        files.tensor("features.13.bias").2[1] = 3.0;
        files.tensor("features.13.bias").2[2] = -1e6;
        let q = quantised(&files, Granularity::PerChannel);
        let layer = &q.layers[5];
        assert_eq!((layer.bias[0], value(layer.scale[0])), (0, SMALLEST_SCALE));
        let output = f64::from(layer.bias[1]) * value(layer.scale[1]) * q.input_scales[6];
        assert!((output - 3.0).abs() < 1e-3, "a channel that is all bias gives its bias: {output}");
        assert!(hafnia_golden::network::Network::new("x".into(), q.input.clone(), q.layers.clone()).is_ok());
    }

    #[test]
    fn a_scale_above_the_range_is_an_error() {
        let trained = Files::sound().import().unwrap();
        let mut ranges = [4.0; 8];
        ranges[2] = 1e-12;
        let error = quantise(&trained, &ranges, Granularity::PerChannel).err().unwrap().to_string();
        assert!(error.starts_with("layer 2, channel 0: scale"), "{error}");
    }

    /// Q1 at the ends of the byte range and against the plain formula.
    #[test]
    fn input_tables_follow_the_equation() {
        let trained = Files::sound().import().unwrap();
        let q = quantise(&trained, &[4.0; 8], Granularity::PerChannel).unwrap();
        for c in 0..3 {
            for byte in 0..256 {
                let x = (byte as f64 / 255.0 - trained.mean[c]) / trained.std[c];
                assert_eq!(f64::from(q.input[c][byte]), (x / q.input_scales[0]).round_ties_even());
            }
        }
        assert_eq!(q.input[2][255], 127, "the largest input of all channels is 127");
    }
}
