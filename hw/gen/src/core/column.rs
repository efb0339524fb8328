//! One column of the array: its PEs, its accumulators, its bias and scales, and its way out.
//!
//! A pixel's control word reaches `control_i` `rows` cycles after the pixel reached row 0, so that the accumulator read
//! (latency 2) meets the sum at the bottom of the PEs. Sum registered one cycle later, stored or requantised after that.
//! The bias of the next output fold comes in the cycle before the first pixel that it is added to.
//! A stored sum may be read again 4 cycles after its last read (`ACCUMULATE_LATENCY`).
//! Everything that enters from the left leaves to the right one cycle later.

use hafnia_config::Elaborated;
use rust_hdl::core::prelude::*;

use super::control::{Control, EMIT, FIRST, POOL_FIRST, POOL_LAST, RELU, VALID};
use super::pe::{PSUM_BITS, Pe};
use super::requantise::Requantise;
use crate::emit::custom;
use crate::mem::block_ram::BlockRam;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Column {
    pub clk_i: Wire<In>,
    pub x_i: Wire<In>,
    pub switch_i: Wire<In>,
    pub load_i: Wire<In>,
    pub weight_i: Wire<In>,
    pub control_i: Wire<In>,
    pub x_o: Wire<Out>,
    pub switch_o: Wire<Out>,
    pub load_o: Wire<Out>,
    pub control_o: Wire<Out>,
    pub valid_o: Wire<Out>,
    pub value_o: Wire<Out>,
    /// Host access to accumulators and parameters, while no program runs.
    pub host_read_i: Wire<In>,
    pub host_address_i: Wire<In>,
    pub bias_i: Wire<In>,
    pub bias_load_i: Wire<In>,
    pub host_write_scale_i: Wire<In>,
    pub scale_address_i: Wire<In>,
    pub scale_data_i: Wire<In>,
    pub accumulator_o: Wire<Out>,
    pes: Vec<Pe>,
    accumulators: BlockRam,
    scales: BlockRam,
    requantise: Requantise,
    _text: String,
}

/// Bits of a host address within the column's memories; the deepest is 2^14 words.
pub const HOST_ADDRESS_BITS: u32 = 14;

