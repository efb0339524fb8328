//! The toy design and where the tests build it.

// Each test file is a crate of its own and uses a part of this module.
#![allow(dead_code)]

use std::path::PathBuf;

use hafnia_verilate::{Builder, DEFAULT_WAIVERS, Design, Dut, Model, Port, Trace, Unknowns, Variant};

/// Transfers of the toy's weight stream are this many bits wide unless a test says otherwise.
pub const WIDTH: u32 = 64;

/// The toy with a weight stream of `width_bits`.
pub fn toy(width_bits: u32) -> Design {
    let input = |name: &str, width| Port::input(name, width);
    let output = |name: &str, width| Port::output(name, width);
    Design {
        top: "toy".into(),
        verilog: include_str!("../data/toy.v").replace("WIDTH", &width_bits.to_string()),
        waivers: DEFAULT_WAIVERS.map(String::from).to_vec(),
        ports: vec![
            input("clk_i", 1),
            input("rst_i", 1),
            input("wb_cyc_i", 1),
            input("wb_stb_i", 1),
            input("wb_we_i", 1),
            input("wb_adr_i", 24),
            input("wb_dat_i", 32),
            input("wb_sel_i", 4),
            output("wb_dat_o", 32),
            output("wb_ack_o", 1),
            output("wb_err_o", 1),
            output("wb_stall_o", 1),
            input("ws_valid_i", 1),
            input("ws_data_i", width_bits),
            output("ws_ready_o", 1),
            output("busy_o", 1),
            output("flip_valid_o", 1),
            output("flip_layer_o", 8),
            output("flip_group_o", 16),
            output("flip_address_o", 32),
            output("flip_before_o", width_bits),
            output("flip_mask_o", width_bits),
        ],
    }
}

/// The cache that the tests share, so that Verilator's runtime is compiled once for all of them.
pub fn shared_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verilated")
}

/// Builds a variant of the toy in the shared cache.
pub fn model(width_bits: u32, trace: Trace, unknowns: Unknowns) -> Model {
    let built = Builder::new()
        .folder(shared_folder())
        .build(&toy(width_bits), Variant { trace, unknowns, ..Variant::default() });
    built.unwrap_or_else(|error| panic!("{error}"))
}

/// A toy that came out of reset.
pub fn started(model: &Model) -> Dut {
    let mut dut = model.dut().expect("the toy has no initial blocks");
    dut.reset(2).expect("the toy has a reset");
    dut
}

/// A toy with the usual stream, without waveforms, that came out of reset.
pub fn fast() -> Dut {
    started(&model(WIDTH, Trace::None, Unknowns::Fast))
}
