//! Least squares of a falling logistic curve: Levenberg-Marquardt in two parameters. The crate of that name works on
//! nalgebra, which would take longer to build than all of this workspace's numerics for a 2x2 system.

/// A fitted curve, `chance + (clean - chance) / (1 + exp(k (x - m)))`, x = log10 of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Steepness per decade.
    pub k: f64,
    /// log10 of the rate at which half is left.
    pub m: f64,
    /// Root of the mean squared distance to the points, top-1.
    pub misfit: f64,
}

/// Steps at most; a fit takes 5 to 30.
const STEPS: usize = 200;

impl Logistic {
    /// Returns log10 of the midpoint; infinite for a curve that does not fall, all above it or all below.
    pub fn middle(&self, points: &[(f64, f64)], halfway: f64) -> f64 {
        let above = points.iter().map(|(_, y)| y - halfway).sum::<f64>() > 0.0;
        match self.k > 0.0 {
            true => self.m,
            false if above => f64::INFINITY,
            false => f64::NEG_INFINITY,
        }
    }
}

/// Fits the curve to points `(x, top-1)`, each counting once.
pub fn fit(points: &[(f64, f64)], clean: f64, chance: f64) -> Logistic {
    let off = |y: f64| (y - f64::midpoint(clean, chance)).abs();
    let nearest = points.iter().copied().min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
    let (mut k, mut m, mut damping) = (3.0, nearest.map_or(0.0, |(x, _)| x), 1e-3);
    let mut error = squares(points, clean, chance, k, m);
    for _ in 0..STEPS {
        let (dk, dm) = step(points, clean, chance, [k, m], damping);
        let next = squares(points, clean, chance, k + dk, m + dm);
        if next <= error {
            (k, m, error, damping) = (k + dk, m + dm, next, damping / 10.0);
            if dk.abs() <= 1e-12 * k.abs() && dm.abs() <= 1e-12 * m.abs() {
                break;
            }
        } else {
            damping *= 10.0;
        }
    }
    Logistic { k, m, misfit: (error / points.len() as f64).sqrt() }
}

/// Sum of the squared distances.
fn squares(points: &[(f64, f64)], clean: f64, chance: f64, k: f64, m: f64) -> f64 {
    let value = |x: f64| chance + (clean - chance) * left(k, m, x);
    points.iter().map(|&(x, y)| (y - value(x)).powi(2)).sum()
}

/// Share of the accuracy above chance that is left at `x`.
fn left(k: f64, m: f64, x: f64) -> f64 {
    1.0 / (1.0 + (k * (x - m)).exp())
}

/// One damped Gauss-Newton step: solves `(J'J + damping diag(J'J)) d = J'r`.
fn step(points: &[(f64, f64)], clean: f64, chance: f64, [k, m]: [f64; 2], damping: f64) -> (f64, f64) {
    let (mut kk, mut km, mut mm, mut kr, mut mr) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(x, y) in points {
        let share = left(k, m, x);
        let residual = y - (chance + (clean - chance) * share);
        let slope = (clean - chance) * share * (1.0 - share);
        let (by_k, by_m) = (-slope * (x - m), slope * k);
        kk += by_k * by_k;
        km += by_k * by_m;
        mm += by_m * by_m;
        kr += by_k * residual;
        mr += by_m * residual;
    }
    let (kk, mm) = (kk * (1.0 + damping), mm * (1.0 + damping));
    let determinant = kk * mm - km * km;
    if determinant == 0.0 {
        return (0.0, 0.0);
    }
    ((kr * mm - mr * km) / determinant, (mr * kk - kr * km) / determinant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 6] = [-5.0, -4.0, -3.0, -2.0, -1.522_878_745_280_337_6, -1.0];

    /// Outside values: scipy 1.17, with `x` as above, `y` as below and
    /// `curve_fit(lambda x, k, m: 0.1 + 0.69 / (1 + np.exp(k * (x - m))), x, y, [3, -2], xtol=1e-14, ftol=1e-14)`.
    #[test]
    fn the_fit_is_that_of_scipy() {
        let y = [0.79, 2.35 / 3.0, 0.75, 0.47, 0.59 / 3.0, 0.1];
        let points: Vec<_> = X.into_iter().zip(y).collect();
        let Logistic { k, m, misfit } = fit(&points, 0.79, 0.1);
        assert!((k - 3.977_242_38).abs() < 1e-6 && (m + 1.970_106_72).abs() < 1e-7, "{k} {m}");
        assert!((misfit - 0.013_531_409).abs() < 1e-8, "{misfit}");
    }

    #[test]
    fn a_curve_that_is_logistic_is_found_from_afar() {
        for (k, m) in [(2.0, -4.5), (9.0, -1.2), (1.0, -3.0)] {
            let points: Vec<_> = X.into_iter().map(|x| (x, 0.1 + 0.8 * left(k, m, x))).collect();
            let found = fit(&points, 0.9, 0.1);
            assert!((found.k - k).abs() < 1e-6 && (found.m - m).abs() < 1e-6 && found.misfit < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn a_curve_that_does_not_fall_has_its_midpoint_above_or_below() {
        let rising = |level: f64| X.map(|x| (x, level + x / 1000.0));
        let (high, low) = (rising(0.88), rising(0.11));
        assert!(fit(&high, 0.9, 0.1).middle(&high, 0.5) > X[5]);
        assert!(fit(&low, 0.9, 0.1).middle(&low, 0.5) < X[0]);
    }
}
