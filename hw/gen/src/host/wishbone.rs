//! Wishbone B4 pipelined slave, 32-bit data, word addresses.
//!
//! Every accepted request is answered after [`BUS_LATENCY`] cycles, one per cycle: `ack`, or `err` for an address that does not exist
//! and for a memory that belongs to a running program. In its first cycle it is looked at by the register bank, in its second it
//! is judged, in its third a memory is written or asked. The bus stalls only while a streamed weight word has no room, and with
//! write-verify while a word is programmed.

use hafnia_config::Elaborated;
use hafnia_config::accel::BUS_LATENCY;
use hafnia_config::program::DESCRIPTOR_WORDS;
use hafnia_config::regs::{ADDRESS_BITS, LayerCounters, REGION_SHIFT, Region};
use rust_hdl::core::prelude::*;

use super::register_bank::OFFSET_BITS;
use crate::core::column::HOST_ADDRESS_BITS;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Wishbone {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub cyc_i: Wire<In>,
    pub stb_i: Wire<In>,
    pub we_i: Wire<In>,
    pub adr_i: Wire<In>,
    pub dat_i: Wire<In>,
    pub sel_i: Wire<In>,
    pub dat_o: Wire<Out>,
    pub ack_o: Wire<Out>,
    pub err_o: Wire<Out>,
    pub stall_o: Wire<Out>,
    pub busy_i: Wire<In>,
    pub stream_i: Wire<In>,
    pub nearly_full_i: Wire<In>,
    /// A word is programmed, or a write that will be is under way.
    pub programming_i: Wire<In>,
    /// What the register bank is asked, and whether it knows the offset's lower bits; what it does not know it does not write.
    pub register_offset_o: Wire<Out>,
    pub register_data_o: Wire<Out>,
    pub known_i: Wire<In>,
    /// A write to weights or parameters will come in one or two cycles.
    pub programs_o: Wire<Out>,
    pub offset_o: Wire<Out>,
    pub data_o: Wire<Out>,
    pub register_write_o: Wire<Out>,
    pub register_data_i: Wire<In>,
    pub program_write_o: Wire<Out>,
    pub weight_write_o: Wire<Out>,
    pub weight_address_o: Wire<Out>,
    pub weight_data_o: Wire<Out>,
    pub bias_write_o: Wire<Out>,
    pub scale_write_o: Wire<Out>,
    pub column_address_o: Wire<Out>,
    pub map_address_o: Wire<Out>,
    pub map_lanes_o: Wire<Out>,
    pub map_a_write_o: Wire<Out>,
    pub map_b_write_o: Wire<Out>,
    pub map_read_o: Wire<Out>,
    pub map_a_i: Wire<In>,
    pub map_b_i: Wire<In>,
    pub accumulator_read_o: Wire<Out>,
    pub accumulators_i: Wire<In>,
    pub counters_read_o: Wire<Out>,
    pub counters_i: Wire<In>,
    _text: String,
}

impl Wishbone {
    /// Returns the port of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            cyc_i: Wire::new(1),
            stb_i: Wire::new(1),
            we_i: Wire::new(1),
            adr_i: Wire::new(ADDRESS_BITS),
            dat_i: Wire::new(32),
            sel_i: Wire::new(4),
            dat_o: Wire::new(32),
            ack_o: Wire::new(1),
            err_o: Wire::new(1),
            stall_o: Wire::new(1),
            busy_i: Wire::new(1),
            stream_i: Wire::new(1),
            nearly_full_i: Wire::new(1),
            programming_i: Wire::new(1),
            register_offset_o: Wire::new(REGION_SHIFT),
            register_data_o: Wire::new(32),
            known_i: Wire::new(1),
            programs_o: Wire::new(1),
            offset_o: Wire::new(REGION_SHIFT),
            data_o: Wire::new(32),
            register_write_o: Wire::new(1),
            register_data_i: Wire::new(32),
            program_write_o: Wire::new(1),
            weight_write_o: Wire::new(1),
            weight_address_o: Wire::new(hw.weight_address_bits),
            weight_data_o: Wire::new(8 * hw.cols),
            bias_write_o: Wire::new(hw.cols),
            scale_write_o: Wire::new(hw.cols),
            column_address_o: Wire::new(HOST_ADDRESS_BITS),
            map_address_o: Wire::new(hw.map_address_bits),
            map_lanes_o: Wire::new(hw.rows),
            map_a_write_o: Wire::new(1),
            map_b_write_o: Wire::new(1),
            map_read_o: Wire::new(1),
            map_a_i: Wire::new(8 * hw.rows),
            map_b_i: Wire::new(8 * hw.rows),
            accumulator_read_o: Wire::new(1),
            accumulators_i: Wire::new(32 * hw.cols),
            counters_read_o: Wire::new(1),
            counters_i: Wire::new(32),
            _text: text(hw),
        }
    }
}

