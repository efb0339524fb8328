//! One feature-map memory: a word is one pixel of `rows` channels, one byte lane per channel.
//!
//! One read and one write per cycle, lanes written separately; read latency 2.

use hafnia_config::Elaborated;
use rust_hdl::core::prelude::*;

use super::block_ram::BlockRam;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct MapMemory {
    pub clk_i: Wire<In>,
    pub write_lanes_i: Wire<In>,
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    pub read_data_o: Wire<Out>,
    lanes: Vec<BlockRam>,
    _text: String,
}

impl MapMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let mut lanes: Vec<_> = (0..hw.rows).map(|_| BlockRam::new(8, hw.config.memory.map_words)).collect();
        let mut text = String::new();
        let mut data = Vec::new();
        for (l, lane) in lanes.iter_mut().enumerate() {
            let byte = format!("[{}:{}]", 8 * l + 7, 8 * l);
            lane.clk_i.connect();
            text.push_str(&lane.write_i.drive(&format!("lanes_{l}_write_i"), &format!("write_lanes_i[{l}]")));
            text.push_str(&lane.write_address_i.drive(&format!("lanes_{l}_write_address_i"), "write_address_i"));
            text.push_str(&lane.write_data_i.drive(&format!("lanes_{l}_write_data_i"), &format!("write_data_i{byte}")));
            text.push_str(&lane.read_i.drive(&format!("lanes_{l}_read_i"), "read_i"));
            text.push_str(&lane.read_address_i.drive(&format!("lanes_{l}_read_address_i"), "read_address_i"));
            data.insert(0, format!("lanes_{l}_read_data_o"));
        }
        text.push_str(&format!("assign read_data_o = {{{}}};\n", data.join(", ")));
        Self {
            clk_i: Wire::new(1),
            write_lanes_i: Wire::new(hw.rows),
            write_address_i: Wire::new(hw.map_address_bits),
            write_data_i: Wire::new(8 * hw.rows),
            read_i: Wire::new(1),
            read_address_i: Wire::new(hw.map_address_bits),
            read_data_o: Wire::new(8 * hw.rows),
            lanes,
            _text: text,
        }
    }
}

impl Logic for MapMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("map_memory", "One feature-map memory, a byte lane per channel.", self._text.clone())
    }
}
