//! The weight memory: lanes, their address control, and the record of what the injector flipped.
//!
//! Read: an issue (`read_i`, with row, live columns and index) gives the weights `weight_latency` cycles later at
//! `weights_o`, with `load_o` naming the row that takes them. One word per cycle.
//! Resident mode reads `read_address_i`; stream mode reads the ring in order and `ready_o` falls while it is empty.

use hafnia_config::Elaborated;
use hafnia_config::fault::Kind;
use rust_hdl::core::prelude::*;

use super::flip_record::{COUNT_BITS, COUNTS, FlipRecord, wire_record};
use super::ring::{POINTER_BITS, Ring};
use super::weight_lane::WeightLane;
use crate::emit::custom;
use crate::inject::noise_bus::NoiseBus;
use crate::inject::seeder::Seeder;
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
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    pub row_i: Wire<In>,
    pub live_i: Wire<In>,
    pub index_i: Wire<In>,
    pub ready_o: Wire<Out>,
    pub weights_o: Wire<Out>,
    pub load_o: Wire<Out>,
    pub enable_i: Wire<In>,
    pub noise_i: Wire<In>,
    pub seed_load_i: Wire<In>,
    pub seed_key_i: Wire<In>,
    pub seed_shift_i: Wire<In>,
    pub flip_valid_o: Wire<Out>,
    pub flip_index_o: Wire<Out>,
    pub flip_before_o: Wire<Out>,
    pub flip_mask_o: Wire<Out>,
    pub flip_count_o: Wire<Out>,
    pub flip_counts_o: Wire<Out>,
    pub flip_clear_i: Wire<In>,
    record: Vec<FlipRecord>,
    ring: Ring,
    seeder: Vec<Seeder>,
    lanes: Vec<WeightLane>,
    _text: String,
}

