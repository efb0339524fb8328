//! Draws of cells have their rates and depend on nothing else: of 10^8 draws and more, and of a hash with too few rounds,
//! which the same checks refuse.

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::{LAYER_SHIFT, MAP_B, Purpose, ROTATIONS, pair_constant};
use hafnia_config::fault::{Site, device_key, telegraph_key, threshold};
use hafnia_config::presets;

use super::cell_draw::LaneCells;
use crate::cells::hash;

/// A draw is below the threshold: for each cell, a bit for each word, 64 to an entry.
struct Bits {
    p: f64,
    words: usize,
    cells: Vec<Vec<u64>>,
}

impl Bits {
    /// Takes the cells of words, 64 at a time.
    fn of(p: f64, masks: &[u64]) -> Self {
        let column = |cell: usize| {
            let entry = |words: &[u64]| words.iter().rev().fold(0, |bits, mask| bits << 1 | (mask >> cell & 1));
            masks.chunks(64).map(entry).collect()
        };
        Self { p, words: masks.len(), cells: (0..64).map(column).collect() }
    }

    fn ones(&self, cell: usize) -> f64 {
        count(self.cells[cell].iter().copied())
    }
}

fn count(entries: impl Iterator<Item = u64>) -> f64 {
    entries.map(|entry| u64::from(entry.count_ones())).sum::<u64>() as f64
}

/// Covariance of two events of rate p that met `both` times, in standard deviations: 0 in the mean if neither depends on the
/// other.
fn sigmas(p: f64, n: f64, one: f64, other: f64, both: f64) -> f64 {
    (both - p * (one + other) + n * p * p) / (n.sqrt() * p * (1.0 - p))
}

/// The same for two events alone. Rare ones meet by a law like Poisson's: the root of the count is nearly normal (Anscombe, 1948).
fn alone(p: f64, n: f64, sigmas: f64) -> f64 {
    let mean = n * p * p;
    let root = |count: f64| (count.max(0.0) + 0.375).sqrt();
    if p > 0.1 { sigmas } else { 2.0 * (root(mean + sigmas * mean.sqrt()) - root(mean)) }
}

fn below(what: String, sigmas: f64, most: f64) -> Result<(), String> {
    if sigmas.abs() < most { Ok(()) } else { Err(format!("{what}: {sigmas:.1} sigma")) }
}

/// Each cell has the rate: 99.9% for all cells of all settings together.
fn check_rates(bits: &Bits) -> Result<(), String> {
    // 0.1% shared by 3 * (64 + 128) cells, both sides.
    const MOST: f64 = 4.8;
    let n = bits.words as f64;
    let rate = |cell| (bits.ones(cell) - n * bits.p) / (n * bits.p * (1.0 - bits.p)).sqrt();
    (0..64).try_for_each(|cell| below(format!("rate of cell {cell} at {}", bits.p), rate(cell), MOST))?;
    let all: f64 = (0..64).map(rate).sum::<f64>() / 8.0;
    below(format!("rate of all cells at {}", bits.p), all, 3.29)
}

/// Each pair of cells, of one lane or of two, is hit together as often as by chance: 5 sigma.
fn check_pairs(one: &Bits, other: &Bits, same_lane: bool) -> Result<(), String> {
    let ones = [one, other].map(|bits| (0..64).map(|cell| bits.ones(cell)).collect::<Vec<_>>());
    let mut all = 0.0;
    for a in 0..64 {
        for b in (if same_lane { a + 1 } else { 0 })..64 {
            let both = count(one.cells[a].iter().zip(&other.cells[b]).map(|(a, b)| a & b));
            let sigmas = sigmas(one.p, one.words as f64, ones[0][a], ones[1][b], both);
            all += sigmas;
            // Where two meet a few times by chance, pairs are looked at together.
            if one.p > 5e-3 {
                below(format!("cells {a} and {b} at {}", one.p), alone(one.p, one.words as f64, sigmas), 5.0)?;
            }
        }
    }
    let pairs: f64 = if same_lane { 2016.0 } else { 4096.0 };
    below(format!("all pairs of cells at {}", one.p), all / pairs.sqrt(), 5.0)
}

/// The same cell of words 1 to 64 addresses apart: 5 sigma, each cell and all of them.
fn check_lags(bits: &Bits) -> Result<(), String> {
    for lag in 1..=64 {
        let mut all = 0.0;
        for (cell, entries) in bits.cells.iter().enumerate() {
            let later = |i: usize| match lag {
                64 => entries[i + 1],
                _ => entries[i] >> lag | entries[i + 1] << (64 - lag),
            };
            let last = entries.len() - 1;
            let (n, both) = ((64 * last) as f64, count((0..last).map(|i| entries[i] & later(i))));
            let (one, other) = (count(entries[..last].iter().copied()), count((0..last).map(later)));
            let sigmas = sigmas(bits.p, n, one, other, both);
            all += sigmas;
            below(format!("cell {cell}, {lag} addresses apart at {}", bits.p), alone(bits.p, n, sigmas), 5.0)?;
        }
        below(format!("all cells, {lag} addresses apart at {}", bits.p), all / 8.0, 5.0)?;
    }
    Ok(())
}

/// The same cell of the same words, drawn for something else: 5 sigma, each cell and all of them.
fn check_apart(one: &Bits, other: &Bits) -> Result<(), String> {
    let mut all = 0.0;
    for (cell, (a, b)) in one.cells.iter().zip(&other.cells).enumerate() {
        let both = count(a.iter().zip(b).map(|(a, b)| a & b));
        let sigmas = sigmas(one.p, one.words as f64, one.ones(cell), other.ones(cell), both);
        all += sigmas;
        below(format!("cell {cell} at {}", one.p), alone(one.p, one.words as f64, sigmas), 5.0)?;
    }
    below("all cells".into(), all / 8.0, 5.0)
}

