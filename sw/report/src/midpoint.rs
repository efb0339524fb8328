//! The midpoint: the bit-error rate at which accuracy is halfway between clean and chance. `docs/report.md` defines it.

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::curve::Point;
use crate::logistic::fit;

/// Seed of the bootstrap.
pub const BOOTSTRAP_SEED: u64 = 1;
/// Resamples of the bootstrap.
pub const RESAMPLES: usize = 2000;
/// Rates that a logistic fit needs, one more than it has parameters.
const FIT_RATES: usize = 3;

/// Both midpoints of a curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Midpoints {
    /// Top-1 halfway between clean and chance.
    pub halfway: f64,
    /// Where the line between neighbouring rates, top-1 against log10 of the rate, first crosses it.
    pub interpolated: Midpoint,
    /// That of the logistic curve of least squares; none with fewer than three rates.
    pub logistic: Option<Fitted>,
}

/// A midpoint and its interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Midpoint {
    /// The rate.
    pub ber: Crossing,
    /// Its 95% bootstrap interval over seeds; none where a rate has one seed.
    pub interval: Option<[Crossing; 2]>,
}

/// A midpoint of a fit, and the fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fitted {
    /// The midpoint.
    #[serde(flatten)]
    pub midpoint: Midpoint,
    /// Steepness per decade; none where the points do not show the fall, so that anything would fit.
    pub k: Option<f64>,
    /// Root of the mean squared distance to the points, top-1.
    pub misfit: f64,
}

/// A rate, or on which side of the rates of the sweep it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Crossing {
    /// Lower than the lowest rate, this one.
    Below(f64),
    /// Here.
    At(f64),
    /// Higher than the highest rate, this one.
    Above(f64),
}

/// Returns the midpoints of a curve through `points`, sorted by rate and all above 0; none if there is no point, or
/// nothing to lose.
pub fn midpoints(clean: f64, chance: f64, points: &[Point]) -> Option<Midpoints> {
    let (lowest, highest) = (points.first()?.ber, points.last()?.ber);
    if clean <= chance {
        return None;
    }
    let halfway = f64::midpoint(clean, chance);
    let rates: Vec<f64> = points.iter().map(|point| point.ber.log10()).collect();
    let means: Vec<(f64, f64)> = rates.iter().copied().zip(points.iter().map(|point| point.mean)).collect();
    let crossing = |log: f64| match log {
        _ if log < rates[0] => Crossing::Below(lowest),
        _ if log > rates[rates.len() - 1] => Crossing::Above(highest),
        _ => Crossing::At(10f64.powf(log)),
    };
    let fits = points.len() >= FIT_RATES;
    let (mut crossings, mut middles) = (Vec::new(), Vec::new());
    if points.iter().all(|point| point.seeds > 1) {
        for means in resampled(&rates, points) {
            crossings.push(crossing_of(&means, halfway));
            middles.extend(fits.then(|| fit(&means, clean, chance).middle(&means, halfway)));
        }
    }
    let interval = |logs: Vec<f64>| percentiles(logs).map(|ends| ends.map(crossing));
    let interpolated = Midpoint { ber: crossing(crossing_of(&means, halfway)), interval: interval(crossings) };
    let logistic = fits.then(|| {
        let fitted = fit(&means, clean, chance);
        let midpoint = Midpoint { ber: crossing(fitted.middle(&means, halfway)), interval: interval(middles) };
        let k = matches!(midpoint.ber, Crossing::At(_)).then_some(fitted.k);
        Fitted { midpoint, k, misfit: fitted.misfit }
    });
    Some(Midpoints { halfway, interpolated, logistic })
}

/// log10 of the rate at which the line through `means` first falls to `halfway`; infinite outside of the rates.
fn crossing_of(means: &[(f64, f64)], halfway: f64) -> f64 {
    if means[0].1 < halfway {
        return f64::NEG_INFINITY;
    }
    let pair = means.windows(2).find(|pair| pair[1].1 <= halfway);
    pair.map_or(f64::INFINITY, |pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if y0 == y1 { x0 } else { x0 + (x1 - x0) * (y0 - halfway) / (y0 - y1) }
    })
}

