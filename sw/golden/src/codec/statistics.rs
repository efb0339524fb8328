//! What becomes of codewords whose cells are read wrong at a rate, against closed forms.

use hafnia_config::fault::{Site, Thresholds, stream_key};
use hafnia_config::protect::{Code, Codeword, OnDetected};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::*;
use crate::injector::{Tree, seeded_lanes};

const RATES: [f64; 7] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/// Codewords of each rate.
const WORDS: u32 = 400_000;

/// Counts of units, and of bits of data read wrong.
#[derive(Default)]
struct Counts {
    corrected: u64,
    detected: u64,
    silent: u64,
    wrong_bits: u64,
}

/// Reads codewords of random data through a lane of the injector and the decoder.
fn read(codec: &Codec, p: f64) -> Counts {
    let word = codec.word();
    let thresholds = Thresholds::new(p, word.cells()).unwrap();
    let tree = Tree::new(&thresholds);
    let mut lane = seeded_lanes(stream_key(7, Site::Weights, 0, 0), 1, &tree).remove(0);
    let (mut rng, mut counts) = (ChaCha8Rng::seed_from_u64(1), Counts::default());
    for _ in 0..WORDS {
        let flips = lane.draw().cells;
        if flips != 0 {
            let data = rng.random::<u64>() & word.data_cells() as u64;
            let mut events = Events::default();
            let wrong = events.count(word, data, codec.decode(codec.encode(data) ^ flips));
            counts.corrected += u64::from(events.corrected);
            counts.detected += u64::from(events.detected);
            counts.silent += u64::from(events.silent);
            counts.wrong_bits += u64::from(wrong.count_ones());
        }
    }
    counts
}

/// The quantile that bounds all of some normal deviations with 99%.
fn quantile(intervals: usize) -> f64 {
    Normal::standard().inverse_cdf(1.0 - 0.005 / intervals as f64)
}

/// Checks a count of `n` trials of probability `p`.
fn within(what: &str, count: u64, n: f64, p: f64, z: f64) {
    let (mean, deviation) = (n * p, (n * p * (1.0 - p)).sqrt());
    // Where hardly one is expected, the law is Poisson's: up to 8 is no surprise of 1e-5.
    let bound = (z * deviation).max(if mean < 1.0 { 8.0 } else { 0.0 });
    assert!((count as f64 - mean).abs() <= bound, "{what}: {count}, want {mean:.2} +- {bound:.2}");
}

/// The number of words of each weight of the code whose check matrix has these rows, MacWilliams' identity: from the weights of
/// all sums of rows.
fn weights(word: &Codeword) -> Vec<f64> {
    let n = word.cells() as usize;
    let rows: Vec<u128> = word.rows().collect();
    let mut all = vec![0.0; n + 1];
    for sum in 0..1usize << rows.len() {
        let row = (0..rows.len()).filter(|row| sum >> row & 1 == 1).fold(0, |all, row| all ^ rows[row]);
        // (1 - x)^w (1 + x)^(n - w), coefficient by coefficient.
        let w = row.count_ones() as usize;
        let mut terms = vec![1.0];
        for factor in 0..n {
            let sign = if factor < w { -1.0 } else { 1.0 };
            let shifted: Vec<f64> = std::iter::once(0.0).chain(terms.iter().map(|term| sign * term)).collect();
            terms.push(0.0);
            terms.iter_mut().zip(shifted).for_each(|(term, shifted)| *term += shifted);
        }
        all.iter_mut().zip(terms).for_each(|(all, term)| *all += term);
    }
    all.iter().map(|all| (all / (1 << rows.len()) as f64).round()).collect()
}

/// The weights of Hsiao's codes: no word of weight 1 to 3, and as many as there are in all.
#[test]
fn no_codeword_of_a_secded_code_has_fewer_than_four_ones() {
    for data_bits in [8, 16, 32] {
        let word = Codeword::new(Code::Secded { data_bits }, data_bits / 8, 8, OnDetected::Pass).unwrap();
        let weights = weights(&word);
        assert_eq!((weights[0], &weights[1..4]), (1.0, &[0.0; 3][..]));
        assert_eq!(weights.iter().sum::<f64>(), f64::from(data_bits).exp2());
    }
}

/// Errors of i cells are corrected, rightly or not, if they and one cell more or less are a word of the code; they are missed if
/// they are one; else they are detected.
#[test]
fn secded_corrects_detects_and_miscorrects_as_its_weights_say() {
    let z = quantile(4 * RATES.len() * 3);
    for data_bits in [8, 16, 32, 64] {
        let code = Code::Secded { data_bits };
        let codec = Codec::new(&Codeword::new(code, data_bits / 8, 8, OnDetected::Pass).unwrap()).unwrap();
        let (a, n) = (weights(codec.word()), codec.word().cells() as usize);
        for p in RATES {
            let of = |i: usize| p.powi(i as i32) * (1.0 - p).powi((n - i) as i32);
            let next = |i: usize| if i < n { (i + 1) as f64 * a[i + 1] } else { 0.0 };
            let corrected: f64 = (1..=n).map(|i| (next(i) + (n - i + 1) as f64 * a[i - 1]) * of(i)).sum();
            let right = n as f64 * of(1);
            let missed: f64 = (1..=n).map(|i| a[i] * of(i)).sum();
            let detected = 1.0 - of(0) - corrected - missed;
            let (counts, words) = (read(&codec, p), f64::from(WORDS));
            let what = |name: &str| format!("{code} at {p}, {name}");
            within(&what("corrected"), counts.corrected, words, corrected, z);
            within(&what("detected"), counts.detected, words, detected, z);
            within(&what("silent"), counts.silent, words, corrected - right + missed, z);
        }
    }
}

#[test]
fn copies_leave_the_errors_of_two_of_three_and_parity_finds_odd_numbers() {
    let z = quantile(2 * RATES.len());
    for p in RATES {
        let tmr = Codec::new(&Codeword::new(Code::Tmr, 4, 8, OnDetected::Pass).unwrap()).unwrap();
        let bits = f64::from(WORDS * 32);
        within(&format!("tmr at {p}"), read(&tmr, p).wrong_bits, bits, 3.0 * p * p - 2.0 * p.powi(3), z);
        let parity = Codec::new(&Codeword::new(Code::Parity, 8, 8, OnDetected::Pass).unwrap()).unwrap();
        let odd = (1.0 - (1.0 - 2.0 * p).powi(9)) / 2.0;
        within(&format!("parity at {p}"), read(&parity, p).detected, f64::from(WORDS * 8), odd, z);
    }
}
