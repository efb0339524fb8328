//! Proofs on the modules that a board adds to its accelerator.

use super::{Fault, Proof, assert_each_fault_is_found, module};
use crate::common::array;
use hafnia_config::board::{self, Build};
use hafnia_config::link::{BUS_PATIENCE_BITS, FIFO_BYTES};
use hafnia_gen::generate_board;

/// A block made of these modules of a board.
fn of_board(block: &'static str, modules: &[&str], cycles: u32) -> Proof {
    let (hw, board) = (array(2, 2, 1), board::find("ulx3s-85f").expect("a board"));
    let build = Build::new(&board, &hw, None, None).expect("a board can be built");
    let whole = generate_board(&build).verilog;
    let verilog = modules.iter().map(|name| module(&whole, name)).collect();
    Proof { block, verilog, parameters: Vec::new(), header: String::new(), cycles }
}

/// The FIFO with its memory, at one word of which the properties look.
fn fifo() -> Proof {
    let proof = of_board("line_fifo", &["block_ram_2048x9", "line_fifo"], 6);
    let bits = FIFO_BYTES.ilog2();
    let nets = format!("wire [{}:0] tracked;\nwire [8:0] tracked_word = words[tracked];\n", bits - 1);
    let proof = proof.with("reg [8:0] fetched;\n", &format!("reg [8:0] fetched;\n{nets}"));
    Proof { parameters: vec![("BITS", bits)], ..proof }
}

/// A FIFO of 4 bytes, which the solver can fill and wrap: the same text but for its widths and depth.
fn short_fifo() -> Proof {
    let mut proof = Proof { parameters: vec![("BITS", 2)], cycles: 10, ..fifo() };
    for (text, instead) in [
        ("[10:0]", "[1:0]"),
        ("[11:0]", "[2:0]"),
        ("11'd", "2'd"),
        ("12'd", "3'd"),
        ("level[11]", "level[2]"),
        ("[0:2047]", "[0:3]"),
    ] {
        assert!(proof.verilog.contains(text), "no {text} in the FIFO");
        proof.verilog = proof.verilog.replace(text, instead);
    }
    proof
}

fn bridge() -> Proof {
    Proof { parameters: vec![("PATIENCE_BITS", BUS_PATIENCE_BITS)], ..of_board("bridge", &["bridge"], 4) }
}

/// A bridge that waits for 2 cycles and whose reset opens a session: the same text but for the width of its counter and for this
/// reset.
fn hasty_bridge() -> Proof {
    let proof = Proof { parameters: vec![("PATIENCE_BITS", 1), ("QUICK", 1)], cycles: 9, ..bridge() };
    let mut proof = proof.with("session <= 1'b0;", "session <= 1'b1;\n    expected <= 8'd0;");
    for (text, instead) in [("[19:0] quiet", "quiet"), ("20'd", "1'd")] {
        assert!(proof.verilog.contains(text), "no {text} in the bridge");
        proof.verilog = proof.verilog.replace(text, instead);
    }
    proof
}

#[test]
fn fifo_loses_no_byte_untold() {
    for proof in [fifo(), short_fifo()] {
        let model = proof.model();
        model.assert_holds_from_power_on();
        model.assert_holds_by_induction();
    }
    short_fifo().model().assert_every_cover_is_reached();
}

#[test]
fn fifo_with_a_fault_breaks_its_properties() {
    let fault = |line, instead, fails| Fault { line, instead, fails };
    let faults = [
        fault("if (read & ~write) level <=", "if (read) level <=", "counted"),
        fault("wire full = level[2];", "wire full = level == 3'd3;", "room"),
        fault("level <= 3'd0;", "level <= level;", "emptied"),
        fault("valid <= (valid & ~take_i) |", "valid <= valid |", "made"),
        fault("(level != 3'd0) &", "(level > 3'd1) &", "shown"),
        fault("memory_write_address_i = write_place;", "memory_write_address_i = read_place;", "kept"),
        fault("{damaged_i | gap, data_i}", "{damaged_i, data_i}", "kept"),
        fault("if (write_i) gap <= full;", "gap <= full;", "counted"),
        fault("damaged_o = memory_read_data_o[8];", "damaged_o = 1'b0;", "order"),
    ];
    assert_each_fault_is_found(short_fifo, &faults);
}

#[test]
fn bridge_writes_once_keeps_to_the_bus_and_comes_to_rest() {
    let model = bridge().model();
    model.assert_holds_from_power_on();
    model.assert_holds_by_induction();
    Proof { cycles: 11, ..hasty_bridge() }.model().assert_every_cover_is_reached();
}

#[test]
fn bridge_with_a_fault_breaks_its_properties() {
    let fault = |line, instead, fails| Fault { line, instead, fails };
    let faults = [
        fault("expected <= number_i + 8'd1;", "expected <= number_i;", "turn"),
        fault("repeated <= 1'b1;", "repeated <= 1'b1; if (is_write) state <= FETCH;", "once"),
        fault("cyc_o = (state == OFFER) | (state == WAIT);", "cyc_o = state == WAIT;", "within"),
        fault("OFFER: if (given_up | ~stall_i) state", "OFFER: state", "held"),
        fault("stb_o = state == OFFER;", "stb_o = cyc_o;", "single"),
        fault("cyc_o = (state == OFFER) | (state == WAIT);", "cyc_o = state == OFFER;", "closed"),
        fault("dat_o = word;", "dat_o = ~word;", "asked"),
        fault("state <= reads ? OFFER : TAIL;", "state <= TAIL;", "done"),
        fault("last_o = (state == TAIL) & part[0];", "last_o = state == TAIL;", "length"),
        fault("4'b1000: data = number;", "4'b1000: data = answer;", "told"),
        // An answer in the last cycle would be taken for none.
        fault("late = given_up & ~answered;", "late = given_up;", "told"),
        fault("HEAD: if (sent) begin", "HEAD: if (sent & part[1]) begin", "ends"),
        fault("reads <= ~is_hello & ~is_write;", "reads <= ~is_hello;", "tied"),
    ];
    assert_each_fault_is_found(hasty_bridge, &faults);
}
