//! The accelerator: host port, layer program, weight memory with injector, feature maps, array and write-back.

use hafnia_config::Elaborated;
use hafnia_config::fault::Kind;
use hafnia_config::program::DESCRIPTOR_WORDS;
use hafnia_config::regs::{ADDRESS_BITS, LayerCounters};
use rust_hdl::core::prelude::*;

use crate::core::array::Array;
use crate::core::control::{Control, FIRST};
use crate::core::counters::Counters;
use crate::core::feeder::Feeder;
use crate::core::sequencer::Sequencer;
use crate::core::write_back::WriteBack;
use crate::emit::custom;
use crate::host::register_bank::{OFFSET_BITS, RegisterBank};
use crate::host::wishbone::Wishbone;
use crate::mem::bias::BiasMemory;
use crate::mem::block_ram::BlockRam;
use crate::mem::flip_record::{COUNT_BITS, COUNTS};
use crate::mem::map::MapMemory;
use crate::mem::map_port::MapPort;
use crate::mem::weight::WeightMemory;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Top {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub wb_cyc_i: Wire<In>,
    pub wb_stb_i: Wire<In>,
    pub wb_we_i: Wire<In>,
    pub wb_adr_i: Wire<In>,
    pub wb_dat_i: Wire<In>,
    pub wb_sel_i: Wire<In>,
    pub wb_dat_o: Wire<Out>,
    pub wb_ack_o: Wire<Out>,
    pub wb_err_o: Wire<Out>,
    pub wb_stall_o: Wire<Out>,
    pub ws_valid_i: Wire<In>,
    pub ws_data_i: Wire<In>,
    pub ws_ready_o: Wire<Out>,
    pub busy_o: Wire<Out>,
    pub flip_valid_o: Wire<Out>,
    pub flip_layer_o: Wire<Out>,
    pub flip_group_o: Wire<Out>,
    pub flip_address_o: Wire<Out>,
    pub flip_before_o: Wire<Out>,
    pub flip_mask_o: Wire<Out>,
    pub bias_flip_valid_o: Wire<Out>,
    pub bias_flip_address_o: Wire<Out>,
    pub bias_flip_before_o: Wire<Out>,
    pub bias_flip_mask_o: Wire<Out>,
    pub map_flip_valid_o: Wire<Out>,
    pub map_flip_address_o: Wire<Out>,
    pub map_flip_before_o: Wire<Out>,
    pub map_flip_mask_o: Wire<Out>,
    host: Wishbone,
    registers: RegisterBank,
    program_store: BlockRam,
    counter_store: BlockRam,
    counters: Counters,
    sequencer: Sequencer,
    weights: WeightMemory,
    biases: BiasMemory,
    map_a: MapMemory,
    map_b: MapMemory,
    map_port: Vec<MapPort>,
    feeder: Feeder,
    array: Array,
    write_back: WriteBack,
    _text: String,
}

/// Words that may be under way to the ring when the bus is stalled.
const RING_MARGIN: u32 = 4;

