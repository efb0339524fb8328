//! The accelerator: host port, layer program, memories with their read ports and write errors, array and write-back.

mod ports;

use hafnia_config::Elaborated;
use hafnia_config::accel::Port;
use hafnia_config::fault::{Kind, Site};
use hafnia_config::program::DESCRIPTOR_WORDS;
use hafnia_config::protect::Codeword;
use hafnia_config::regs::{ADDRESS_BITS, LayerCounters};
use rust_hdl::core::prelude::*;

use crate::core::array::Array;
use crate::core::control::{Control, FIRST};
use crate::core::counters::Counters;
use crate::core::feeder::Feeder;
use crate::core::sequencer::Sequencer;
use crate::core::write_back::WriteBack;
use crate::emit::{custom, padded};
use crate::host::register_bank::{OFFSET_BITS, RegisterBank};
use crate::host::wishbone::Wishbone;
use crate::inject::directed::Directed;
use crate::inject::verify_faults::VerifyFaults;
use crate::inject::write_faults::WriteFaults;
use crate::mem::bias::BiasMemory;
use crate::mem::block_ram::BlockRam;
use crate::mem::map::MapMemory;
use crate::mem::read_port::ReadPort;
use crate::mem::weight::WeightMemory;
use crate::protect::decode_port::DecodePort;
use crate::protect::encoder::Encoder;
use crate::protect::programmer::Programmer;
use crate::protect::scrubber::Scrubber;
use crate::wire::Wire;
use ports::{Engine, Side, Write, Written, map_address};

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
    weight_port: Vec<ReadPort>,
    bias_port: Vec<ReadPort>,
    map_port: Vec<ReadPort>,
    directed: Vec<Directed>,
    weight_encoder: Vec<Encoder>,
    bias_encoder: Vec<Encoder>,
    weight_decoder: Vec<DecodePort>,
    bias_decoder: Vec<DecodePort>,
    weight_programmer: Vec<Programmer>,
    bias_programmer: Vec<Programmer>,
    scrubber: Vec<Scrubber>,
    weight_verify: Vec<VerifyFaults>,
    bias_verify: Vec<VerifyFaults>,
    weight_faults: Vec<WriteFaults>,
    bias_faults: Vec<WriteFaults>,
    map_faults: Vec<WriteFaults>,
    feeder: Feeder,
    array: Array,
    write_back: WriteBack,
    _text: String,
}

/// Words that may be under way to the ring when the bus is stalled and the stream waits: five on the bus, two of the stream.
const RING_MARGIN: u32 = 8;

