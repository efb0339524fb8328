//! How the memories are wired to their read ports and write errors.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::MAP_B;
use rust_hdl::core::prelude::*;

use crate::emit::{delayed, padded};
use crate::inject::write_faults::WriteFaults;
use crate::mem::flip_record::{COUNT_BITS, counts};
use crate::mem::read_port::ReadPort;
use crate::protect::decode_port::{DecodePort, UNITS_BITS};

/// A memory and its read port.
pub struct Side<'a> {
    pub site: Site,
    /// What the nets of the port begin with.
    pub name: &'static str,
    pub port: Option<&'a mut ReadPort>,
    pub decoder: Option<&'a mut DecodePort>,
    pub issue: String,
    pub address: String,
    /// Bytes in use, and their number.
    pub live: (&'static str, u32),
    /// The word, and its bits.
    pub code: (&'static str, u32),
    /// Bits of data.
    pub bits: u32,
    /// Cycles from the word to what is read, where there is no port.
    pub delay: u32,
}

impl Side<'_> {
    /// Wires port and decoder; `<name>_port_read` is what is read.
    pub fn wire(mut self, hw: &Elaborated) -> String {
        let Self { site, name, bits, .. } = self;
        let (sizes, word) = (hw.port(site), hw.codeword(site));
        let bytes = sizes.lane_bytes * sizes.lanes;
        let live = padded(self.live.0, self.live.1, bytes);
        let Some(decoder) = self.decoder.take() else {
            let read = format!("{name}_port_read");
            return [self.wire_port(hw, &read, bits), no_events(name)].concat();
        };
        let code = format!("{name}_port_code");
        decoder.clk_i.connect();
        let mut text = String::new();
        for (wire, port, from) in [
            (&mut decoder.issue_i, "issue_i", &self.issue),
            (&mut decoder.live_i, "live_i", &live),
            (&mut decoder.code_i, "code_i", &code),
        ] {
            text += &wire.drive(&format!("{name}_decoder_0_{port}"), from);
        }
        let of_word = if 8 * bytes == bits { String::new() } else { format!("[{}:0]", bits - 1) };
        text += &format!("wire [{}:0] {name}_port_read = {name}_decoder_0_data_o{of_word};\n", bits - 1);
        for event in ["corrected", "detected"] {
            text += &format!("wire [{}:0] {name}_{event} = {name}_decoder_0_{event}_o;\n", UNITS_BITS - 1);
        }
        self.wire_port(hw, &code, word.cells() * sizes.lanes) + &text
    }

    /// Wires the port; the net `read` of `bits` bits is what comes out of it.
    fn wire_port(self, hw: &Elaborated, read: &str, bits: u32) -> String {
        let Self { site, name, .. } = self;
        let (sizes, word) = (hw.port(site), hw.codeword(site));
        let (wide, bytes) = (sizes.cells * sizes.lanes, sizes.lane_bytes * sizes.lanes);
        let counts = counts(word) * COUNT_BITS;
        let record = if name == "weight" { "flip".to_owned() } else { format!("{name}_flip") };
        let outputs = [
            (format!("assign {record}_valid_o"), "flip_valid_o", 1),
            (format!("assign {record}_address_o"), "flip_index_o", 32),
            (format!("assign {record}_before_o"), "flip_before_o", bits),
            (format!("assign {record}_mask_o"), "flip_mask_o", bits),
            (format!("wire [7:0] {name}_flip_count"), "flip_count_o", 8),
            (format!("wire [{}:0] {name}_flip_counts", counts - 1), "flip_counts_o", counts),
        ];
        let mut text = format!("wire [{}:0] {read};\n", bits - 1);
        let Some(port) = self.port else {
            let code =
                if self.code.1 == bits { self.code.0.to_owned() } else { format!("{}[{}:0]", self.code.0, bits - 1) };
            text += &delayed(&code, read, bits, self.delay);
            return text + &outputs.map(|(net, _, bits)| format!("{net} = {bits}'d0;\n")).concat();
        };
        port.clk_i.connect();
        port.rst_i.connect();
        text += &format!("assign {read} = {name}_port_0_code_o[{}:0];\n", bits - 1);
        for (net, output, bits) in outputs {
            let is_word = ["flip_before_o", "flip_mask_o"].contains(&output);
            let slice = if is_word && bits < wide { format!("[{}:0]", bits - 1) } else { String::new() };
            text += &format!("{net} = {name}_port_0_{output}{slice};\n");
        }
        for (wire, port, from) in [
            (&mut port.clear_i, "clear_i", "sequencer_write_start_o".to_owned()),
            (&mut port.issue_i, "issue_i", self.issue),
            (&mut port.address_i, "address_i", self.address),
            (&mut port.live_i, "live_i", padded(self.live.0, self.live.1, bytes)),
            (&mut port.code_i, "code_i", padded(self.code.0, self.code.1, wide)),
            (&mut port.at_risk_i, "at_risk_i", "at_risk".to_owned()),
            (&mut port.bits_i, "bits_i", format!("registers_bits_{site}_o")),
            (&mut port.enable_i, "enable_i", format!("inject & (|registers_bits_{site}_o)")),
            (&mut port.noise_i, "noise_i", format!("registers_noise_{site}_o")),
            (&mut port.seed_load_i, "seed_load_i", "sequencer_seed_load_o".to_owned()),
            (&mut port.seed_key_i, "seed_key_i", format!("sequencer_{name}_key_o")),
            (&mut port.seed_shift_i, "seed_shift_i", format!("sequencer_{name}_shift_o")),
            (&mut port.cells_i, "cells_i", "registers_cells_o".to_owned()),
            (&mut port.layer_i, "layer_i", "sequencer_layer_o".to_owned()),
            (&mut port.group_i, "group_i", "sequencer_group_o".to_owned()),
            (&mut port.epochs_i, "epochs_i", "sequencer_epochs_o".to_owned()),
            (&mut port.flip_clear_i, "flip_clear_i", "registers_flips_clear_o".to_owned()),
        ] {
            text += &wire.drive(&format!("{name}_port_0_{port}"), &from);
        }
        text
    }
}