impl Top {
    /// Returns the accelerator of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let memory = &hw.config.memory;
        let noisy_maps = hw.config.injector.activations.has(Kind::Read);
        let mut top = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            wb_cyc_i: Wire::new(1),
            wb_stb_i: Wire::new(1),
            wb_we_i: Wire::new(1),
            wb_adr_i: Wire::new(ADDRESS_BITS),
            wb_dat_i: Wire::new(32),
            wb_sel_i: Wire::new(4),
            wb_dat_o: Wire::new(32),
            wb_ack_o: Wire::new(1),
            wb_err_o: Wire::new(1),
            wb_stall_o: Wire::new(1),
            ws_valid_i: Wire::new(1),
            ws_data_i: Wire::new(8 * hw.cols),
            ws_ready_o: Wire::new(1),
            busy_o: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_layer_o: Wire::new(8),
            flip_group_o: Wire::new(16),
            flip_address_o: Wire::new(32),
            flip_before_o: Wire::new(8 * hw.cols),
            flip_mask_o: Wire::new(8 * hw.cols),
            bias_flip_valid_o: Wire::new(1),
            bias_flip_address_o: Wire::new(32),
            bias_flip_before_o: Wire::new(32),
            bias_flip_mask_o: Wire::new(32),
            map_flip_valid_o: Wire::new(1),
            map_flip_address_o: Wire::new(32),
            map_flip_before_o: Wire::new(8 * hw.rows),
            map_flip_mask_o: Wire::new(8 * hw.rows),
            host: Wishbone::new(hw),
            registers: RegisterBank::new(hw),
            program_store: BlockRam::new(32, memory.program_descriptors * DESCRIPTOR_WORDS),
            counter_store: BlockRam::new(32, memory.program_descriptors * LayerCounters::STRIDE),
            counters: Counters::default(),
            sequencer: Sequencer::new(hw),
            weights: WeightMemory::new(hw),
            biases: BiasMemory::new(hw),
            map_a: MapMemory::new(hw),
            map_b: MapMemory::new(hw),
            map_port: noisy_maps.then(|| MapPort::new(hw)).into_iter().collect(),
            feeder: Feeder::new(hw),
            array: Array::new(hw),
            write_back: WriteBack::new(hw),
            _text: String::new(),
        };
        top._text = top.wire_host()
            + &top.wire_control(hw)
            + &top.wire_weights(hw)
            + &top.wire_biases(hw)
            + &top.wire_maps(hw)
            + &top.wire_map_port(hw)
            + &top.wire_array();
        top
    }

    fn wire_host(&mut self) -> String {
        let host = &mut self.host;
        host.clk_i.connect();
        host.rst_i.connect();
        let mut text = String::from(
            "assign wb_dat_o = host_dat_o;\nassign wb_ack_o = host_ack_o;\nassign wb_err_o = host_err_o;\n\
             assign wb_stall_o = host_stall_o;\nassign busy_o = busy;\n\
             // The trigger is registered, so the program counts as running from the write on.\n\
             wire busy = sequencer_busy_o | registers_start_o;\n",
        );
        for (port, name, from) in [
            (&mut host.cyc_i, "cyc_i", "wb_cyc_i"),
            (&mut host.stb_i, "stb_i", "wb_stb_i"),
            (&mut host.we_i, "we_i", "wb_we_i"),
            (&mut host.adr_i, "adr_i", "wb_adr_i"),
            (&mut host.dat_i, "dat_i", "wb_dat_i"),
            (&mut host.sel_i, "sel_i", "wb_sel_i"),
            (&mut host.busy_i, "busy_i", "busy"),
            (&mut host.stream_i, "stream_i", "registers_weight_stream_o"),
            (&mut host.nearly_full_i, "nearly_full_i", "nearly_full"),
            (&mut host.known_i, "known_i", "registers_known_o"),
            (&mut host.register_data_i, "register_data_i", "registers_data_o"),
            (&mut host.map_a_i, "map_a_i", "map_a_read_data_o"),
            (&mut host.map_b_i, "map_b_i", "map_b_read_data_o"),
            (&mut host.accumulators_i, "accumulators_i", "array_accumulators_o"),
            (&mut host.counters_i, "counters_i", "counter_store_read_data_o"),
        ] {
            text.push_str(&port.drive(&format!("host_{name}"), from));
        }
        let registers = &mut self.registers;
        registers.clk_i.connect();
        registers.rst_i.connect();
        for (port, name, from) in [
            (&mut registers.write_i, "write_i", "host_register_write_o".to_owned()),
            // A register beyond the bank's offsets is unknown, whatever its lower bits say.
            (&mut registers.offset_i, "offset_i", {
                let high = format!("host_offset_o[19:{OFFSET_BITS}]");
                format!("(|{high}) ? {OFFSET_BITS}'hff : host_offset_o[{}:0]", OFFSET_BITS - 1)
            }),
            (&mut registers.data_i, "data_i", "host_data_o".to_owned()),
            (&mut registers.status_i, "status_i", "busy".to_owned()),
            (&mut registers.weight_level_i, "weight_level_i", "weights_level_o".to_owned()),
            (&mut registers.flips_weights_i, "flips_weights_i", "weights_flip_counts_o".to_owned()),
            (&mut registers.flips_biases_i, "flips_biases_i", "biases_flip_counts_o".to_owned()),
            (&mut registers.flips_activations_i, "flips_activations_i", "map_flip_counts".to_owned()),
            (&mut registers.descriptor_end_i, "descriptor_end_i", {
                let last = LayerCounters::STRIDE - 1;
                format!("sequencer_store_o & (sequencer_count_select_o == 4'd{last})")
            }),
        ] {
            text.push_str(&port.drive(&format!("registers_{name}"), &from));
        }
        text
    }

    fn wire_control(&mut self, hw: &Elaborated) -> String {
        let memory = &hw.config.memory;
        let program_top = address_top(memory.program_descriptors * DESCRIPTOR_WORDS);
        let store_top = address_top(memory.program_descriptors * LayerCounters::STRIDE);
        let mut text = String::new();
        for clock in [
            &mut self.program_store.clk_i,
            &mut self.counter_store.clk_i,
            &mut self.counters.clk_i,
            &mut self.sequencer.clk_i,
        ] {
            clock.connect();
        }
        self.sequencer.rst_i.connect();
        for (port, name, from) in [
            (&mut self.program_store.write_i, "program_store_write_i", "host_program_write_o".to_owned()),
            (
                &mut self.program_store.write_address_i,
                "program_store_write_address_i",
                format!("host_offset_o[{program_top}:0]"),
            ),
            (&mut self.program_store.write_data_i, "program_store_write_data_i", "host_data_o".to_owned()),
            (&mut self.program_store.read_i, "program_store_read_i", "sequencer_program_read_o".to_owned()),
            (
                &mut self.program_store.read_address_i,
                "program_store_read_address_i",
                format!("sequencer_program_address_o[{program_top}:0]"),
            ),
            (&mut self.counter_store.write_i, "counter_store_write_i", "sequencer_store_o".to_owned()),
            (
                &mut self.counter_store.write_address_i,
                "counter_store_write_address_i",
                format!("{{sequencer_store_index_o[{}:0], sequencer_count_select_o}}", store_top - 4),
            ),
            (&mut self.counter_store.write_data_i, "counter_store_write_data_i", "counters_value_o".to_owned()),
            (&mut self.counter_store.read_i, "counter_store_read_i", "host_counters_read_o".to_owned()),
            (
                &mut self.counter_store.read_address_i,
                "counter_store_read_address_i",
                format!("host_offset_o[{store_top}:0]"),
            ),
            (&mut self.counters.clear_i, "counters_clear_i", "sequencer_count_clear_o".to_owned()),
            (&mut self.counters.run_i, "counters_run_i", "sequencer_count_run_o".to_owned()),
            (&mut self.counters.pixel_i, "counters_pixel_i", "sequencer_pixel_valid_o".to_owned()),
            (&mut self.counters.pixel_rows_i, "counters_pixel_rows_i", "sequencer_pixel_row_count_o".to_owned()),
            (&mut self.counters.pixel_cols_i, "counters_pixel_cols_i", "sequencer_pixel_col_count_o".to_owned()),
            (&mut self.counters.stall_i, "counters_stall_i", "sequencer_count_stall_o".to_owned()),
            (&mut self.counters.word_i, "counters_word_i", "sequencer_weight_read_o".to_owned()),
            (&mut self.counters.word_cols_i, "counters_word_cols_i", "sequencer_weight_cols_o".to_owned()),
            (&mut self.counters.padding_i, "counters_padding_i", "sequencer_pixel_padding_o".to_owned()),
            (&mut self.counters.fold_i, "counters_fold_i", "fold_start".to_owned()),
            (&mut self.counters.weight_flips_i, "counters_weight_flips_i", "weights_flip_count_o".to_owned()),
            (&mut self.counters.bias_flips_i, "counters_bias_flips_i", "biases_flip_count_o".to_owned()),
            (&mut self.counters.map_flips_i, "counters_map_flips_i", "map_flip_count".to_owned()),
            (&mut self.counters.select_i, "counters_select_i", "sequencer_count_select_o".to_owned()),
            (&mut self.sequencer.start_i, "sequencer_start_i", "registers_start_o".to_owned()),
            (&mut self.sequencer.first_i, "sequencer_first_i", "registers_program_first_o".to_owned()),
            (&mut self.sequencer.count_i, "sequencer_count_i", "registers_program_count_o".to_owned()),
            (&mut self.sequencer.inject_i, "sequencer_inject_i", "registers_inject_enable_o".to_owned()),
            (&mut self.sequencer.program_data_i, "sequencer_program_data_i", "program_store_read_data_o".to_owned()),
            (&mut self.sequencer.weight_ready_i, "sequencer_weight_ready_i", "weights_ready_o".to_owned()),
        ] {
            text.push_str(&port.drive(name, &from));
        }
        text
    }

    fn wire_weights(&mut self, hw: &Elaborated) -> String {
        let weights = &mut self.weights;
        weights.clk_i.connect();
        weights.rst_i.connect();
        let mut text = format!(
            "// From layer 32 on all are at risk.\n\
             wire at_risk = (sequencer_layer_o > 8'd31) | registers_inject_layers_o[sequencer_layer_o[4:0]];\n\
             wire inject = registers_inject_enable_o & at_risk;\n\
             wire nearly_full = weights_level_o > 20'd{};\n\
             wire stream_write = ws_valid_i & ws_ready_o;\n\
             assign ws_ready_o = registers_weight_stream_o & ~nearly_full & ~host_weight_write_o;\n\
             assign flip_valid_o = weights_flip_valid_o;\nassign flip_layer_o = sequencer_layer_o;\n\
             assign flip_group_o = sequencer_group_o;\nassign flip_address_o = weights_flip_index_o;\n\
             assign flip_before_o = weights_flip_before_o;\nassign flip_mask_o = weights_flip_mask_o;\n",
            hw.config.memory.weight_words - RING_MARGIN
        );
        for (port, name, from) in [
            (&mut weights.stream_i, "stream_i", "registers_weight_stream_o"),
            (&mut weights.clear_i, "clear_i", "registers_weight_clear_o"),
            (&mut weights.write_i, "write_i", "host_weight_write_o | stream_write"),
            (&mut weights.write_address_i, "write_address_i", "host_weight_address_o"),
            (&mut weights.write_data_i, "write_data_i", "host_weight_write_o ? host_weight_data_o : ws_data_i"),
            (&mut weights.read_i, "read_i", "sequencer_weight_read_o"),
            (&mut weights.read_address_i, "read_address_i", "sequencer_weight_address_o"),
            (&mut weights.row_i, "row_i", "sequencer_weight_row_o"),
            (&mut weights.live_i, "live_i", "sequencer_weight_live_o"),
            (&mut weights.index_i, "index_i", "sequencer_weight_index_o"),
            (&mut weights.enable_i, "enable_i", "inject & (|registers_noise_weights_o[7:0])"),
            (&mut weights.noise_i, "noise_i", "registers_noise_weights_o"),
            (&mut weights.seed_load_i, "seed_load_i", "sequencer_seed_load_o"),
            (&mut weights.seed_key_i, "seed_key_i", "sequencer_weight_key_o"),
            (&mut weights.seed_shift_i, "seed_shift_i", "sequencer_weight_shift_o"),
            (&mut weights.flip_clear_i, "flip_clear_i", "registers_flips_clear_o"),
        ] {
            text.push_str(&port.drive(&format!("weights_{name}"), from));
        }
        text
    }

    fn wire_biases(&mut self, hw: &Elaborated) -> String {
        let biases = &mut self.biases;
        biases.clk_i.connect();
        biases.rst_i.connect();
        let column_bits = hw.column_stride.trailing_zeros();
        let mut text = format!(
            "// The first pixel of an output fold's first pass.\n\
             wire fold_start = sequencer_pixel_valid_o & sequencer_pixel_switch_o & sequencer_pixel_control_o[{FIRST}];\n\
             assign bias_flip_valid_o = biases_flip_valid_o;\nassign bias_flip_address_o = biases_flip_index_o;\n\
             assign bias_flip_before_o = biases_flip_before_o;\nassign bias_flip_mask_o = biases_flip_mask_o;\n"
        );
        let fold_top = hw.parameter_address_bits - 1;
        for (port, name, from) in [
            (&mut biases.write_i, "write_i", "|host_bias_write_o".to_owned()),
            (
                &mut biases.write_address_i,
                "write_address_i",
                format!("{{host_column_address_o[{fold_top}:0], host_offset_o[{column_bits}:1]}}"),
            ),
            (&mut biases.write_data_i, "write_data_i", "host_data_o".to_owned()),
            (&mut biases.clear_i, "clear_i", "sequencer_write_start_o".to_owned()),
            (&mut biases.start_i, "start_i", "fold_start".to_owned()),
            (&mut biases.fold_i, "fold_i", format!("sequencer_pixel_control_o{}", Control::new(hw).parameter())),
            (&mut biases.cols_i, "cols_i", "sequencer_pixel_col_count_o".to_owned()),
            (&mut biases.enable_i, "enable_i", "inject & (|registers_noise_biases_o[7:0])".to_owned()),
            (&mut biases.noise_i, "noise_i", "registers_noise_biases_o".to_owned()),
            (&mut biases.seed_load_i, "seed_load_i", "sequencer_seed_load_o".to_owned()),
            (&mut biases.seed_key_i, "seed_key_i", "sequencer_bias_key_o".to_owned()),
            (&mut biases.seed_shift_i, "seed_shift_i", "sequencer_bias_shift_o".to_owned()),
            (&mut biases.flip_clear_i, "flip_clear_i", "registers_flips_clear_o".to_owned()),
        ] {
            text.push_str(&port.drive(&format!("biases_{name}"), &from));
        }
        text
    }

    /// Where the feature maps' injector is left out their word goes straight to the feeder.
    fn wire_map_port(&mut self, hw: &Elaborated) -> String {
        let bits = 8 * hw.rows;
        let mut text =
            format!("wire [{}:0] map_word = sequencer_source_o ? map_b_read_data_o : map_a_read_data_o;\n", bits - 1);
        let counts = COUNTS * COUNT_BITS;
        let outputs = [
            ("assign map_flip_valid_o", "flip_valid_o", 1),
            ("assign map_flip_address_o", "flip_index_o", 32),
            ("assign map_flip_before_o", "flip_before_o", bits),
            ("assign map_flip_mask_o", "flip_mask_o", bits),
            ("wire [7:0] map_flip_count", "flip_count_o", 8),
            (&format!("wire [{}:0] map_flip_counts", counts - 1), "flip_counts_o", counts),
        ];
        let Some(port) = self.map_port.first_mut() else {
            text.push_str(&format!("wire [{}:0] map_read = map_word;\n", bits - 1));
            return text + &outputs.map(|(net, _, bits)| format!("{net} = {bits}'d0;\n")).concat();
        };
        port.clk_i.connect();
        port.rst_i.connect();
        text.push_str(&format!("wire [{}:0] map_read = map_port_0_pixel_o;\n", bits - 1));
        text.push_str(&outputs.map(|(net, name, _)| format!("{net} = map_port_0_{name};\n")).concat());
        for (port, name, from) in [
            (&mut port.clear_i, "clear_i", "sequencer_write_start_o"),
            (&mut port.valid_i, "valid_i", "feeder_word_o"),
            (&mut port.rows_i, "rows_i", "feeder_word_rows_o"),
            (&mut port.pixel_i, "pixel_i", "map_word"),
            (&mut port.enable_i, "enable_i", "inject & (|registers_noise_activations_o[7:0])"),
            (&mut port.noise_i, "noise_i", "registers_noise_activations_o"),
            (&mut port.seed_load_i, "seed_load_i", "sequencer_seed_load_o"),
            (&mut port.seed_key_i, "seed_key_i", "sequencer_map_key_o"),
            (&mut port.seed_shift_i, "seed_shift_i", "sequencer_map_shift_o"),
            (&mut port.flip_clear_i, "flip_clear_i", "registers_flips_clear_o"),
        ] {
            text.push_str(&port.drive(&format!("map_port_0_{name}"), from));
        }
        text
    }

    fn wire_maps(&mut self, hw: &Elaborated) -> String {
        let mut text = String::new();
        let words = 8 * hw.rows / 32;
        let rest = 8 * hw.rows % 32;
        let mut copies = vec!["host_data_o".to_owned(); words as usize];
        if rest > 0 {
            copies.insert(0, format!("host_data_o[{}:0]", rest - 1));
        }
        let copies = copies.join(", ");
        // Map A is read when the descriptor's source is 0, and written when it is 1.
        for (map, name, reads) in
            [(&mut self.map_a, "map_a", "~sequencer_source_o"), (&mut self.map_b, "map_b", "sequencer_source_o")]
        {
            map.clk_i.connect();
            for (port, field, from) in [
                (
                    &mut map.write_lanes_i,
                    "write_lanes_i",
                    format!(
                        "host_{name}_write_o ? host_map_lanes_o : write_back_lanes_o & {{{}{{sequencer_busy_o & ~({reads})}}}}",
                        hw.rows
                    ),
                ),
                (
                    &mut map.write_address_i,
                    "write_address_i",
                    format!("host_{name}_write_o ? host_map_address_o : write_back_address_o"),
                ),
                (
                    &mut map.write_data_i,
                    "write_data_i",
                    format!("host_{name}_write_o ? {{{copies}}} : write_back_data_o"),
                ),
                (&mut map.read_i, "read_i", format!("host_map_read_o | (feeder_read_o & {reads})")),
                (
                    &mut map.read_address_i,
                    "read_address_i",
                    "host_map_read_o ? host_map_address_o : feeder_address_o".to_owned(),
                ),
            ] {
                text.push_str(&port.drive(&format!("{name}_{field}"), &from));
            }
        }
        text
    }

    fn wire_array(&mut self) -> String {
        let mut text = String::new();
        let (feeder, array, write_back) = (&mut self.feeder, &mut self.array, &mut self.write_back);
        feeder.clk_i.connect();
        array.clk_i.connect();
        write_back.clk_i.connect();
        for (port, name, from) in [
            (&mut feeder.valid_i, "feeder_valid_i", "sequencer_pixel_valid_o"),
            (&mut feeder.switch_i, "feeder_switch_i", "sequencer_pixel_switch_o"),
            (&mut feeder.padding_i, "feeder_padding_i", "sequencer_pixel_padding_o"),
            (&mut feeder.address_i, "feeder_address_i", "sequencer_pixel_address_o"),
            (&mut feeder.rows_i, "feeder_rows_i", "sequencer_pixel_rows_o"),
            (&mut feeder.control_i, "feeder_control_i", "sequencer_pixel_control_o"),
            (&mut feeder.pixel_i, "feeder_pixel_i", "map_read"),
            (&mut array.x_i, "array_x_i", "feeder_x_o"),
            (&mut array.switch_i, "array_switch_i", "feeder_switch_o"),
            (&mut array.control_i, "array_control_i", "feeder_control_o"),
            (&mut array.weights_i, "array_weights_i", "weights_weights_o"),
            (&mut array.load_i, "array_load_i", "weights_load_o"),
            (&mut array.host_read_i, "array_host_read_i", "host_accumulator_read_o"),
            (&mut array.host_address_i, "array_host_address_i", "host_column_address_o"),
            (&mut array.host_data_i, "array_host_data_i", "host_data_o"),
            (&mut array.bias_i, "array_bias_i", "biases_bias_o"),
            (&mut array.bias_load_i, "array_bias_load_i", "biases_load_o"),
            (&mut array.host_write_scale_i, "array_host_write_scale_i", "host_scale_write_o"),
            (&mut write_back.start_i, "write_back_start_i", "sequencer_write_start_o"),
            (&mut write_back.base_i, "write_back_base_i", "sequencer_write_base_o"),
            (&mut write_back.image_words_i, "write_back_image_words_i", "sequencer_write_image_o"),
            (&mut write_back.plane_words_i, "write_back_plane_words_i", "sequencer_write_plane_o"),
            (&mut write_back.images_i, "write_back_images_i", "sequencer_images_o"),
            (&mut write_back.folds_i, "write_back_folds_i", "sequencer_folds_o"),
            (&mut write_back.cols_last_i, "write_back_cols_last_i", "sequencer_cols_last_o"),
            (&mut write_back.valid_i, "write_back_valid_i", "array_valid_o"),
            (&mut write_back.values_i, "write_back_values_i", "array_values_o"),
        ] {
            text.push_str(&port.drive(name, from));
        }
        text
    }
}

/// Highest address bit of a memory of `depth` words.
fn address_top(depth: u32) -> u32 {
    31 - (depth - 1).leading_zeros()
}

impl Logic for Top {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("top", "The accelerator.", self._text.clone())
    }
}
