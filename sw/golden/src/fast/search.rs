//! The first level of the draw, 512 words at a time.
//!
//! It draws once for each word, and few words hold a flip. The generator is linear over GF(2), so a matrix takes it any number
//! of draws ahead: the words of a run are cut into stretches, whose generators advance side by side. They do so bit by bit:
//! the bits of a component, one after the other, follow `x(n + k) = x(n) ^ x(n + q)`, of which each draw takes 32 and
//! moves on by `s`, so that one XOR of 512 bits makes a new bit of all stretches.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hafnia_config::fault::{CELL_GENERATOR, Tausworthe};

use super::draw::has_wide_draw;
use crate::generator::step;

/// Stretches of a group: one bit each in a word.
const GROUP: usize = 64;

/// Groups that advance side by side.
const GROUPS: usize = 8;

/// Bits of a draw.
pub(super) const BITS: usize = 32;

/// Draws between two moves of the streams to the front of their room, which is then in the first-level cache.
const DRAWS: usize = 8;

/// A bit of every stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Plane(pub [u64; GROUPS]);

/// The next bits of a component in every stretch.
type Stream = Vec<Plane>;

/// The search for the words of a run that hold a candidate.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// Words.
    words: u32,
    /// Words of a stretch.
    stretch: u32,
    /// Takes a generator from one group to the next.
    jump: Jump,
    /// For each bit of a component's register, highest first: the bits, highest first, that it sets where each stretch of a group
    /// starts.
    starts: [Vec<[u64; BITS]>; 3],
}

/// What the first level found; buffers that keep their room between reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The words, in order.
    pub words: Vec<u32>,
    streams: [Stream; 3],
    /// Stretch and draw of each hit, in the order of the draws.
    hits: Vec<(u32, u32)>,
    /// Hits of each stretch; later, the place of its next one in the list of words.
    places: Vec<u32>,
}

impl Search {
    /// Returns the search through `words` words. Each is prepared once: every model of a sweep has the same layers.
    pub fn of(words: u32) -> Arc<Self> {
        static PREPARED: Mutex<BTreeMap<u32, Arc<Search>>> = Mutex::new(BTreeMap::new());
        let mut prepared = PREPARED.lock().expect("nothing panics while it is held");
        prepared.entry(words).or_insert_with(|| Arc::new(Self::new(words))).clone()
    }

    fn new(words: u32) -> Self {
        let stretch = words.div_ceil((GROUP * GROUPS) as u32);
        let jump = Jump::new(stretch);
        let mut starts = [const { Vec::new() }; 3];
        for (starts, matrix) in starts.iter_mut().zip(&jump.0) {
            starts.extend((0..BITS).map(|bit| {
                let (mut start, mut register) = ([0; BITS], 1 << (BITS - 1 - bit));
                for stretch in 0..GROUP {
                    for (n, start) in start.iter_mut().enumerate() {
                        *start |= u64::from(register >> (BITS - 1 - n) & 1) << stretch;
                    }
                    register = image(matrix, register);
                }
                start
            }));
        }
        Self { words, stretch, jump: Jump::new(stretch * GROUP as u32), starts }
    }

    /// Finds the words whose first-level draw is at most `threshold`, in order, for a generator with these registers.
    pub fn find(&self, registers: [u32; 3], threshold: u32, found: &mut Found) {
        self.find_with(registers, threshold, has_wide_draw(), found);
    }

    /// The same on the wide registers of the processor, or in plain Rust.
    fn find_with(&self, registers: [u32; 3], threshold: u32, wide: bool, found: &mut Found) {
        self.start(registers, found);
        // The lowest bits of a register carry no state: the first draw has them, the streams do not.
        let first = registers.iter().fold(0, |u, z| u ^ z) <= threshold;
        match wide {
            // SAFETY: the processor has what the function is compiled for.
            #[cfg(target_arch = "x86_64")]
            true => unsafe { super::x86::find_avx512(self.stretch, threshold, first, found) },
            _ => found.find(self.stretch, first, |registers| at_most(registers, threshold)),
        }
        found.sort(self);
    }

    /// Sets the first bits of every stretch.
    fn start(&self, registers: [u32; 3], found: &mut Found) {
        found.hits.clear();
        found.places.clear();
        found.places.resize(GROUP * GROUPS, 0);
        for (stream, component) in found.streams.iter_mut().zip(&CELL_GENERATOR) {
            stream.resize(BITS + DRAWS * component.s as usize, Plane::default());
        }
        let mut at = registers;
        for group in 0..GROUPS {
            for ((stream, register), starts) in found.streams.iter_mut().zip(at).zip(&self.starts) {
                let mut bits = [0; BITS];
                let mut rest = register;
                while rest != 0 {
                    let set = &starts[rest.leading_zeros() as usize];
                    rest &= !(1 << (BITS as u32 - 1 - rest.leading_zeros()));
                    bits.iter_mut().zip(set).for_each(|(bit, set)| *bit ^= set);
                }
                stream.iter_mut().zip(bits).for_each(|(plane, bit)| plane.0[group] = bit);
            }
            at = self.jump.apply(at);
        }
        for (stream, component) in found.streams.iter_mut().zip(&CELL_GENERATOR) {
            extend(&mut stream[..BITS], component.k as usize, component);
        }
    }
}

