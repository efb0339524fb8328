//! The noisy read port of the feature maps: the word that the feeder reads passes through the lanes of the injector.
//!
//! Latency 2. Padding is not read: the feeder does not call it valid.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use rust_hdl::core::prelude::*;

use super::flip_record::{COUNT_BITS, COUNTS, FlipRecord, wire_record};
use crate::emit::custom;
use crate::inject::lane::InjectorLane;
use crate::inject::noise_bus::NoiseBus;
use crate::inject::seeder::Seeder;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct MapPort {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    /// A descriptor begins: words are counted from 0.
    pub clear_i: Wire<In>,
    /// High while a word read leaves the memory.
    pub valid_i: Wire<In>,
    pub rows_i: Wire<In>,
    pub pixel_i: Wire<In>,
    pub pixel_o: Wire<Out>,
    pub enable_i: Wire<In>,
    pub noise_i: Wire<In>,
    pub seed_load_i: Wire<In>,
    pub seed_key_i: Wire<In>,
    pub seed_shift_i: Wire<In>,
    pub flip_clear_i: Wire<In>,
    pub flip_valid_o: Wire<Out>,
    pub flip_index_o: Wire<Out>,
    pub flip_before_o: Wire<Out>,
    pub flip_mask_o: Wire<Out>,
    pub flip_count_o: Wire<Out>,
    pub flip_counts_o: Wire<Out>,
    seeder: Seeder,
    lanes: Vec<InjectorLane>,
    record: Vec<FlipRecord>,
    _text: String,
}

impl MapPort {
    /// Returns the port of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let port = hw.port(Site::Activations);
        let bits = 8 * hw.rows;
        let mut block = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            clear_i: Wire::new(1),
            valid_i: Wire::new(1),
            rows_i: Wire::new(hw.rows),
            pixel_i: Wire::new(bits),
            pixel_o: Wire::new(bits),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(port.cells).width()),
            seed_load_i: Wire::new(1),
            seed_key_i: Wire::new(128),
            seed_shift_i: Wire::new(1),
            flip_clear_i: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_index_o: Wire::new(32),
            flip_before_o: Wire::new(bits),
            flip_mask_o: Wire::new(bits),
            flip_count_o: Wire::new(8),
            flip_counts_o: Wire::new(COUNTS * COUNT_BITS),
            seeder: Seeder::default(),
            lanes: (0..port.lanes).map(|_| InjectorLane::new(port)).collect(),
            record: vec![FlipRecord::new(bits)],
            _text: String::new(),
        };
        block._text = block.wire(hw);
        block
    }

    fn wire(&mut self, hw: &Elaborated) -> String {
        let port = hw.port(Site::Activations);
        let (bits, wide) = (8 * hw.rows, port.cells * port.lanes);
        let padded = |net: &str, bits: u32, wanted: u32| match wanted - bits {
            0 => net.to_owned(),
            spare => format!("{{{spare}'d0, {net}}}"),
        };
        let lane_bytes = port.lane_bytes * port.lanes;
        let join =
            |name: &str| (0..port.lanes).rev().map(|l| format!("lanes_{l}_{name}")).collect::<Vec<_>>().join(", ");
        let mut text = format!(
            "wire [{w}:0] stored = {};\nwire [{r}:0] rows = {};\nwire [{w}:0] read = {{{}}};\nwire [{w}:0] flipped = {{{}}};\n\
             assign pixel_o = read[{top}:0];\n\
             reg [31:0] index;\nreg [31:0] index_1;\nreg [31:0] index_2;\n\
             always @(posedge clk_i) begin\n  index_1 <= index;\n  index_2 <= index_1;\n  if (clear_i | rst_i) index <= 32'd0;\n  else if (valid_i) index <= index + 32'd1;\nend\n",
            padded("pixel_i", bits, wide),
            padded("rows_i", hw.rows, lane_bytes),
            join("code_o"),
            join("flips_o"),
            w = wide - 1,
            r = lane_bytes - 1,
            top = bits - 1,
        );
        self.seeder.clk_i.connect();
        for (port, name, from) in [
            (&mut self.seeder.load_i, "load_i", "seed_load_i"),
            (&mut self.seeder.key_i, "key_i", "seed_key_i"),
            (&mut self.seeder.shift_i, "shift_i", "seed_shift_i"),
        ] {
            text.push_str(&port.drive(&format!("seeder_{name}"), from));
        }
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            lane.clk_i.connect();
            let slice = |bits: u32| format!("[{}:{}]", bits * (l as u32 + 1) - 1, bits * l as u32);
            let seed = if l == 0 { "seeder_word_o".to_owned() } else { format!("lanes_{}_seed_word_o", l - 1) };
            for (wire, name, from) in [
                (&mut lane.enable_i, "enable_i", "enable_i".to_owned()),
                (&mut lane.noise_i, "noise_i", "noise_i".to_owned()),
                (&mut lane.seed_i, "seed_i", "seed_shift_i".to_owned()),
                (&mut lane.seed_word_i, "seed_word_i", seed),
                (&mut lane.valid_i, "valid_i", "valid_i".to_owned()),
                (&mut lane.live_i, "live_i", format!("rows{}", slice(port.lane_bytes))),
                (&mut lane.code_i, "code_i", format!("stored{}", slice(port.cells))),
            ] {
                text.push_str(&wire.drive(&format!("lanes_{l}_{name}"), &from));
            }
        }
        let top = bits - 1;
        let sources = ["index_2", &format!("read[{top}:0]"), &format!("flipped[{top}:0]")];
        text + &wire_record(self.record.first_mut(), sources, bits)
    }
}

impl Logic for MapPort {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("map_port", "Noisy read port of the feature maps.", self._text.clone())
    }
}