/// Without a decoder nothing is corrected or detected.
fn no_events(name: &str) -> String {
    ["corrected", "detected"]
        .map(|event| format!("wire [{}:0] {name}_{event} = {UNITS_BITS}'d0;\n", UNITS_BITS - 1))
        .concat()
}

/// What a block of write errors is given: expressions.
pub struct Write<'a> {
    /// The word's layer is at risk.
    pub at_risk: &'a str,
    /// Where it belongs, and what names the write, as the draws see them.
    pub address: &'a str,
    pub epoch: &'a str,
    /// What goes beside the word.
    pub beside: &'a str,
    pub data: &'a str,
    pub site: Site,
}

impl Write<'_> {
    /// Wires the block `<name>_faults`.
    pub fn wire(&self, faults: &mut WriteFaults, name: &str) -> String {
        faults.clk_i.connect();
        let bits = format!("registers_bits_{}_o", self.site);
        let ports = [
            (&mut faults.cells_i, "cells_i", "registers_cells_o"),
            (&mut faults.bits_i, "bits_i", &bits),
            (&mut faults.at_risk_i, "at_risk_i", self.at_risk),
            (&mut faults.address_i, "address_i", self.address),
            (&mut faults.epoch_i, "epoch_i", self.epoch),
            (&mut faults.beside_i, "beside_i", self.beside),
            (&mut faults.data_i, "data_i", self.data),
        ];
        ports.into_iter().map(|(wire, port, from)| wire.drive(&format!("{name}_faults_0_{port}"), from)).collect()
    }
}

/// What the block `<name>_faults` lets through to a memory of words at addresses of `bits` bits: the write, its address and the
/// word. Beside the word goes the write, and below it the address.
pub fn written(name: &str, bits: u32) -> [String; 3] {
    let at = format!("{name}_faults_0_beside_o");
    [format!("{at}[{bits}]"), format!("{at}[{}:0]", bits - 1), format!("{name}_faults_0_data_o")]
}

/// The address of a word of the feature maps as the draws of cells see it.
pub fn map_address(is_b: &str, address: &str, bits: u32) -> String {
    format!("{{{is_b}, {}}}", padded(address, bits, MAP_B.trailing_zeros()))
}
