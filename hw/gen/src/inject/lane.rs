//! The draws of one lane: at most one codeword per cycle, latency [`INJECTOR_LATENCY`].
//!
//! First level: one draw decides whether the codeword holds a flip at all. Second level, only then: a binary tree; each
//! node known to hold a flip draws once and tells whether its lower half, its upper half or both hold one. Every node has a
//! generator of its own and steps it only when it draws, so the draws of one word are independent and the golden model's
//! work follows the flips. A node with a cell for a half also tells whether a candidate of the direction with the lower
//! rate is kept. Equations (1) to (5) of `docs/fault-model.md`. What a draw says is known ahead: registers hold what the next draw of a
//! generator says, and one the draw after it, which is compared with the thresholds when the generator steps; so these hold still from
//! its seed on. So the tree is only followed, two levels a cycle, the leaves in the last one: a small tree begins later. Draws are
//! compared by `<` alone, which is a carry chain; `<=` would be one and a wide gate.
//! The thresholds of the many nodes that have a cell for a half are kept once more for each [`NEAR`] cells, beside them.
//! While `seed_i`, all state registers form one scan chain of 32-bit words; in the two cycles after it every generator makes its first two
//! draws, and no word may come: its way through the memory takes longer. Flips in weights that are not live and in bits that are not at
//! risk are dropped after the draw. Flips are counted and reported where the data is changed.

use hafnia_config::accel::{SEED_GROUP, seed_enables};
use hafnia_config::fault::{CELL_GENERATOR, INJECTOR_LATENCY, halves};
use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use super::noise_bus::NoiseBus;
use super::text::step;
use crate::copy::Copy;
use crate::emit::{custom, range};
use crate::protect::cells_at_risk;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct InjectorLane {
    pub clk_i: Wire<In>,
    pub enable_i: Wire<In>,
    /// Registers, see [`NoiseBus`].
    pub noise_i: Wire<In>,
    /// Bits of each byte at risk, and above them check cells.
    pub bits_i: Wire<In>,
    /// One for each [`SEED_GROUP`] generators, all the same.
    pub seed_i: Wire<In>,
    pub seed_word_i: Wire<In>,
    pub seed_word_o: Wire<Out>,
    pub valid_i: Wire<In>,
    pub live_i: Wire<In>,
    pub code_i: Wire<In>,
    pub code_o: Wire<Out>,
    pub flips_o: Wire<Out>,
    near: Vec<Copy>,
    _cells: u32,
    _word: Codeword,
    _text: String,
}

/// Cells that share a copy of thresholds at most.
pub const NEAR: u32 = 24;

impl InjectorLane {
    /// Returns a lane of such codewords.
    pub fn new(word: &Codeword) -> Self {
        let cells = word.cells();
        let mut lane = Self {
            clk_i: Wire::new(1),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(cells).width()),
            bits_i: Wire::new(word.risk_bits()),
            seed_i: Wire::new(seed_enables(cells)),
            seed_word_i: Wire::new(32),
            seed_word_o: Wire::new(32),
            valid_i: Wire::new(1),
            live_i: Wire::new(word.data_bits / 8),
            code_i: Wire::new(cells),
            code_o: Wire::new(cells),
            flips_o: Wire::new(cells),
            near: Vec::new(),
            _cells: cells,
            _word: word.clone(),
            _text: String::new(),
        };
        lane._text = lane.text();
        lane
    }

    /// Returns what generator `g` sees of a net with a bit for each [`SEED_GROUP`]; a net of one bit takes no index.
    fn of_group(&self, net: &str, g: usize) -> String {
        if self._cells <= SEED_GROUP { net.to_owned() } else { format!("{net}[{}]", g as u32 / SEED_GROUP) }
    }

    /// The nodes of the tree, parents before children: lowest cell, size, and the nodes of the two halves (none for a cell).
    fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![Node { low: 0, size: self._cells, stage: 0, near: None, children: [None; 2] }];
        let (mut levels, mut copies, mut i) = (vec![0], 0, 0);
        while i < nodes.len() {
            let (low, (lower, upper)) = (nodes[i].low, halves(nodes[i].size));
            for (side, low, size) in [(0, low, lower), (1, low + lower, upper)] {
                if size > 1 {
                    let mut near = nodes[i].near;
                    if size <= NEAR && nodes[i].size > NEAR {
                        near = Some(copies);
                        copies += 1;
                    }
                    nodes[i].children[side] = Some(nodes.len());
                    nodes.push(Node { low, size, stage: 0, near, children: [None; 2] });
                    levels.push(levels[i] + 1);
                }
            }
            i += 1;
        }
        // Counted from the last level up, so that all cells come out together.
        for (node, level) in nodes.iter_mut().zip(&levels) {
            node.stage = TREE_CYCLES - 1 - (levels[i - 1] - level) / LEVELS;
        }
        nodes
    }
}

