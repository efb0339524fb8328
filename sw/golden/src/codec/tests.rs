//! Single and double errors of every code.

use hafnia_config::protect::Code;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn every_codec(on_detected: OnDetected) -> Vec<Codec> {
    let words = [(1, 8), (2, 8), (4, 8), (8, 8), (1, 32)]
        .into_iter()
        .flat_map(|(units, bits)| Code::all().filter_map(move |code| Codeword::new(code, units, bits, on_detected)));
    words.filter_map(|word| Codec::new(&word)).collect()
}

/// No error, every single one and every pair, for random data.
#[test]
fn no_error_and_single_and_double_errors_are_read_as_each_code_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for on_detected in [OnDetected::Pass, OnDetected::Zero] {
        for codec in every_codec(on_detected) {
            let word = codec.word();
            let data = rng.random::<u64>() & word.data_cells() as u64;
            let stored = codec.encode(data);
            assert_eq!(codec.decode(stored), Decoded { data, ..Decoded::default() }, "{}", word.code);
            for a in 0..word.cells() {
                let read = codec.decode(stored ^ 1 << a);
                check_single(word, data, a, read);
                for b in 0..a {
                    let read = codec.decode(stored ^ 1 << a ^ 1 << b);
                    check_double(word, data, [a, b], read);
                }
            }
        }
    }
}

/// The data cell that a cell is, or is a copy of, or the first that it is the parity of.
fn original(word: &Codeword, cell: u32) -> u32 {
    if cell < word.data_bits { cell } else { word.checks[(cell - word.data_bits) as usize].trailing_zeros() }
}

/// The unit of a cell, of a code with units.
fn unit(word: &Codeword, cell: u32) -> u32 {
    original(word, cell) / word.unit_bits
}

fn without_unit(word: &Codeword, data: u64, unit: u32) -> u64 {
    data & !((u64::MAX >> (64 - word.unit_bits)) << (unit * word.unit_bits))
}

fn check_single(word: &Codeword, data: u64, cell: u32, read: Decoded) {
    let guarded = |cell| word.checks.iter().any(|mask| mask >> original(word, cell) & 1 == 1);
    let want = match word.decoding {
        Decoding::Parity => {
            let unit = unit(word, cell);
            Decoded { data: without_unit(word, data, unit), corrected: 0, detected: 1 << unit }
        }
        Decoding::Majority if !guarded(cell) => Decoded { data: data ^ 1 << cell, ..Decoded::default() },
        Decoding::Majority => Decoded { data, corrected: 1 << unit(word, cell), detected: 0 },
        _ => Decoded { data, corrected: 1, detected: 0 },
    };
    assert_eq!(read, want, "{}: cell {cell}", word.code);
}

fn check_double(word: &Codeword, data: u64, [a, b]: [u32; 2], read: Decoded) {
    match word.decoding {
        Decoding::Syndrome(on_detected) => {
            let errors = (1u128 << a | 1 << b) & word.data_cells();
            let passed = if on_detected == OnDetected::Zero { 0 } else { data ^ errors as u64 };
            assert_eq!(read, Decoded { data: passed, corrected: 0, detected: 1 }, "{}: {a}, {b}", word.code);
        }
        Decoding::Parity if unit(word, a) == unit(word, b) => assert_eq!(read.detected, 0, "{a}, {b}"),
        Decoding::Parity => assert_eq!(read.detected.count_ones(), 2, "{a}, {b}"),
        _ if original(word, a) != original(word, b) => {
            let plain = |cell: u32| cell < word.data_bits && !word.checks.contains(&(1 << cell));
            let want = [a, b].into_iter().filter(|&cell| plain(cell)).fold(data, |data, cell| data ^ 1 << cell);
            assert_eq!(read.data, want, "{}: {a}, {b}", word.code);
        }
        _ => assert_eq!(read.data, data ^ 1 << original(word, a), "{}: {a}, {b}", word.code),
    }
}
