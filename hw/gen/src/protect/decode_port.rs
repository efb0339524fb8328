//! What comes out of a read port, decoded, and how many units of a word were corrected, or found wrong.
//!
//! Where writes may fail, cells that check and hold nothing in use are read as 0, which is what they should hold: like all
//! faults of such cells, those of writes have no effect. At reads the port sees to it.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Kind, Site};
use rust_hdl::core::prelude::*;

use super::cells_in_use;
use super::decoder::Decoder;
use crate::emit::{custom, delayed, number_of_ones};
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct DecodePort {
    pub clk_i: Wire<In>,
    /// A word is asked for, and its bytes in use; it is at `code_i` when memory and read port have had their time.
    pub issue_i: Wire<In>,
    pub live_i: Wire<In>,
    pub code_i: Wire<In>,
    pub data_o: Wire<Out>,
    pub corrected_o: Wire<Out>,
    pub detected_o: Wire<Out>,
    lanes: Vec<Decoder>,
    _text: String,
}

/// Bits of a number of units.
pub const UNITS_BITS: u32 = 8;

impl DecodePort {
    /// Returns the port of a site, if it has a code.
    pub fn new(hw: &Elaborated, site: Site) -> Option<Self> {
        let (port, word) = (hw.port(site), hw.codeword(site));
        if !word.is_coded() {
            return None;
        }
        let bytes = port.lane_bytes * port.lanes;
        let mut block = Self {
            clk_i: Wire::new(1),
            issue_i: Wire::new(1),
            live_i: Wire::new(bytes),
            code_i: Wire::new(port.cells * port.lanes),
            data_o: Wire::new(8 * bytes),
            corrected_o: Wire::new(UNITS_BITS),
            detected_o: Wire::new(UNITS_BITS),
            lanes: (0..port.lanes).map(|_| Decoder::new(word)).collect(),
            _text: String::new(),
        };
        block._text = block.wire(hw, site);
        Some(block)
    }

    fn wire(&mut self, hw: &Elaborated, site: Site) -> String {
        let (port, word) = (hw.port(site), hw.codeword(site));
        let (bytes, wide) = (port.lane_bytes * port.lanes, port.cells * port.lanes);
        let before = hw.memory_latency(site) + hw.injector_latency;
        let mut text = String::from("wire valid;\n") + &delayed("issue_i", "valid", 1, before + word.code.latency());
        text += &if hw.config.injector.at(site).has(Kind::Write) {
            let of_lane = |lane: u32| {
                cells_in_use(word, |b| {
                    if bytes == 1 { "live".to_owned() } else { format!("live[{}]", lane * port.lane_bytes + b) }
                })
            };
            let cells: Vec<String> = (0..port.lanes).rev().map(of_lane).collect();
            format!("wire [{}:0] live;\n", bytes - 1)
                + &delayed("live_i", "live", bytes, before)
                + &format!("wire [{}:0] code = code_i & {{{}}};\n", wide - 1, cells.join(", "))
        } else {
            format!("wire [{}:0] code = code_i;\n", wide - 1)
        };
        for (l, lane) in (0..).zip(&mut self.lanes) {
            lane.clk_i.connect();
            let slice = format!("code[{}:{}]", port.cells * (l + 1) - 1, port.cells * l);
            text += &lane.code_i.drive(&format!("lanes_{l}_code_i"), &slice);
        }
        let lanes =
            |name: &str| (0..port.lanes).rev().map(|l| format!("lanes_{l}_{name}_o")).collect::<Vec<_>>().join(", ");
        text += &format!("assign data_o = {{{}}};\n", lanes("data"));
        let units = word.units() * port.lanes;
        for name in ["corrected", "detected"] {
            text += &format!("wire [{}:0] {name} = {{{}}} & {{{units}{{valid}}}};\n", units - 1, lanes(name));
            text += &format!("assign {name}_o = {};\n", number_of_ones(name, units, UNITS_BITS));
        }
        text
    }
}

impl Logic for DecodePort {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("decode_port", "Decoders of a memory's words, and their counts.", self._text.clone())
    }
}
