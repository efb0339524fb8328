//! The two-level draw of one lane, Eqs. (1) to (5) of `docs/fault-model.md`.

use hafnia_config::fault::{Keep, NodeThresholds, Share, Thresholds, halves, node_sizes};

use crate::generator::{CellGenerator, SeedGenerator};

/// A node of the binary tree over a codeword's cells.
#[derive(Clone, Copy, Debug)]
struct Node {
    low: u32,
    size: u32,
    thresholds: NodeThresholds,
    /// Nodes of the lower and the upper half; none where a half is a single cell.
    children: [Option<usize>; 2],
}

/// What all lanes of a configuration share: thresholds and the shape of the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    word_threshold: u32,
    /// Breadth first, lower half first: node `n` owns generator `n + 1` of its lane.
    nodes: Vec<Node>,
    cells: u32,
    keep: Option<Keep>,
}

/// The candidates of a codeword, cell 0 in bit 0. Codewords have at most 128 cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The candidates.
    pub cells: u128,
    /// Those that flip whatever they hold; all of them where both directions have one rate.
    pub kept: u128,
}

impl Marks {
    /// Returns the cells that flip in a codeword that holds `stored`: candidates of the lower rate only where they are kept.
    pub fn flips(self, stored: u128, keep: Option<Keep>) -> u128 {
        match keep {
            None => self.cells,
            Some(Keep { weak: true, .. }) => self.cells & (self.kept | !stored),
            Some(Keep { weak: false, .. }) => self.cells & (self.kept | stored),
        }
    }
}

/// The injector of one lane: a word generator, and a generator for each node.
#[derive(Clone, Debug)]
pub struct Lane<'t> {
    tree: &'t Tree,
    word: CellGenerator,
    generators: Vec<CellGenerator>,
}

/// Returns the freshly seeded lanes of one (seed, layer, read group), given its stream key.
///
/// The seed words form one scan chain through all state registers: the first word ends in the last register.
pub fn seeded_lanes(key: [u32; 4], lanes: u32, tree: &Tree) -> Vec<Lane<'_>> {
    let generators = lanes * tree.cells;
    let mut source = SeedGenerator::new(key);
    let mut chain: Vec<u32> = (0..3 * generators).map(|_| source.word()).collect();
    chain.reverse();
    let states: Vec<_> = chain.chunks_exact(3).map(|z| CellGenerator::new([z[0], z[1], z[2]])).collect();
    let lane = |states: &[CellGenerator]| Lane { tree, word: states[0], generators: states[1..].to_vec() };
    states.chunks_exact(tree.cells as usize).map(lane).collect()
}

impl Lane<'_> {
    /// Draws for one codeword.
    pub fn draw(&mut self) -> Marks {
        if self.word.draw() > self.tree.word_threshold { Marks::default() } else { self.marks() }
    }

    /// Returns the candidates of a codeword that is known to hold one; the word generator takes no part.
    pub(crate) fn marks(&mut self) -> Marks {
        let mut marks = Marks::default();
        self.descend(0, &mut marks);
        marks
    }

    /// Returns the word generator, which [`Lane::marks`] leaves alone.
    pub fn word(&self) -> CellGenerator {
        self.word
    }

    /// Returns the generators of the nodes, breadth first.
    pub fn nodes(&self) -> &[CellGenerator] {
        &self.generators
    }

    /// A node known to hold a candidate draws once: lower half, upper half or both.
    fn descend(&mut self, mut n: usize, marks: &mut Marks) {
        loop {
            let u = self.generators[n].draw();
            let Node { low, size, thresholds, children } = self.tree.nodes[n];
            let cells = [low, low + halves(size).0];
            let both = u <= thresholds.both;
            let keep = self.tree.keep.as_ref().map(|keep| if size == 2 { &keep.pair } else { &keep.triple });
            let mark = |side: usize, marks: &mut Marks| {
                marks.cells |= 1 << cells[side];
                let kept = keep.is_none_or(|share| kept(share, side, u, both));
                marks.kept |= u128::from(kept) << cells[side];
            };
            if both {
                // Rare at low rates, and where one half holds a candidate which one it is cannot be foretold: no branch there.
                for side in [0, 1] {
                    match children[side] {
                        Some(child) => self.descend(child, marks),
                        None => mark(side, marks),
                    }
                }
                return;
            }
            let side = usize::from(u > thresholds.left);
            match children[side] {
                Some(child) => n = child,
                None => return mark(side, marks),
            }
        }
    }
}

