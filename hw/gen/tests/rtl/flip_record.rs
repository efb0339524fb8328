//! The record of what an injector flipped, against counts in plain integers.

use crate::common::{Bench, array, injecting, rng};
use hafnia_config::fault::Site;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What the record must show.
struct Reference {
    /// The word of the last cycle, if anything of it was flipped: index, what was stored, flips.
    word: Option<(u32, Vec<u8>, Vec<u8>)>,
    /// Flips of the word before it, which are added to the counts next; all those of the one before that.
    summed: [u64; 16],
    ones: u64,
    count: u64,
    counts: [u64; 16],
    signature: u32,
    /// Counts and signature start anew now.
    clear: bool,
}

impl Reference {
    /// Flips of each bit of a byte, of stored 0s and then of stored 1s.
    fn flips(stored: &[u8], mask: &[u8]) -> [u64; 16] {
        let is_flip = |n: usize| {
            let (one, bit) = (n / 8 == 1, n % 8);
            let flip = |(stored, mask): (&u8, &u8)| mask >> bit & 1 == 1 && (stored >> bit & 1 == 1) == one;
            stored.iter().zip(mask).filter(|&pair| flip(pair)).count() as u64
        };
        std::array::from_fn(is_flip)
    }

    /// The signature after a word with these flips.
    fn signed(signature: u32, index: u32, mask: &[u8]) -> u32 {
        let step = u64::from(signature) << 1;
        let step = if step >> 32 == 1 { step ^ 0x1_04c1_1db7 } else { step } as u32;
        let words = mask.chunks(4).enumerate().map(|(n, bytes)| {
            let word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
            word.rotate_left(5 * n as u32)
        });
        words.fold(step ^ index, |signature, word| signature ^ word)
    }

    /// One clock edge, with `clear_i` or reset.
    fn step(&mut self, index: u32, stored: Vec<u8>, mask: Vec<u8>, (clear, rst): (bool, bool)) {
        let signed =
            self.word.as_ref().map_or(self.signature, |(index, _, mask)| Self::signed(self.signature, *index, mask));
        self.signature = if self.clear { 0 } else { signed };
        let flips = self.word.take().map_or([0; 16], |(_, stored, mask)| Self::flips(&stored, &mask));
        (self.count, self.ones) = (self.ones, self.summed.iter().sum());
        let summed = self.summed.iter();
        self.counts
            .iter_mut()
            .zip(summed)
            .for_each(|(count, flips)| *count = if self.clear { 0 } else { *count + flips });
        self.clear = clear || rst;
        self.summed = if rst { [0; 16] } else { flips };
        self.word = mask.iter().any(|&byte| byte != 0).then_some((index, stored, mask));
    }

    fn check(&self, bench: &mut Bench, bytes: usize, rst: bool, cycle: u32) {
        assert_eq!(bench.get("valid_o") == 1, self.word.is_some() && !rst, "cycle {cycle}");
        if let Some((index, stored, mask)) = &self.word {
            assert_eq!(bench.get("index_o") as u32, *index, "cycle {cycle}");
            let [before, flips] = ["before_o", "mask_o"].map(|port| bench.get_bytes(port, bytes));
            assert_eq!((&before, &flips), (stored, mask), "cycle {cycle}");
        }
        assert_eq!(bench.get("count_o"), self.count, "cycle {cycle}");
        let mut counts = bench.get_words("counts_o");
        assert_eq!(counts.pop(), Some(self.signature), "cycle {cycle}");
        assert!(counts.iter().map(|&count| u64::from(count)).eq(self.counts), "cycle {cycle}: {counts:?}");
    }
}

/// No flip, few, or all of a word.
fn mask(rng: &mut ChaCha8Rng, bytes: usize) -> Vec<u8> {
    match rng.random_range(0..4) {
        0 => vec![0; bytes],
        1 => vec![u8::MAX; bytes],
        2 => (0..bytes).map(|_| rng.random()).collect(),
        _ => {
            let (byte, bit) = (rng.random_range(0..bytes), rng.random_range(0..8));
            (0..bytes).map(|n| if n == byte { 1 << bit } else { 0 }).collect()
        }
    }
}

