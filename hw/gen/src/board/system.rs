//! The accelerator, its weight stream and the board's registers on one bus; all of them start anew with a session.

use hafnia_config::board::Build;
use hafnia_config::link::{BOARD_BASE, STREAM_BASE};
use hafnia_config::regs::{ADDRESS_BITS, REGION_SHIFT};
use rust_hdl::core::prelude::*;

use super::registers::{OFFSET_BITS, Registers};
use super::stream::Stream;
use crate::emit::custom;
use crate::top::Top;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct System {
    pub clk_i: Wire<In>,
    pub reset_i: Wire<In>,
    pub cyc_i: Wire<In>,
    pub stb_i: Wire<In>,
    pub we_i: Wire<In>,
    pub adr_i: Wire<In>,
    pub dat_i: Wire<In>,
    pub dat_o: Wire<Out>,
    pub ack_o: Wire<Out>,
    pub err_o: Wire<Out>,
    pub stall_o: Wire<Out>,
    pub events_i: Wire<In>,
    pub memory_valid_i: Wire<In>,
    pub memory_data_i: Wire<In>,
    pub memory_ready_o: Wire<Out>,
    pub busy_o: Wire<Out>,
    rst_i: Wire<Local>,
    accelerator: Top,
    stream: Stream,
    registers: Registers,
    _text: String,
}

impl System {
    /// Returns the system of this build.
    pub fn new(build: &Build<'_>) -> Self {
        let hw = build.hw;
        let mut system = Self {
            clk_i: Wire::new(1),
            reset_i: Wire::new(1),
            cyc_i: Wire::new(1),
            stb_i: Wire::new(1),
            we_i: Wire::new(1),
            adr_i: Wire::new(ADDRESS_BITS),
            dat_i: Wire::new(32),
            dat_o: Wire::new(32),
            ack_o: Wire::new(1),
            err_o: Wire::new(1),
            stall_o: Wire::new(1),
            events_i: Wire::new(6),
            memory_valid_i: Wire::new(1),
            memory_data_i: Wire::new(hw.stream_bits()),
            memory_ready_o: Wire::new(1),
            busy_o: Wire::new(1),
            rst_i: Wire::new(1),
            accelerator: Top::new(hw),
            stream: Stream::new(hw),
            registers: Registers::new(build),
            _text: String::new(),
        };
        system._text = system.wire();
        system
    }

    fn wire(&mut self) -> String {
        let region = |base: u32| format!("{}'d{}", ADDRESS_BITS - REGION_SHIFT, base >> REGION_SHIFT);
        let Self { rst_i, accelerator, stream, registers, .. } = self;
        for clock in [
            rst_i as &mut dyn Logic,
            &mut accelerator.clk_i,
            &mut accelerator.rst_i,
            &mut stream.clk_i,
            &mut stream.rst_i,
            &mut registers.clk_i,
            &mut registers.rst_i,
        ] {
            clock.connect();
        }
        let mut text = format!(
            "// The reset of a session is registered: it reaches every register of the accelerator.
reg reset = 1'b1;
always @(posedge clk_i) reset <= reset_i;
assign rst_i = reset;
wire [{top}:0] region = adr_i[{last}:{REGION_SHIFT}];
wire is_stream = region == {stream};
wire is_registers = region == {board};
assign busy_o = accelerator_busy_o;
assign memory_ready_o = stream_memory_ready_o;
// The bridge waits for each answer, so there is never more than one.
assign ack_o = accelerator_wb_ack_o | stream_ack_o | registers_ack_o;
assign err_o = accelerator_wb_err_o | stream_err_o | registers_err_o;
assign dat_o = is_registers ? registers_dat_o : accelerator_wb_dat_o;
assign stall_o = is_registers ? 1'b0 : is_stream ? stream_stall_o : accelerator_wb_stall_o;
",
            top = ADDRESS_BITS - REGION_SHIFT - 1,
            last = ADDRESS_BITS - 1,
            stream = region(STREAM_BASE),
            board = region(BOARD_BASE),
        );
        for (port, name, from) in [
            (&mut accelerator.wb_cyc_i, "accelerator_wb_cyc_i", "cyc_i & ~is_stream & ~is_registers"),
            (&mut accelerator.wb_stb_i, "accelerator_wb_stb_i", "stb_i"),
            (&mut accelerator.wb_we_i, "accelerator_wb_we_i", "we_i"),
            (&mut accelerator.wb_adr_i, "accelerator_wb_adr_i", "adr_i"),
            (&mut accelerator.wb_dat_i, "accelerator_wb_dat_i", "dat_i"),
            (&mut accelerator.wb_sel_i, "accelerator_wb_sel_i", "4'hf"),
            (&mut accelerator.ws_valid_i, "accelerator_ws_valid_i", "stream_valid_o"),
            (&mut accelerator.ws_data_i, "accelerator_ws_data_i", "stream_data_o"),
            (&mut stream.stb_i, "stream_stb_i", "stb_i & is_stream"),
            (&mut stream.we_i, "stream_we_i", "we_i"),
            (&mut stream.dat_i, "stream_dat_i", "dat_i"),
            (&mut stream.memory_valid_i, "stream_memory_valid_i", "memory_valid_i"),
            (&mut stream.memory_data_i, "stream_memory_data_i", "memory_data_i"),
            (&mut stream.ready_i, "stream_ready_i", "accelerator_ws_ready_o"),
            (&mut registers.stb_i, "registers_stb_i", "stb_i & is_registers"),
            (&mut registers.we_i, "registers_we_i", "we_i"),
            (&mut registers.events_i, "registers_events_i", "events_i"),
        ] {
            text += &port.drive(name, from);
        }
        text += &registers.offset_i.drive("registers_offset_i", &format!("adr_i[{}:0]", OFFSET_BITS - 1));
        let piece = stream.adr_i.bits() - 1;
        text += &stream.adr_i.drive("stream_adr_i", &format!("adr_i[{piece}:0]"));
        text
    }
}

impl Logic for System {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("system", "Accelerator, weight stream and board registers on one bus.", self._text.clone())
    }
}
