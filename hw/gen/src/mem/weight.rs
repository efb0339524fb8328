//! The weight memory: one codeword per lane and word, and its address control.
//!
//! Read: an issue (`read_i`, with its row) gives the word `CODE_MEMORY_LATENCY` cycles later at `code_o`; `load_o` names the row that takes
//! its weights when they have passed read port and codec. One word per cycle.
//! Resident mode reads `read_address_i`; stream mode reads the ring in order and `ready_o` falls while it is empty.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use rust_hdl::core::prelude::*;

use super::banked_ram::BankedRam;
use super::ring::{POINTER_BITS, Ring};
use crate::emit::{custom, delayed};
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct WeightMemory {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    /// 1: the memory is a ring.
    pub stream_i: Wire<In>,
    pub clear_i: Wire<In>,
    pub level_o: Wire<Out>,
    pub full_o: Wire<Out>,
    pub write_i: Wire<In>,
    /// The write ends its word: with write-verify there may be several.
    pub commit_i: Wire<In>,
    /// Asks for the word that is written, which comes as one that is read does; `slot_o` tells that it is read now.
    pub look_i: Wire<In>,
    pub slot_o: Wire<Out>,
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    /// `read_i` of the next cycle.
    pub next_read_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    pub row_i: Wire<In>,
    pub ready_o: Wire<Out>,
    pub code_o: Wire<Out>,
    pub load_o: Wire<Out>,
    ring: Ring,
    lanes: Vec<BankedRam>,
    _text: String,
}

impl WeightMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let port = hw.port(Site::Weights);
        let mut memory = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            stream_i: Wire::new(1),
            clear_i: Wire::new(1),
            level_o: Wire::new(POINTER_BITS as u32),
            full_o: Wire::new(1),
            write_i: Wire::new(1),
            commit_i: Wire::new(1),
            look_i: Wire::new(1),
            slot_o: Wire::new(1),
            write_address_i: Wire::new(hw.weight_address_bits),
            write_data_i: Wire::new(port.cells * port.lanes),
            next_read_i: Wire::new(1),
            read_i: Wire::new(1),
            read_address_i: Wire::new(hw.weight_address_bits),
            row_i: Wire::new(hw.rows),
            ready_o: Wire::new(1),
            code_o: Wire::new(port.cells * port.lanes),
            load_o: Wire::new(hw.rows),
            ring: Ring::new(hw.config.memory.weight_words),
            lanes: (0..hw.lanes).map(|_| BankedRam::new(hw.codeword_bits, hw.config.memory.weight_words)).collect(),
            _text: String::new(),
        };
        memory._text = memory.wire_control(hw) + &memory.wire_lanes(hw);
        memory
    }

    fn wire_control(&mut self, hw: &Elaborated) -> String {
        let ring = &mut self.ring;
        ring.clk_i.connect();
        ring.rst_i.connect();
        ring.clear_i.connect();
        ring.write_i.connect();
        ring.read_i.connect();
        let top = hw.weight_address_bits - 1;
        let read_address = "stream_i ? ring_read_address_o[<TOP>:0] : read_address_i";
        let (slot, read_address) = match hw.config.protection.write_verify {
            true => ("~read_i", format!("~read_i ? write_address : {read_address}")),
            false => ("1'b0", read_address.to_owned()),
        };
        let read_address = read_address.replace("<TOP>", &top.to_string());
        format!(
            "// Without streaming the ring is empty: a host that switches it on meets no words of before, and cannot overrun it.\n\
             assign ring_clear_i = clear_i | ~stream_i;\nassign ring_write_i = commit_i & stream_i;\nassign slot_o = {slot};\n\
             assign ring_read_i = read_i & stream_i;\nassign level_o = ring_level_o;\nassign full_o = ring_full_o;\n\
             // Whether the ring will hold a word that is not asked for yet.\n\
             wire holds_1 = |ring_level_o;\nwire holds_2 = |ring_level_o[{level_top}:1];\n\
             wire holds_3 = (|ring_level_o[{level_top}:2]) | (&ring_level_o[1:0]);\n\
             wire [1:0] asked = {{1'b0, read_i}} + {{1'b0, next_read_i}};\n\
             wire holds_more = (asked == 2'd0) ? holds_1 : (asked == 2'd1) ? holds_2 : holds_3;\n\
             wire holds_as_many = (asked == 2'd0) | ((asked == 2'd1) ? holds_1 : holds_2);\n\
             reg ready;\nassign ready_o = ready;\n\
             always @(posedge clk_i) ready <= ~stream_i | (~ring_clear_i & (commit_i ? holds_as_many : holds_more));\n\
             wire [{top}:0] write_address = stream_i ? ring_write_address_o[{top}:0] : write_address_i;\n\
             wire [{top}:0] read_address = {read_address};\n\
             wire [{rows_top}:0] row = read_i ? row_i : {rows}'d0;\n",
            level_top = POINTER_BITS - 1,
            rows = hw.rows,
            rows_top = hw.rows - 1,
        ) + &delayed("row", "load_o", hw.rows, hw.weight_latency)
    }

    fn wire_lanes(&mut self, hw: &Elaborated) -> String {
        let (mut text, cells) = (String::new(), hw.codeword_bits);
        let read = if hw.config.protection.write_verify { "read_i | look_i" } else { "read_i" };
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            lane.clk_i.connect();
            let slice = format!("write_data_i[{}:{}]", cells * (l as u32 + 1) - 1, cells * l as u32);
            for (port, name, from) in [
                (&mut lane.write_i, "write_i", "write_i"),
                (&mut lane.write_address_i, "write_address_i", "write_address"),
                (&mut lane.write_data_i, "write_data_i", &slice),
                (&mut lane.read_i, "read_i", read),
                (&mut lane.read_address_i, "read_address_i", "read_address"),
            ] {
                text.push_str(&port.drive(&format!("lanes_{l}_{name}"), from));
            }
        }
        let words: Vec<String> = (0..hw.lanes).rev().map(|l| format!("lanes_{l}_read_data_o")).collect();
        text + &format!("assign code_o = {{{}}};\n", words.join(", "))
    }
}

impl Logic for WeightMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("weight_memory", "Weight memory.", self._text.clone())
    }
}
