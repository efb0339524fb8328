//! One lane of the weight memory: memory, injector, codec slot, in that order. One codeword per word.
//!
//! Latency from `read_i` to `weights_o`: block RAM 2, injector 2 (0 when every site leaves it out), codec 0 for `none`.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Kind, Site};
use hafnia_config::protect::Code;
use rust_hdl::core::prelude::*;

use super::block_ram::BlockRam;
use crate::emit::{custom, delayed};
use crate::inject::lane::InjectorLane;
use crate::inject::noise_bus::NoiseBus;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct WeightLane {
    pub clk_i: Wire<In>,
    pub write_i: Wire<In>,
    pub write_address_i: Wire<In>,
    pub write_weights_i: Wire<In>,
    pub read_i: Wire<In>,
    pub read_address_i: Wire<In>,
    /// High while the word read leaves the memory.
    pub valid_i: Wire<In>,
    pub live_i: Wire<In>,
    pub enable_i: Wire<In>,
    pub noise_i: Wire<In>,
    pub seed_i: Wire<In>,
    pub seed_word_i: Wire<In>,
    pub seed_word_o: Wire<Out>,
    pub weights_o: Wire<Out>,
    pub flips_o: Wire<Out>,
    memory: BlockRam,
    injector: Vec<InjectorLane>,
    _text: String,
    _lane_weights: u32,
    _latency: u32,
}

impl WeightLane {
    /// Returns the lane of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let Code::None = hw.config.protection.code else { unreachable!("validate() knows every code") };
        let mut memory = BlockRam::new(hw.codeword_bits, hw.config.memory.weight_words);
        memory.clk_i.connect();
        let mut text = memory.write_i.drive("memory_write_i", "write_i");
        text.push_str(&memory.write_address_i.drive("memory_write_address_i", "write_address_i"));
        text.push_str(&memory.write_data_i.drive("memory_write_data_i", "write_weights_i"));
        text.push_str(&memory.read_i.drive("memory_read_i", "read_i"));
        text.push_str(&memory.read_address_i.drive("memory_read_address_i", "read_address_i"));
        let injects = hw.config.injector.weights.has(Kind::Read);
        let injector = injects.then(|| InjectorLane::new(hw.port(Site::Weights))).into_iter().collect();
        let mut lane = Self {
            clk_i: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(hw.weight_address_bits),
            write_weights_i: Wire::new(8 * hw.lane_weights),
            read_i: Wire::new(1),
            read_address_i: Wire::new(hw.weight_address_bits),
            valid_i: Wire::new(1),
            live_i: Wire::new(hw.lane_weights),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(hw.codeword_bits).width()),
            seed_i: Wire::new(1),
            seed_word_i: Wire::new(32),
            seed_word_o: Wire::new(32),
            weights_o: Wire::new(8 * hw.lane_weights),
            flips_o: Wire::new(hw.codeword_bits),
            memory,
            injector,
            _text: text,
            _lane_weights: hw.lane_weights,
            _latency: hw.injector_latency,
        };
        lane.wire_injector();
        lane
    }

    fn wire_injector(&mut self) {
        let Some(injector) = self.injector.first_mut() else {
            let bits = 8 * self._lane_weights;
            self._text.push_str("assign seed_word_o = seed_word_i;\n");
            self._text.push_str(&format!("assign flips_o = {bits}'d0;\n"));
            self._text.push_str(&delayed("memory_read_data_o", "weights_o", bits, self._latency));
            return;
        };
        injector.clk_i.connect();
        for (port, name, from) in [
            (&mut injector.enable_i, "enable_i", "enable_i"),
            (&mut injector.noise_i, "noise_i", "noise_i"),
            (&mut injector.seed_i, "seed_i", "seed_i"),
            (&mut injector.seed_word_i, "seed_word_i", "seed_word_i"),
            (&mut injector.valid_i, "valid_i", "valid_i"),
            (&mut injector.live_i, "live_i", "live_i"),
            (&mut injector.code_i, "code_i", "memory_read_data_o"),
        ] {
            self._text.push_str(&port.drive(&format!("injector_0_{name}"), from));
        }
        self._text.push_str(
            "assign seed_word_o = injector_0_seed_word_o;\nassign flips_o = injector_0_flips_o;\n\
             // The codec slot: no code, the codeword is the data.\nassign weights_o = injector_0_code_o;\n",
        );
    }
}

impl Logic for WeightLane {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("weight_lane", "One lane of the weight memory: memory, injector, codec slot.", self._text.clone())
    }
}
