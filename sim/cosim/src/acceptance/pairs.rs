//! Which pairs of cells come together: the same cell later, two cells of a codeword, two lanes, two streams.

use super::source::{Hit, Shape};
use super::together::Together;

/// The most words between two reads of a cell that are compared.
pub const LAGS: usize = 64;

/// How two codewords are compared: a cell with the same cell, and any cell of one with any of the other.
pub const COMPARED: [&str; 2] = ["same cell", "any cells"];

/// How often codewords were compared and cells of both flipped, as [`COMPARED`].
pub type Compared = [Together; 2];

/// Adds what other codewords gave.
pub fn add(sum: &mut Compared, more: &Compared) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| sum.add(*more));
}

/// Adds to `lags` what one lane of a stream of `words` codewords gives: a codeword and one that is 1 to [`LAGS`] words later.
pub fn lags(hits: &[Hit], words: u32, shape: Shape, lags: &mut [Compared]) {
    let distance = |from: u32, to: u32| (to - from) as usize;
    let all = flips(hits);
    // Flips in codewords that have none so many words after them, and before them.
    let (mut last, mut first) = ([0; LAGS], [0; LAGS]);
    let mut counts = [[0; 2]; LAGS];
    for (n, hit) in hits.iter().enumerate() {
        for before in hits[..n].iter().rev().take_while(|before| distance(before.word, hit.word) <= LAGS) {
            let [same, any] = &mut counts[distance(before.word, hit.word) - 1];
            *same += u64::from((before.mask & hit.mask).count_ones());
            *any += before.flips() * hit.flips();
        }
        first.iter_mut().skip(hit.word as usize).for_each(|first| *first += hit.flips());
        last.iter_mut().skip(distance(hit.word, words) - 1).for_each(|last| *last += hit.flips());
    }
    for (n, sum) in lags.iter_mut().enumerate() {
        let pairs = u64::from(words).saturating_sub(n as u64 + 1);
        add(sum, &compared(pairs, [all - last[n], all - first[n]], counts[n], shape));
    }
}

/// Adds to `counts`, row by row, how often two cells of a codeword came together; the lower cell names the row.
pub fn cells(hits: &[Hit], shape: Shape, counts: &mut [u64]) {
    let mut flipped = Vec::with_capacity(shape.cells);
    for hit in hits.iter().filter(|hit| hit.mask & (hit.mask - 1) != 0) {
        flipped.clear();
        flipped.extend(hit.cells());
        for (n, one) in flipped.iter().enumerate() {
            let row = &mut counts[one * shape.cells..][..shape.cells];
            flipped[n + 1..].iter().for_each(|&other| row[other] += 1);
        }
    }
}

/// Compares the codewords of two lanes, word by word.
pub fn lanes(one: &[Hit], other: &[Hit], words: u32, shape: Shape) -> Compared {
    let mut counts = [0; 2];
    let mut rest = other.iter().peekable();
    for hit in one {
        while rest.next_if(|other| other.word < hit.word).is_some() {}
        if let Some(other) = rest.next_if(|other| other.word == hit.word) {
            counts[0] += u64::from((hit.mask & other.mask).count_ones());
            counts[1] += hit.flips() * other.flips();
        }
    }
    compared(words.into(), [flips(one), flips(other)], counts, shape)
}

fn flips(hits: &[Hit]) -> u64 {
    hits.iter().map(Hit::flips).sum()
}

/// What pairs of codewords gave: flips on either side, and pairs of flips.
fn compared(pairs: u64, [one, other]: [u64; 2], [same, any]: [u64; 2], shape: Shape) -> Compared {
    let cells = shape.cells as u64;
    let same = Together { draws: pairs * cells, count: same, one, other };
    // A cell takes part in as many pairs as the other codeword has cells.
    let any = Together { draws: same.draws * cells, count: any, one: one * cells, other: other * cells };
    [same, any]
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SHAPE: Shape = Shape { lanes: 2, cells: 3 };
    const WORDS: u32 = 100;

    fn hits(seed: u64) -> Vec<Hit> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let all = (0..WORDS).map(|word| Hit { word, mask: rng.random_range(0..8) });
        all.filter(|hit| hit.mask != 0).collect()
    }

    /// Word by word, cell by cell: a word of `one` and the word of `other` that is `lag` later.
    fn plainly(one: &[Hit], other: &[Hit], lag: u32) -> Compared {
        let mask = |hits: &[Hit], word| hits.iter().find(|hit| hit.word == word).map_or(0, |hit| hit.mask);
        let mut found = Compared::default();
        for word in 0..WORDS - lag {
            let (one, other) = (mask(one, word), mask(other, word + lag));
            for (a, b) in (0..SHAPE.cells).flat_map(|a| (0..SHAPE.cells).map(move |b| (a, b))) {
                let [x, y] = [one >> a & 1, other >> b & 1].map(|bit| bit as u64);
                let pair = Together { draws: 1, count: x * y, one: x, other: y };
                found[1].add(pair);
                if a == b {
                    found[0].add(pair);
                }
            }
        }
        found
    }

    #[test]
    fn pairs_are_counted_as_if_word_by_word() {
        let (one, other) = (hits(1), hits(2));
        assert_eq!(lanes(&one, &other, WORDS, SHAPE), plainly(&one, &other, 0));
        let mut found = [Compared::default(); LAGS];
        lags(&one, WORDS, SHAPE, &mut found);
        for (lag, found) in (1..).zip(found) {
            assert_eq!(found, plainly(&one, &one, lag), "{lag} later");
        }
    }
}
