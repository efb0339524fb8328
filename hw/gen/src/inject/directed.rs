//! Directed injection: a cell that the host names is read wrong, at the next access of its word or at each, for bring-up and tests.
//!
//! `target_o` tells every read port which word and cell, and whether it is the port's; `hit_i` is high while any reads that word.

use hafnia_config::fault::Site;
use hafnia_config::regs::{DIRECT_CELL_BITS, DIRECT_ONCE, DIRECT_SITE};
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::mem::flip_record::COUNT_BITS;
use crate::wire::Wire;

/// Bits of `target_o`: armed for each site, number of the cell, address.
pub const TARGET_BITS: u32 = 3 + DIRECT_SITE + 32;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Directed {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub arm_i: Wire<In>,
    pub disarm_i: Wire<In>,
    pub address_i: Wire<In>,
    pub cell_i: Wire<In>,
    pub hit_i: Wire<In>,
    pub target_o: Wire<Out>,
    /// Accesses that were hit since it was armed; saturates.
    pub hits_o: Wire<Out>,
}

impl Default for Directed {
    fn default() -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            arm_i: Wire::new(1),
            disarm_i: Wire::new(1),
            address_i: Wire::new(32),
            cell_i: Wire::new(DIRECT_CELL_BITS),
            hit_i: Wire::new(1),
            target_o: Wire::new(TARGET_BITS),
            hits_o: Wire::new(COUNT_BITS),
        }
    }
}

/// Returns the part of the port `target_i` that tells whether a site is meant.
pub fn armed(site: Site) -> String {
    format!("target_i_0[{}]", 48 + site as u32)
}

impl Logic for Directed {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let site = format!("cell_i[{}:{DIRECT_SITE}]", DIRECT_SITE + 1);
        let sites: Vec<String> =
            Site::ALL.iter().rev().map(|&s| format!("armed & ({site} == 2'd{})", s as u32)).collect();
        custom(
            "directed",
            "Directed injection.",
            format!(
                "reg armed;
reg [31:0] hits;
assign target_o = {{{}, cell_i[{}:0], address_i}};
assign hits_o = hits;
always @(posedge clk_i) begin
  if (hit_i & cell_i[{DIRECT_ONCE}]) armed <= 1'b0;
  if (hit_i & ~(&hits)) hits <= hits + 32'd1;
  if (arm_i) begin
    armed <= 1'b1;
    hits <= 32'd0;
  end
  if (rst_i | disarm_i) armed <= 1'b0;
  if (rst_i) hits <= 32'd0;
end
",
                sites.join(", "),
                DIRECT_SITE - 1,
            ),
        )
    }
}
