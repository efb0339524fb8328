//! Host words of weights, parameters and feature maps.

use hafnia_config::Elaborated;
use hafnia_config::schedule::LayerSchedule;
use hafnia_golden::network::{Layer, Scale};
use ndarray::Array3;

/// Returns one layer's weight words in read order, `weight_pieces` host words each, column 0 in the lowest byte.
pub fn weights(hw: &Elaborated, layer: &Layer) -> Vec<u32> {
    let (kernels, channels, taps_y, taps_x) = layer.weights.dim();
    let mut words = Vec::new();
    for first_k in (0..kernels).step_by(hw.cols as usize) {
        for first_c in (0..channels).step_by(hw.rows as usize) {
            for (r, s) in (0..taps_y).flat_map(|r| (0..taps_x).map(move |s| (r, s))) {
                for c in first_c..channels.min(first_c + hw.rows as usize) {
                    let byte = |column: usize| match first_k + column {
                        k if column < hw.cols as usize && k < kernels => layer.weights[[k, c, r, s]] as u8,
                        _ => 0,
                    };
                    words.extend(pieces(hw.weight_pieces, byte));
                }
            }
        }
    }
    words
}

/// Joins bytes into `count` host words, byte 0 lowest.
fn pieces(count: u32, byte: impl Fn(usize) -> u8) -> impl Iterator<Item = u32> {
    (0..count as usize).map(move |p| u32::from_le_bytes([0, 1, 2, 3].map(|i| byte(4 * p + i))))
}

/// Spreads words of `pieces` host words to a stride of `stride` host words.
pub fn spread(words: &[u32], pieces: u32, stride: u32) -> Vec<u32> {
    if pieces == stride {
        return words.to_vec();
    }
    let mut spread = Vec::with_capacity(words.len() / pieces as usize * stride as usize);
    for word in words.chunks_exact(pieces as usize) {
        spread.extend_from_slice(word);
        spread.extend(std::iter::repeat_n(0, (stride - pieces) as usize));
    }
    spread
}

/// Returns one layer's biases and scales: for each column of each output fold the bias, then `m | s << 16`.
pub fn parameters(hw: &Elaborated, layer: &Layer) -> Vec<u32> {
    let kernels = layer.bias.len();
    let mut words = Vec::new();
    for first_k in (0..kernels).step_by(hw.cols as usize) {
        for column in 0..hw.column_stride as usize {
            let k = first_k + column;
            let used = column < hw.cols as usize && k < kernels;
            words.push(if used { layer.bias[k] as u32 } else { 0 });
            let Scale { m, s } = if used && !layer.scale.is_empty() { layer.scale[k] } else { Scale { m: 0, s: 1 } };
            words.push(u32::from(m) | u32::from(s) << 16);
        }
    }
    words
}

/// Returns an ifmap `[C, H, W]` as feature-map words, fold by fold, `map_stride` host words each.
pub fn map(hw: &Elaborated, map: &Array3<i8>) -> Vec<u32> {
    let (channels, height, width) = map.dim();
    let mut words = Vec::new();
    for first_c in (0..channels).step_by(hw.rows as usize) {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let byte = |lane: usize| match first_c + lane {
                c if lane < hw.rows as usize && c < channels => map[[c, y, x]] as u8,
                _ => 0,
            };
            words.extend(pieces(hw.map_stride, byte));
        }
    }
    words
}

/// Reads a layer's ofmap `[K, H', W']` back from feature-map words.
pub fn unmap(hw: &Elaborated, part: &LayerSchedule, words: &[u32]) -> Array3<i8> {
    let shape = &part.shape;
    let (height, width) = if shape.pool { (shape.height / 2, shape.width / 2) } else { (shape.height, shape.width) };
    let (rows, stride) = (hw.rows as usize, hw.map_stride as usize);
    Array3::from_shape_fn((shape.out_channels as usize, height as usize, width as usize), |(k, y, x)| {
        let word = (k / rows * height as usize + y) * width as usize + x;
        let lane = k % rows;
        words[word * stride + lane / 4].to_le_bytes()[lane % 4] as i8
    })
}