impl Column {
    /// Returns the column of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let control = Control::new(hw);
        let memory = &hw.config.memory;
        let mut column = Self {
            clk_i: Wire::new(1),
            x_i: Wire::new(8 * hw.rows),
            switch_i: Wire::new(hw.rows),
            load_i: Wire::new(hw.rows),
            weight_i: Wire::new(8),
            control_i: Wire::new(control.bits),
            x_o: Wire::new(8 * hw.rows),
            switch_o: Wire::new(hw.rows),
            load_o: Wire::new(hw.rows),
            control_o: Wire::new(control.bits),
            valid_o: Wire::new(1),
            value_o: Wire::new(8),
            host_read_i: Wire::new(1),
            host_address_i: Wire::new(HOST_ADDRESS_BITS),
            bias_i: Wire::new(32),
            bias_load_i: Wire::new(1),
            host_write_scale_i: Wire::new(1),
            scale_address_i: Wire::new(HOST_ADDRESS_BITS),
            scale_data_i: Wire::new(32),
            accumulator_o: Wire::new(32),
            pes: (0..hw.rows).map(|row| Pe::new(row < hw.config.array.soft_rows)).collect(),
            accumulators: BlockRam::new(32, memory.accumulator_words),
            scales: BlockRam::new(22, memory.parameter_words),
            requantise: Requantise::default(),
            _text: String::new(),
        };
        column._text = column.wire_pes() + &column.wire_memories(hw, &control) + &column.wire_way_out(hw, &control);
        column
    }

    fn wire_pes(&mut self) -> String {
        let mut text = String::new();
        let (mut x, mut switch) = (Vec::new(), Vec::new());
        for (r, pe) in self.pes.iter_mut().enumerate() {
            pe.connect_inputs();
            let psum = if r == 0 { format!("{PSUM_BITS}'d0") } else { format!("pes_{}_psum_o", r - 1) };
            for (name, from) in [
                ("x_i", format!("x_i[{}:{}]", 8 * r + 7, 8 * r)),
                ("switch_i", format!("switch_i[{r}]")),
                ("load_i", format!("load_i[{r}]")),
                ("weight_i", "weight_i".to_owned()),
                ("psum_i", psum),
            ] {
                text.push_str(&format!("assign pes_{r}_{name} = {from};\n"));
            }
            x.insert(0, format!("pes_{r}_x_o"));
            switch.insert(0, format!("pes_{r}_switch_o"));
        }
        text.push_str(&format!("assign x_o = {{{}}};\nassign switch_o = {{{}}};\n", x.join(", "), switch.join(", ")));
        text
    }

    fn wire_memories(&mut self, hw: &Elaborated, control: &Control) -> String {
        let mut text = String::new();
        let (a, p) = (hw.accumulator_address_bits, hw.parameter_address_bits);
        let read_parameters = format!("control_i[{VALID}] & control_i[{EMIT}]");
        let (acc, par) = (control.accumulator(), control.parameter());
        let memories = [
            (
                &mut self.accumulators,
                "accumulators",
                "valid_3 & ~emit_3".to_owned(),
                "address_3".to_owned(),
                "sum".to_owned(),
                format!("control_i[{VALID}] | host_read_i"),
                format!("host_read_i ? host_address_i[{}:0] : control_i{acc}", a - 1),
            ),
            (
                &mut self.scales,
                "scales",
                "host_write_scale_i".to_owned(),
                format!("scale_address_i[{}:0]", p - 1),
                "scale_data_i[21:0]".to_owned(),
                read_parameters,
                format!("control_i{par}"),
            ),
        ];
        for (memory, name, write, write_address, write_data, read, read_address) in memories {
            memory.clk_i.connect();
            text.push_str(&memory.write_i.drive(&format!("{name}_write_i"), &write));
            text.push_str(&memory.write_address_i.drive(&format!("{name}_write_address_i"), &write_address));
            text.push_str(&memory.write_data_i.drive(&format!("{name}_write_data_i"), &write_data));
            text.push_str(&memory.read_i.drive(&format!("{name}_read_i"), &read));
            text.push_str(&memory.read_address_i.drive(&format!("{name}_read_address_i"), &read_address));
        }
        text
    }

    fn wire_way_out(&mut self, hw: &Elaborated, control: &Control) -> String {
        let requantise = &mut self.requantise;
        requantise.clk_i.connect();
        let mut text = String::new();
        for (port, name, from) in [
            (&mut requantise.valid_i, "valid_i", "valid_3 & emit_3"),
            (&mut requantise.sum_i, "sum_i", "sum"),
            (&mut requantise.m_i, "m_i", "scale[15:0]"),
            (&mut requantise.s_i, "s_i", "scale[21:16]"),
            (&mut requantise.relu_i, "relu_i", "flags_3[2]"),
            (&mut requantise.pool_first_i, "pool_first_i", "flags_3[1]"),
            (&mut requantise.pool_last_i, "pool_last_i", "flags_3[0]"),
        ] {
            text.push_str(&port.drive(&format!("requantise_{name}"), from));
        }
        let top = control.bits - 1;
        let bottom = hw.rows - 1;
        let acc = control.accumulator();
        text.push_str(&format!(
            "reg [{top}:0] control_1;
reg [{top}:0] control_2;
reg [{bottom}:0] load;
reg valid_3;
reg emit_3;
reg [2:0] flags_3;
reg [{atop}:0] address_3;
reg [31:0] sum;
reg [31:0] bias;
reg [21:0] scale;
wire [31:0] addend = control_2[{FIRST}] ? bias : accumulators_read_data_o;
assign load_o = load;
assign control_o = control_1;
assign valid_o = requantise_valid_o;
assign value_o = requantise_value_o;
assign accumulator_o = accumulators_read_data_o;
always @(posedge clk_i) begin
  load <= load_i;
  if (bias_load_i) bias <= bias_i;
  control_1 <= control_i;
  control_2 <= control_1;
  valid_3 <= control_2[{VALID}];
  emit_3 <= control_2[{EMIT}];
  address_3 <= control_2{acc};
  sum <= addend + {{{{{pad}{{pes_{bottom}_psum_o[{psum_top}]}}}}, pes_{bottom}_psum_o}};
  if (control_2[{EMIT}]) begin
    scale <= scales_read_data_o;
    flags_3 <= {{control_2[{RELU}], control_2[{POOL_FIRST}], control_2[{POOL_LAST}]}};
  end
end
",
            atop = hw.accumulator_address_bits - 1,
            pad = 32 - PSUM_BITS,
            psum_top = PSUM_BITS - 1,
        ));
        text
    }
}

impl Logic for Column {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("column", "One column: PEs, accumulators, bias and scales, requantiser.", self._text.clone())
    }
}
