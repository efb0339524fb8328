//! The built-in set: UCI handwritten digits, 8x8 scans made 32x32x3. Attribution in `data/digits/README.md`.

use std::ops::Range;

use crate::images::{IMAGE_BYTES, Images, SIDE};

/// Scans in the training split; the rest are the test split.
pub(crate) const TRAIN: usize = 1_437;
/// All scans.
pub(crate) const COUNT: usize = 1_797;

const SCAN_SIDE: usize = 8;
const SCANS: &[u8; COUNT * SCAN_SIDE * SCAN_SIDE] = include_bytes!("../data/digits/digits-8x8.u8");
const LABELS: &[u8; COUNT] = include_bytes!("../data/digits/labels.u8");

/// Returns the scans of `range` as images.
pub(crate) fn read(range: Range<usize>) -> Images {
    let mut pixels = Vec::with_capacity(range.len() * IMAGE_BYTES);
    for scan in SCANS.chunks_exact(SCAN_SIDE * SCAN_SIDE).skip(range.start).take(range.len()) {
        let plane = expand(scan);
        (0..3).for_each(|_| pixels.extend_from_slice(&plane));
    }
    Images::new(pixels, LABELS[range].to_vec())
}

/// One plane of an image: `byte = min(255, 16 v)`, each pixel replicated 4x4.
fn expand(scan: &[u8]) -> [u8; SIDE * SIDE] {
    const REPEAT: usize = SIDE / SCAN_SIDE;
    std::array::from_fn(|i| {
        let value = scan[i / SIDE / REPEAT * SCAN_SIDE + i % SIDE / REPEAT];
        value.saturating_mul(16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_replicated_four_by_four_in_all_planes() {
        let images = read(5..6);
        let scan = &SCANS[5 * 64..6 * 64];
        for c in 0..3 {
            for y in 0..32 {
                for x in 0..32 {
                    let want = (16 * u16::from(scan[y / 4 * 8 + x / 4])).min(255) as u8;
                    assert_eq!(images.pixels(0)[c * 1024 + y * 32 + x], want, "plane {c}, row {y}, column {x}");
                }
            }
        }
    }

    /// Outside value: class counts of scikit-learn's `load_digits` (178, 182, 177, 183, 181, 182, 181, 179, 174, 180).
    #[test]
    fn class_counts_equal_the_published_ones() {
        let mut counts = [0; 10];
        LABELS.iter().for_each(|&l| counts[usize::from(l)] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        assert_eq!(SCANS.iter().max(), Some(&16));
    }
}
