//! The draws of one lane: at most one codeword per cycle, latency 2.
//!
//! First level: one draw decides whether the codeword holds a flip at all. Second level, only then: a binary tree; each
//! node known to hold a flip draws once and tells whether its lower half, its upper half or both hold one. Every node has a
//! generator of its own and steps it only when it draws, so the draws of one word are independent and the golden model's
//! work follows the flips. A node with a cell for a half also tells whether a candidate of the direction with the lower
//! rate is kept. Equations (1) to (5) of `docs/fault-model.md`.
//! While `seed_i`, all state registers form one scan chain of 32-bit words. Flips in weights that are not live and in bits
//! that are not at risk are dropped after the draw. Flips are counted and reported where the data is changed.

use hafnia_config::fault::{CELL_GENERATOR, halves};
use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use super::noise_bus::NoiseBus;
use super::text::step;
use crate::emit::custom;
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
    pub seed_i: Wire<In>,
    pub seed_word_i: Wire<In>,
    pub seed_word_o: Wire<Out>,
    pub valid_i: Wire<In>,
    pub live_i: Wire<In>,
    pub code_i: Wire<In>,
    pub code_o: Wire<Out>,
    pub flips_o: Wire<Out>,
    _cells: u32,
    _word: Codeword,
}

impl InjectorLane {
    /// Returns a lane of such codewords.
    pub fn new(word: &Codeword) -> Self {
        let cells = word.cells();
        Self {
            clk_i: Wire::new(1),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(cells).width()),
            bits_i: Wire::new(word.risk_bits()),
            seed_i: Wire::new(1),
            seed_word_i: Wire::new(32),
            seed_word_o: Wire::new(32),
            valid_i: Wire::new(1),
            live_i: Wire::new(word.data_bits / 8),
            code_i: Wire::new(cells),
            code_o: Wire::new(cells),
            flips_o: Wire::new(cells),
            _cells: cells,
            _word: word.clone(),
        }
    }

    /// The nodes of the tree, parents before children: lowest cell, size, and the nodes of the two halves (none for a cell).
    fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![Node { low: 0, size: self._cells, children: [None; 2] }];
        let mut i = 0;
        while i < nodes.len() {
            let (low, (lower, upper)) = (nodes[i].low, halves(nodes[i].size));
            for (side, low, size) in [(0, low, lower), (1, low + lower, upper)] {
                if size > 1 {
                    nodes[i].children[side] = Some(nodes.len());
                    nodes.push(Node { low, size, children: [None; 2] });
                }
            }
            i += 1;
        }
        nodes
    }
}

struct Node {
    low: u32,
    size: u32,
    children: [Option<usize>; 2],
}

impl Logic for InjectorLane {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let nodes = self.nodes();
        let generators = nodes.len() + 1;
        let (top, last) = (self._cells - 1, nodes.len() - 1);
        let mut body = NoiseBus::new(self._cells).fields();
        body.push_str("// Generator 0 draws for the word, generator n + 1 for node n.\n");
        for g in 0..generators {
            body.push_str(&format!("reg [31:0] a{g};\nreg [31:0] b{g};\nreg [31:0] c{g};\n"));
        }
        body.push_str(&format!(
            "reg hit;\nreg [{top}:0] code;\nreg [{top}:0] live;\nreg [{top}:0] code_q;\nreg [{top}:0] flips_q;\n\
             reg [{top}:0] flips;\nreg [{top}:0] kept;\nreg [{last}:0] draws;\nreg [31:0] u;\nreg both;\n\
             wire [31:0] word_draw = a0 ^ b0 ^ c0;\nwire word_valid = valid_i & enable_i;\n\
             assign code_o = code_q;\nassign flips_o = flips_q;\nassign seed_word_o = c{last_g};\n",
            last_g = generators - 1
        ));
        body.push_str(&self.tree(&nodes));
        body.push_str(&self.registers(generators));
        custom("injector_lane", "Flips the cells of one codeword; two-level draw, latency 2.", body)
    }
}

impl InjectorLane {
    fn tree(&self, nodes: &[Node]) -> String {
        let mut text = format!(
            "always @(*) begin\n  u = 32'd0;\n  both = 1'b0;\n  draws = {}'d0;\n  flips = {}'d0;\n  kept = {1}'d0;\n  draws[0] = hit;\n  if (hit) begin\n",
            nodes.len(),
            self._cells
        );
        for (n, node) in nodes.iter().enumerate() {
            let Node { low, size, children } = *node;
            let cells = [low, low + halves(size).0];
            let target = |side: usize| match children[side] {
                Some(child) => format!("draws[{child}]"),
                None => format!("flips[{}]", cells[side]),
            };
            text.push_str(&format!(
                "    if (draws[{n}]) begin // cells {low}..{}\n      u = a{g} ^ b{g} ^ c{g};\n      both = u <= both_{size};\n      {} = u <= left_{size};\n      {} = both | (u > left_{size});\n",
                low + size - 1,
                target(0),
                target(1),
                g = n + 1,
            ));
            // What is kept is cut out of the draws of each outcome.
            if children[0].is_none() {
                text.push_str(&format!(
                    "      kept[{}] = both ? (u < keep_{size}_both_lower) : (u < keep_{size}_lower);\n",
                    cells[0]
                ));
            }
            if children[1].is_none() {
                text.push_str(&format!(
                    "      kept[{}] = both ? ((u < keep_{size}_both_both) | ((u >= keep_{size}_both_lower) & (u < keep_{size}_both_upper))) : (u < keep_{size}_upper);\n",
                    cells[1]
                ));
            }
            text.push_str("    end\n");
        }
        let top = self._cells;
        text.push_str(&format!(
            "    flips = flips & live & (kept | ~(({{{top}{{thinned[1]}}}} & code) | ({{{top}{{thinned[0]}}}} & ~code)));\n  end\nend\n"
        ));
        text
    }

    fn registers(&self, generators: usize) -> String {
        // A port of one bit is a scalar and takes no index.
        let one = self._word.data_bits == 8;
        let live =
            cells_at_risk(&self._word, "bits_i", |b| if one { "live_i".to_owned() } else { format!("live_i[{b}]") });
        let mut text = format!(
            "always @(posedge clk_i) begin\n  hit <= word_valid & (word_draw <= word_threshold);\n  code <= code_i;\n  live <= {};\n  code_q <= code ^ flips;\n  flips_q <= flips;\n",
            live
        );
        text.push_str("  if (seed_i) begin\n");
        for g in 0..generators {
            let from = if g == 0 { "seed_word_i".to_owned() } else { format!("c{}", g - 1) };
            text.push_str(&format!("    a{g} <= {from};\n    b{g} <= a{g};\n    c{g} <= b{g};\n"));
        }
        text.push_str("  end else begin\n");
        for g in 0..generators {
            let enable = if g == 0 { "word_valid".to_owned() } else { format!("draws[{}]", g - 1) };
            let indent = if g == 0 { "    " } else { "      " };
            if g == 1 {
                text.push_str("    if (hit) begin\n");
            }
            text.push_str(&format!("{indent}if ({enable}) begin\n"));
            for (register, component) in ["a", "b", "c"].iter().zip(&CELL_GENERATOR) {
                let z = format!("{register}{g}");
                text.push_str(&format!("{indent}  {z} <= {};\n", step(&z, component)));
            }
            text.push_str(&format!("{indent}end\n"));
        }
        text.push_str("    end\n  end\nend\n");
        text
    }
}