impl Top {
    /// Returns the accelerator of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let memory = &hw.config.memory;
        let port = |site| ReadPort::new(hw, site).into_iter().collect();
        let encoder = |site| {
            let lanes = if hw.is_coded(site) { hw.port(site).lanes } else { 0 };
            (0..lanes).map(|_| Encoder::new(hw.codeword(site))).collect()
        };
        let decoder = |site| DecodePort::new(hw, site).into_iter().collect();
        // Without a code what lies beyond the word is not written.
        let written = |site: Site| match hw.is_coded(site) {
            true => (hw.codeword(site).clone(), hw.port(site).lanes),
            false => (Codeword::plain(1), hw.written_cells(site) / 8),
        };
        let write_faults = |site: Site, beside| {
            let (word, lanes) = written(site);
            let is = hw.config.injector.at(site).has(Kind::Write);
            // An engine holds what goes beside its words.
            let beside = if hw.verifies(site) { 1 } else { beside };
            is.then(|| WriteFaults::new(site, &word, lanes, beside)).into_iter().collect()
        };
        let verify_faults = |site: Site| {
            let (word, lanes) = written(site);
            VerifyFaults::new(hw, site, &word, lanes).into_iter().collect()
        };
        let programmer = |site: Site, address| {
            let is = hw.config.protection.write_verify;
            let scrub = hw.config.protection.scrub && site == Site::Weights;
            let (bits, tag) = (hw.written_cells(site), ports::PLACE_BITS + address);
            is.then(|| Programmer::new(bits, tag, scrub)).into_iter().collect()
        };
        let [flip_bits, bias_flip_bits] = Site::PROGRAMMED.map(|site| hw.written_cells(site));
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
            ws_data_i: Wire::new(hw.stream_bits()),
            ws_ready_o: Wire::new(1),
            busy_o: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_layer_o: Wire::new(8),
            flip_group_o: Wire::new(16),
            flip_address_o: Wire::new(32),
            flip_before_o: Wire::new(flip_bits),
            flip_mask_o: Wire::new(flip_bits),
            bias_flip_valid_o: Wire::new(1),
            bias_flip_address_o: Wire::new(32),
            bias_flip_before_o: Wire::new(bias_flip_bits),
            bias_flip_mask_o: Wire::new(bias_flip_bits),
            map_flip_valid_o: Wire::new(1),
            map_flip_address_o: Wire::new(32),
            map_flip_before_o: Wire::new(8 * hw.rows),
            map_flip_mask_o: Wire::new(8 * hw.rows),
            host: Wishbone::new(hw),
            registers: RegisterBank::new(hw),
            program_store: BlockRam::new(32, memory.program_descriptors * DESCRIPTOR_WORDS),
            counter_store: BlockRam::new(32, memory.program_descriptors * LayerCounters::STRIDE),
            counters: Counters::new(hw),
            sequencer: Sequencer::new(hw),
            weights: WeightMemory::new(hw),
            biases: BiasMemory::new(hw),
            map_a: MapMemory::new(hw),
            map_b: MapMemory::new(hw),
            weight_port: port(Site::Weights),
            bias_port: port(Site::Biases),
            map_port: port(Site::Activations),
            directed: hw.config.injector.has(Kind::Directed).then(Directed::default).into_iter().collect(),
            weight_encoder: encoder(Site::Weights),
            bias_encoder: encoder(Site::Biases),
            weight_decoder: decoder(Site::Weights),
            bias_decoder: decoder(Site::Biases),
            weight_programmer: programmer(Site::Weights, hw.weight_address_bits),
            bias_programmer: programmer(Site::Biases, hw.bias_address_bits),
            scrubber: hw.config.protection.scrub.then(|| Scrubber::new(hw)).into_iter().collect(),
            weight_verify: verify_faults(Site::Weights),
            bias_verify: verify_faults(Site::Biases),
            weight_faults: write_faults(Site::Weights, 1 + hw.weight_address_bits),
            bias_faults: write_faults(Site::Biases, 1 + hw.bias_address_bits),
            map_faults: write_faults(Site::Activations, hw.rows + 1 + hw.map_address_bits),
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
            + &top.wire_ports(hw)
            + &top.wire_directed()
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
             reg was_busy;\nalways @(posedge clk_i) was_busy <= ~rst_i & (sequencer_busy_o | registers_start_o);\n\
             wire busy = was_busy | registers_start_o;\n",
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
            (&mut host.programming_i, "programming_i", "programming"),
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
            (&mut registers.offset_i, "offset_i", format!("host_register_offset_o[{}:0]", OFFSET_BITS - 1)),
            (&mut registers.data_i, "data_i", "host_register_data_o".to_owned()),
            (&mut registers.status_i, "status_i", "busy".to_owned()),
            (&mut registers.weight_level_i, "weight_level_i", "weights_level_o".to_owned()),
            (&mut registers.flips_weights_i, "flips_weights_i", "weight_flip_counts".to_owned()),
            (&mut registers.flips_biases_i, "flips_biases_i", "bias_flip_counts".to_owned()),
            (&mut registers.flips_activations_i, "flips_activations_i", "map_flip_counts".to_owned()),
            (&mut registers.programmed_weights_i, "programmed_weights_i", "weight_programmed".to_owned()),
            (&mut registers.programmed_biases_i, "programmed_biases_i", "bias_programmed".to_owned()),
            (&mut registers.descriptor_end_i, "descriptor_end_i", {
                let last = LayerCounters::STRIDE - 1;
                format!("sequencer_store_o & (sequencer_count_select_o == 4'd{last})")
            }),
        ] {
            text.push_str(&port.drive(&format!("registers_{name}"), &from));
        }
        for scrubbed in &mut registers.scrubbed_i {
            text += &scrubbed.drive("registers_scrubbed_i_0", "scrubber_0_counts_o");
        }
        text
    }

    fn wire_control(&mut self, hw: &Elaborated) -> String {
        let memory = &hw.config.memory;
        let program_top = address_top(memory.program_descriptors * DESCRIPTOR_WORDS);
        let store_top = address_top(memory.program_descriptors * LayerCounters::STRIDE);
        let mut text = format!(
            "// A counter's value comes a cycle after it is selected.\nreg stores;\nreg [{store_top}:0] store_address;\n\
             always @(posedge clk_i) begin\n  stores <= sequencer_store_o;\n  \
             store_address <= {{sequencer_store_index_o[{}:0], sequencer_count_select_o}};\nend\n",
            store_top - 4
        );
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
            (&mut self.counter_store.write_i, "counter_store_write_i", "stores".to_owned()),
            (&mut self.counter_store.write_address_i, "counter_store_write_address_i", "store_address".to_owned()),
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
            (&mut self.counters.weight_flips_i, "counters_weight_flips_i", "weight_flip_count".to_owned()),
            (&mut self.counters.bias_flips_i, "counters_bias_flips_i", "bias_flip_count".to_owned()),
            (&mut self.counters.map_flips_i, "counters_map_flips_i", "map_flip_count".to_owned()),
            (&mut self.counters.weights_corrected_i, "counters_weights_corrected_i", "weight_corrected".to_owned()),
            (&mut self.counters.weights_detected_i, "counters_weights_detected_i", "weight_detected".to_owned()),
            (&mut self.counters.biases_corrected_i, "counters_biases_corrected_i", "bias_corrected".to_owned()),
            (&mut self.counters.biases_detected_i, "counters_biases_detected_i", "bias_detected".to_owned()),
            (&mut self.counters.select_i, "counters_select_i", "sequencer_count_select_o".to_owned()),
            (&mut self.sequencer.start_i, "sequencer_start_i", "registers_start_o".to_owned()),
            (&mut self.sequencer.stop_i, "sequencer_stop_i", "registers_stop_o".to_owned()),
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
        let margin = RING_MARGIN + hw.write_latency(Site::Weights);
        // A word of the stream waits for the engine, and for a write that the bus may be about to hand to it.
        let (taken, programming) = match self.weight_programmer.is_empty() {
            true => ("", "1'b0"),
            false => (
                " & weight_programmer_0_ready_o & ~(wb_cyc_i & wb_stb_i & wb_we_i) & ~host_programs_o",
                "~weight_programmer_0_ready_o | ~bias_programmer_0_ready_o | host_programs_o | host_weight_write_o | (|host_bias_write_o)",
            ),
        };
        let mut text = format!(
            "// From layer 32 on all are at risk.\n\
             reg at_risk;\n\
             always @(posedge clk_i) at_risk <= (sequencer_layer_o > 8'd31) | registers_inject_layers_o[sequencer_layer_o[4:0]];\n\
             wire inject = registers_inject_enable_o & at_risk;\n\
             reg nearly_full;\nalways @(posedge clk_i) nearly_full <= weights_level_o > 20'd{};\n\
             wire stream_write = ws_valid_i & ws_ready_o;\n\
             assign ws_ready_o = registers_weight_stream_o & ~nearly_full & ~host_weight_write_o{taken};\n\
             wire programming = {programming};\n\
             assign flip_layer_o = sequencer_layer_o;\nassign flip_group_o = sequencer_group_o;\n",
            hw.config.memory.weight_words - margin
        );
        let (bits, address) = (8 * hw.cols, hw.weight_address_bits);
        let write = "host_weight_write_o | stream_write";
        let data = format!("host_weight_write_o ? host_weight_data_o : ws_data_i[{}:0]", bits - 1);
        let data = encoded(&mut text, "weight", &mut self.weight_encoder, &data, bits, hw.port(Site::Weights));
        text += &ports::no_engine(&self.weight_programmer, "weight");
        if !self.weight_faults.is_empty() {
            let place = 32 * hw.weight_pieces;
            text.push_str(&format!(
                "// The place of a word in the model's image, and whether its layer is at risk.\n\
                 wire [31:0] written_place = stream_write ? ws_data_i[{}:{place}] :\n  \
                 {{registers_write_place_o[31], registers_weight_stream_o ? registers_write_place_o[30:0] : {}}};\n",
                place + 31,
                padded("host_weight_address_o", address, 31)
            ));
        }
        let written = match (self.weight_programmer.first_mut(), self.weight_faults.first_mut()) {
            (Some(programmer), faults) => {
                let engine = Engine {
                    site: Site::Weights,
                    programmer,
                    faults,
                    verify: self.weight_verify.first_mut(),
                    scrubber: self.scrubber.first_mut(),
                    memory: "weights",
                    valid: write,
                    wanted: &data,
                    place: "written_place",
                    address: ("host_weight_address_o", address),
                    code: "weights_code_o",
                };
                engine.wire(&mut text, "weight")
            }
            (None, None) => Written::at_once(write, "host_weight_address_o", data),
            (None, Some(faults)) => {
                let beside = format!("{{{write}, host_weight_address_o}}");
                text += &Write {
                    at_risk: "written_place[31]",
                    address: "{1'b0, written_place[30:0]}",
                    epoch: "registers_write_epoch_o",
                    beside: &beside,
                    data: &data,
                    site: Site::Weights,
                }
                .wire(faults, "weight");
                Written::late("weight", address)
            }
        };
        let weights = &mut self.weights;
        weights.clk_i.connect();
        weights.rst_i.connect();
        let port = hw.port(Site::Weights);
        // Without a code a word may end before its last lane does.
        let write_data = match self.weight_encoder.is_empty() {
            true => padded(&written.data, bits, port.cells * port.lanes),
            false => written.data,
        };
        let read_address = format!("sequencer_weight_address_o[{}:0]", address - 1);
        for (port, name, from) in [
            (&mut weights.stream_i, "stream_i", "registers_weight_stream_o"),
            (&mut weights.clear_i, "clear_i", "registers_weight_clear_o"),
            (&mut weights.write_i, "write_i", written.write.as_str()),
            (&mut weights.commit_i, "commit_i", &written.commit),
            (&mut weights.look_i, "look_i", &written.look),
            (&mut weights.write_address_i, "write_address_i", &written.address),
            (&mut weights.write_data_i, "write_data_i", &write_data),
            (&mut weights.next_read_i, "next_read_i", "sequencer_weight_next_o"),
            (&mut weights.read_i, "read_i", "sequencer_weight_read_o"),
            (&mut weights.read_address_i, "read_address_i", &read_address),
            (&mut weights.row_i, "row_i", "sequencer_weight_row_o"),
        ] {
            text.push_str(&port.drive(&format!("weights_{name}"), from));
        }
        text
    }

    fn wire_biases(&mut self, hw: &Elaborated) -> String {
        let column_bits = hw.column_stride.trailing_zeros();
        let (fold_top, address) = (hw.parameter_address_bits - 1, hw.bias_address_bits);
        let mut text = format!(
            "// The first pixel of an output fold's first pass.\n\
             wire fold_start = sequencer_pixel_valid_o & sequencer_pixel_switch_o & sequencer_pixel_control_o[{FIRST}];\n\
             wire [{}:0] bias_address = {{host_column_address_o[{fold_top}:0], host_offset_o[{column_bits}:1]}};\n",
            address - 1
        );
        text += &ports::no_engine(&self.bias_programmer, "bias");
        let data = encoded(&mut text, "bias", &mut self.bias_encoder, "host_data_o", 32, hw.port(Site::Biases));
        let written = match (self.bias_programmer.first_mut(), self.bias_faults.first_mut()) {
            (Some(programmer), faults) => {
                let engine = Engine {
                    site: Site::Biases,
                    programmer,
                    faults,
                    verify: self.bias_verify.first_mut(),
                    scrubber: None,
                    memory: "biases",
                    valid: "|host_bias_write_o",
                    wanted: &data,
                    place: &format!("{{registers_write_place_o[31], {}}}", padded("bias_address", address, 31)),
                    address: ("bias_address", address),
                    code: "biases_word_o",
                };
                engine.wire(&mut text, "bias")
            }
            (None, None) => Written::at_once("|host_bias_write_o", "bias_address", data),
            (None, Some(faults)) => {
                text += &Write {
                    at_risk: "registers_write_place_o[31]",
                    address: &padded("bias_address", address, 32),
                    epoch: "registers_write_epoch_o",
                    beside: "{|host_bias_write_o, bias_address}",
                    data: &data,
                    site: Site::Biases,
                }
                .wire(faults, "bias");
                Written::late("bias", address)
            }
        };
        let biases = &mut self.biases;
        biases.clk_i.connect();
        biases.rst_i.connect();
        let fold = format!("sequencer_pixel_control_o{}", Control::new(hw).parameter());
        for (port, name, from) in [
            (&mut biases.write_i, "write_i", written.write.as_str()),
            (&mut biases.look_i, "look_i", &written.look),
            (&mut biases.write_address_i, "write_address_i", &written.address),
            (&mut biases.write_data_i, "write_data_i", &written.data),
            (&mut biases.clear_i, "clear_i", "sequencer_write_start_o | ~sequencer_busy_o"),
            (&mut biases.start_i, "start_i", "fold_start"),
            (&mut biases.fold_i, "fold_i", &fold),
            (&mut biases.cols_i, "cols_i", "sequencer_pixel_col_count_o"),
        ] {
            text.push_str(&port.drive(&format!("biases_{name}"), from));
        }
        text
    }

    /// What leaves each memory passes its read port; where nothing can be wrong it goes straight on, as late as others.
    fn wire_ports(&mut self, hw: &Elaborated) -> String {
        let map = hw.map_address_bits;
        let sides = [
            Side {
                site: Site::Weights,
                name: "weight",
                port: self.weight_port.first_mut(),
                decoder: self.weight_decoder.first_mut(),
                issue: "sequencer_weight_read_o".to_owned(),
                address: "sequencer_weight_address_o".to_owned(),
                live: ("sequencer_weight_live_o", hw.cols),
                code: ("weights_code_o", hw.port(Site::Weights).cells * hw.lanes),
                bits: 8 * hw.cols,
                delay: hw.injector_latency,
            },
            Side {
                site: Site::Biases,
                name: "bias",
                port: self.bias_port.first_mut(),
                decoder: self.bias_decoder.first_mut(),
                issue: "biases_read_o".to_owned(),
                address: padded("biases_address_o", hw.bias_address_bits, 32),
                live: ("4'hf", 4),
                code: ("biases_word_o", hw.port(Site::Biases).cells),
                bits: 32,
                delay: hw.injector_latency,
            },
            Side {
                site: Site::Activations,
                name: "map",
                port: self.map_port.first_mut(),
                decoder: None,
                issue: "feeder_word_o".to_owned(),
                address: map_address("sequencer_source_o", "feeder_address_o", map),
                live: ("feeder_word_rows_o", hw.rows),
                code: ("map_word", 8 * hw.rows),
                bits: 8 * hw.rows,
                delay: 0,
            },
        ];
        let mut text = format!(
            "wire [{}:0] map_word = sequencer_source_o ? map_b_read_data_o : map_a_read_data_o;\n",
            8 * hw.rows - 1
        );
        for side in sides {
            text += &side.wire(hw);
        }
        text
    }

    /// Directed injection, where there is any.
    fn wire_directed(&mut self) -> String {
        let Some(directed) = self.directed.first_mut() else { return String::new() };
        directed.clk_i.connect();
        directed.rst_i.connect();
        let ports = [("weight", &self.weight_port), ("bias", &self.bias_port), ("map", &self.map_port)];
        let hits = ports.iter().filter(|(_, port)| port.iter().any(|port| !port.direct_o.is_empty()));
        let hits: Vec<String> = hits.map(|(name, _)| format!("{name}_port_0_direct_o_0")).collect();
        let hit = hits.join(" | ");
        let mut text = String::new();
        for (wire, name, from) in [
            (&mut directed.arm_i, "arm_i", "registers_direct_arm_o_0"),
            (&mut directed.disarm_i, "disarm_i", "registers_direct_disarm_o_0"),
            (&mut directed.address_i, "address_i", "registers_direct_address_o_0"),
            (&mut directed.cell_i, "cell_i", "registers_direct_cell_o_0"),
            (&mut directed.hit_i, "hit_i", &hit),
        ] {
            text += &wire.drive(&format!("directed_0_{name}"), from);
        }
        for hits in &mut self.registers.direct_hits_i {
            text += &hits.drive("registers_direct_hits_i_0", "directed_0_hits_o");
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
        let (rows, map) = (hw.rows, hw.map_address_bits);
        // Map A is read when the descriptor's source is 0, and written when it is 1.
        text += &format!(
            "wire host_map_write = host_map_a_write_o | host_map_b_write_o;\n\
             wire map_write_b = host_map_write ? host_map_b_write_o : ~sequencer_source_o;\n\
             wire [{}:0] map_write_lanes = host_map_write ? host_map_lanes_o : write_back_lanes_o & {{{rows}{{sequencer_busy_o}}}};\n\
             wire [{}:0] map_write_address = host_map_write ? host_map_address_o : write_back_address_o;\n\
             wire [{}:0] map_write_data = host_map_write ? {{{copies}}} : write_back_data_o;\n",
            rows - 1,
            map - 1,
            8 * rows - 1,
        );
        let mut written = ["map_write_b", "map_write_lanes", "map_write_address", "map_write_data"].map(str::to_owned);
        if let Some(faults) = self.map_faults.first_mut() {
            text.push_str(
                "// An ofmap is the ifmap of the next layer, the host's images that of layer 0.\n\
                 wire [7:0] next_layer = sequencer_layer_o + 8'd1;\n\
                 wire next_at_risk = (next_layer > 8'd31) | registers_inject_layers_o[next_layer[4:0]];\n",
            );
            text += &Write {
                at_risk: "host_map_write ? registers_write_place_o[31] : next_at_risk",
                address: &map_address("map_write_b", "map_write_address", map),
                epoch: "host_map_write ? {8'd0, registers_write_epoch_o[23:0]} : {next_layer, 8'd0, sequencer_group_o}",
                beside: "{map_write_b, map_write_lanes, map_write_address}",
                data: "map_write_data",
                site: Site::Activations,
            }
            .wire(faults, "map");
            let at = "map_faults_0_beside_o";
            written = [
                format!("{at}[{}]", rows + map),
                format!("{at}[{}:{map}]", rows + map - 1),
                format!("{at}[{}:0]", map - 1),
                "map_faults_0_data_o".to_owned(),
            ];
        }
        let [to_b, lanes, address, data] = &written;
        for (map, name, reads, chosen) in [
            (&mut self.map_a, "map_a", "~sequencer_source_o", format!("~{to_b}")),
            (&mut self.map_b, "map_b", "sequencer_source_o", to_b.clone()),
        ] {
            map.clk_i.connect();
            for (port, field, from) in [
                (&mut map.write_lanes_i, "write_lanes_i", format!("{lanes} & {{{rows}{{{chosen}}}}}")),
                (&mut map.write_address_i, "write_address_i", address.clone()),
                (&mut map.write_data_i, "write_data_i", data.clone()),
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
            (&mut feeder.pixel_i, "feeder_pixel_i", "map_port_read"),
            (&mut array.x_i, "array_x_i", "feeder_x_o"),
            (&mut array.switch_i, "array_switch_i", "feeder_switch_o"),
            (&mut array.control_i, "array_control_i", "feeder_control_o"),
            (&mut array.weights_i, "array_weights_i", "weight_port_read"),
            (&mut array.load_i, "array_load_i", "weights_load_o"),
            (&mut array.host_read_i, "array_host_read_i", "host_accumulator_read_o"),
            (&mut array.host_address_i, "array_host_address_i", "host_column_address_o"),
            (&mut array.host_data_i, "array_host_data_i", "host_data_o"),
            (&mut array.bias_i, "array_bias_i", "bias_port_read"),
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

/// Wires the encoders of a memory's words: returns what is written for `data` of `bits` bits.
fn encoded(text: &mut String, name: &str, encoders: &mut [Encoder], data: &str, bits: u32, port: Port) -> String {
    let data_bits = 8 * port.lane_bytes;
    if encoders.is_empty() {
        return data.to_owned();
    }
    text.push_str(&format!("wire [{}:0] {name}_data = {data};\n", bits - 1));
    for (l, encoder) in (0..).zip(&mut *encoders) {
        let slice = format!("{name}_data[{}:{}]", data_bits * (l + 1) - 1, data_bits * l);
        text.push_str(&encoder.data_i.drive(&format!("{name}_encoder_{l}_data_i"), &slice));
    }
    let words: Vec<String> = (0..encoders.len()).rev().map(|l| format!("{name}_encoder_{l}_code_o")).collect();
    format!("{{{}}}", words.join(", "))
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