/// The means of every rate over seeds drawn with replacement, once a resample. Rates with the same number of seeds draw the
/// same ones, since a seed draws related noise at all rates.
fn resampled(rates: &[f64], points: &[Point]) -> impl Iterator<Item = Vec<(f64, f64)>> {
    let mut rng = ChaCha8Rng::seed_from_u64(BOOTSTRAP_SEED);
    let most = points.iter().map(|point| point.seeds).max().unwrap_or(0);
    (0..RESAMPLES).map(move |_| {
        let draws: Vec<u64> = (0..most).map(|_| rng.next_u64()).collect();
        let mean = |point: &Point| {
            let n = point.seeds;
            draws[..n].iter().map(|draw| point.top1[(draw % n as u64) as usize]).sum::<f64>() / n as f64
        };
        rates.iter().copied().zip(points.iter().map(mean)).collect()
    })
}

/// The 2.5% and 97.5% percentiles, by nearest rank.
fn percentiles(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * values.len() as f64).ceil() as usize - 1];
    (!values.is_empty()).then(|| [at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(rates: &[(f64, &[f64])]) -> Vec<Point> {
        let point = |&(ber, top1): &(f64, &[f64])| {
            let (seeds, mean) = (top1.len(), top1.iter().sum::<f64>() / top1.len() as f64);
            let top1 = top1.to_vec();
            let (ber_measured, ber_interval) = (ber, (ber, ber));
            Point { ber, top1, seeds, mean, half_width: None, ber_measured, ber_interval, weights: None, biases: None }
        };
        rates.iter().map(point).collect()
    }

    const SEEDS: [(f64, &[f64]); 6] = [
        (1e-5, &[0.78, 0.80, 0.79]),
        (1e-4, &[0.77, 0.79, 0.79]),
        (1e-3, &[0.74, 0.76, 0.75]),
        (1e-2, &[0.47, 0.49, 0.45]),
        (3e-2, &[0.22, 0.17, 0.20]),
        (1e-1, &[0.11, 0.09, 0.10]),
    ];

    fn at(crossing: Crossing) -> f64 {
        let Crossing::At(ber) = crossing else { panic!("{crossing:?} is no rate") };
        ber
    }

    fn assert_near(crossing: Crossing, want: f64) {
        assert!((at(crossing) / want - 1.0).abs() < 1e-6, "{crossing:?}, expected {want}");
    }

    /// Outside values: numpy 2 and scipy 1.17. `y` is `seeds.mean(1)`, `h` 0.445; the interpolation is
    /// `x[3] + (x[4] - x[3]) * (y[3] - h) / (y[3] - y[4])`, the fit `curve_fit` as in `logistic.rs`, the intervals
    /// `10**np.quantile(v, [.025, .975])` of either over 20,000 of `seeds[:, rng.integers(3, size=3)].mean(1)`.
    #[test]
    fn midpoints_and_intervals_are_those_of_numpy_and_scipy() {
        let found = midpoints(0.79, 0.1, &points(&SEEDS)).expect("the curve falls");
        assert_near(found.interpolated.ber, 0.011_057_046_58);
        let [low, high] = found.interpolated.interval.expect("three seeds");
        assert_near(low, 0.010_222_154_13);
        assert_near(high, 0.011_670_653_54);
        let logistic = found.logistic.expect("six rates");
        assert_near(logistic.midpoint.ber, 0.010_712_560_31);
        let [low, high] = logistic.midpoint.interval.expect("three seeds");
        assert_near(low, 0.009_999_184_97);
        assert_near(high, 0.011_225_381_38);
    }

    #[test]
    fn a_curve_that_does_not_cross_says_on_which_side() {
        let found = midpoints(0.79, 0.1, &points(&SEEDS[..3])).expect("something to lose");
        assert_eq!(found.interpolated.ber, Crossing::Above(1e-3));
        assert_eq!(found.interpolated.interval, Some([Crossing::Above(1e-3); 2]));
        assert_eq!(found.logistic.expect("three rates").midpoint.ber, Crossing::Above(1e-3));
        let found = midpoints(0.79, 0.1, &points(&SEEDS[4..])).expect("something to lose");
        assert_eq!((found.interpolated.ber, found.logistic), (Crossing::Below(3e-2), None));
    }

    #[test]
    fn one_seed_has_no_interval_and_chance_no_midpoint() {
        let one = points(&[(1e-3, &[0.7]), (1e-2, &[0.4]), (1e-1, &[0.1])]);
        let found = midpoints(0.8, 0.1, &one).expect("the curve falls");
        assert!(
            found.interpolated.interval.is_none() && found.logistic.expect("three rates").midpoint.interval.is_none()
        );
        assert_eq!(midpoints(0.1, 0.1, &one), None);
        assert_eq!(midpoints(0.8, 0.1, &[]), None);
    }
}
