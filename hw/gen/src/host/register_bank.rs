//! The register bank, generated from `hafnia_config::regs`.
//!
//! A write shows two cycles after its strobe. A read value leaves [`READ_LATENCY`] cycles after its offset, and is that of one cycle
//! after it: in the first cycle the offset is kept, beside each eight registers that are chosen from in the second.

use hafnia_config::Elaborated;
use hafnia_config::accel::MEMORY_LATENCY;
use hafnia_config::fault::{Kind, Site};
use hafnia_config::regs::{
    Access, DIRECT_CELL_BITS, Register, SCRUB_COUNTS_OFFSET, SCRUB_PERIOD_BITS, bits_register, check_flips_offset,
    flips_offset, programmed_offset, registers, signature_offset,
};
use rust_hdl::core::prelude::*;

use crate::copy::Copy;
use crate::emit::custom;
use crate::inject::cell_bus::{self, CELL_BUS_BITS};
use crate::inject::noise_bus::NoiseBus;
use crate::inject::verify_faults::NOISE_BITS;
use crate::mem::flip_record::{COUNT_BITS, counts, words};
use crate::protect::programmer::{COUNTS_BITS, PULSE_BITS};
use crate::protect::scrubber::SCRUBBED_BITS;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct RegisterBank {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub write_i: Wire<In>,
    pub offset_i: Wire<In>,
    pub data_i: Wire<In>,
    pub data_o: Wire<Out>,
    /// Whether `offset_i` names a register.
    pub known_o: Wire<Out>,
    pub status_i: Wire<In>,
    pub weight_level_i: Wire<In>,
    /// High for one cycle at the end of each descriptor.
    pub descriptor_end_i: Wire<In>,
    pub start_o: Wire<Out>,
    pub stop_o: Wire<Out>,
    pub weight_clear_o: Wire<Out>,
    pub program_first_o: Wire<Out>,
    pub program_count_o: Wire<Out>,
    pub weight_stream_o: Wire<Out>,
    pub inject_enable_o: Wire<Out>,
    pub inject_layers_o: Wire<Out>,
    /// Registers of each site, see [`NoiseBus`].
    pub noise_weights_o: Wire<Out>,
    pub noise_biases_o: Wire<Out>,
    pub noise_activations_o: Wire<Out>,
    /// Bits of each byte of each site that are at risk, and above them check cells.
    pub bits_weights_o: Wire<Out>,
    pub bits_biases_o: Wire<Out>,
    pub bits_activations_o: Wire<Out>,
    /// Registers of the faults of cells, see [`cell_bus`].
    pub cells_o: Wire<Out>,
    /// What names the host's writes, and where the next one belongs.
    pub write_epoch_o: Wire<Out>,
    pub write_place_o: Wire<Out>,
    /// Flip counts and the signature of each site.
    pub flips_weights_i: Wire<In>,
    pub flips_biases_i: Wire<In>,
    pub flips_activations_i: Wire<In>,
    pub flips_clear_o: Wire<Out>,
    /// Registers of write-verify: see [`crate::protect::programmer`].
    pub max_pulses_o: Wire<Out>,
    pub verify_o: Wire<Out>,
    pub pulses_clear_o: Wire<Out>,
    pub programmed_weights_i: Wire<In>,
    pub programmed_biases_i: Wire<In>,
    /// Registers of directed injection, where there is any: see [`crate::inject::directed`].
    pub direct_address_o: Vec<Wire<Out>>,
    pub direct_cell_o: Vec<Wire<Out>>,
    pub direct_arm_o: Vec<Wire<Out>>,
    pub direct_disarm_o: Vec<Wire<Out>>,
    pub direct_hits_i: Vec<Wire<In>>,
    /// Registers of the scrubber, where there is one: see [`crate::protect::scrubber`].
    pub scrub_period_o: Vec<Wire<Out>>,
    pub scrub_last_o: Vec<Wire<Out>>,
    pub scrub_restart_o: Vec<Wire<Out>>,
    pub scrubbed_i: Vec<Wire<In>>,
    /// The offset, for each eight registers.
    offsets: Vec<Copy>,
    _text: String,
}

/// Bits of a register offset.
pub const OFFSET_BITS: u32 = 8;
/// Cycles from an offset to the value that is read: as late as that of a memory, which is asked two cycles after the bank.
pub const READ_LATENCY: u32 = MEMORY_LATENCY + 2;

