//! Convolution, requantisation and pooling: Eqs. (Q2) to (Q4), plainly.

use ndarray::{Array1, Array3, Array4, ArrayView1};

use crate::network::Scale;

/// Eq. (Q2): `acc[k, y, x] = bias[k] + sum over c, r, s of w[k, c, r, s] * ifmap[c, y + r - pad, x + s - pad]`, zero outside.
///
/// Ifmap `[C, H, W]` int8, weights `[K, C, R, S]` int8, result `[K, H, W]` i32, wrapping. `pad = R / 2`.
pub fn conv(ifmap: &Array3<i8>, weights: &Array4<i8>, bias: &Array1<i32>) -> Array3<i32> {
    let (channels, height, width) = ifmap.dim();
    let (kernels, _, taps_y, taps_x) = weights.dim();
    Array3::from_shape_fn((kernels, height, width), |(k, y, x)| {
        let mut acc = bias[k];
        for c in 0..channels {
            for r in 0..taps_y {
                for s in 0..taps_x {
                    let (Some(row), Some(col)) = ((y + r).checked_sub(taps_y / 2), (x + s).checked_sub(taps_x / 2))
                    else {
                        continue;
                    };
                    if row < height && col < width {
                        acc = acc.wrapping_add(i32::from(weights[[k, c, r, s]]) * i32::from(ifmap[[c, row, col]]));
                    }
                }
            }
        }
        acc
    })
}

/// Eq. (Q3): `y = clamp((acc * m + 2^(s-1)) >> s, lo, 127)`, one rounding, ties toward +infinity, product in i64.
/// `lo` is 0 under ReLU, else -128.
pub fn requantise(acc: i32, scale: Scale, lo: i8) -> i8 {
    let rounded = (i64::from(acc) * i64::from(scale.m) + (1 << (scale.s - 1))) >> scale.s;
    rounded.clamp(i64::from(lo), i64::from(i8::MAX)) as i8
}

/// Eq. (Q4): 2x2 max pool, stride 2. `[C, H, W]` to `[C, H/2, W/2]`.
pub fn max_pool(map: &Array3<i8>) -> Array3<i8> {
    let (channels, height, width) = map.dim();
    Array3::from_shape_fn((channels, height / 2, width / 2), |(c, y, x)| {
        let window = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| map[[c, 2 * y + dy, 2 * x + dx]]);
        window.into_iter().fold(i8::MIN, i8::max)
    })
}

/// Eq. (Q5): the class with the largest logit; the lowest index wins a tie.
pub fn arg_max<T: PartialOrd>(logits: ArrayView1<T>) -> usize {
    (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_rounds_toward_plus_infinity() {
        let half = Scale { m: 1 << 15, s: 16 };
        assert_eq!([3, 1, -1, -3].map(|acc| requantise(acc, half, i8::MIN)), [2, 1, 0, -1]);
    }

    #[test]
    fn requantise_saturates_at_both_ends() {
        let scale = Scale { m: u16::MAX, s: 1 };
        assert_eq!(requantise(i32::MAX, scale, i8::MIN), 127);
        assert_eq!(requantise(i32::MIN, scale, i8::MIN), -128);
        assert_eq!(requantise(i32::MIN, scale, 0), 0);
    }

    #[test]
    fn the_lowest_index_wins_a_tie() {
        assert_eq!(arg_max(ndarray::arr1(&[1, 5, 5, 2]).view()), 1);
    }
}
