//! How the memories are wired to their read ports and write errors.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::MAP_B;
use rust_hdl::core::prelude::*;

use crate::emit::{delayed, padded};
use crate::inject::verify_faults::VerifyFaults;
use crate::inject::write_faults::WriteFaults;
use crate::mem::flip_record::{COUNT_BITS, words};
use crate::mem::read_port::ReadPort;
use crate::protect::decode_port::{DecodePort, UNITS_BITS};
use crate::protect::programmer::{COUNTS_BITS, Programmer};
use crate::protect::scrubber::Scrubber;

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
        let counts = words(word) * COUNT_BITS;
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
        for target in &mut port.target_i {
            text += &target.drive(&format!("{name}_port_0_target_i_0"), "directed_0_target_o");
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

/// Without an engine nothing is counted.
pub fn no_engine(engines: &[Programmer], name: &str) -> String {
    let none = format!("wire [{}:0] {name}_programmed = {COUNTS_BITS}'d0;\n", COUNTS_BITS - 1);
    if engines.is_empty() { none } else { String::new() }
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

/// What a memory is written: expressions. `commit` marks the write that ends a word, `look` asks for the word as it is.
pub struct Written {
    pub write: String,
    pub address: String,
    pub data: String,
    pub commit: String,
    pub look: String,
}

impl Written {
    /// As it comes.
    pub fn at_once(write: &str, address: &str, data: String) -> Self {
        let look = "1'b0".to_owned();
        Self { write: write.to_owned(), address: address.to_owned(), data, commit: write.to_owned(), look }
    }

    /// As the block `<name>_faults` lets it through, with addresses of `bits` bits: beside the word goes the write, and below it
    /// the address.
    pub fn late(name: &str, bits: u32) -> Self {
        let at = format!("{name}_faults_0_beside_o");
        Self::at_once(&format!("{at}[{bits}]"), &format!("{at}[{}:0]", bits - 1), format!("{name}_faults_0_data_o"))
    }
}

/// Bits that tell an engine where a word belongs: its place in the model's image, and above whether its layer is at risk.
pub const PLACE_BITS: u32 = 32;

/// A programming engine, and what it is given.
pub struct Engine<'a> {
    pub site: Site,
    pub programmer: &'a mut Programmer,
    pub faults: Option<&'a mut WriteFaults>,
    pub verify: Option<&'a mut VerifyFaults>,
    pub scrubber: Option<&'a mut Scrubber>,
    /// The memory's instance.
    pub memory: &'static str,
    pub valid: &'a str,
    pub wanted: &'a str,
    /// Where the word belongs; of no effect where writes do not fail.
    pub place: &'a str,
    /// Address, and its bits.
    pub address: (&'a str, u32),
    /// The memory's output.
    pub code: &'a str,
}

impl Engine<'_> {
    /// Wires it as `<name>_programmer`, with what goes wrong on its way.
    pub fn wire(self, text: &mut String, name: &str) -> Written {
        let Self { site, programmer, faults, verify, scrubber, memory, valid, wanted, place, address, code } = self;
        let (address, bits) = address;
        let at = format!("{name}_programmer_0");
        let cells = programmer.wanted_i.bits();
        let (code, tag) = (format!("{code}[{}:0]", cells - 1), format!("{at}_tag_o"));
        let (risk, bytes) = (format!("{tag}[{}]", bits + PLACE_BITS - 1), format!("registers_bits_{site}_o"));
        let place_of = format!("{{1'b0, {tag}[{}:{bits}]}}", bits + PLACE_BITS - 2);
        let programs = format!("registers_write_epoch_o + {{24'd0, {at}_number_o}}");
        let epoch = match &scrubber {
            Some(_) => format!("{at}_scrubbing_o_0 ? scrubber_0_epoch_o : {programs}"),
            None => programs,
        };
        let (mut result, mut seen, mut place) = (format!("{at}_wanted_o"), code.clone(), place);
        if let Some(faults) = faults {
            let write =
                Write { at_risk: &risk, address: &place_of, epoch: &epoch, beside: "1'b0", data: &result, site };
            *text += &write.wire(faults, name);
            result = format!("{name}_faults_0_data_o");
        } else {
            place = "32'd0";
        }
        if let Some(verify) = verify {
            verify.clk_i.connect();
            for (wire, port, from) in [
                (&mut verify.cells_i, "cells_i", "registers_cells_o"),
                (&mut verify.noise_i, "noise_i", "registers_verify_o"),
                (&mut verify.bits_i, "bits_i", &bytes),
                (&mut verify.at_risk_i, "at_risk_i", &risk),
                (&mut verify.address_i, "address_i", &place_of),
                (&mut verify.epoch_i, "epoch_i", &epoch),
                (&mut verify.code_i, "code_i", &code),
            ] {
                *text += &wire.drive(&format!("{name}_verify_0_{port}"), from);
            }
            seen = format!("{name}_verify_0_seen_o");
        }
        programmer.clk_i.connect();
        programmer.rst_i.connect();
        for (wire, port, from) in [
            (&mut programmer.clear_i, "clear_i", "registers_pulses_clear_o"),
            (&mut programmer.max_pulses_i, "max_pulses_i", "registers_max_pulses_o"),
            (&mut programmer.valid_i, "valid_i", valid),
            (&mut programmer.wanted_i, "wanted_i", wanted),
            (&mut programmer.tag_i, "tag_i", &format!("{{{place}, {address}}}")),
            (&mut programmer.result_i, "result_i", &result),
            (&mut programmer.slot_i, "slot_i", &format!("{memory}_slot_o")),
            (&mut programmer.code_i, "code_i", &code),
            (&mut programmer.seen_i, "seen_i", &seen),
        ] {
            *text += &wire.drive(&format!("{at}_{port}"), from);
        }
        if let Some(scrubber) = scrubber {
            wire_scrubber(text, scrubber, programmer, &at, bits);
        }
        *text += &format!("wire [{}:0] {name}_programmed = {at}_counts_o;\n", COUNTS_BITS - 1);
        Written {
            write: format!("{at}_write_o"),
            address: format!("{tag}[{}:0]", bits - 1),
            data: format!("{at}_data_o"),
            commit: format!("{at}_commit_o"),
            look: format!("{at}_look_o"),
        }
    }
}

/// Wires a scrubber to the engine `at` of a memory with addresses of `bits` bits. All layers are at risk alike where it scrubs.
fn wire_scrubber(text: &mut String, scrubber: &mut Scrubber, programmer: &mut Programmer, at: &str, bits: u32) {
    scrubber.clk_i.connect();
    scrubber.rst_i.connect();
    for (wire, port, from) in [
        (&mut scrubber.restart_i, "restart_i", "registers_scrub_restart_o_0"),
        (&mut scrubber.clear_i, "clear_i", "registers_pulses_clear_o"),
        (&mut scrubber.period_i, "period_i", "registers_scrub_period_o_0"),
        (&mut scrubber.last_i, "last_i", "registers_scrub_last_o_0"),
        (&mut scrubber.run_i, "run_i", "sequencer_run_o_0"),
        (&mut scrubber.base_i, "base_i", "sequencer_weight_base_o_0"),
        (&mut scrubber.end_i, "end_i", "sequencer_weight_end_o_0"),
        (&mut scrubber.taken_i, "taken_i", &format!("{at}_taken_o_0")),
        (&mut scrubber.seen_i, "seen_i", &format!("{at}_seen_o_0")),
        (&mut scrubber.judged_i, "judged_i", &format!("{at}_judged_o_0")),
        (&mut scrubber.scrubbed_i, "scrubbed_i", &format!("{at}_scrubbed_o_0")),
    ] {
        *text += &wire.drive(&format!("scrubber_0_{port}"), from);
    }
    let place = format!("{{1'b1, {}, scrubber_0_address_o}}", padded("scrubber_0_address_o", bits, PLACE_BITS - 1));
    for (wires, port, from) in [
        (&mut programmer.scrub_i, "scrub_i", "scrubber_0_due_o & ~registers_weight_stream_o"),
        (&mut programmer.scrub_tag_i, "scrub_tag_i", &place),
        (&mut programmer.mended_i, "mended_i", "scrubber_0_mended_o"),
        (&mut programmer.mend_i, "mend_i", "scrubber_0_mend_o"),
    ] {
        for wire in wires {
            *text += &wire.drive(&format!("{at}_{port}_0"), from);
        }
    }
}

/// The address of a word of the feature maps as the draws of cells see it.
pub fn map_address(is_b: &str, address: &str, bits: u32) -> String {
    format!("{{{is_b}, {}}}", padded(address, bits, MAP_B.trailing_zeros()))
}