/// Whether the cell on one side of a node is kept, given that the draw `u` made it a candidate, Eq. (4).
fn kept(share: &Share, side: usize, u: u32, both: bool) -> bool {
    match (side, both) {
        (0, true) => u < share.both_lower,
        (0, false) => u < share.lower,
        (_, true) => u < share.both_both || (share.both_lower..share.both_upper).contains(&u),
        (_, false) => u < share.upper,
    }
}

impl Tree {
    /// Returns the tree over a codeword.
    pub fn new(thresholds: &Thresholds) -> Self {
        let sizes = node_sizes(thresholds.cells);
        let node = |low, size| {
            let entry = sizes.iter().position(|&s| s == size).expect("every size is listed");
            Node { low, size, thresholds: thresholds.nodes[entry], children: [None; 2] }
        };
        let mut nodes = vec![node(0, thresholds.cells)];
        let mut n = 0;
        while n < nodes.len() {
            let (lower, upper) = halves(nodes[n].size);
            let low = nodes[n].low;
            for (side, low, size) in [(0, low, lower), (1, low + lower, upper)] {
                if size > 1 {
                    nodes[n].children[side] = Some(nodes.len());
                    nodes.push(node(low, size));
                }
            }
            n += 1;
        }
        Self { word_threshold: thresholds.word, nodes, cells: thresholds.cells, keep: thresholds.keep }
    }

    /// Thresholds of the nodes, breadth first.
    pub(crate) fn thresholds(&self) -> impl Iterator<Item = NodeThresholds> {
        self.nodes.iter().map(|node| node.thresholds)
    }

    /// Threshold of the first level.
    pub(crate) fn word_threshold(&self) -> u32 {
        self.word_threshold
    }

    /// How candidates are thinned.
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafnia_config::fault::{Rates, Site, stream_key};

    fn tree(p: f64, cells: u32) -> Tree {
        Tree::new(&Thresholds::new(p, cells).unwrap())
    }

    fn key(seed: u64, layer: u32, group: u32) -> [u32; 4] {
        stream_key(seed, Site::Weights, layer, group)
    }

