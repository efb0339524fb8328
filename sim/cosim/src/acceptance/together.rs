//! Two events that ought to have nothing to do with each other.

use super::tail;

/// How often two events of the same rate came, and came together, over the same draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Together {
    /// Draws of both.
    pub draws: u64,
    /// Both came.
    pub count: u64,
    /// One came.
    pub one: u64,
    /// The other came.
    pub other: u64,
}

impl Together {
    /// Adds what other draws gave.
    pub fn add(&mut self, more: Self) {
        self.draws += more.draws;
        self.count += more.count;
        self.one += more.one;
        self.other += more.other;
    }

    /// Returns how far the covariance of two events of rate `p` is from 0, in standard deviations.
    ///
    /// The sum of `(x - p)(y - p)` over n draws has mean 0 and variance `n p^2 (1 - p)^2`, even where y is x some draws later and
    /// the products depend on each other. It is scaled to the variance of a binomial count of rate p^2, whose exact tail
    /// says how likely it is: at low rates two events come together a handful of times, which no normal law describes.
    pub fn sigma(&self, p: f64) -> f64 {
        let draws = self.draws as f64;
        let covariance = self.count as f64 - p * (self.one + self.other) as f64 + draws * p * p;
        let count = draws * p * p + covariance * ((1.0 + p) / (1.0 - p)).sqrt();
        tail::sigma(tail::binomial(draws, count, p * p))
    }
}
