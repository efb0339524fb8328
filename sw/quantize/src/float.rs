//! The network in fp32: for calibration, and for the accuracy that quantisation is measured against.

use hafnia_config::shape::{LayerKind, LayerShape};
use hafnia_dataset::Images;
use hafnia_golden::conv::arg_max;
use ndarray::ArrayView1;
use rayon::prelude::*;

use crate::gemm::{Packed, TILE_P};
use crate::import::FloatNetwork;

/// Images that go through the layers together, so that the small maps of the last layers still fill a panel.
const GROUP: usize = 8;

/// A trained network made ready to run.
#[derive(Debug)]
pub struct FloatModel {
    layers: Vec<Prepared>,
    tables: [[f32; 256]; 3],
}

#[derive(Debug)]
struct Prepared {
    shape: LayerShape,
    weights: Packed,
    bias: Vec<f32>,
}

/// Maps `[C, N, H + 2, W + 2]` with a border of zeros.
struct Padded {
    values: Vec<f32>,
    channels: usize,
    images: usize,
    side: usize,
}

impl Padded {
    fn zeros(channels: usize, images: usize, side: usize) -> Self {
        Self { values: vec![0.0; channels * images * (side + 2) * (side + 2)], channels, images, side }
    }

    fn index(&self, channel: usize, image: usize, y: usize, x: usize) -> usize {
        ((channel * self.images + image) * (self.side + 2) + y) * (self.side + 2) + x
    }
}

impl FloatModel {
    /// Prepares a network.
    pub fn new(network: &FloatNetwork) -> Self {
        let prepare = |l: &crate::import::FloatLayer| Prepared {
            shape: l.shape,
            weights: Packed::new(l.weights.view()),
            bias: l.bias.to_vec(),
        };
        Self {
            layers: network.layers.iter().map(prepare).collect(),
            tables: input_values(network).map(|t| t.map(|v| v as f32)),
        }
    }

    /// Returns the logits of each image. `observe` is given each convolution's number and its outputs after ReLU,
    /// before pooling, for a few images at a time, in no fixed order and from several threads.
    pub fn forward(&self, images: &Images, observe: impl Fn(usize, &[f32]) + Sync) -> Vec<Vec<f32>> {
        let starts: Vec<usize> = (0..images.len()).step_by(GROUP).collect();
        let groups: Vec<_> = starts
            .into_par_iter()
            .map(|first| self.group(images, first, GROUP.min(images.len() - first), &observe))
            .collect();
        groups.concat()
    }

    /// Returns how many images are classified right.
    pub fn correct(&self, images: &Images) -> usize {
        let logits = self.forward(images, |_, _| {});
        let classes = logits.iter().map(|l| arg_max(ArrayView1::from(l)));
        classes.zip(images.labels()).filter(|(class, label)| *class == usize::from(**label)).count()
    }

    fn group(&self, images: &Images, first: usize, count: usize, observe: &impl Fn(usize, &[f32])) -> Vec<Vec<f32>> {
        let mut maps = self.input(images, first, count);
        for (i, layer) in self.layers.iter().enumerate() {
            if layer.shape.kind == LayerKind::Linear {
                break;
            }
            let outputs = layer.convolve(&maps);
            observe(i, &outputs);
            maps = layer.next(&outputs, count);
        }
        let head = self.layers.last().expect("a network has a head");
        (0..count).map(|n| head.classify(&maps, n)).collect()
    }

    fn input(&self, images: &Images, first: usize, count: usize) -> Padded {
        let side = self.layers[0].shape.width as usize;
        let mut maps = Padded::zeros(3, count, side);
        for n in 0..count {
            for (i, &pixel) in images.pixels(first + n).iter().enumerate() {
                let (c, y, x) = (i / (side * side), i / side % side, i % side);
                let at = maps.index(c, n, y + 1, x + 1);
                maps.values[at] = self.tables[c][usize::from(pixel)];
            }
        }
        maps
    }
}

impl Prepared {
    /// Convolution, bias and ReLU: maps `[K, N, H, W]`.
    fn convolve(&self, maps: &Padded) -> Vec<f32> {
        let side = maps.side;
        let pixels = maps.images * side * side;
        let mut outputs = vec![0.0; self.bias.len() * pixels];
        let mut panel = vec![0.0; maps.channels * 9 * TILE_P];
        for first in (0..pixels).step_by(TILE_P) {
            let used = TILE_P.min(pixels - first);
            // The top left corner of each pixel's window; pixels past the end repeat the last and are not stored.
            let corners: [usize; TILE_P] = std::array::from_fn(|lane| {
                let p = first + lane.min(used - 1);
                maps.index(0, p / (side * side), p / side % side, p % side)
            });
            fill(&mut panel, maps, &corners);
            self.weights.times(&panel, |k, row| {
                let outputs = &mut outputs[k * pixels + first..][..used];
                outputs.iter_mut().zip(row).for_each(|(o, v)| *o = (v + self.bias[k]).max(0.0));
            });
        }
        outputs
    }

