//! Reads of a layer's weights, biases and activations through the injector, plainly and in the hardware's order.
//! [`crate::fast`] gives the same flips in less time.
//!
//! Weights: output folds of `cols` channels, then input folds of `rows` channels, then taps row-major, then the fold's
//! channels: each step reads one word, `cols` weights of one input channel and tap. Biases: one word for each output
//! channel. Activations: for each output fold, input fold and tap every pixel of every image, in the order of the pooling
//! windows where a pool follows, else row by row: one word of the fold's channels; what lies outside the map is not read.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site, stream_key};
use hafnia_config::flip::Flip;
use hafnia_config::shape::{LayerKind, LayerShape};
use ndarray::{Array1, Array3, Array4, s};

use crate::clean::{LayerOutput, finish};
use crate::injector::Tree;
use crate::network::Layer;
use crate::port::Port;

/// The run of a layer over a read group: what names a stream of draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Run seed.
    pub seed: u64,
    /// Layer number, from 0.
    pub layer: u32,
    /// Read group.
    pub group: u32,
}

impl Stream {
    /// Returns where the draws of a site start.
    pub(crate) fn key(&self, site: Site) -> [u32; 4] {
        stream_key(self.seed, site, self.layer, self.group)
    }

    /// Returns the record of a flip.
    pub(crate) fn flip(&self, site: Site, word: u32, bit: u32, before: bool) -> Flip {
        Flip { layer: self.layer, group: self.group, site, word, bit, before }
    }
}

/// Returns the weight words of one read of a layer.
pub fn weight_words(hw: &Elaborated, shape: &LayerShape) -> u32 {
    shape.out_channels.div_ceil(hw.cols) * shape.in_channels * shape.kind.taps()
}

/// Returns the weight words of a layer with weights of this size, in read order: first output channel, input channel, row and
/// column of the tap.
pub fn weight_places(
    hw: &Elaborated,
    (kernels, channels, height, width): (usize, usize, usize, usize),
) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let (rows, cols) = (hw.rows as usize, hw.cols as usize);
    let tiles = (0..kernels).step_by(cols).flat_map(move |k| (0..channels).step_by(rows).map(move |c| (k, c)));
    let taps = move |(k, c)| (0..height).flat_map(move |r| (0..width).map(move |s| (k, c, r, s)));
    let words = move |(k, c, r, s)| (c..channels.min(c + rows)).map(move |c| (k, c, r, s));
    tiles.flat_map(taps).flat_map(words)
}

/// Reads weights `[K, C, R, S]`, stored from address `first` on, once; returns them as read, and the flips.
pub fn read_weights(
    hw: &Elaborated,
    weights: &Array4<i8>,
    first: u32,
    stream: Stream,
    noise: &Noise,
) -> (Array4<i8>, Vec<Flip>) {
    let (mut noisy, mut flips) = (weights.clone(), Vec::new());
    let tree = Tree::new(noise.of(Site::Weights));
    let Some(mut port) = Port::new(hw, Site::Weights, stream, noise, &tree) else { return (noisy, flips) };
    for (word, (first_k, c, r, s)) in (0..).zip(weight_places(hw, weights.dim())) {
        let stored = (first_k..weights.dim().0.min(first_k + hw.cols as usize)).map(|k| weights[[k, c, r, s]] as u8);
        port.read(first + word, &stored.collect::<Vec<_>>(), |bit, before| {
            noisy[[first_k + bit as usize / 8, c, r, s]] ^= (1u8 << (bit % 8)) as i8;
            flips.push(stream.flip(Site::Weights, word, bit, before));
        });
    }
    (noisy, flips)
}

/// Returns the address of the bias of an output channel, counted from that of the layer's first bias.
pub fn bias_address(hw: &Elaborated, k: u32) -> u32 {
    k / hw.cols * hw.column_stride + k % hw.cols
}

/// Reads biases `[K]`, of which the first is stored at address `first`, once; returns them as read, and the flips.
pub fn read_biases(
    hw: &Elaborated,
    biases: &Array1<i32>,
    first: u32,
    stream: Stream,
    noise: &Noise,
) -> (Array1<i32>, Vec<Flip>) {
    let (mut noisy, mut flips) = (biases.clone(), Vec::new());
    let tree = Tree::new(noise.of(Site::Biases));
    let Some(mut port) = Port::new(hw, Site::Biases, stream, noise, &tree) else { return (noisy, flips) };
    for (word, bias) in (0..).zip(&mut noisy) {
        let stored = bias.to_le_bytes();
        port.read(first + bias_address(hw, word), &stored, |bit, before| {
            *bias ^= 1 << bit;
            flips.push(stream.flip(Site::Biases, word, bit, before));
        });
    }
    (noisy, flips)
}

