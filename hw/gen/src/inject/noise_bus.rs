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
        cut("", "noise_i", 0, &self.layout())
    }

    /// The same without those that [`NoiseBus::near_fields`] has.
    pub fn far_fields(&self) -> String {
        let far: Vec<_> = self.layout().into_iter().filter(|field| field.low < self.near()).collect();
        cut("", "noise_i", 0, &far)
    }

    /// The fields of nodes that have a cell for a half, of which there are many, cut out of `net`, which carries no others; each with
    /// this before its name.
    pub fn near_fields(&self, prefix: &str, net: &str) -> String {
        let near: Vec<_> = self.layout().into_iter().filter(|field| field.low >= self.near()).collect();
        cut(prefix, net, self.near(), &near)
    }

    /// Lowest bit of the fields of nodes that have a cell for a half. They are the last ones.
    pub fn near(&self) -> u32 {
        NODES + 64 * self.sizes.iter().filter(|size| **size > 3).count() as u32
    }

    fn layout(&self) -> Vec<Field> {
        let field = |name: String, low, bits| Field { name, low, bits };
        let mut layout = vec![
            field("thinned".to_owned(), WEAK, WORD - WEAK),
            field("word_threshold".to_owned(), WORD, NODES - WORD),
        ];
        for (i, size) in (0..).zip(&self.sizes) {
            layout.push(field(format!("both_{size}"), NODES + 64 * i, 32));
            layout.push(field(format!("left_{size}"), NODES + 64 * i + 32, 32));
        }
        let kept = self.kept().flat_map(|(size, parts)| parts.into_iter().map(move |part| (size, part)));
        for (i, (size, part)) in (0..).zip(kept) {
            layout.push(field(format!("keep_{size}_{}", part.to_lowercase()), self.keep() + 32 * i, 32));
        }
        layout
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

/// A field of the bus: its lowest bit and its width.
struct Field {
    name: String,
    low: u32,
    bits: u32,
}

/// Declares nets for fields, cut out of `net`, which begins at bit `start` of the bus.
fn cut(prefix: &str, net: &str, start: u32, fields: &[Field]) -> String {
    let declared = fields.iter().map(|Field { name, low, bits }| {
        let low = low - start;
        format!("wire [{}:0] {prefix}{name} = {net}[{}:{low}];\n", bits - 1, low + bits - 1)
    });
    declared.collect()
}