    fn lane(tree: &Tree, seed: u64) -> Lane<'_> {
        seeded_lanes(key(seed, 0, 0), 1, tree).remove(0)
    }

    #[test]
    fn a_rate_of_one_flips_every_cell() {
        let all = (1 << 13) - 1;
        assert_eq!(lane(&tree(1.0, 13), 1).draw(), Marks { cells: all, kept: all });
    }

    /// Rate per cell within 5 sigma, and lag 1 to 64 autocorrelation of the hits within 5 sigma.
    #[test]
    fn hits_have_the_rate_and_no_autocorrelation() {
        for (p, words) in [(0.5, 400_000u32), (1e-1, 400_000), (1e-2, 1_000_000), (1e-3, 4_000_000)] {
            let tree = tree(p, 64);
            let mut lane = lane(&tree, 7);
            let masks: Vec<u64> = (0..words).map(|_| lane.draw().cells as u64).collect();
            let n = f64::from(words) * 64.0;
            let hits: f64 = masks.iter().map(|m| f64::from(m.count_ones())).sum();
            let sigma = (n * p * (1.0 - p)).sqrt();
            assert!((hits - n * p).abs() < 5.0 * sigma, "p {p}: {hits} hits, {} expected", n * p);
            for cell in 0..64 {
                let count = masks.iter().filter(|&m| m >> cell & 1 == 1).count() as f64;
                let (mean, sigma) = (f64::from(words) * p, (f64::from(words) * p * (1.0 - p)).sqrt());
                assert!((count - mean).abs() < 5.0 * sigma + 1.0, "p {p}, cell {cell}: {count}");
            }
            for lag in 1..=64 {
                // The same cell, `lag` words later.
                let pairs: f64 = masks.windows(lag + 1).map(|w| f64::from((w[0] & w[lag]).count_ones())).sum();
                let total = (masks.len() - lag) as f64 * 64.0;
                let sigma = (total * p * p * (1.0 - p * p)).sqrt() * (1.0 + 2.0 * p).sqrt();
                assert!((pairs - total * p * p).abs() < 5.0 * sigma + 1.0, "p {p}, lag {lag}: {pairs} pairs");
            }
        }
    }

    /// Cells of one word are hit independently of each other, as double-error rates need: each of the 2,016 pairs is hit
    /// together at the rate p^2, within 5 sigma.
    #[test]
    fn cells_of_a_word_are_independent() {
        for (p, words) in [(0.5, 100_000u32), (0.1, 1_000_000), (0.02, 4_000_000)] {
            let tree = tree(p, 64);
            let mut lane = lane(&tree, 11);
            let mut together = vec![[0u32; 64]; 64];
            for _ in 0..words {
                let mask = lane.draw().cells as u64;
                let hit = |rest: u64| (rest != 0).then(|| rest.trailing_zeros() as usize);
                let mut lower = mask;
                while let Some(one) = hit(lower) {
                    lower &= lower - 1;
                    let mut higher = lower;
                    while let Some(other) = hit(higher) {
                        higher &= higher - 1;
                        together[one][other] += 1;
                    }
                }
            }
            let (mean, sigma) = (f64::from(words) * p * p, (f64::from(words) * p * p * (1.0 - p * p)).sqrt());
            for (one, row) in together.iter().enumerate() {
                for (other, &count) in row.iter().enumerate().skip(one + 1) {
                    assert!(
                        (f64::from(count) - mean).abs() < 5.0 * sigma,
                        "p {p}, cells {one}, {other}: {count}, not {mean}"
                    );
                }
            }
        }
    }

    /// Every number of the worked example in `docs/fault-model.md`.
    #[test]
    fn fault_model_page_is_true() {
        let page = include_str!("../../../docs/fault-model.md");
        let hex = |words: &[u32]| words.iter().map(|w| format!("{w:08x}")).collect::<Vec<_>>().join(" ");
        let key = key(7, 0, 0);
        let mut source = SeedGenerator::new(key);
        let words: Vec<u32> = (0..3 * 64).map(|_| source.word()).collect();
        let start = [words[191], words[190], words[189]];
        let tree = tree(1e-2, 64);
        let mut lane = lane(&tree, 7);
        assert_eq!(lane.word, CellGenerator::new(start));
        let threshold = tree.word_threshold;
        let draws: Vec<u32> = (0..16).map(|_| lane.word.draw()).collect();
        for numbers in [hex(&key), hex(&start), hex(&draws[..8]), hex(&draws[8..]), hex(&[threshold])] {
            assert!(page.contains(&numbers), "the page does not have {numbers}");
        }
        let hits: Vec<usize> = (1..=16).filter(|&i| draws[i - 1] <= threshold).collect();
        assert_eq!(hits, [1, 2, 3, 7, 8, 9, 11, 12, 16]);
        let fresh = |tree| seeded_lanes(key, 1, tree).remove(0);
        let uneven = Tree::new(&Thresholds::new(Rates { p01: 1e-2, p10: 5e-3 }, 64).unwrap());
        let first_words = |mut lane: Lane<'_>| [(); 3].map(|()| lane.draw());
        let (even, uneven) = (first_words(fresh(&tree)), first_words(fresh(&uneven)));
        assert_eq!(even.map(|marks| marks.cells), uneven.map(|marks| marks.cells));
        assert_eq!(even.map(|marks| marks.cells), [34, 0, 17].map(|cell| 1 << cell));
        assert_eq!(uneven.map(|marks| marks.kept), [1 << 34, 0, 0]);
        for words in ["flipped cells are `34`, `0` and `17`", "`34` is kept", "`0` and `17` are not"] {
            assert!(page.contains(words), "the page does not say {words}");
        }
    }

    /// A layer at a low rate takes but a few draws of each stream, so the first ones must be as good as any: over many
    /// short streams each cell of each lane, each word of a stream, and two lanes together are hit at the rate, within
    /// 5 sigma.
    #[test]
    fn first_draws_of_many_streams_have_the_rate() {
        const STREAMS: u32 = 50_000;
        const WORDS: usize = 16;
        let p = 1e-3;
        let tree = tree(p, 64);
        let (mut cells, mut words, mut both) = ([[0u32; 64]; 2], [0u32; WORDS], 0u32);
        for group in 0..STREAMS {
            let mut lanes = seeded_lanes(key(1, group % 9, group), 2, &tree);
            for hits in &mut words {
                let masks = [lanes[0].draw().cells as u64, lanes[1].draw().cells as u64];
                both += u32::from(masks[0] != 0 && masks[1] != 0);
                for (mask, cells) in masks.iter().zip(&mut cells) {
                    *hits += u32::from(*mask != 0);
                    (0..64).for_each(|cell| cells[cell] += (mask >> cell & 1) as u32);
                }
            }
        }
        let check = |what: &str, draws: u32, rate: f64, hits: u32| {
            let (mean, sigma) = (f64::from(draws) * rate, (f64::from(draws) * rate * (1.0 - rate)).sqrt());
            assert!((f64::from(hits) - mean).abs() < 5.0 * sigma, "{what}: {hits} hits, {mean:.0} expected");
        };
        let word_rate = 1.0 - (1.0 - p).powi(64);
        for (lane, cells) in cells.iter().enumerate() {
            for (cell, &hits) in cells.iter().enumerate() {
                check(&format!("lane {lane}, cell {cell}"), STREAMS * WORDS as u32, p, hits);
            }
        }
        for (word, &hits) in words.iter().enumerate() {
            check(&format!("word {word}"), 2 * STREAMS, word_rate, hits);
        }
        check("both lanes", STREAMS * WORDS as u32, word_rate * word_rate, both);
    }

    /// Each cell of a random codeword flips at the rate of what it holds, and two of a node together at the product,
    /// within 5 sigma; for a tree with nodes of three cells too.
    #[test]
    fn cells_flip_at_the_rate_of_what_they_hold() {
        use rand::{Rng, SeedableRng};
        for (cells, rates) in [
            (64, Rates { p01: 0.5, p10: 0.1 }),
            (64, Rates { p01: 0.0, p10: 0.2 }),
            (39, Rates { p01: 0.02, p10: 0.05 }),
            (13, Rates { p01: 1.0, p10: 0.3 }),
        ] {
            const WORDS: u32 = 400_000;
            let thresholds = Thresholds::new(rates, cells).unwrap();
            let tree = Tree::new(&thresholds);
            let mut lane = lane(&tree, 5);
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
            // By cell and stored value; by pair of neighbours and their stored values.
            let (mut one, mut two) = (vec![[[0u32; 2]; 2]; cells as usize], vec![[[0u32; 2]; 4]; cells as usize]);
            for _ in 0..WORDS {
                let stored: u128 = rng.random();
                let flips = lane.draw().flips(stored, thresholds.keep);
                for cell in 0..cells as usize {
                    let both = |mask: u128| (mask >> cell & 3) as usize;
                    let counts = &mut one[cell][both(stored) & 1];
                    (counts[0], counts[1]) = (counts[0] + 1, counts[1] + (flips >> cell & 1) as u32);
                    let counts = &mut two[cell][both(stored)];
                    (counts[0], counts[1]) = (counts[0] + 1, counts[1] + u32::from(both(flips) == 3));
                }
            }
            let check = |what: String, [draws, hits]: [u32; 2], rate: f64| {
                let (mean, sigma) = (f64::from(draws) * rate, (f64::from(draws) * rate * (1.0 - rate)).sqrt());
                assert!((f64::from(hits) - mean).abs() <= 5.0 * sigma, "{what}: {hits} hits, {mean:.0} expected");
            };
            let rate = |value: usize| if value == 0 { rates.p01 } else { rates.p10 };
            for (cell, (one, two)) in one.iter().zip(&two).enumerate() {
                (0..2).for_each(|value| check(format!("cell {cell} holding {value}"), one[value], rate(value)));
                for (values, &counts) in two.iter().enumerate().filter(|_| cell + 1 < cells as usize) {
                    let rate = rate(values & 1) * rate(values >> 1);
                    check(format!("cells {cell} and the next holding {values:02b}"), counts, rate);
                }
            }
        }
    }
}
