//! The hash of a word's address and epoch, from which the draws of its cells are taken: Eq. (11) of `docs/fault-model.md`.
//!
//! One word per cycle; latency 2, as that of a memory.

use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::{CELL_ROUNDS, Purpose, ROTATIONS, WORD_ROUNDS, pair_constant, tweak};
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct WordHash {
    pub clk_i: Wire<In>,
    pub key_i: Wire<In>,
    pub address_i: Wire<In>,
    pub epoch_i: Wire<In>,
    pub x_o: Wire<Out>,
    pub y_o: Wire<Out>,
    _purpose: Purpose,
    _site: Site,
}

impl WordHash {
    /// Returns the hash for one purpose at one site.
    pub fn new(purpose: Purpose, site: Site) -> Self {
        Self {
            clk_i: Wire::new(1),
            key_i: Wire::new(128),
            address_i: Wire::new(32),
            epoch_i: Wire::new(32),
            x_o: Wire::new(32),
            y_o: Wire::new(32),
            _purpose: purpose,
            _site: site,
        }
    }
}

impl Logic for WordHash {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let mut text = String::from("wire [31:0] x_0 = address_i;\nwire [31:0] y_0 = epoch_i;\n");
        let half = WORD_ROUNDS / 2;
        let (mut x, mut y) = ("x_0".to_owned(), "y_0".to_owned());
        for round in 0..WORD_ROUNDS {
            let (key, next) = (round % 4, round + 1);
            let constant = tweak(self._purpose, self._site, round);
            text.push_str(&format!(
                "wire [31:0] x_{next} = ({} + {y}) ^ key_i[{}:{}] ^ 32'h{constant:08x};\nwire [31:0] y_{next} = {} ^ x_{next};\n",
                rotated(&x, 32 - ROTATIONS.0),
                32 * key + 31,
                32 * key,
                rotated(&y, ROTATIONS.1),
            ));
            (x, y) = (format!("x_{next}"), format!("y_{next}"));
            if next == half {
                text.push_str("reg [31:0] x_half;\nreg [31:0] y_half;\n");
                text.push_str(&format!("always @(posedge clk_i) begin\n  x_half <= {x};\n  y_half <= {y};\nend\n"));
                (x, y) = ("x_half".to_owned(), "y_half".to_owned());
            }
        }
        text.push_str(&format!(
            "reg [31:0] x_done;\nreg [31:0] y_done;\nassign x_o = x_done;\nassign y_o = y_done;\n\
             always @(posedge clk_i) begin\n  x_done <= {x};\n  y_done <= {y};\nend\n"
        ));
        let name = format!("word_hash_{:?}_{}", self._purpose, self._site).to_lowercase();
        custom(&name, "Hash of a word's address and epoch; latency 2.", text)
    }
}

/// A 32-bit net rotated left.
fn rotated(net: &str, left: u32) -> String {
    format!("{{{net}[{}:0], {net}[31:{}]}}", 31 - left, 32 - left)
}

/// Returns the function that makes the draws of two cells of a word: that of the lower in the lower half.
pub fn draw_function() -> String {
    let mut rounds = String::new();
    for _ in 0..CELL_ROUNDS {
        rounds.push_str(&format!(
            "    a = {} + b;\n    b = {} ^ a;\n",
            rotated("a", 32 - ROTATIONS.0),
            rotated("b", ROTATIONS.1)
        ));
    }
    format!(
        "function [63:0] draws;\n  input [31:0] x;\n  input [31:0] y;\n  reg [31:0] a;\n  reg [31:0] b;\n  begin\n    a = x;\n    b = y;\n{rounds}    draws = {{b, a}};\n  end\nendfunction\n"
    )
}

/// Returns the function that tells whether a draw is below a threshold, the highest of which means always.
pub fn below_function() -> String {
    "function below;\n  input [31:0] u;\n  input [31:0] threshold;\n  below = (u < threshold) | (&threshold);\nendfunction\n".to_owned()
}

/// Returns the net `name` with the draws of `cells` cells, 32 bits each, from the outputs of the hash `instance`.
pub fn draws_of(name: &str, instance: &str, cells: u32) -> String {
    let pairs = cells.div_ceil(2);
    let mut text = format!("wire [{}:0] {name};\n", 64 * pairs - 1);
    for pair in 0..pairs {
        let [x, y] = pair_constant(pair);
        text.push_str(&format!(
            "assign {name}[{}:{}] = draws({instance}_x_o ^ 32'h{x:08x}, {instance}_y_o ^ 32'h{y:08x});\n",
            64 * pair + 63,
            64 * pair
        ));
    }
    text
}

/// Returns the word whose bit `c` tells whether the draw of cell `c` in `draws` is below `threshold`.
pub fn all_below(draws: &str, threshold: &str, cells: u32) -> String {
    let bits = (0..cells).rev().map(|c| format!("below({draws}[{}:{}], {threshold})", 32 * c + 31, 32 * c));
    format!("{{{}}}", bits.collect::<Vec<_>>().join(",\n    "))
}