/// Cycles of the tree, after that of the word's draw; and levels that draw in each.
const TREE_CYCLES: u32 = INJECTOR_LATENCY - 1;
const LEVELS: u32 = 2;

/// The halves of a node, as the nets are named.
const SIDES: [&str; 2] = ["lower", "upper"];

struct Node {
    low: u32,
    size: u32,
    /// The cycle of the tree in which it draws, counted from 0.
    stage: u32,
    /// The copy of thresholds that it is near to, if it has any.
    near: Option<usize>,
    children: [Option<usize>; 2],
}

impl Node {
    /// The halves that are cells, and which.
    fn cells(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let cells = [self.low, self.low + halves(self.size).0];
        SIDES.into_iter().zip(cells).zip(self.children).filter(|(_, child)| child.is_none()).map(|(cell, _)| cell)
    }

    /// What the draw in the register of node `n` says: the halves that hold a flip, and whether a cell's candidate is kept, which is cut out
    /// of the draws of each outcome.
    fn outcome(&self, n: usize) -> String {
        let (size, u) = (self.size, format!("u{}", n + 1));
        let near = self.near.filter(|_| self.cells().next().is_some()).map(near_prefix).unwrap_or_default();
        let both = format!("~({near}both_{size} < {u})");
        let left = format!("({near}left_{size} < {u})");
        let mut text = format!("    lower{n} <= ~{left};\n    upper{n} <= {both} | {left};\n");
        let keep = |part: &str| format!("({u} < {near}keep_{size}_{part})");
        for (side, _) in self.cells() {
            let of_both = match side {
                "lower" => keep("both_lower"),
                _ => format!("{} | (~{} & {})", keep("both_both"), keep("both_lower"), keep("both_upper")),
            };
            text.push_str(&format!("    keeps_{side}{n} <= {both} ? ({of_both}) : {};\n", keep(side)));
        }
        text
    }
}

/// What the names of thresholds of a copy begin with.
fn near_prefix(copy: usize) -> String {
    format!("near{copy}_")
}

impl Logic for InjectorLane {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let summary = format!("Flips the cells of one codeword; two-level draw, latency {INJECTOR_LATENCY}.");
        custom("injector_lane", &summary, self._text.clone())
    }
}

impl InjectorLane {
    fn text(&mut self) -> String {
        let nodes = self.nodes();
        let (top, last) = (self._cells - 1, nodes.len() - 1);
        let mut body = self.thresholds(nodes.iter().filter_map(|node| node.near).max());
        body.push_str("// Generator 0 draws for the word, generator n + 1 for node n.\n");
        for g in 0..=nodes.len() {
            body.push_str(&generator(g, &self.of_group("seed_i", g)));
        }
        body.push_str(&format!(
            "// The first two draws follow the seed.\nreg {groups}seeded;\nreg {groups}first;\n\
             // What the next draw of each says.\nreg hits;\n",
            groups = range(seed_enables(self._cells))
        ));
        for (n, node) in nodes.iter().enumerate() {
            body.push_str(&format!("reg lower{n};\nreg upper{n};\n"));
            for (side, _) in node.cells() {
                body.push_str(&format!("reg keeps_{side}{n};\n"));
            }
        }
        for stage in 0..TREE_CYCLES {
            body.push_str(&format!("reg hit_{stage};\nreg [{top}:0] code_{stage};\nreg [{top}:0] live_{stage};\n"));
        }
        body.push_str(&format!(
            "reg [{top}:0] code_q;\nreg [{top}:0] flips_q;\nreg [{top}:0] flips;\nreg [{top}:0] kept;\n\
             // Nodes that draw now, and those that their parents leave to draw in the next cycle.\n\
             reg [{last}:0] draws;\nreg [{last}:0] found;\nreg [{last}:0] waiting;\n\
             wire word_valid = valid_i & enable_i;\n\
             assign code_o = code_q;\nassign flips_o = flips_q;\nassign seed_word_o = c{};\n",
            nodes.len()
        ));
        body + &self.tree(&nodes) + &self.registers(&nodes)
    }

