//! Registers of the read noise of one site, side by side: the one home of their layout.

use hafnia_config::fault::{Thresholds, node_sizes};
use hafnia_config::regs::SHARES;

/// Places in the bus, lowest bit first: candidates that are thinned, the threshold of the word, `both` and `left` of each node size, and the thresholds of what is kept.
pub struct NoiseBus {
    sizes: Vec<u32>,
}

const WEAK: u32 = 0;
const WORD: u32 = 2;
const NODES: u32 = 34;

impl NoiseBus {
    /// Returns the bus for codewords of `cells` cells.
    pub fn new(cells: u32) -> Self {
        Self { sizes: node_sizes(cells) }
    }

    /// Returns its width in bits.
    pub fn width(&self) -> u32 {
        let kept = self.kept().map(|(_, parts)| 32 * parts.len() as u32).sum::<u32>();
        self.keep() + kept
    }

    /// Returns the expression that joins the registers of a site.
    pub fn joined(&self, site: &str) -> String {
        let mut nets = vec!["inject_weak".to_owned(), format!("inject_word_{site}")];
        for size in &self.sizes {
            nets.extend([format!("inject_both_{size}"), format!("inject_left_{size}")]);
        }
        for (size, parts) in self.kept() {
            nets.extend(parts.iter().map(|part| format!("inject_keep_{size}_{}", part.to_lowercase())));
        }
        nets.reverse();
        format!("{{{}}}", nets.join(", "))
    }

    /// Returns declarations of the fields, cut out of the port `noise_i`: `thinned`, `word_threshold`, `both_<size>`,
    /// `left_<size>`, and `keep_<size>_<part>`.
    pub fn fields(&self) -> String {
        let field = |name: &str, low: u32, bits: u32| {
            format!("wire [{}:0] {name} = noise_i[{}:{low}];\n", bits - 1, low + bits - 1)
        };
        let mut text = field("thinned", WEAK, 2) + &field("word_threshold", WORD, 32);
        for (i, size) in (0..).zip(&self.sizes) {
            text += &field(&format!("both_{size}"), NODES + 64 * i, 32);
            text += &field(&format!("left_{size}"), NODES + 64 * i + 32, 32);
        }
        let mut low = self.keep();
        for (size, parts) in self.kept() {
            for part in parts {
                text += &field(&format!("keep_{size}_{}", part.to_lowercase()), low, 32);
                low += 32;
            }
        }
        text
    }

    /// Returns what the bus carries, as little-endian 32-bit words, for these thresholds.
    pub fn value(&self, thresholds: &Thresholds) -> Vec<u32> {
        let weak = thresholds.keep.map_or(0, |keep| 1 << u32::from(keep.weak));
        let mut fields = vec![(weak, WORD - WEAK), (thresholds.word, NODES - WORD)];
        fields.extend(thresholds.nodes.iter().flat_map(|node| [(node.both, 32), (node.left, 32)]));
        for (size, parts) in self.kept() {
            let shares = thresholds.keep.map(|keep| if size == 2 { keep.pair } else { keep.triple });
            let values = shares.map_or_else(|| vec![0; parts.len()], |share| share.parts(size));
            fields.extend(values.into_iter().map(|value| (value, 32)));
        }
        let mut words = vec![0; self.width().div_ceil(32) as usize];
        let mut at = 0;
        for (value, width) in fields {
            let shifted = u64::from(value) << (at % 32);
            words[at / 32] |= shifted as u32;
            if let Some(next) = words.get_mut(at / 32 + 1) {
                *next |= (shifted >> 32) as u32;
            }
            at += width as usize;
        }
        words
    }

    /// Lowest bit of what is kept.
    fn keep(&self) -> u32 {
        NODES + 64 * self.sizes.len() as u32
    }

    /// Sizes of nodes that have a cell for a half, and the thresholds that each has.
    fn kept(&self) -> impl Iterator<Item = (u32, Vec<&'static str>)> {
        let known = |size: &u32| self.sizes.contains(size);
        [2, 3].into_iter().filter(known).map(|size| (size, SHARES.parts(size).collect()))
    }
}