/// Random words of the record of `module`, with a clear or a reset now and then.
fn compare(rows: u32, cols: u32, site: Site, bytes: usize) {
    let hw = injecting(&array(rows, cols, 1), &[site]);
    let mut bench = Bench::new(&hw, &format!("flip_record_{}", 8 * bytes));
    let mut rng = rng(bytes as u64);
    bench.set("rst_i", 1);
    bench.set_bytes("flips_i", &vec![0; bytes]);
    bench.steps(4);
    let mut reference =
        Reference { word: None, summed: [0; 16], ones: 0, count: 0, counts: [0; 16], signature: 0, clear: true };
    let (mut cleared, mut largest) = (0, [0; 16]);
    for cycle in 0..5000 {
        let (index, read, mask) = (rng.random::<u32>(), mask(&mut rng, bytes), mask(&mut rng, bytes));
        let (clear, rst) = (rng.random_bool(0.005), rng.random_bool(0.005));
        bench.set("index_i", index.into());
        bench.set_bytes("word_i", &read);
        bench.set_bytes("flips_i", &mask);
        bench.set("clear_i", clear.into());
        bench.set("rst_i", rst.into());
        reference.check(&mut bench, bytes, rst, cycle);
        bench.step();
        let stored = read.iter().zip(&mask).map(|(read, flips)| read ^ flips).collect();
        cleared += u32::from(reference.clear && reference.summed != [0; 16]);
        reference.step(index, stored, mask, (clear, rst));
        largest = std::array::from_fn(|n| reference.counts[n].max(largest[n]));
    }
    assert!(cleared > 10, "{cleared} words were recorded beside a clear");
    assert!(largest.iter().all(|&count| count > 100), "every count counts: {largest:?}");
}

#[test]
fn words_are_recorded_and_their_flips_counted_by_bit_and_direction() {
    compare(3, 2, Site::Weights, 2);
    compare(3, 5, Site::Activations, 8);
    compare(3, 5, Site::Biases, 4);
    compare(3, 5, Site::Weights, 5);
    compare(16, 2, Site::Activations, 16);
}

/// The counts have no start value without a reset, so a start near the end is found rather than counted to. Sixteen flips a
/// cycle take it there.
#[test]
fn counts_saturate() {
    const CYCLES: u64 = 1 << 22;
    let hw = injecting(&array(16, 2, 1), &[Site::Activations]);
    // These seeds do it with Verilator 5.006, so that the search ends at once; the rest is for other versions.
    let mut left = vec![false, true];
    for seed in [5, 2].into_iter().chain(1..100) {
        let mut bench = Bench::seeded(&hw, "flip_record_128", seed);
        bench.set_bytes("flips_i", &[0; 16]);
        bench.steps(2);
        let starts = bench.get_words("counts_o");
        let near = |one: &bool| {
            let of_direction = if *one { &starts[8..] } else { &starts[..8] };
            of_direction.iter().any(|&start| u64::from(u32::MAX - start) < 16 * CYCLES)
        };
        let Some(at) = left.iter().position(near) else { continue };
        // What is read as 0 was a 1.
        let one = left.remove(at);
        bench.set_bytes("word_i", &[if one { 0 } else { u8::MAX }; 16]);
        bench.set_bytes("flips_i", &[u8::MAX; 16]);
        // The first word is counted in the third cycle.
        bench.steps(CYCLES + 2);
        for (n, (count, start)) in bench.get_words("counts_o").into_iter().zip(starts).take(16).enumerate() {
            let gain = if (n / 8 == 1) == one { 16 * CYCLES as u32 } else { 0 };
            assert_eq!(count, start.saturating_add(gain), "count {n}, seed {seed}");
        }
        if left.is_empty() {
            return;
        }
    }
    panic!("no seed starts a count near the end; ones {left:?}");
}
