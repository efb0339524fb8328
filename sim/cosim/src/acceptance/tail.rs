//! Tails of the binomial and of the normal law.

use statrs::distribution::{ContinuousCDF as _, Normal};
use statrs::function::gamma::ln_gamma;

/// Returns the probability that `draws` draws of probability `p` give a number of hits as far out as `hits`, on either side:
/// twice the tail beyond it, at most 1. `hits` may lie between two numbers.
///
/// The terms of the tail are summed: the incomplete beta function of `statrs` stops after 140 steps, too early for 10^8 draws.
pub fn binomial(draws: f64, hits: f64, p: f64) -> f64 {
    let hits = hits.clamp(0.0, draws);
    let tail = if hits > draws * p { above(draws, hits, p) } else { above(draws, draws - hits, 1.0 - p) };
    (2.0 * tail).min(1.0)
}

/// Returns the probability of at least `hits`, which are no fewer than expected.
fn above(draws: f64, hits: f64, p: f64) -> f64 {
    let misses = draws - hits;
    let ways = ln_gamma(draws + 1.0) - ln_gamma(hits + 1.0) - ln_gamma(misses + 1.0);
    let first = (ways + hits * p.ln() + misses * (-p).ln_1p()).exp();
    let (mut term, mut sum, mut more) = (1.0, 0.0, 0.0);
    while term > 1e-12 * sum && more <= misses {
        sum += term;
        term *= (misses - more) / (hits + more + 1.0) * p / (1.0 - p);
        more += 1.0;
    }
    first * sum
}

/// Returns how many standard deviations from the mean a normal law leaves this probability, both sides together; 38 where it
/// is too small for a double.
pub fn sigma(probability: f64) -> f64 {
    Normal::standard().inverse_cdf((probability / 2.0).max(f64::MIN_POSITIVE)).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-4, "{got:e}, not {want:e}");
    }

    /// Against the incomplete beta function and sums of mpmath 1.3, 30 digits.
    #[test]
    fn tails_are_those_of_the_binomial_law() {
        near(binomial(100.0, 50.0, 0.4), 0.054_198_395_5);
        near(binomial(100.0, 50.0, 0.6), 0.054_198_395_5);
        near(binomial(1_562_500.0, 8.0, 1e-6), 4.451_684_59e-4);
        near(binomial(1e8, 50_025_000.0, 0.5), 5.736_002_65e-7);
        near(binomial(1e8, 49_975_000.0, 0.5), 5.736_002_65e-7);
        near(binomial(10.0, 0.0, 0.5), 2.0 / 1024.0);
        assert_eq!(binomial(1e6, 1e5, 0.1), 1.0);
    }

    #[test]
    fn sigmas_are_those_of_the_normal_law() {
        near(sigma(1e-9), 6.109_410_205);
        near(sigma(1.0 - 0.682_689_492_137), 1.0);
        assert!(sigma(0.0) > 37.0 && sigma(1.0).abs() < 1e-9);
    }
}
