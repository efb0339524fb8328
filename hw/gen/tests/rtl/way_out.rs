//! The way of a sum out of the array: requantiser with pool, and the write into feature-map words.

use crate::common::{Bench, array, rng};
use hafnia_golden::conv::requantise;
use hafnia_golden::network::Scale;
use rand::Rng;

/// Random sums and the ends of every range against Eqs. (Q3) and (Q4), with gaps between the values.
#[test]
fn requantise_equals_q3_and_q4() {
    let mut bench = Bench::new(&array(3, 5, 2), "requantise");
    let mut rng = rng(1);
    let mut want = Vec::new();
    let mut got = Vec::new();
    let mut window: Vec<i8> = Vec::new();
    let mut left = 0;
    for cycle in 0..20_000 {
        let valid = cycle < 19_990 && rng.random_bool(0.8);
        bench.set("valid_i", valid.into());
        if valid {
            let acc: i32 = match rng.random_range(0..8) {
                0 => i32::MIN,
                1 => i32::MAX,
                2 => rng.random_range(-3..=3),
                _ => rng.random::<i32>() >> rng.random_range(0..28),
            };
            let m = if rng.random_bool(0.3) { 1 << 15 } else { rng.random_range(1 << 15..=u16::MAX) };
            let scale = Scale { m, s: rng.random_range(1..=47) };
            let relu = rng.random_bool(0.5);
            if left == 0 {
                left = if rng.random_bool(0.5) { 4 } else { 1 };
                window.clear();
                bench.set("pool_first_i", 1);
            } else {
                bench.set("pool_first_i", 0);
            }
            window.push(requantise(acc, scale, if relu { 0 } else { i8::MIN }));
            left -= 1;
            bench.set("pool_last_i", u64::from(left == 0));
            if left == 0 {
                want.push(*window.iter().max().expect("a window has values"));
            }
            bench.set("sum_i", u64::from(acc as u32));
            bench.set("m_i", scale.m.into());
            bench.set("s_i", scale.s.into());
            bench.set("relu_i", relu.into());
        }
        bench.step();
        // What the pipeline held before the first value is not one.
        if cycle >= 5 && bench.get("valid_o") == 1 {
            got.push(bench.get("value_o") as u8 as i8);
        }
    }
    assert!(want.len() > 3000);
    assert_eq!(got.len(), want.len());
    assert_eq!(got, want);
}