fn region(r: Region) -> String {
    format!("{}'d{}", ADDRESS_BITS - REGION_SHIFT, r.index())
}

/// `offset` bits from `low`, `bits` wide; one zero bit where the width is zero.
fn slice(net: &str, low: u32, bits: u32) -> String {
    match bits {
        0 => "1'b0".to_owned(),
        1 => format!("{net}[{low}]"),
        _ => format!("{net}[{}:{low}]", low + bits - 1),
    }
}

fn text(hw: &Elaborated) -> String {
    let memory = &hw.config.memory;
    let (wp, mp, cp) =
        (hw.weight_stride.trailing_zeros(), hw.map_stride.trailing_zeros(), hw.column_stride.trailing_zeros());
    let limits = [
        (Region::Program, memory.program_descriptors * DESCRIPTOR_WORDS),
        (Region::Weights, memory.weight_words * hw.weight_stride),
        (Region::Parameters, memory.parameter_words * hw.column_stride * 2),
        (Region::MapA, memory.map_words * hw.map_stride),
        (Region::MapB, memory.map_words * hw.map_stride),
        (Region::Accumulators, memory.accumulator_words * hw.column_stride),
        (Region::Counters, memory.program_descriptors * LayerCounters::STRIDE),
    ];
    let mut exists = format!(
        "    {}: exists = known_i & ~(|offset[{}:{OFFSET_BITS}]);\n",
        region(Region::Registers),
        REGION_SHIFT - 1
    );
    for (r, words) in limits {
        // A limit of 2^20 words is the whole region.
        let within =
            if words == 1 << REGION_SHIFT { "1'b1".to_owned() } else { format!("offset < {REGION_SHIFT}'d{words}") };
        exists.push_str(&format!("    {}: exists = {within};\n", region(r)));
    }
    let full = format!(
        "stream_i & nearly_full_i & we_i & (adr_i[{}:{REGION_SHIFT}] == {})",
        ADDRESS_BITS - 1,
        region(Region::Weights)
    );
    let programs = |stage: &str| {
        let of = |r| format!("(region{stage} == {})", region(r));
        format!("(valid{stage} & write{stage} & ({} | {}))", of(Region::Weights), of(Region::Parameters))
    };
    let (stall, programs) = match hw.config.protection.write_verify {
        true => (format!("programming_i | ({full})"), format!("{} | {}", programs(""), programs("_1"))),
        false => (full, "1'b0".to_owned()),
    };
    let mut text = HEAD
        .replace("<REGISTERS>", &region(Region::Registers))
        .replace("<WEIGHTS>", &region(Region::Weights))
        .replace("<EXISTS>", &exists)
        .replace("<STALL>", &stall)
        .replace("<PROGRAMS>", &programs)
        .replace("<SHIFT>", &REGION_SHIFT.to_string())
        .replace("<TOP>", &(REGION_SHIFT - 1).to_string())
        .replace("<REGISTER_BITS>", &OFFSET_BITS.to_string())
        .replace("<ATOP>", &(ADDRESS_BITS - 1).to_string())
        .replace("<RTOP>", &(ADDRESS_BITS - REGION_SHIFT - 1).to_string());
    let mut judged = String::new();
    for (name, r) in [
        ("is_program", Region::Program),
        ("is_weights", Region::Weights),
        ("is_parameters", Region::Parameters),
        ("is_map_a", Region::MapA),
        ("is_map_b", Region::MapB),
        ("is_accumulators", Region::Accumulators),
        ("is_counters", Region::Counters),
    ] {
        text.push_str(&format!("reg {name};\n"));
        judged.push_str(&format!("  {name} <= ~rst_i & ok & (region_1 == {});\n", region(r)));
    }
    text.push_str(&format!("always @(posedge clk_i) begin\n{judged}end\n"));
    text.push_str(&weights(hw, wp));
    text.push_str(&columns(hw, cp));
    text.push_str(&maps(hw, mp));
    text.push_str(&answers(hw, mp, cp));
    text
}