impl Found {
    /// Lists the hits of so many draws of every stretch; `hit` returns the stretches that have one, `first` tells whether the
    /// first stretch begins with one.
    #[inline(always)]
    pub(super) fn find(&mut self, draws: u32, first: bool, hit: impl Fn([&[Plane; BITS]; 3]) -> Plane) {
        let Self { streams, hits, places, .. } = self;
        for block in (0..draws).step_by(DRAWS) {
            for (stream, component) in streams.iter_mut().zip(&CELL_GENERATOR) {
                extend(stream, BITS, component);
            }
            let (mut some, mut count) = ([(0, 0, 0); DRAWS * GROUPS + 1], 0);
            for draw in 0..DRAWS.min((draws - block) as usize) {
                let bits = |m: usize| registers(&streams[m], draw * CELL_GENERATOR[m].s as usize);
                let number = block + draw as u32;
                let mut stretches = hit([bits(0), bits(1), bits(2)]);
                if number == 0 {
                    stretches.0[0] = stretches.0[0] & !1 | u64::from(first);
                }
                for (group, stretches) in (0..).step_by(GROUP).zip(stretches.0) {
                    // Written in any case: a branch on what is drawn costs more.
                    some[count] = (number, group, stretches);
                    count += usize::from(stretches != 0);
                }
            }
            for &(draw, group, stretches) in &some[..count] {
                let mut rest = stretches;
                while rest != 0 {
                    let stretch = group + rest.trailing_zeros();
                    rest &= rest - 1;
                    hits.push((stretch, draw));
                    places[stretch as usize] += 1;
                }
            }
            for stream in &mut *streams {
                let end = stream.len();
                stream.copy_within(end - BITS.., 0);
            }
        }
    }

    /// Lists the words of the hits in order.
    fn sort(&mut self, search: &Search) {
        let mut next = 0;
        for place in &mut self.places {
            (*place, next) = (next, next + *place);
        }
        self.words.resize(self.hits.len(), 0);
        for &(stretch, draw) in &self.hits {
            let place = &mut self.places[stretch as usize];
            self.words[*place as usize] = stretch * search.stretch + draw;
            *place += 1;
        }
        // The last stretches go beyond the last word.
        self.words.truncate(self.words.partition_point(|&word| word < search.words));
    }
}

/// Returns the bits of a draw.
#[inline(always)]
fn registers(stream: &Stream, at: usize) -> &[Plane; BITS] {
    stream[at..].first_chunk().expect("a draw takes 32 bits")
}

/// Makes the bits of a stream from number `first` on from those before.
#[inline(always)]
fn extend(stream: &mut [Plane], first: usize, component: &Tausworthe) {
    let (k, q) = (component.k as usize, component.q as usize);
    // So many at a time depend on none of themselves.
    const STEP: usize = 8;
    for n in (first..stream.len()).step_by(STEP) {
        let (old, new) = stream.split_at_mut(n);
        let (a, b) = (&old[n - k..], &old[n - k + q..]);
        for (new, (a, b)) in new.iter_mut().take(STEP).zip(a.iter().zip(b)) {
            *new = Plane(std::array::from_fn(|g| a.0[g] ^ b.0[g]));
        }
    }
}

/// Returns the stretches whose draw, the XOR of three registers, is at most a threshold.
fn at_most([x, y, z]: [&[Plane; BITS]; 3], threshold: u32) -> Plane {
    let mut hit = Plane::default();
    for (group, hit) in hit.0.iter_mut().enumerate() {
        // Draws that equal the threshold so far, and those that are less.
        let (mut equal, mut less) = (u64::MAX, 0);
        for n in 0..BITS {
            let bit = x[n].0[group] ^ y[n].0[group] ^ z[n].0[group];
            let limit = u64::MAX * u64::from(threshold >> (BITS - 1 - n) & 1);
            less |= equal & !bit & limit;
            equal &= !(bit ^ limit);
            if equal == 0 {
                break;
            }
        }
        *hit = less | equal;
    }
    hit
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

    /// Words that are hit against the generator itself, for fewer and more words than stretches; the search of the processor
    /// against the plain one.
    #[test]
    fn words_found_are_those_the_generator_hits() {
        let registers = [0x8ffb_9a8f, 0xad37_76fd, 0x2619_b965];
        for words in [1, 7, 512, 513, 4095, 4608, 5000, 40_000] {
            for threshold in [0, 0x0012_3456, 1 << 25, 1 << 28, 0x8765_4321, u32::MAX] {
                let mut generator = CellGenerator::new(registers);
                let want: Vec<u32> = (0..words).filter(|_| generator.draw() <= threshold).collect();
                let (search, mut found) = (Search::of(words), Found::default());
                for wide in [false, has_wide_draw()] {
                    search.find_with(registers, threshold, wide, &mut found);
                    assert!(found.words == want, "{words} words, threshold {threshold:#x}, wide {wide}");
                }
            }
        }
    }
}
