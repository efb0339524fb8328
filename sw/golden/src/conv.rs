//! Convolution, requantisation and pooling: Eqs. (Q2) to (Q4), plainly, and a faster twin of the convolution.

use ndarray::{Array1, Array3, Array4, ArrayView1, s};

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

/// The same sums as [`conv`], as dot products over a gathered ifmap.
pub fn conv_fast(ifmap: &Array3<i8>, weights: &Array4<i8>, bias: &Array1<i32>) -> Array3<i32> {
    let (channels, height, width) = ifmap.dim();
    let (kernels, _, taps_y, taps_x) = weights.dim();
    let (pad_y, pad_x) = (taps_y / 2, taps_x / 2);
    let depth = channels * taps_y * taps_x;
    let mut padded = Array3::<i16>::zeros((channels, height + 2 * pad_y, width + 2 * pad_x));
    padded.slice_mut(s![.., pad_y..pad_y + height, pad_x..pad_x + width]).assign(&ifmap.mapv(i16::from));
    let mut gathered = Vec::with_capacity(height * width * depth);
    for y in 0..height {
        for x in 0..width {
            gathered.extend(padded.slice(s![.., y..y + taps_y, x..x + taps_x]).iter());
        }
    }
    let mut result = Array3::zeros((kernels, height, width));
    for (k, mut plane) in result.outer_iter_mut().enumerate() {
        let row: Vec<i16> = weights.slice(s![k, .., .., ..]).iter().map(|&w| i16::from(w)).collect();
        for (acc, pixel) in plane.iter_mut().zip(gathered.chunks_exact(depth)) {
            *acc = bias[k].wrapping_add(dot(&row, pixel));
        }
    }
    result
}

fn dot(a: &[i16], b: &[i16]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the function needs.
        return unsafe { dot_avx2(a, b) };
    }
    dot_plain(a, b)
}

/// The plain product, compiled for registers twice as wide.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn dot_avx2(a: &[i16], b: &[i16]) -> i32 {
    dot_plain(a, b)
}

#[inline(always)]
fn dot_plain(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).fold(0, i32::wrapping_add)
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn conv_fast_equals_conv(
            c in 1usize..5, k in 1usize..4, h in 1usize..6, w in 1usize..6, three in any::<bool>(), seed in any::<u64>(),
        ) {
            let side = if three { 3 } else { 1 };
            let mut state = seed;
            let mut next = || { state = state.wrapping_mul(6364136223846793005).wrapping_add(1); (state >> 56) as i8 };
            let ifmap = Array3::from_shape_simple_fn((c, h, w), &mut next);
            let weights = Array4::from_shape_simple_fn((k, c, side, side), &mut next);
            let bias = Array1::from_shape_simple_fn(k, || i32::from(next()) * 1000);
            prop_assert_eq!(conv(&ifmap, &weights, &bias), conv_fast(&ifmap, &weights, &bias));
        }
    }
}