const HEAD: &str = "reg valid;
reg write;
reg [<RTOP>:0] region;
reg [<TOP>:0] offset;
reg [31:0] data;
reg [3:0] select;
reg exists;
assign stall_o = <STALL>;
always @(posedge clk_i) begin
  valid <= ~rst_i & cyc_i & stb_i & ~stall_o;
  write <= we_i;
  region <= adr_i[<ATOP>:<SHIFT>];
  offset <= adr_i[<TOP>:0];
  data <= dat_i;
  select <= sel_i;
end
always @(*) begin
  case (region)
<EXISTS>    default: exists = 1'b0;
  endcase
end
assign register_offset_o = offset;
assign register_data_o = data;
assign register_write_o = valid & write & (region == <REGISTERS>) & ~(|offset[<TOP>:<REGISTER_BITS>]);
assign programs_o = <PROGRAMS>;
reg valid_1;
reg exists_1;
reg write_1;
reg [<RTOP>:0] region_1;
reg [<TOP>:0] offset_1;
reg [31:0] data_1;
reg [3:0] select_1;
// While a program runs the memories are its own; the registers and the ring of streamed weights stay open.
reg is_registers_1;
reg is_ring_1;
wire open = ~busy_i | is_registers_1 | (stream_i & is_ring_1);
wire ok = valid_1 & exists_1 & open;
reg write_2;
reg [<RTOP>:0] region_2;
reg [<TOP>:0] offset_2;
reg [31:0] data_2;
reg [3:0] select_2;
always @(posedge clk_i) begin
  valid_1 <= ~rst_i & valid;
  exists_1 <= exists;
  is_registers_1 <= region == <REGISTERS>;
  is_ring_1 <= region == <WEIGHTS>;
  write_1 <= write;
  region_1 <= region;
  offset_1 <= offset;
  data_1 <= data;
  select_1 <= select;
  write_2 <= write_1;
  region_2 <= region_1;
  offset_2 <= offset_1;
  data_2 <= data_1;
  select_2 <= select_1;
end
assign offset_o = offset_2;
assign data_o = data_2;
assign program_write_o = is_program & write_2;
assign accumulator_read_o = is_accumulators & ~write_2;
assign counters_read_o = is_counters & ~write_2;
";

/// Pieces of a weight word are held until the last one commits it.
fn weights(hw: &Elaborated, piece_bits: u32) -> String {
    let last = hw.weight_pieces - 1;
    let last_bits = 8 * hw.cols - 32 * last;
    let piece = slice("offset_2", 0, piece_bits);
    let mut text = String::new();
    let mut parts = vec![slice("data_2", 0, last_bits)];
    for p in (0..last).rev() {
        text.push_str(&format!(
            "reg [31:0] piece_{p};\nalways @(posedge clk_i) if (is_weights & write_2 & ({piece} == {piece_bits}'d{p})) piece_{p} <= data_2;\n"
        ));
        parts.push(format!("piece_{p}"));
    }
    let is_last = if piece_bits == 0 {
        String::new()
    } else {
        format!(" & ({} == {piece_bits}'d{last})", slice("offset_1", 0, piece_bits))
    };
    text.push_str(&format!(
        "reg weight_write;\nassign weight_write_o = weight_write;\n\
         always @(posedge clk_i) weight_write <= ~rst_i & ok & write_1 & (region_1 == {}){is_last};\nassign weight_address_o = {};\nassign weight_data_o = {{{}}};\n",
        region(Region::Weights),
        slice("offset_2", piece_bits, hw.weight_address_bits),
        parts.join(", ")
    ));
    text
}

fn columns(hw: &Elaborated, column_bits: u32) -> String {
    let column = slice("offset_2", 1, column_bits);
    let pick = |half: &str| -> String {
        (0..hw.cols)
            .rev()
            .map(|c| format!("is_parameters & write_2 & {half}offset_2[0] & ({column} == {column_bits}'d{c})"))
            .collect::<Vec<_>>()
            .join(",\n  ")
    };
    let address = |low: u32, bits: u32| {
        let net = slice("offset_2", low, bits);
        if bits == HOST_ADDRESS_BITS { net } else { format!("{{{}'d0, {net}}}", HOST_ADDRESS_BITS - bits) }
    };
    format!(
        "assign bias_write_o = {{\n  {}}};\nassign scale_write_o = {{\n  {}}};\nassign column_address_o = is_accumulators ? {} : {};\n",
        pick("~"),
        pick(""),
        address(column_bits, hw.accumulator_address_bits),
        address(column_bits + 1, hw.parameter_address_bits),
    )
}

