//! The interval of a mean over seeds.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Returns the mean and half the width of its 95% interval by Student's t; one value has no interval.
///
/// # Panics
/// If there is no value.
pub fn mean_interval(values: &[f64]) -> (f64, Option<f64>) {
    assert!(!values.is_empty(), "nothing has no mean");
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let half = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        t.inverse_cdf(0.975) * (variance / n).sqrt()
    });
    (mean, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outside value: scipy 1.17, `stats.t.interval(0.95, 4, np.mean(x), stats.sem(x))` is (0.6885743292, 0.7214256708).
    #[test]
    fn the_interval_is_that_of_students_t() {
        let (mean, half) = mean_interval(&[0.69, 0.70, 0.725, 0.71, 0.70]);
        let half = half.expect("five values have an interval");
        assert!(
            (mean - half - 0.6885743292).abs() < 1e-9 && (mean + half - 0.7214256708).abs() < 1e-9,
            "{mean} {half}"
        );
        assert_eq!(mean_interval(&[0.5]), (0.5, None));
    }
}
