//! What is read of a word when a write is verified: stuck cells, then read noise, as equation (18) of `docs/fault-model.md` says.
//!
//! Address and epoch are held from two cycles before the word on, the latency of the hash.

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{Kind, Site};
use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use super::cell_bus::{CELL_BUS_BITS, part};
use super::word_hash::{WordHash, all_below, below_function, draw_function, draws_of};
use crate::emit::custom;
use crate::protect::cells_at_risk;
use crate::wire::Wire;

/// Bits of both thresholds of the noise.
pub const NOISE_BITS: u32 = 64;

/// See the module's text.
#[derive(LogicBlock)]
pub struct VerifyFaults {
    pub clk_i: Wire<In>,
    /// Registers, see [`super::cell_bus`].
    pub cells_i: Wire<In>,
    /// Thresholds: of cells that give 0, and above of those that give 1.
    pub noise_i: Wire<In>,
    /// Bits of each byte at risk, and above them check cells.
    pub bits_i: Wire<In>,
    pub at_risk_i: Wire<In>,
    /// Where the word belongs, and which of its pulses is verified.
    pub address_i: Wire<In>,
    pub epoch_i: Wire<In>,
    pub code_i: Wire<In>,
    pub seen_o: Wire<Out>,
    hashes: Vec<WordHash>,
    _text: String,
}

impl VerifyFaults {
    /// Returns the faults of a site with words of `lanes` such codewords; none where every word is read right.
    pub fn new(hw: &Elaborated, site: Site, word: &Codeword, lanes: u32) -> Option<Self> {
        let kinds = hw.config.injector.at(site);
        let purposes = [(Kind::Stuck, Purpose::Cell), (Kind::Read, Purpose::Verify)];
        let is = |kind| hw.verifies(site) && kinds.has(kind);
        let purposes: Vec<_> = purposes.into_iter().filter(|(kind, _)| is(*kind)).collect();
        let bits = word.cells() * lanes;
        let mut faults = Self {
            clk_i: Wire::new(1),
            cells_i: Wire::new(CELL_BUS_BITS),
            noise_i: Wire::new(NOISE_BITS),
            bits_i: Wire::new(word.risk_bits()),
            at_risk_i: Wire::new(1),
            address_i: Wire::new(32),
            epoch_i: Wire::new(32),
            code_i: Wire::new(bits),
            seen_o: Wire::new(bits),
            hashes: purposes.iter().map(|&(_, purpose)| WordHash::new(purpose, site)).collect(),
            _text: String::new(),
        };
        let of_lane = cells_at_risk(word, "bits_i", |_| "1'b1".to_owned());
        let mut text = draw_function() + &below_function();
        text += &format!("wire [{}:0] at_risk = {{{lanes}{{{of_lane}}}}} & {{{bits}{{at_risk_i}}}};\n", bits - 1);
        let mut given = "code_i".to_owned();
        for (n, (hash, (kind, _))) in faults.hashes.iter_mut().zip(&purposes).enumerate() {
            let instance = format!("hashes_{n}");
            hash.clk_i.connect();
            text += &hash.key_i.drive(&format!("{instance}_key_i"), &part("device_key_0", 4));
            text += &hash.address_i.drive(&format!("{instance}_address_i"), "address_i");
            let stuck = *kind == Kind::Stuck;
            text += &hash.epoch_i.drive(&format!("{instance}_epoch_i"), if stuck { "32'd0" } else { "epoch_i" });
            let (draws, next) = (format!("draws_{n}"), format!("given_{n}"));
            text += &draws_of(&draws, &instance, bits);
            let mut mask = |name: &str, threshold: &str| {
                text += &format!("wire [{}:0] {name} = {};\n", bits - 1, all_below(&draws, threshold, bits));
            };
            let value = if stuck {
                mask("stuck_0", &part("stuck_0", 1));
                mask("stuck", &part("stuck_1", 1));
                // Cells below the second threshold are stuck, at 0 those that are below the first one too.
                format!("({given} & ~stuck) | (stuck & ~stuck_0)")
            } else {
                mask("to_1", "noise_i[31:0]");
                mask("to_0", "noise_i[63:32]");
                format!("{given} ^ (({given} & to_0) | (~{given} & to_1))")
            };
            text += &format!("wire [{}:0] {next} = ({given} & ~at_risk) | (({value}) & at_risk);\n", bits - 1);
            given = next;
        }
        faults._text = text + &format!("assign seen_o = {given};\n");
        (!purposes.is_empty()).then_some(faults)
    }
}

impl Logic for VerifyFaults {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("verify_faults", "What is read of a word when a write is verified.", self._text.clone())
    }
}