fn maps(hw: &Elaborated, piece_bits: u32) -> String {
    let piece = slice("offset_2", 0, piece_bits);
    let lanes: Vec<String> = (0..hw.rows)
        .rev()
        .map(|l| {
            let here = if piece_bits == 0 { String::new() } else { format!(" & ({piece} == {piece_bits}'d{})", l / 4) };
            format!("select_2[{}]{here}", l % 4)
        })
        .collect();
    format!(
        "assign map_address_o = {};\nassign map_lanes_o = {{{}}};\nassign map_a_write_o = is_map_a & write_2;\n\
         assign map_b_write_o = is_map_b & write_2;\nassign map_read_o = (is_map_a | is_map_b) & ~write_2;\n",
        slice("offset_2", piece_bits, hw.map_address_bits),
        lanes.join(", ")
    )
}

/// Two stages for the memories' latency, one more for that of the maps, then the answer.
fn answers(hw: &Elaborated, map_bits: u32, column_bits: u32) -> String {
    let region_top = ADDRESS_BITS - REGION_SHIFT - 1;
    let low = map_bits.max(column_bits).max(1);
    let padded_map = |net: &str| {
        let full = 32 * hw.map_stride;
        let bits = 8 * hw.rows;
        if full == bits { net.to_owned() } else { format!("{{{}'d0, {net}}}", full - bits) }
    };
    let full_columns = 32 * hw.column_stride;
    let accumulators = if full_columns == 32 * hw.cols {
        "accumulators_i".to_owned()
    } else {
        format!("{{{}'d0, accumulators_i}}", full_columns - 32 * hw.cols)
    };
    let index = |offset: &str, bits: u32| {
        if bits == 0 { "0".to_owned() } else { format!("32 * {{27'd0, {}{}}}", pad5(bits), slice(offset, 0, bits)) }
    };
    format!(
        "reg [{after}:0] valid_after;
reg [{after}:0] ok_after;
reg [{region_top}:0] region_3;
reg [{region_top}:0] region_4;
reg [{region_top}:0] region_5;
reg [{ltop}:0] offset_3;
reg [{ltop}:0] offset_4;
reg [{ltop}:0] offset_5;
reg [31:0] early;
reg [31:0] known;
reg [31:0] answer;
reg [31:0] dat;
wire [{mtop}:0] map_a = {map_a};
wire [{mtop}:0] map_b = {map_b};
wire [{ctop}:0] accumulators = {accumulators};
assign dat_o = dat;
assign ack_o = valid_after[{after}] & ok_after[{after}];
assign err_o = valid_after[{after}] & ~ok_after[{after}];
always @(*) begin
  case (region_4)
    {registers}: early = register_data_i;
    {acc}: early = accumulators[{column_index} +: 32];
    {counters}: early = counters_i;
    default: early = 32'd0;
  endcase
  // A map's word is there a cycle later.
  case (region_5)
    {a}: answer = map_a[{map_index} +: 32];
    {b}: answer = map_b[{map_index} +: 32];
    default: answer = known;
  endcase
end
always @(posedge clk_i) begin
  valid_after <= rst_i ? {cycles}'d0 : {{valid_after[{before}:0], valid_1}};
  ok_after <= {{ok_after[{before}:0], ok}};
  region_3 <= region_2;
  region_4 <= region_3;
  region_5 <= region_4;
  offset_3 <= offset_2[{ltop}:0];
  offset_4 <= offset_3;
  offset_5 <= offset_4;
  known <= early;
  dat <= answer;
end
",
        // The answer is known two cycles after the request.
        cycles = BUS_LATENCY - 2,
        after = BUS_LATENCY - 3,
        before = BUS_LATENCY - 4,
        ltop = low - 1,
        mtop = 32 * hw.map_stride - 1,
        ctop = full_columns - 1,
        map_a = padded_map("map_a_i"),
        map_b = padded_map("map_b_i"),
        registers = region(Region::Registers),
        a = region(Region::MapA),
        b = region(Region::MapB),
        acc = region(Region::Accumulators),
        counters = region(Region::Counters),
        map_index = index("offset_5", map_bits),
        column_index = index("offset_4", column_bits),
    )
}

/// Zeros that extend `bits` bits to five.
fn pad5(bits: u32) -> String {
    if bits == 5 { String::new() } else { format!("{}'d0, ", 5 - bits) }
}

impl Logic for Wishbone {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom(
            "wishbone",
            &format!("Wishbone B4 pipelined slave; answers after {BUS_LATENCY} cycles."),
            self._text.clone(),
        )
    }
}