    /// Pools if the layer does, and puts the border round the maps.
    fn next(&self, outputs: &[f32], count: usize) -> Padded {
        let (k, side) = (self.bias.len(), self.shape.width as usize);
        let step = if self.shape.pool { 2 } else { 1 };
        let mut maps = Padded::zeros(k, count, side / step);
        for (plane, values) in outputs.chunks_exact(side * side).enumerate() {
            for y in 0..side {
                for x in 0..side {
                    let at = maps.index(plane / count, plane % count, y / step + 1, x / step + 1);
                    // After ReLU nothing is below the zero that stands there.
                    maps.values[at] = maps.values[at].max(values[y * side + x]);
                }
            }
        }
        maps
    }

    /// The logits of image `n` from its 1x1 maps.
    fn classify(&self, maps: &Padded, n: usize) -> Vec<f32> {
        let mut panel = vec![0.0; maps.channels * TILE_P];
        for c in 0..maps.channels {
            panel[c * TILE_P] = maps.values[maps.index(c, n, 1, 1)];
        }
        let mut logits = vec![0.0; self.bias.len()];
        self.weights.times(&panel, |k, row| logits[k] = row[0] + self.bias[k]);
        logits
    }
}

/// Fills a panel `[C * 9, 16]` with the windows that start at `corners`.
fn fill(panel: &mut [f32], maps: &Padded, corners: &[usize; TILE_P]) {
    let row = maps.side + 2;
    let plane = maps.images * row * row;
    for (j, lanes) in panel.chunks_exact_mut(TILE_P).enumerate() {
        let offset = j / 9 * plane + j % 9 / 3 * row + j % 3;
        lanes.iter_mut().zip(corners).for_each(|(lane, corner)| *lane = maps.values[corner + offset]);
    }
}

/// The network's input for each pixel byte: `(byte / 255 - mean) / std`, per channel.
pub(crate) fn input_values(network: &FloatNetwork) -> [[f64; 256]; 3] {
    std::array::from_fn(|c| std::array::from_fn(|byte| (byte as f64 / 255.0 - network.mean[c]) / network.std[c]))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hafnia_dataset::Dataset;

    use super::*;
    use crate::testing::Files;

    /// The layers stated plainly, in f64, for one image.
    fn plain(network: &FloatNetwork, pixels: &[u8]) -> Vec<f64> {
        let tables = input_values(network);
        let mut map: Vec<f64> = pixels.iter().enumerate().map(|(i, &p)| tables[i / 1024][usize::from(p)]).collect();
        for layer in &network.layers {
            let shape = layer.shape;
            let (c_count, side) = (shape.in_channels as usize, shape.width as isize);
            let taps = if shape.kind == LayerKind::Linear { 0..1 } else { -1..2 };
            let mut out = Vec::new();
            for k in 0..shape.out_channels as usize {
                for y in 0..side {
                    for x in 0..side {
                        let mut sum = f64::from(layer.bias[k]);
                        let mut j = 0;
                        for c in 0..c_count {
                            for dy in taps.clone() {
                                for dx in taps.clone() {
                                    let (y, x) = (y + dy, x + dx);
                                    if (0..side).contains(&y) && (0..side).contains(&x) {
                                        let at = (c as isize * side + y) * side + x;
                                        sum += f64::from(layer.weights[[k, j]]) * map[at as usize];
                                    }
                                    j += 1;
                                }
                            }
                        }
                        out.push(if shape.kind == LayerKind::Linear { sum } else { sum.max(0.0) });
                    }
                }
            }
            map = if shape.pool { pool(&out, side as usize) } else { out };
        }
        map
    }

    fn pool(map: &[f64], side: usize) -> Vec<f64> {
        let at = |plane: &[f64], y: usize, x: usize| plane[y * side + x];
        let planes = map.chunks_exact(side * side);
        planes
            .flat_map(|p| {
                (0..side * side / 4).map(move |i| {
                    let (y, x) = (i / (side / 2) * 2, i % (side / 2) * 2);
                    at(p, y, x).max(at(p, y, x + 1)).max(at(p, y + 1, x)).max(at(p, y + 1, x + 1))
                })
            })
            .collect()
    }

    #[test]
    fn the_fast_pass_equals_the_plain_one() {
        let network = Files::sound().import().unwrap();
        // One more than a group, so that a group of one image is among them.
        let images = Dataset::digits().train().read(0, GROUP + 1).unwrap();
        let seen = Mutex::new([0; 8]);
        let logits = FloatModel::new(&network).forward(&images, |i, outputs| seen.lock().unwrap()[i] += outputs.len());
        for (n, logits) in logits.iter().enumerate() {
            for (got, want) in logits.iter().zip(plain(&network, images.pixels(n))) {
                assert!((f64::from(*got) - want).abs() < 1e-4 * want.abs().max(1.0), "image {n}: {got}, {want}");
            }
        }
        let outputs = [1024, 2 * 256, 4 * 64, 4 * 64, 8 * 16, 8 * 16, 8 * 4, 8 * 4].map(|n| n * (GROUP + 1));
        assert_eq!(*seen.lock().unwrap(), outputs, "each layer shows all of its outputs");
    }
}