impl RegisterBank {
    /// Returns the bank of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let noise = |site| Wire::new(NoiseBus::new(hw.port(site).cells).width());
        let bits = |site| Wire::new(hw.codeword(site).risk_bits());
        let flips = |site| Wire::new(words(hw.codeword(site)) * COUNT_BITS);
        let (direct, scrub) = (hw.config.injector.has(Kind::Directed), hw.config.protection.scrub);
        let mut offsets = Vec::new();
        let text = text(hw, &mut offsets);
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            write_i: Wire::new(1),
            offset_i: Wire::new(OFFSET_BITS),
            data_i: Wire::new(32),
            data_o: Wire::new(32),
            known_o: Wire::new(1),
            status_i: Wire::new(1),
            weight_level_i: Wire::new(20),
            descriptor_end_i: Wire::new(1),
            start_o: Wire::new(1),
            stop_o: Wire::new(1),
            weight_clear_o: Wire::new(1),
            program_first_o: Wire::new(8),
            program_count_o: Wire::new(8),
            weight_stream_o: Wire::new(1),
            inject_enable_o: Wire::new(1),
            inject_layers_o: Wire::new(32),
            noise_weights_o: noise(Site::Weights),
            noise_biases_o: noise(Site::Biases),
            noise_activations_o: noise(Site::Activations),
            bits_weights_o: bits(Site::Weights),
            bits_biases_o: bits(Site::Biases),
            bits_activations_o: bits(Site::Activations),
            cells_o: Wire::new(CELL_BUS_BITS),
            write_epoch_o: Wire::new(32),
            write_place_o: Wire::new(32),
            flips_weights_i: flips(Site::Weights),
            flips_biases_i: flips(Site::Biases),
            flips_activations_i: flips(Site::Activations),
            flips_clear_o: Wire::new(1),
            max_pulses_o: Wire::new(PULSE_BITS),
            verify_o: Wire::new(NOISE_BITS),
            pulses_clear_o: Wire::new(1),
            programmed_weights_i: Wire::new(COUNTS_BITS),
            programmed_biases_i: Wire::new(COUNTS_BITS),
            direct_address_o: Wire::optional(direct, 32),
            direct_cell_o: Wire::optional(direct, DIRECT_CELL_BITS),
            direct_arm_o: Wire::optional(direct, 1),
            direct_disarm_o: Wire::optional(direct, 1),
            direct_hits_i: Wire::optional(direct, COUNT_BITS),
            scrub_period_o: Wire::optional(scrub, SCRUB_PERIOD_BITS),
            scrub_last_o: Wire::optional(scrub, hw.weight_address_bits),
            scrub_restart_o: Wire::optional(scrub, 1),
            scrubbed_i: Wire::optional(scrub, SCRUBBED_BITS),
            offsets,
            _text: text,
        }
    }
}

/// The net that a register is read from.
fn source(hw: &Elaborated, r: &Register) -> String {
    let zeros = |bits: u32, net: &str| if bits == 32 { net.to_owned() } else { format!("{{{}'d0, {net}}}", 32 - bits) };
    match (r.access, r.name.as_str()) {
        (Access::ReadOnly, "STATUS") => zeros(1, "status_i"),
        (Access::ReadOnly, "WEIGHT_LEVEL") => zeros(20, "weight_level_i"),
        (Access::ReadOnly, "FINISHED") => zeros(8, "finished"),
        (Access::ReadOnly, "DIRECT_HITS") => "direct_hits_i_0".to_owned(),
        (Access::ReadOnly, name) if name.starts_with("FLIPS_") => flip_word(hw, r.offset),
        (Access::ReadOnly, name) if name.starts_with("SCRUB_") => {
            let low = COUNT_BITS * (r.offset - SCRUB_COUNTS_OFFSET);
            format!("scrubbed_i_0[{}:{low}]", low + COUNT_BITS - 1)
        }
        (Access::ReadOnly, _) if r.offset >= programmed_offset(Site::Weights) => programmed(r.offset),
        (Access::ReadOnly, _) => format!("32'h{:08x}", r.reset),
        (Access::ReadWrite, _) => zeros(r.bits, &r.name.to_lowercase()),
        (Access::Trigger, _) => "32'd0".to_owned(),
    }
}