const RATES: [f64; 3] = [1e-3, 1e-2, 0.5];

fn lanes() -> Vec<LaneCells> {
    let hw: Elaborated = presets::find("16x16").unwrap().validate().unwrap();
    LaneCells::of(&hw, Site::Weights)
}

/// Draws of `words` words by their hash, at each of [`RATES`].
fn drawn(lane: &LaneCells, words: u32, hash: impl Fn(u32) -> [u32; 2]) -> [Bits; 3] {
    let low = |word| lane.below(hash(word), RATES.map(threshold)).map(|cells| cells as u64);
    let masks: Vec<[u64; 3]> = (0..words).map(low).collect();
    [0, 1, 2].map(|n| Bits::of(RATES[n], &masks.iter().map(|masks| masks[n]).collect::<Vec<_>>()))
}

#[test]
fn cells_of_a_word_have_the_rate_and_are_independent() {
    let key = device_key(1);
    let lanes = lanes();
    // 1.3e8 draws for words of 64 cells, as many for words of 128.
    let word = |address| hash(key, Purpose::Cell, Site::Weights, address, 0);
    for bits in drawn(&lanes[0], 1 << 21, word) {
        check_rates(&bits).unwrap();
        check_pairs(&bits, &bits, true).unwrap();
    }
    let word = |address| hash(key, Purpose::Write, Site::Activations, address | MAP_B, 5 << LAYER_SHIFT | 77);
    let [lower, upper] = [0, 1].map(|lane| drawn(&lanes[lane], 1 << 20, word));
    for (lower, upper) in lower.iter().zip(&upper) {
        check_rates(lower).unwrap();
        check_rates(upper).unwrap();
        check_pairs(lower, lower, true).unwrap();
        check_pairs(upper, upper, true).unwrap();
        check_pairs(lower, upper, false).unwrap();
    }
}

#[test]
fn a_cell_of_one_address_tells_nothing_of_the_next() {
    let key = telegraph_key(7);
    let [_, rare, half] = drawn(&lanes()[0], 1 << 21, |address| hash(key, Purpose::Charge, Site::Biases, address, 3));
    check_lags(&rare).unwrap();
    check_lags(&half).unwrap();
    // The same of reads, groups or epochs that follow each other.
    let next = |number| hash(key, Purpose::Read, Site::Weights, 1000, 2 << LAYER_SHIFT | number);
    let [_, rare, half] = drawn(&lanes()[0], 1 << 21, next);
    check_lags(&rare).unwrap();
    check_lags(&half).unwrap();
}

#[test]
fn draws_of_every_purpose_site_epoch_and_key_are_independent() {
    let lane = &lanes()[0];
    let of =
        |key: [u32; 4], purpose, site, y| drawn(lane, 1 << 18, move |address| hash(key, purpose, site, address, y));
    let key = device_key(1);
    let all = [
        of(key, Purpose::Cell, Site::Weights, 0),
        of(key, Purpose::Write, Site::Weights, 0),
        of(key, Purpose::Charge, Site::Weights, 0),
        of(key, Purpose::Read, Site::Weights, 0),
        of(key, Purpose::Cell, Site::Biases, 0),
        of(key, Purpose::Cell, Site::Activations, 0),
        of(key, Purpose::Cell, Site::Weights, 1),
        of(key, Purpose::Cell, Site::Weights, 1 << LAYER_SHIFT),
        of(device_key(2), Purpose::Cell, Site::Weights, 0),
        of(telegraph_key(1), Purpose::Cell, Site::Weights, 0),
        drawn(lane, 1 << 18, |address| hash(key, Purpose::Cell, Site::Weights, address | MAP_B, 0)),
    ];
    for (n, one) in all.iter().enumerate() {
        for (m, other) in all.iter().enumerate().skip(n + 1) {
            for (one, other) in one.iter().zip(other).skip(1) {
                check_apart(one, other).unwrap_or_else(|error| panic!("{n} and {m}: {error}"));
            }
        }
    }
}

/// Too few rounds are found out, in the hash of a word and in the draws of its cells.
#[test]
fn weak_hashes_are_refused() {
    let round = |[x, y]: [u32; 2], key: u32| {
        let x = x.rotate_right(ROTATIONS.0).wrapping_add(y) ^ key;
        [x, y.rotate_left(ROTATIONS.1) ^ x]
    };
    let key = device_key(1);
    // One round for the cells.
    let weak = |hash: &dyn Fn(u32) -> [u32; 2]| {
        let mask = |address| {
            let [x, y] = hash(address);
            let pair = |j| {
                let [c0, c1] = pair_constant(j);
                round([x ^ c0, y ^ c1], 0).map(|u| u64::from(u >> 31))
            };
            (0..32).map(|j| (j, pair(j))).fold(0, |mask, (j, [even, odd])| mask | even << (2 * j) | odd << (2 * j + 1))
        };
        Bits::of(0.5, &(0..1 << 16).map(mask).collect::<Vec<_>>())
    };
    let few = |address: u32| key[..3].iter().fold([address, 0], |word, &key| round(word, key));
    let all = |address| hash(key, Purpose::Cell, Site::Weights, address, 0);
    assert!(check_lags(&weak(&few)).is_err());
    assert!(check_apart(&weak(&few), &weak(&|address| few(address ^ 1))).is_err());
    let bits = weak(&all);
    assert!(check_pairs(&bits, &bits, true).is_err());
    assert!(check_rates(&Bits { p: 0.49, ..bits }).is_err());
}