impl WeightMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let injector = hw.config.injector.weights.has(Kind::Read);
        let mut memory = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            stream_i: Wire::new(1),
            clear_i: Wire::new(1),
            level_o: Wire::new(POINTER_BITS as u32),
            full_o: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(hw.weight_address_bits),
            write_data_i: Wire::new(8 * hw.cols),
            read_i: Wire::new(1),
            read_address_i: Wire::new(hw.weight_address_bits),
            row_i: Wire::new(hw.rows),
            live_i: Wire::new(hw.cols),
            index_i: Wire::new(32),
            ready_o: Wire::new(1),
            weights_o: Wire::new(8 * hw.cols),
            load_o: Wire::new(hw.rows),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(hw.codeword_bits).width()),
            seed_load_i: Wire::new(1),
            seed_key_i: Wire::new(128),
            seed_shift_i: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_index_o: Wire::new(32),
            flip_before_o: Wire::new(8 * hw.cols),
            flip_mask_o: Wire::new(8 * hw.cols),
            flip_count_o: Wire::new(8),
            flip_counts_o: Wire::new(COUNTS * COUNT_BITS),
            flip_clear_i: Wire::new(1),
            record: if injector { vec![FlipRecord::new(8 * hw.cols)] } else { Vec::new() },
            ring: Ring::new(hw.config.memory.weight_words),
            seeder: if injector { vec![Seeder::default()] } else { Vec::new() },
            lanes: (0..hw.lanes).map(|_| WeightLane::new(hw)).collect(),
            _text: String::new(),
        };
        memory._text = memory.wire_control(hw) + &memory.wire_lanes(hw) + &beside(hw) + &memory.wire_record(hw);
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
        let mut text = format!(
            "// Without streaming the ring is empty: a host that switches it on meets no words of before, and cannot overrun it.\n\
             assign ring_clear_i = clear_i | ~stream_i;\nassign ring_write_i = write_i & stream_i;\n\
             assign ring_read_i = read_i & stream_i;\nassign level_o = ring_level_o;\nassign full_o = ring_full_o;\n\
             // read_i is registered, so the word on its way is not in the level yet.\n\
             assign ready_o = ~stream_i | (ring_level_o > {{{zeros}'d0, read_i}});\n\
             wire [{top}:0] write_address = stream_i ? ring_write_address_o[{top}:0] : write_address_i;\n\
             wire [{top}:0] read_address = stream_i ? ring_read_address_o[{top}:0] : read_address_i;\n",
            zeros = POINTER_BITS - 1,
        );
        if let Some(seeder) = self.seeder.first_mut() {
            seeder.clk_i.connect();
            text.push_str(&seeder.load_i.drive("seeder_0_load_i", "seed_load_i"));
            text.push_str(&seeder.key_i.drive("seeder_0_key_i", "seed_key_i"));
            text.push_str(&seeder.shift_i.drive("seeder_0_shift_i", "seed_shift_i"));
        }
        text
    }

    fn wire_record(&mut self, hw: &Elaborated) -> String {
        let top = 8 * hw.cols - 1;
        wire_record(
            self.record.first_mut(),
            [&format!("index_{}", hw.weight_latency), &format!("read[{top}:0]"), &format!("flipped[{top}:0]")],
            8 * hw.cols,
        )
    }

    fn wire_lanes(&mut self, hw: &Elaborated) -> String {
        let first_word = if self.seeder.is_empty() { "32'd0" } else { "seeder_0_word_o" };
        let lane_bits = 8 * hw.lane_weights;
        let mut text = format!(
            "wire [{wide}:0] written = {};\nwire [{live}:0] alive = {};\n",
            padded("write_data_i", 8 * hw.cols, lane_bits * hw.lanes),
            padded("live_2", hw.cols, hw.lane_weights * hw.lanes),
            wide = lane_bits * hw.lanes - 1,
            live = hw.lane_weights * hw.lanes - 1,
        );
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            lane.clk_i.connect();
            let slice = |bits: u32| format!("[{}:{}]", bits * (l as u32 + 1) - 1, bits * l as u32);
            let seed = if l == 0 { first_word.to_owned() } else { format!("lanes_{}_seed_word_o", l - 1) };
            for (port, name, from) in [
                (&mut lane.write_i, "write_i", "write_i".to_owned()),
                (&mut lane.write_address_i, "write_address_i", "write_address".to_owned()),
                (&mut lane.write_weights_i, "write_weights_i", format!("written{}", slice(lane_bits))),
                (&mut lane.read_i, "read_i", "read_i".to_owned()),
                (&mut lane.read_address_i, "read_address_i", "read_address".to_owned()),
                (&mut lane.valid_i, "valid_i", "|row_2".to_owned()),
                (&mut lane.live_i, "live_i", format!("alive{}", slice(hw.lane_weights))),
                (&mut lane.enable_i, "enable_i", "enable_i".to_owned()),
                (&mut lane.noise_i, "noise_i", "noise_i".to_owned()),
                (&mut lane.seed_i, "seed_i", "seed_shift_i".to_owned()),
                (&mut lane.seed_word_i, "seed_word_i", seed),
            ] {
                text.push_str(&port.drive(&format!("lanes_{l}_{name}"), &from));
            }
        }
        let join = |port: &str| (0..hw.lanes).rev().map(|l| format!("lanes_{l}_{port}")).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(
            "wire [{wide}:0] read = {{{}}};\nwire [{wide}:0] flipped = {{{}}};\n",
            join("weights_o"),
            join("flips_o"),
            wide = lane_bits * hw.lanes - 1,
        ));
        text
    }
}

/// The row, live columns and index of a read, delayed beside it.
fn beside(hw: &Elaborated) -> String {
    let latency = hw.weight_latency;
    let (rows, cols, bits) = (hw.rows - 1, hw.cols - 1, 8 * hw.cols - 1);
    let mut text = String::new();
    for stage in 1..=latency {
        text.push_str(&format!("reg [{rows}:0] row_{stage};\nreg [31:0] index_{stage};\n"));
    }
    text.push_str(&format!("reg [{cols}:0] live_1;\nreg [{cols}:0] live_2;\n"));
    text.push_str(&format!(
        "assign weights_o = read[{bits}:0];\nassign load_o = row_{latency};\n\
         always @(posedge clk_i) begin\n  row_1 <= read_i ? row_i : {rows_w}'d0;\n  live_1 <= live_i;\n  live_2 <= live_1;\n  index_1 <= index_i;\n",
        rows_w = hw.rows,
    ));
    for stage in 2..=latency {
        text.push_str(&format!("  row_{stage} <= row_{p};\n  index_{stage} <= index_{p};\n", p = stage - 1));
    }
    text + "end\n"
}

/// Extends `net` of `bits` bits with zeros to `wanted` bits.
fn padded(net: &str, bits: u32, wanted: u32) -> String {
    if wanted == bits { net.to_owned() } else { format!("{{{}'d0, {net}}}", wanted - bits) }
}

impl Logic for WeightMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("weight_memory", "Weight memory with its read port and the record of flips.", self._text.clone())
    }
}