/// The flip count or the signature at an offset.
fn flip_word(hw: &Elaborated, offset: u32) -> String {
    let of = |first: fn(Site) -> u32| {
        Site::ALL.into_iter().rfind(|&site| first(site) <= offset).map(|site| (site, offset - first(site)))
    };
    let signature = of(signature_offset).map(|(site, _)| (site, counts(hw.codeword(site))));
    let checks = signature.or_else(|| of(check_flips_offset).map(|(site, n)| (site, 16 + n)));
    let (site, count) = checks.or_else(|| of(flips_offset)).expect("the first site has the lowest");
    let low = COUNT_BITS * count;
    format!("flips_{site}_i[{}:{low}]", low + COUNT_BITS - 1)
}

/// The count of what programming took at an offset.
fn programmed(offset: u32) -> String {
    let [first, of_biases] = Site::PROGRAMMED.map(programmed_offset);
    let (site, count) =
        if offset < of_biases { (Site::Weights, offset - first) } else { (Site::Biases, offset - of_biases) };
    let low = COUNT_BITS * count;
    format!("programmed_{site}_i[{}:{low}]", low + COUNT_BITS - 1)
}

/// The value that is read, chosen by three bits of the offset, then by two, then by three.
fn reads(hw: &Elaborated, list: &[Register], offsets: &mut Vec<Copy>) -> String {
    const { assert!(READ_LATENCY == 4, "the offset and each choice have a register") };
    let (mut copied, mut declared, mut chosen, mut known) = (String::new(), String::new(), String::new(), Vec::new());
    let mut choose = |net: String, by: &str, bits: u32, from: Vec<(u32, String)>| {
        declared.push_str(&format!("reg [31:0] {net};\n"));
        let cases: String = from.iter().map(|(n, from)| format!("    {bits}'d{n}: {net} <= {from};\n")).collect();
        chosen.push_str(&format!("  case ({by})\n{cases}    default: {net} <= 32'd0;\n  endcase\n"));
    };
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    for group in 0..(1 << OFFSET_BITS) / 8 {
        let of_group: Vec<_> = list.iter().filter(|r| r.offset / 8 == group).collect();
        if !of_group.is_empty() {
            known.extend(of_group.iter().map(|r| format!("{OFFSET_BITS}'d{}", r.offset)));
            let from = of_group.iter().map(|r| (r.offset % 8, source(hw, r))).collect();
            let (n, mut copy) = (offsets.len(), Copy::new(3));
            copy.clk_i.connect();
            copied += &copy.data_i.drive(&format!("offsets_{n}_data_i"), "offset_i[2:0]");
            offsets.push(copy);
            choose(format!("group_{group}"), &format!("offsets_{n}_data_o"), 3, from);
            groups.push((group % 4, format!("group_{group}")));
        }
        if group % 4 == 3 && !groups.is_empty() {
            choose(format!("row_{}", group / 4), "offset_1[4:3]", 2, std::mem::take(&mut groups));
            rows.push((group / 4, format!("row_{}", group / 4)));
        }
    }
    choose("value".to_owned(), "offset_2[7:5]", 3, rows);
    format!(
        "{copied}{declared}reg known;\nreg [7:3] offset_1;\nreg [7:5] offset_2;\nassign known_o = known;\nassign data_o = value;\n\
         always @(*) begin\n  case (offset_i)\n    {}: known = 1'b1;\n    default: known = 1'b0;\n  endcase\nend\n\
         always @(posedge clk_i) begin\n  offset_1 <= offset;\n  offset_2 <= offset_1[7:5];\n{chosen}end\n",
        known.join(", "),
    )
}

/// Registers in a row of those that are written.
const ROW: u32 = 16;

