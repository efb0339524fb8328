//! Write errors (F3): cells that a pulse leaves wrong, Eq. (16) of `docs/fault-model.md`. Latency 3; one word per cycle.

use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{Site, WRITE_LATENCY};
use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use super::cell_bus::{CELL_BUS_BITS, part};
use super::word_hash::{WordHash, all_below, below_function, draw_function, draws_of};
use crate::emit::{custom, delayed};
use crate::protect::cells_at_risk;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct WriteFaults {
    pub clk_i: Wire<In>,
    /// Registers, see [`super::cell_bus`].
    pub cells_i: Wire<In>,
    /// Bits of each byte at risk, and above them check cells.
    pub bits_i: Wire<In>,
    /// The word's layer is at risk.
    pub at_risk_i: Wire<In>,
    /// Where the word belongs, as the draws see it.
    pub address_i: Wire<In>,
    pub epoch_i: Wire<In>,
    /// What goes with the word and is only delayed.
    pub beside_i: Wire<In>,
    pub beside_o: Wire<Out>,
    pub data_i: Wire<In>,
    pub data_o: Wire<Out>,
    hash: WordHash,
    _text: String,
}

impl WriteFaults {
    /// Returns the faults of a site with words of `lanes` such codewords; `beside` bits go with each.
    pub fn new(site: Site, word: &Codeword, lanes: u32, beside: u32) -> Self {
        let bits = word.cells() * lanes;
        let of_lane = cells_at_risk(word, "bits_i", |_| "1'b1".to_owned());
        let mut faults = Self {
            clk_i: Wire::new(1),
            cells_i: Wire::new(CELL_BUS_BITS),
            bits_i: Wire::new(word.risk_bits()),
            at_risk_i: Wire::new(1),
            address_i: Wire::new(32),
            epoch_i: Wire::new(32),
            beside_i: Wire::new(beside),
            beside_o: Wire::new(beside),
            data_i: Wire::new(bits),
            data_o: Wire::new(bits),
            hash: WordHash::new(Purpose::Write, site),
            _text: String::new(),
        };
        faults.hash.clk_i.connect();
        let mut text = draw_function() + &below_function();
        text += &faults.hash.key_i.drive("hash_key_i", &part("device_key_0", 4));
        text += &faults.hash.address_i.drive("hash_address_i", "address_i");
        text += &faults.hash.epoch_i.drive("hash_epoch_i", "epoch_i");
        text += &draws_of("drawn", "hash", bits);
        text += &delayed("beside_i", "beside_o", beside, WRITE_LATENCY);
        let below = |threshold: &str| all_below("drawn", &part(threshold, 1), bits);
        text += &format!(
            "wire [{top}:0] to_1 = {};\nwire [{top}:0] to_0 = {};\n\
             reg [{top}:0] data_1;\nreg [{top}:0] data_2;\nreg [{top}:0] data_3;\nreg at_risk_1;\nreg at_risk_2;\n\
             assign data_o = data_3;\n\
             wire [{top}:0] wrong = ((data_2 & to_0) | (~data_2 & to_1)) & {{{lanes}{{{of_lane}}}}} & {{{bits}{{at_risk_2}}}};\n\
             always @(posedge clk_i) begin\n  data_1 <= data_i;\n  data_2 <= data_1;\n  data_3 <= data_2 ^ wrong;\n  at_risk_1 <= at_risk_i;\n  at_risk_2 <= at_risk_1;\nend\n",
            below("write_01"),
            below("write_10"),
            top = bits - 1,
        );
        faults._text = text;
        faults
    }
}

impl Logic for WriteFaults {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("write_faults", "Cells that a pulse leaves wrong; latency 3.", self._text.clone())
    }
}
