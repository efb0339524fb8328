//! One feature-map memory: a word is one pixel of `rows` channels, one byte lane per channel.
//!
//! One read and one write per cycle, lanes written separately; read latency [`MAP_MEMORY_LATENCY`]. Its blocks are far apart: what goes
//! to them comes from registers.

use hafnia_config::Elaborated;
use hafnia_config::accel::MAP_MEMORY_LATENCY;
use rust_hdl::core::prelude::*;

use super::block_ram::BlockRam;
use crate::copy::Copy;
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
    /// Addresses and the read, for each [`GROUP`] lanes.
    commands: Vec<Copy>,
    lanes: Vec<BlockRam>,
    _text: String,
}

/// Lanes that share a register of their addresses.
const GROUP: u32 = 2;

impl MapMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let mut lanes: Vec<_> = (0..hw.rows).map(|_| BlockRam::new(8, hw.config.memory.map_words)).collect();
        let address = hw.map_address_bits;
        let mut commands: Vec<_> = (0..hw.rows.div_ceil(GROUP)).map(|_| Copy::new(2 * address + 1)).collect();
        let mut text = format!(
            "reg [{}:0] write_lanes;\nreg [{}:0] write_data;\n\
             always @(posedge clk_i) begin\n  write_lanes <= write_lanes_i;\n  write_data <= write_data_i;\nend\n",
            hw.rows - 1,
            8 * hw.rows - 1,
        );
        for (c, command) in commands.iter_mut().enumerate() {
            command.clk_i.connect();
            text += &command.data_i.drive(&format!("commands_{c}_data_i"), "{read_i, read_address_i, write_address_i}");
        }
        let mut data = Vec::new();
        for (l, lane) in lanes.iter_mut().enumerate() {
            let byte = format!("[{}:{}]", 8 * l + 7, 8 * l);
            let command = format!("commands_{}_data_o", l as u32 / GROUP);
            lane.clk_i.connect();
            for (port, name, from) in [
                (&mut lane.write_i, "write_i", format!("write_lanes[{l}]")),
                (&mut lane.write_address_i, "write_address_i", format!("{command}[{}:0]", address - 1)),
                (&mut lane.write_data_i, "write_data_i", format!("write_data{byte}")),
                (&mut lane.read_i, "read_i", format!("{command}[{}]", 2 * address)),
                (&mut lane.read_address_i, "read_address_i", format!("{command}[{}:{address}]", 2 * address - 1)),
            ] {
                text += &port.drive(&format!("lanes_{l}_{name}"), &from);
            }
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
            commands,
            lanes,
            _text: text,
        }
    }
}

impl Logic for MapMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let summary = format!("One feature-map memory, a byte lane per channel; read latency {MAP_MEMORY_LATENCY}.");
        custom("map_memory", &summary, self._text.clone())
    }
}