/// Returns the pixels of a layer in the order in which they enter the array, each as row and column.
pub fn pixel_order(shape: &LayerShape) -> Vec<(usize, usize)> {
    let (height, width) = (shape.height as usize, shape.width as usize);
    let side = if shape.pool { 2 } else { 1 };
    let windows = (0..height).step_by(side).flat_map(|y| (0..width).step_by(side).map(move |x| (y, x)));
    let corners = move |(y, x)| (0..side).flat_map(move |dy| (0..side).map(move |dx| (y + dy, x + dx)));
    windows.flat_map(corners).collect()
}

/// Whether a tap of the kernel, row-major, lies inside the map where the kernel's middle lies on a pixel: else it is padding,
/// and nothing is read.
pub fn lies_inside(shape: &LayerShape, tap: usize, (y, x): (usize, usize)) -> bool {
    let side = if shape.kind == LayerKind::Conv3x3 { 3 } else { 1 };
    let inside = |at: usize, tap: usize, size: u32| (at + tap).wrapping_sub(side / 2) < size as usize;
    inside(y, tap / side, shape.height) && inside(x, tap % side, shape.width)
}

/// Runs a layer over the ifmaps `[C, H, W]` of a read group, stored one after the other from address `first` on, each
/// activation read afresh wherever it is used; weights and biases are as they are. Returns what it gives for each image, and
/// the flips.
pub fn read_activations(
    hw: &Elaborated,
    layer: &Layer,
    ifmaps: &[Array3<i8>],
    first: u32,
    stream: Stream,
    noise: &Noise,
) -> (Vec<LayerOutput>, Vec<Flip>) {
    let tree = Tree::new(noise.of(Site::Activations));
    let Some(mut port) = Port::new(hw, Site::Activations, stream, noise, &tree) else {
        return (ifmaps.iter().map(|ifmap| crate::clean::layer(layer, ifmap)).collect(), Vec::new());
    };
    let (kernels, channels, taps_y, taps_x) = layer.weights.dim();
    let (rows, cols) = (hw.rows as usize, hw.cols as usize);
    let (height, width) = (layer.shape.height as usize, layer.shape.width as usize);
    let start = Array3::from_shape_fn((kernels, height, width), |(k, ..)| layer.bias[k]);
    let (mut sums, mut flips, mut word) = (vec![start; ifmaps.len()], Vec::new(), 0);
    for first_k in (0..kernels).step_by(cols) {
        for first_c in (0..channels).step_by(rows) {
            for (r, c) in (0..taps_y).flat_map(|r| (0..taps_x).map(move |c| (r, c))) {
                for (image, (ifmap, sums)) in ifmaps.iter().zip(&mut sums).enumerate() {
                    for (y, x) in pixel_order(&layer.shape) {
                        // The kernel's middle lies on the pixel.
                        let (from_y, from_x) = ((y + r).wrapping_sub(taps_y / 2), (x + c).wrapping_sub(taps_x / 2));
                        if from_y >= height || from_x >= width {
                            continue;
                        }
                        let part = s![first_c..channels.min(first_c + rows), from_y, from_x];
                        let mut values: Vec<u8> = ifmap.slice(part).iter().map(|&value| value as u8).collect();
                        let fold = image * channels.div_ceil(rows) + first_c / rows;
                        let address = first + ((fold * height + from_y) * width + from_x) as u32;
                        port.read(address, &values.clone(), |bit, before| {
                            values[bit as usize / 8] ^= 1 << (bit % 8);
                            flips.push(stream.flip(Site::Activations, word, bit, before));
                        });
                        word += 1;
                        for k in first_k..kernels.min(first_k + cols) {
                            for (n, &value) in values.iter().enumerate() {
                                let product = i32::from(value as i8) * i32::from(layer.weights[[k, first_c + n, r, c]]);
                                sums[[k, y, x]] = sums[[k, y, x]].wrapping_add(product);
                            }
                        }
                    }
                }
            }
        }
    }
    (sums.iter().map(|sums| finish(layer, sums)).collect(), flips)
}
