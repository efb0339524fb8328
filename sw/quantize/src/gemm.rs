//! A small matrix product in fp32 that gives the same bits on every machine: each output element is a plain sum in the
//! order of the inner index, without fused multiply-add. That is why no tuned library stands here: those choose their
//! order of summation by processor, and a calibrated model file could then not be reproduced.

/// Output channels of one tile.
const TILE_K: usize = 4;
/// Pixels of one tile: the width of a panel.
pub(crate) const TILE_P: usize = 16;

/// A matrix `[K, J]` cut into blocks of four rows, each stored column by column.
#[derive(Debug)]
pub(crate) struct Packed {
    blocks: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Packed {
    /// Packs a row-major matrix; the last block is filled up with rows of zeros.
    pub(crate) fn new(matrix: ndarray::ArrayView2<f32>) -> Self {
        let (rows, columns) = matrix.dim();
        let mut blocks = vec![0.0; rows.div_ceil(TILE_K) * columns * TILE_K];
        for ((k, j), &value) in matrix.indexed_iter() {
            blocks[(k / TILE_K * columns + j) * TILE_K + k % TILE_K] = value;
        }
        Self { blocks, rows, columns }
    }

    /// Multiplies with a panel `[J, 16]` and hands each row `k` of the product `[K, 16]` to `store`.
    pub(crate) fn times(&self, panel: &[f32], mut store: impl FnMut(usize, &[f32; TILE_P])) {
        for (block, weights) in self.blocks.chunks_exact(self.columns * TILE_K).enumerate() {
            let first = block * TILE_K;
            for (k, row) in (first..self.rows).zip(&tile(weights, panel)) {
                store(k, row);
            }
        }
    }
}

/// One tile of the product: weights `[J, 4]`, panel `[J, 16]`.
fn tile(weights: &[f32], panel: &[f32]) -> [[f32; TILE_P]; TILE_K] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing that the function needs.
        return unsafe { tile_avx2(weights, panel) };
    }
    tile_plain(weights, panel)
}

/// The plain tile, compiled for registers twice as wide. AVX2 does not include fused multiply-add, so the bits are the
/// same.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn tile_avx2(weights: &[f32], panel: &[f32]) -> [[f32; TILE_P]; TILE_K] {
    tile_plain(weights, panel)
}

#[inline(always)]
fn tile_plain(weights: &[f32], panel: &[f32]) -> [[f32; TILE_P]; TILE_K] {
    let mut sums = [[0.0; TILE_P]; TILE_K];
    for (w, x) in weights.chunks_exact(TILE_K).zip(panel.chunks_exact(TILE_P)) {
        for k in 0..TILE_K {
            for p in 0..TILE_P {
                sums[k][p] += w[k] * x[p];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn the_product_equals_the_plain_sum_bit_for_bit() {
        let value = |i: usize| ((i * 7919 % 1013) as f32 - 500.0) / 37.0;
        for (rows, columns) in [(1, 1), (4, 9), (10, 33), (7, 250)] {
            let matrix = Array2::from_shape_fn((rows, columns), |(k, j)| value(k * columns + j));
            let panel: Vec<f32> = (0..columns * TILE_P).map(|i| value(i + 17)).collect();
            let mut stored = 0;
            Packed::new(matrix.view()).times(&panel, |k, row| {
                for p in 0..TILE_P {
                    let sum = (0..columns).fold(0.0_f32, |sum, j| sum + matrix[[k, j]] * panel[j * TILE_P + p]);
                    assert_eq!(row[p].to_bits(), sum.to_bits(), "row {k}, pixel {p}");
                }
                stored += 1;
            });
            assert_eq!(stored, rows);
        }
    }
}