fn text(hw: &Elaborated, offsets: &mut Vec<Copy>) -> String {
    let list = registers(hw);
    // Whether the write of now is of the register at this offset.
    let is = |offset: u32| format!("row[{}] & column[{}]", offset / ROW, offset % ROW);
    let (mut declared, mut written) = (String::new(), String::new());
    for r in &list {
        let name = r.name.to_lowercase();
        let range = if r.bits == 1 { String::new() } else { format!("[{}:0] ", r.bits - 1) };
        let slice = if r.bits == 1 { "[0]".to_owned() } else { format!("[{}:0]", r.bits - 1) };
        match r.access {
            Access::ReadOnly => {}
            Access::ReadWrite => {
                declared.push_str(&format!("reg {range}{name};\n"));
                written.push_str(&format!(
                    "  if (rst_i) {name} <= {}'d{};\n  else if ({}) {name} <= data{slice};\n",
                    r.bits,
                    r.reset,
                    is(r.offset)
                ));
            }
            Access::Trigger => {
                declared.push_str(&format!("reg {name};\n"));
                written.push_str(&format!("  {name} <= ~rst_i & {} & data[0];\n", is(r.offset)));
            }
        }
    }
    let start = list.iter().find(|r| r.name == "START").map_or(0, |r| r.offset);
    let exported = ["start", "stop", "weight_clear", "program_first", "program_count", "weight_stream"];
    let mut outputs: String = exported.iter().map(|n| format!("assign {n}_o = {n};\n")).collect();
    outputs.push_str(&injector_outputs(hw));
    outputs.push_str(&write_verify_outputs(hw));
    if hw.config.injector.has(Kind::Directed) {
        let directed = ["address", "cell", "arm", "disarm"];
        outputs.extend(directed.map(|name| format!("assign direct_{name}_o_0 = direct_{name};\n")));
    }
    if hw.config.protection.scrub {
        outputs.extend(["period", "last", "restart"].map(|name| format!("assign scrub_{name}_o_0 = scrub_{name};\n")));
    }
    format!(
        "{declared}reg [7:0] finished;\nreg [7:3] offset;\nreg [31:0] data;\n\
         // The row and the column of the register that is written, none without a write.\n\
         reg [15:0] row;\nreg [15:0] column;\n{outputs}{}\
         always @(posedge clk_i) begin\n  offset <= offset_i[7:3];\n  data <= data_i;\n  \
         row <= {{15'd0, write_i & ~rst_i}} << offset_i[7:4];\n  column <= 16'd1 << offset_i[3:0];\n  \
         // A start while a program runs is ignored, and counts go on.\n  \
         if (rst_i | ({} & data[0] & ~status_i)) finished <= 8'd0;\n  \
         else if (descriptor_end_i) finished <= finished + 8'd1;\n{written}end\n",
        reads(hw, &list, offsets),
        is(start),
    )
}

fn injector_outputs(hw: &Elaborated) -> String {
    let injector = &hw.config.injector;
    let mut text = match injector.sites().next() {
        Some(_) => "assign inject_enable_o = inject_enable;\nassign inject_layers_o = inject_layers;\nassign flips_clear_o = flips_clear;\n".to_owned(),
        None => "assign inject_enable_o = 1'b0;\nassign inject_layers_o = 32'd0;\nassign flips_clear_o = 1'b0;\n".to_owned(),
    };
    for site in Site::ALL {
        let bus = NoiseBus::new(hw.port(site).cells);
        let registers = match injector.at(site).has(Kind::Read) {
            true => bus.joined(site.name()),
            false => format!("{}'d0", bus.width()),
        };
        text.push_str(&format!("assign noise_{site}_o = {registers};\n"));
        let bits = match injector.at(site).is_empty() {
            true => format!("{}'d0", hw.codeword(site).risk_bits()),
            false => bits_register(site).to_lowercase(),
        };
        text.push_str(&format!("assign bits_{site}_o = {bits};\n"));
    }
    text.push_str(&format!("assign cells_o = {};\n", cell_bus::joined(hw)));
    for name in ["write_epoch", "write_place"] {
        let register = if injector.has(Kind::Write) { name } else { "32'd0" };
        text.push_str(&format!("assign {name}_o = {register};\n"));
    }
    text
}

fn write_verify_outputs(hw: &Elaborated) -> String {
    let is = hw.config.protection.write_verify;
    let outputs = [
        ("max_pulses", is, "max_pulses", PULSE_BITS),
        ("pulses_clear", is, "pulses_clear", 1),
        ("verify", hw.verify_is_noisy(), "{verify_10, verify_01}", NOISE_BITS),
    ];
    let assign = |(name, is, registers, bits): (&str, bool, &str, u32)| {
        let registers = if is { registers.to_owned() } else { format!("{bits}'d0") };
        format!("assign {name}_o = {registers};\n")
    };
    outputs.map(assign).concat()
}

impl Logic for RegisterBank {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("register_bank", "Register bank; see registers.md.", self._text.clone())
    }
}
