//! Numbers as the page shows them.

pub use hafnia_sweep::rate;

use crate::midpoint::{Crossing, Midpoint};

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

/// A rate that was measured.
pub fn measured(ber: f64) -> String {
    if ber == 0.0 { "0".to_owned() } else { format!("{ber:.3e}") }
}

/// A whole number with thousands set apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| str::from_utf8(g).expect("digits")).collect();
    groups.join(",")
}

/// A quantity: whole above a hundred, else with three digits.
pub fn quantity(value: f64) -> String {
    match value {
        v if v >= 100.0 => count(v.round() as u64),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// A place against the rates of a sweep.
pub fn crossing(crossing: Crossing) -> String {
    match crossing {
        Crossing::Below(ber) => format!("below {}", rate(ber)),
        Crossing::At(ber) => located(ber),
        Crossing::Above(ber) => format!("above {}", rate(ber)),
    }
}

/// A rate that was found between others.
pub fn located(ber: f64) -> String {
    format!("{ber:.2e}")
}

/// A midpoint, or why there is none.
pub fn midpoint(midpoint: &Midpoint) -> String {
    match midpoint.ber {
        Crossing::At(ber) => located(ber),
        Crossing::Above(ber) => format!("not reached: above {}, the highest rate", rate(ber)),
        Crossing::Below(ber) => format!("passed: below {}, the lowest rate", rate(ber)),
    }
}

/// Its interval.
pub fn interval(midpoint: &Midpoint) -> String {
    let ends = midpoint.interval.map(|ends| ends.map(crossing));
    match ends {
        None => "needs two seeds a rate".to_owned(),
        Some([low, high]) if low == high => low,
        Some([low, high]) => format!("{low} to {high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_as_the_page_shows_them() {
        assert_eq!(["0", "999", "1,000", "12,345,678"], [0, 999, 1000, 12_345_678].map(count));
        assert_eq!([rate(0.0), rate(1e-3), measured(0.012_344)], ["0", "1e-3", "1.234e-2"]);
        assert_eq!([quantity(0.291), quantity(12.34), quantity(41_506.6)], ["0.29", "12.3", "41,507"]);
    }
}
