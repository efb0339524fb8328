//! Which cells of a word that is read are stuck (F4), and which a trap makes read as 1 (F2): Eqs. (13) to (15) of
//! `docs/fault-model.md`.
//!
//! Latency 3 from the address: the cells are known a cycle after the word leaves its memory.

use hafnia_config::accel::Port;
use hafnia_config::fault::cell_hash::{EPOCH_CLASSES, Purpose};
use hafnia_config::fault::{Kind, Kinds, Site};
use rust_hdl::core::prelude::*;

use super::cell_bus::{CELL_BUS_BITS, part};
use super::word_hash::{WordHash, all_below, below_function, draw_function, draws_of};
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct CellFaults {
    pub clk_i: Wire<In>,
    /// Registers, see [`super::cell_bus`].
    pub cells_i: Wire<In>,
    pub address_i: Wire<In>,
    /// Number of the read in the layer's run.
    pub index_i: Wire<In>,
    pub layer_i: Wire<In>,
    pub group_i: Wire<In>,
    /// Epochs of all classes, 16 bits each.
    pub epochs_i: Wire<In>,
    pub stuck_0_o: Wire<Out>,
    pub stuck_1_o: Wire<Out>,
    /// Cells that are read as 1 if they hold 0.
    pub charged_o: Wire<Out>,
    own: WordHash,
    charge: Vec<WordHash>,
    read: Vec<WordHash>,
    _cells: u32,
    _stuck: bool,
    _text: String,
}

impl CellFaults {
    /// Returns the faults of a site with these codewords.
    pub fn new(site: Site, kinds: Kinds, port: Port) -> Self {
        let cells = port.cells * port.lanes;
        let telegraph = kinds.has(Kind::Telegraph);
        let hash = |purpose| telegraph.then(|| WordHash::new(purpose, site)).into_iter().collect();
        let mut faults = Self {
            clk_i: Wire::new(1),
            cells_i: Wire::new(CELL_BUS_BITS),
            address_i: Wire::new(32),
            index_i: Wire::new(32),
            layer_i: Wire::new(8),
            group_i: Wire::new(16),
            epochs_i: Wire::new(16 * EPOCH_CLASSES as u32),
            stuck_0_o: Wire::new(cells),
            stuck_1_o: Wire::new(cells),
            charged_o: Wire::new(cells),
            own: WordHash::new(Purpose::Cell, site),
            charge: hash(Purpose::Charge),
            read: hash(Purpose::Read),
            _cells: cells,
            _stuck: kinds.has(Kind::Stuck),
            _text: String::new(),
        };
        faults._text = faults.wire();
        faults
    }

    fn wire(&mut self) -> String {
        let mut text = draw_function() + &below_function();
        let epoch = "epochs_i[{address_i[3:0], 4'd0} +: 16]";
        let (device, run) = (part("device_key_0", 4), part("telegraph_key_0", 4));
        let hashes = [
            ("own", Some(&mut self.own), &device, "address_i", "32'd0".to_owned()),
            ("charge_0", self.charge.first_mut(), &run, "address_i", format!("{{layer_i, 8'd0, {epoch}}}")),
            ("read_0", self.read.first_mut(), &run, "index_i", "{layer_i, 8'd0, group_i}".to_owned()),
        ];
        let cells = self._cells;
        for (name, hash, key, address, epoch) in hashes {
            let Some(hash) = hash else { continue };
            hash.clk_i.connect();
            text += &hash.key_i.drive(&format!("{name}_key_i"), key);
            text += &hash.address_i.drive(&format!("{name}_address_i"), address);
            text += &hash.epoch_i.drive(&format!("{name}_epoch_i"), &epoch);
            text += &draws_of(&format!("{name}_draws"), name, cells);
        }
        let class = |threshold: &str| all_below("own_draws", &part(threshold, 1), cells);
        let trap = match self.charge.is_empty() {
            true => format!("{cells}'d0"),
            false => format!(
                "trapped &\n    {} &\n    {}",
                all_below("charge_0_draws", &part("trap_captured", 1), cells),
                all_below("read_0_draws", &part("trap_read", 1), cells)
            ),
        };
        if !self.charge.is_empty() {
            text += &format!("wire [{}:0] trapped = {};\n", cells - 1, class("trapped"));
        }
        let stuck = |threshold: &str| if self._stuck { class(threshold) } else { format!("{cells}'d0") };
        text + &format!(
            "wire [{top}:0] below_0 = {};\nwire [{top}:0] below_1 = {};\n\
             reg [{top}:0] stuck_0;\nreg [{top}:0] stuck_1;\nreg [{top}:0] charged;\n\
             assign stuck_0_o = stuck_0;\nassign stuck_1_o = stuck_1;\nassign charged_o = charged;\n\
             always @(posedge clk_i) begin\n  stuck_0 <= below_0;\n  stuck_1 <= below_1 & ~below_0;\n  charged <= {trap};\nend\n",
            stuck("stuck_0"),
            stuck("stuck_1"),
            top = cells - 1,
        )
    }
}

impl Logic for CellFaults {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("cell_faults", "Stuck cells and traps of a word that is read; latency 3.", self._text.clone())
    }
}
