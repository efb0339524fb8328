//! The first level of the draw, many words at a time.
//!
//! It draws once for each word, and few words hold a flip. The generator is linear over GF(2), so a matrix takes it any number
//! of draws ahead: the words of a run are cut into sixteen stretches, whose generators advance side by side.

use hafnia_config::fault::CELL_GENERATOR;

use crate::generator::step;

/// Stretches that advance side by side.
pub(super) const STRETCHES: usize = 16;

/// The search for the words of a run that hold a candidate.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Words.
    words: u32,
    /// Words of a stretch.
    stretch: u32,
    jump: Jump,
}

/// What the first level found; buffers that keep their room between reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Draws that hit a stretch: number of the draw, and a bit for each stretch, bit `i` for stretch `i`; as many as were found,
    /// and room for all.
    draws: Vec<(u32, u16)>,
    /// For each stretch, the words hit.
    pub words: [Vec<u32>; STRETCHES],
}

impl Search {
    /// Prepares the search through `words` words.
    pub fn new(words: u32) -> Self {
        let stretch = words.div_ceil(STRETCHES as u32);
        Self { words, stretch, jump: Jump::new(stretch) }
    }

    /// Finds the words whose first-level draw is at most `threshold`, in order, for a generator with these registers.
    pub fn find(&self, registers: [u32; 3], threshold: u32, found: &mut Found) {
        let mut states = [[0; STRETCHES]; 3];
        let mut at = registers;
        for stretch in 0..STRETCHES {
            states.iter_mut().zip(at).for_each(|(states, register)| states[stretch] = register);
            at = self.jump.apply(at);
        }
        found.draws.resize(self.stretch as usize + 1, (0, 0));
        #[cfg(target_arch = "x86_64")]
        if super::x86::has_avx512() {
            // SAFETY: the processor has what the function is compiled for.
            let count = unsafe { super::x86::find_avx512(&states, threshold, &mut found.draws) };
            return found.sort(count, self.stretch, self.words);
        }
        let count = find(&mut states, threshold, &mut found.draws);
        found.sort(count, self.stretch, self.words);
    }
}

impl Found {
    /// Lists the hits of the first `count` draws found in the order of their words; word `all` and those after it do not exist.
    fn sort(&mut self, count: usize, stretch: u32, all: u32) {
        self.words.iter_mut().for_each(Vec::clear);
        for &(word, mut hits) in &self.draws[..count] {
            while hits != 0 {
                let number = hits.trailing_zeros() * stretch + word;
                if number < all {
                    self.words[hits.trailing_zeros() as usize].push(number);
                }
                hits &= hits - 1;
            }
        }
    }
}

/// Draws from the generators of all stretches, once for each entry of `hits` but the last, and lists the draws of which one at
/// least is at most `threshold`; returns how many these are.
fn find(states: &mut [[u32; STRETCHES]; 3], threshold: u32, hits: &mut [(u32, u16)]) -> usize {
    let mut count = 0;
    for draw in 0..hits.len() as u32 - 1 {
        let hit = |i: usize| u16::from(states[0][i] ^ states[1][i] ^ states[2][i] <= threshold) << i;
        let mask = (0..STRETCHES).map(hit).fold(0, |mask, hit| mask | hit);
        // Written in any case: a branch on what is drawn costs more.
        hits[count] = (draw, mask);
        count += usize::from(mask != 0);
        for (states, component) in states.iter_mut().zip(&CELL_GENERATOR) {
            states.iter_mut().for_each(|z| *z = step(*z, component));
        }
    }
    count
}

/// A number of draws ahead, as a matrix over GF(2) for each component: column `i` is where bit `i` goes.
#[derive(Clone, Debug)]
struct Jump([[u32; 32]; 3]);

impl Jump {
    /// By repeated squaring.
    fn new(draws: u32) -> Self {
        let mut jump = Self([std::array::from_fn(|i| 1 << i); 3]);
        let mut square = Self(CELL_GENERATOR.map(|component| std::array::from_fn(|i| step(1 << i, &component))));
        let mut left = draws;
        while left > 0 {
            if left & 1 == 1 {
                jump = jump.then(&square);
            }
            square = square.then(&square);
            left >>= 1;
        }
        jump
    }

    fn then(&self, next: &Self) -> Self {
        Self(std::array::from_fn(|m| self.0[m].map(|column| image(&next.0[m], column))))
    }

    fn apply(&self, registers: [u32; 3]) -> [u32; 3] {
        std::array::from_fn(|m| image(&self.0[m], registers[m]))
    }
}

fn image(matrix: &[u32; 32], vector: u32) -> u32 {
    matrix.iter().enumerate().fold(0, |sum, (i, column)| sum ^ if vector >> i & 1 == 1 { *column } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::CellGenerator;

    #[test]
    fn a_jump_equals_as_many_draws() {
        let start = [0x8ffb_9a8f, 0xad37_76fd, 0x2619_b965];
        let mut generator = CellGenerator::new(start);
        for draws in 0..300 {
            assert_eq!(Jump::new(draws).apply(start), generator.registers(), "{draws} draws");
            generator.draw();
        }
    }

    /// The plain search against the generator itself, and the search of the processor against the plain one.
    #[test]
    fn every_search_finds_the_same_draws() {
        let start: [[u32; STRETCHES]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|s| 0x9e37_79b9_u32.wrapping_mul((1 + i * STRETCHES + s) as u32))
        });
        for threshold in [0, 1 << 20, 1 << 28, u32::MAX] {
            let (mut plain, mut states) = (vec![(0, 0); 501], start);
            let count = find(&mut states, threshold, &mut plain);
            plain.truncate(count);
            assert!(plain.is_sorted() && plain.iter().all(|(_, hits)| *hits != 0));
            for stretch in 0..STRETCHES {
                let mut generator = CellGenerator::new(start.map(|component| component[stretch]));
                for n in 0..500 {
                    let hits = plain.iter().find(|(draw, _)| *draw == n).map_or(0, |(_, hits)| *hits);
                    assert_eq!(hits >> stretch & 1 == 1, generator.draw() <= threshold, "stretch {stretch}, draw {n}");
                }
            }
            #[cfg(target_arch = "x86_64")]
            if super::super::x86::has_avx512() {
                let mut fast = vec![(0, 0); 501];
                // SAFETY: the processor has what the function is compiled for.
                let count = unsafe { super::super::x86::find_avx512(&start, threshold, &mut fast) };
                assert_eq!(fast[..count], plain, "threshold {threshold}");
            }
        }
    }
}
