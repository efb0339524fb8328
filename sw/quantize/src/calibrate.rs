//! The range of each layer's outputs, by percentile over a seeded sample of training images.

use std::sync::{Mutex, PoisonError};

use hafnia_dataset::Images;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::QuantizeError;
use crate::float::FloatModel;

/// Low bits of a value that its histogram bin leaves out. The 11 bits of fraction that stay make a bin at most 0.05%
/// wide.
const DROPPED_BITS: u32 = 12;
/// Bins for all finite values of 0 and above.
const BINS: usize = (f32::INFINITY.to_bits() >> DROPPED_BITS) as usize;

/// Returns `count` different numbers below `len`, in ascending order: a partial Fisher-Yates shuffle driven by ChaCha8.
///
/// # Panics
/// If `count` is above `len`.
pub fn sample(len: usize, count: usize, seed: u64) -> Vec<usize> {
    assert!(count <= len, "a sample cannot be larger than its set");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut numbers: Vec<usize> = (0..len).collect();
    for i in 0..count {
        // A 64-bit fraction of the numbers left; its bias is below 2^-47 for any data set here.
        let offset = (u128::from(random.next_u64()) * (len - i) as u128) >> 64;
        numbers.swap(i, i + offset as usize);
    }
    numbers.truncate(count);
    numbers.sort_unstable();
    numbers
}

/// Returns the range of each convolution's outputs: the smallest value that at least `percentile` percent of them do
/// not exceed.
///
/// # Errors
/// A layer that gives only zeros.
pub(crate) fn ranges(
    model: &FloatModel,
    layers: usize,
    images: &Images,
    percentile: f64,
) -> Result<Vec<f64>, QuantizeError> {
    let histograms: Vec<Mutex<Vec<u64>>> = (0..layers).map(|_| Mutex::new(vec![0; BINS])).collect();
    model.forward(images, |layer, outputs| {
        // Counts are sums of ones, so the order of the threads leaves no trace.
        let mut bins = histograms[layer].lock().unwrap_or_else(PoisonError::into_inner);
        outputs.iter().for_each(|v| bins[bin(*v)] += 1);
    });
    let range = |(layer, bins): (usize, Mutex<Vec<u64>>)| {
        let bins = bins.into_inner().unwrap_or_else(PoisonError::into_inner);
        upper_edge(&bins, percentile).ok_or(QuantizeError::DeadLayer { layer, images: images.len() })
    };
    histograms.into_iter().enumerate().map(range).collect()
}

/// The bin of a value of 0 or above: the bits of such numbers are in the order of the numbers.
fn bin(value: f32) -> usize {
    ((value.to_bits() >> DROPPED_BITS) as usize).min(BINS - 1)
}

/// The upper edge of the bin that holds the percentile; the largest value's if that bin is the one of zero.
fn upper_edge(bins: &[u64], percentile: f64) -> Option<f64> {
    let total: u64 = bins.iter().sum();
    let rank = (total as f64 * percentile / 100.0).ceil() as u64;
    let mut below = 0;
    let at = bins.iter().position(|n| {
        below += n;
        below >= rank
    })?;
    let at = if at == 0 { bins.iter().rposition(|&n| n > 0)? } else { at };
    (at > 0).then(|| f64::from(f32::from_bits((at as u32 + 1) << DROPPED_BITS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_no_doubles_and_depends_on_the_seed_alone() {
        let numbers = sample(50_000, 512, 1);
        assert!(numbers.windows(2).all(|w| w[0] < w[1]) && numbers.len() == 512 && numbers[511] < 50_000);
        assert_eq!(numbers, sample(50_000, 512, 1));
        assert_ne!(numbers, sample(50_000, 512, 2));
        assert_eq!(sample(7, 7, 3), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_percentile_is_the_upper_edge_of_its_bin() {
        let mut bins = vec![0; BINS];
        (1..=1000).for_each(|i| bins[bin(i as f32)] += 1);
        for (percentile, value) in [(50.0, 500.0), (99.0, 990.0), (100.0, 1000.0)] {
            let range = upper_edge(&bins, percentile).unwrap();
            assert!(range > value && range < value * 1.0005, "{percentile}: {range}");
        }
    }

    #[test]
    fn only_zeros_have_no_range_but_a_rare_value_has() {
        let mut bins = vec![0; BINS];
        bins[bin(0.0)] = 1_000_000;
        assert_eq!(upper_edge(&bins, 99.0), None);
        bins[bin(2.0)] = 1;
        assert!((upper_edge(&bins, 99.0).unwrap() - 2.0).abs() < 1e-3);
    }
}
