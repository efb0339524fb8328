//! Eq. (Q3), the constants of one channel: a real scale as `m * 2^-s`.

use hafnia_golden::network::Scale;

/// Returns the `m` in [2^15, 2^16) and `s` in 1..=47 whose `m * 2^-s` is nearest to `scale`, or none if there are none.
/// A tie goes to the larger `m`.
pub fn nearest(scale: f64) -> Option<Scale> {
    if !scale.is_normal() || scale < 0.0 {
        return None;
    }
    // scale = f * 2^e with f in [1, 2): m = f * 2^15, s = 15 - e. Powers of two are exact, so only `round` rounds.
    let exponent = ((scale.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let fraction = f64::from_bits(scale.to_bits() & ((1 << 52) - 1) | 1023 << 52);
    let m = (fraction * 32768.0).round() as u32;
    let (m, s) = if m == 65536 { (32768, 14 - exponent) } else { (m, 15 - exponent) };
    (1..=47).contains(&s).then_some(Scale { m: m as u16, s: s as u8 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_range_are_exact_and_what_lies_beyond_is_refused() {
        assert_eq!(nearest(1.0), Some(Scale { m: 32768, s: 15 }));
        assert_eq!(nearest(0.75), Some(Scale { m: 49152, s: 16 }));
        assert_eq!(nearest(65535.0 / 2.0), Some(Scale { m: 65535, s: 1 }));
        assert_eq!(nearest(2_f64.powi(-32)), Some(Scale { m: 32768, s: 47 }));
        assert_eq!(nearest(1.0 - 1e-9), Some(Scale { m: 32768, s: 15 }), "rounding up to 2^16 takes the next power");
        for beyond in [32768.0, 0.99 * 2_f64.powi(-32), 0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(nearest(beyond), None, "{beyond}");
        }
    }

    proptest! {
        /// No other m at this or a neighbouring shift is nearer.
        #[test]
        fn no_other_pair_is_nearer(exponent in -32_i32..14, fraction in 1.0_f64..2.0) {
            let scale = fraction * 2_f64.powi(exponent);
            let found = nearest(scale).unwrap();
            let value = |m: u32, s: i32| f64::from(m) * 2_f64.powi(-s);
            let error = (value(found.m.into(), found.s.into()) - scale).abs();
            for s in i32::from(found.s) - 1..=i32::from(found.s) + 1 {
                for m in u32::from(found.m).saturating_sub(1)..=u32::from(found.m) + 1 {
                    if (1 << 15..1 << 16).contains(&m) && (1..=47).contains(&s) {
                        prop_assert!(error <= (value(m, s) - scale).abs());
                    }
                }
            }
        }
    }
}