    /// Thresholds by name, with copies of those that many nodes have, up to this one.
    fn thresholds(&mut self, last_copy: Option<usize>) -> String {
        let bus = NoiseBus::new(self._cells);
        let Some(last) = last_copy else { return bus.fields() };
        let (top, low) = (bus.width() - 1, bus.near());
        let mut text = bus.far_fields();
        for n in 0..=last {
            let mut copy = Copy::new(top + 1 - low);
            copy.clk_i.connect();
            text += &copy.data_i.drive(&format!("near_{n}_data_i"), &format!("noise_i[{top}:{low}]"));
            text += &bus.near_fields(&near_prefix(n), &format!("near_{n}_data_o"));
            self.near.push(copy);
        }
        text
    }
}

/// The registers of a generator, what they are next, and that of its draw.
fn generator(g: usize, seed_enable: &str) -> String {
    let from = if g == 0 { "seed_word_i".to_owned() } else { format!("c{}", g - 1) };
    let seeds = [from, format!("a{g}"), format!("b{g}")];
    let mut text = String::new();
    for (z, (seed, component)) in ["a", "b", "c"].iter().zip(seeds.iter().zip(&CELL_GENERATOR)) {
        let step = step(&format!("{z}{g}"), component);
        text.push_str(&format!("reg [31:0] {z}{g};\nwire [31:0] next_{z}{g} = {seed_enable} ? {seed} : {step};\n"));
    }
    text + &format!("reg [31:0] u{g};\n")
}

impl InjectorLane {
    fn tree(&self, nodes: &[Node]) -> String {
        let mut text = format!(
            "always @(*) begin\n  found = {}'d0;\n  flips = {}'d0;\n  kept = {1}'d0;\n  draws = waiting;\n  draws[0] = hit_{};\n",
            nodes.len(),
            self._cells,
            nodes[0].stage
        );
        for (n, node) in nodes.iter().enumerate() {
            for (side, child) in SIDES.into_iter().zip(node.children) {
                let target = match child {
                    Some(child) if nodes[child].stage == node.stage => format!("draws[{child}]"),
                    Some(child) => format!("found[{child}]"),
                    None => continue,
                };
                text.push_str(&format!("  {target} = draws[{n}] & {side}{n};\n"));
            }
            for (side, cell) in node.cells() {
                text.push_str(&format!(
                    "  flips[{cell}] = draws[{n}] & {side}{n};\n  kept[{cell}] = keeps_{side}{n};\n"
                ));
            }
        }
        let (top, last) = (self._cells, TREE_CYCLES - 1);
        text.push_str(&format!(
            "  flips = flips & live_{last} & (kept | ~(({{{top}{{thinned[1]}}}} & code_{last}) | ({{{top}{{thinned[0]}}}} & ~code_{last})));\nend\n"
        ));
        text
    }

    fn registers(&self, nodes: &[Node]) -> String {
        // A port of one bit is a scalar and takes no index.
        let one = self._word.data_bits == 8;
        let live =
            cells_at_risk(&self._word, "bits_i", |b| if one { "live_i".to_owned() } else { format!("live_i[{b}]") });
        let mut text = format!(
            "always @(posedge clk_i) begin\n  seeded <= seed_i;\n  first <= seed_i | seeded;\n  hit_0 <= word_valid & hits;\n  code_0 <= code_i;\n  live_0 <= {live};\n"
        );
        for stage in 1..TREE_CYCLES {
            let before = stage - 1;
            text.push_str(&format!(
                "  hit_{stage} <= hit_{before};\n  code_{stage} <= code_{before};\n  live_{stage} <= live_{before};\n"
            ));
        }
        text.push_str(&format!(
            "  waiting <= found;\n  code_q <= code_{last} ^ flips;\n  flips_q <= flips;\n",
            last = TREE_CYCLES - 1
        ));
        for g in 0..=nodes.len() {
            let draws = if g == 0 { "word_valid".to_owned() } else { format!("draws[{}]", g - 1) };
            let [seed, first] = ["seed_i", "first"].map(|net| self.of_group(net, g));
            text.push_str(&format!("  if ({seed} | {first} | {draws}) begin\n    u{g} <= a{g} ^ b{g} ^ c{g};\n"));
            for z in ["a", "b", "c"] {
                text.push_str(&format!("    {z}{g} <= next_{z}{g};\n"));
            }
            text.push_str(&match g {
                0 => "    hits <= ~(word_threshold < u0);\n".to_owned(),
                g => nodes[g - 1].outcome(g - 1),
            });
            text.push_str("  end\n");
        }
        text.push_str("end\n");
        text
    }
}
