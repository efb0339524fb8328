//! The two-level draw of one lane, Eqs. (1) to (3) of `docs/fault-model.md`.

use hafnia_config::fault::{NodeThresholds, Noise, halves, node_sizes};

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
    codeword_bits: u32,
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
    let generators = lanes * tree.codeword_bits;
    let mut source = SeedGenerator::new(key);
    let mut chain: Vec<u32> = (0..3 * generators).map(|_| source.word()).collect();
    chain.reverse();
    let states: Vec<_> = chain.chunks_exact(3).map(|z| CellGenerator::new([z[0], z[1], z[2]])).collect();
    let lane = |states: &[CellGenerator]| Lane { tree, word: states[0], generators: states[1..].to_vec() };
    states.chunks_exact(tree.codeword_bits as usize).map(lane).collect()
}

impl Lane<'_> {
    /// Draws for one codeword and returns the mask of the flipped cells, cell 0 in bit 0. Codewords have at most 128 cells.
    pub fn draw(&mut self) -> u128 {
        if self.word.draw() > self.tree.word_threshold { 0 } else { self.flips() }
    }

    /// Returns the flipped cells of a codeword that is known to hold a flip; the word generator takes no part.
    pub(crate) fn flips(&mut self) -> u128 {
        self.descend(0)
    }

    /// Returns the word generator, which [`Lane::flips`] leaves alone.
    pub(crate) fn word(&self) -> CellGenerator {
        self.word
    }

    /// Returns the generators of the nodes, breadth first.
    pub(crate) fn nodes(&self) -> &[CellGenerator] {
        &self.generators
    }

    /// A node known to hold a flip draws once: lower half, upper half or both.
    fn descend(&mut self, mut n: usize) -> u128 {
        loop {
            let u = self.generators[n].draw();
            let Node { low, size, thresholds, children } = self.tree.nodes[n];
            let lower = u <= thresholds.left;
            let cells = [low, low + halves(size).0];
            if u <= thresholds.both {
                // Rare at low rates, and where one half holds a flip which one it is cannot be foretold: no branch there.
                let mut half = |side: usize| children[side].map_or(1 << cells[side], |child| self.descend(child));
                return half(0) | half(1);
            }
            let side = usize::from(!lower);
            match children[side] {
                Some(child) => n = child,
                None => return 1 << cells[side],
            }
        }
    }
}

impl Tree {
    /// Returns the tree over `codeword_bits` cells.
    pub fn new(codeword_bits: u32, noise: &Noise) -> Self {
        let sizes = node_sizes(codeword_bits);
        let node = |low, size| {
            let entry = sizes.iter().position(|&s| s == size).expect("every size is listed");
            Node { low, size, thresholds: noise.nodes[entry], children: [None; 2] }
        };
        let mut nodes = vec![node(0, codeword_bits)];
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
        Self { word_threshold: noise.word, nodes, codeword_bits }
    }

    /// Thresholds of the nodes, breadth first.
    pub(crate) fn thresholds(&self) -> impl Iterator<Item = NodeThresholds> {
        self.nodes.iter().map(|node| node.thresholds)
    }

    /// Threshold of the first level.
    pub(crate) fn word_threshold(&self) -> u32 {
        self.word_threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafnia_config::fault::stream_key;

    fn tree(p: f64, cells: u32) -> Tree {
        Tree::new(cells, &Noise::new(p, cells).unwrap())
    }

    fn lane(tree: &Tree, seed: u64) -> Lane<'_> {
        seeded_lanes(stream_key(seed, 0, 0), 1, tree).remove(0)
    }

    #[test]
    fn a_rate_of_one_flips_every_cell() {
        assert_eq!(lane(&tree(1.0, 13), 1).draw(), (1 << 13) - 1);
    }

    /// Rate per cell within 5 sigma, and lag 1 to 64 autocorrelation of the hits within 5 sigma.
    #[test]
    fn hits_have_the_rate_and_no_autocorrelation() {
        for (p, words) in [(0.5, 400_000u32), (1e-1, 400_000), (1e-2, 1_000_000), (1e-3, 4_000_000)] {
            let tree = tree(p, 64);
            let mut lane = lane(&tree, 7);
            let masks: Vec<u64> = (0..words).map(|_| lane.draw() as u64).collect();
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
                let mask = lane.draw() as u64;
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
        let key = stream_key(7, 0, 0);
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
            let mut lanes = seeded_lanes(stream_key(1, group % 9, group), 2, &tree);
            for hits in &mut words {
                let masks = [lanes[0].draw() as u64, lanes[1].draw() as u64];
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
}
