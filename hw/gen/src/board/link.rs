//! From the pins of the line to the bus: receiver, frames, requests, answers, transmitter.

use hafnia_config::board::Build;
use hafnia_config::regs::ADDRESS_BITS;
use rust_hdl::core::prelude::*;

use super::bridge::Bridge;
use super::deframer::Deframer;
use super::fifo::Fifo;
use super::framer::Framer;
use super::uart::{Receiver, Transmitter};
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Link {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub rx_i: Wire<In>,
    pub tx_o: Wire<Out>,
    pub cyc_o: Wire<Out>,
    pub stb_o: Wire<Out>,
    pub we_o: Wire<Out>,
    pub adr_o: Wire<Out>,
    pub dat_o: Wire<Out>,
    pub dat_i: Wire<In>,
    pub ack_i: Wire<In>,
    pub err_i: Wire<In>,
    pub stall_i: Wire<In>,
    /// A session opens.
    pub reset_o: Wire<Out>,
    /// Framing error, break, overrun, damaged frame, request out of turn, repetition.
    pub events_o: Wire<Out>,
    /// Something of the line or the bus went wrong.
    pub error_o: Wire<Out>,
    receiver: Receiver,
    fifo: Fifo,
    deframer: Deframer,
    bridge: Bridge,
    framer: Framer,
    transmitter: Transmitter,
    _text: String,
}

const TEXT: &str = "assign tx_o = transmitter_tx_o;
assign cyc_o = bridge_cyc_o;
assign stb_o = bridge_stb_o;
assign we_o = bridge_we_o;
assign adr_o = bridge_adr_o;
assign dat_o = bridge_dat_o;
assign reset_o = bridge_reset_o;
assign events_o = {bridge_repeat_o, bridge_out_of_turn_o, deframer_bad_o, fifo_overrun_o, receiver_break_o,
  receiver_framing_error_o};
assign error_o = (|events_o[3:0]) | bridge_refused_o;
";

impl Link {
    /// Returns the link of this build.
    pub fn new(build: &Build<'_>) -> Self {
        let mut link = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            rx_i: Wire::new(1),
            tx_o: Wire::new(1),
            cyc_o: Wire::new(1),
            stb_o: Wire::new(1),
            we_o: Wire::new(1),
            adr_o: Wire::new(ADDRESS_BITS),
            dat_o: Wire::new(32),
            dat_i: Wire::new(32),
            ack_i: Wire::new(1),
            err_i: Wire::new(1),
            stall_i: Wire::new(1),
            reset_o: Wire::new(1),
            events_o: Wire::new(6),
            error_o: Wire::new(1),
            receiver: Receiver::new(build.clock_khz, build.baud),
            fifo: Fifo::default(),
            deframer: Deframer::default(),
            bridge: Bridge::default(),
            framer: Framer::default(),
            transmitter: Transmitter::new(build.clock_khz, build.baud),
            _text: TEXT.to_owned(),
        };
        let Self { receiver, fifo, deframer, bridge, framer, transmitter, _text: text, .. } = &mut link;
        for clock in [
            &mut receiver.clk_i,
            &mut receiver.rst_i,
            &mut fifo.clk_i,
            &mut fifo.rst_i,
            &mut deframer.clk_i,
            &mut deframer.rst_i,
            &mut bridge.clk_i,
            &mut bridge.rst_i,
            &mut framer.clk_i,
            &mut framer.rst_i,
            &mut transmitter.clk_i,
            &mut transmitter.rst_i,
        ] {
            clock.connect();
        }
        for (port, name, from) in [
            (&mut receiver.rx_i, "receiver_rx_i", "rx_i"),
            (&mut fifo.write_i, "fifo_write_i", "receiver_valid_o | receiver_framing_error_o | receiver_break_o"),
            (&mut fifo.data_i, "fifo_data_i", "receiver_data_o"),
            (&mut fifo.damaged_i, "fifo_damaged_i", "~receiver_valid_o"),
            (&mut fifo.take_i, "fifo_take_i", "deframer_take_o"),
            (&mut deframer.data_i, "deframer_data_i", "fifo_data_o"),
            (&mut deframer.damaged_i, "deframer_damaged_i", "fifo_damaged_o"),
            (&mut deframer.valid_i, "deframer_valid_i", "fifo_valid_o"),
            (&mut deframer.hold_i, "deframer_hold_i", "bridge_hold_o"),
            (&mut deframer.word_place_i, "deframer_word_place_i", "bridge_word_place_o"),
            (&mut bridge.request_i, "bridge_request_i", "deframer_request_o"),
            (&mut bridge.number_i, "bridge_number_i", "deframer_number_o"),
            (&mut bridge.command_i, "bridge_command_i", "deframer_command_o"),
            (&mut bridge.last_word_i, "bridge_last_word_i", "deframer_last_word_o"),
            (&mut bridge.address_i, "bridge_address_i", "deframer_address_o"),
            (&mut bridge.word_i, "bridge_word_i", "deframer_word_o"),
            (&mut bridge.ready_i, "bridge_ready_i", "framer_ready_o"),
            (&mut bridge.dat_i, "bridge_dat_i", "dat_i"),
            (&mut bridge.ack_i, "bridge_ack_i", "ack_i"),
            (&mut bridge.err_i, "bridge_err_i", "err_i"),
            (&mut bridge.stall_i, "bridge_stall_i", "stall_i"),
            (&mut framer.data_i, "framer_data_i", "bridge_data_o"),
            (&mut framer.valid_i, "framer_valid_i", "bridge_valid_o"),
            (&mut framer.last_i, "framer_last_i", "bridge_last_o"),
            (&mut framer.ready_i, "framer_ready_i", "transmitter_ready_o"),
            (&mut transmitter.data_i, "transmitter_data_i", "framer_data_o"),
            (&mut transmitter.valid_i, "transmitter_valid_i", "framer_valid_o"),
        ] {
            *text += &port.drive(name, from);
        }
        link
    }
}

impl Logic for Link {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("link", "From the line to the bus.", self._text.clone())
    }
}
