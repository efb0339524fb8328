//! Runs the layer program: fetches descriptors, orders weight reads and pixels, stores the counters.
//!
//! For each output fold, for each input fold, for each tap, one pass: the tile's weights are loaded into the shadow registers,
//! then every pixel of every image of the read group enters the array. The next tile loads while the current one computes.
//! States: IDLE, FETCH (35 cycles), SEED (generators, only while injecting), RUN, DRAIN (pipeline and last writes), STORE.
//! STOP leads from any of them to DRAIN, and from there to IDLE.

use std::cmp::Ordering;

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::fault::cell_hash::EPOCH_CLASSES;
use hafnia_config::program::{DESCRIPTOR_WORDS, FIELDS};
use hafnia_config::shape::LayerKind;
use rust_hdl::core::prelude::*;

use super::control::Control;
use crate::emit::custom;
use crate::protect::scrubber::END_BITS;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Sequencer {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub start_i: Wire<In>,
    /// Ends the program: high for one cycle.
    pub stop_i: Wire<In>,
    pub first_i: Wire<In>,
    pub count_i: Wire<In>,
    pub inject_i: Wire<In>,
    pub busy_o: Wire<Out>,
    // Layer program
    pub program_read_o: Wire<Out>,
    pub program_address_o: Wire<Out>,
    pub program_data_i: Wire<In>,
    // Seeding
    pub seed_load_o: Wire<Out>,
    pub weight_key_o: Wire<Out>,
    pub weight_shift_o: Wire<Out>,
    pub bias_key_o: Wire<Out>,
    pub bias_shift_o: Wire<Out>,
    pub map_key_o: Wire<Out>,
    pub map_shift_o: Wire<Out>,
    // Weights
    pub weight_ready_i: Wire<In>,
    /// A word is read in the next cycle.
    pub weight_next_o: Wire<Out>,
    pub weight_read_o: Wire<Out>,
    /// In the model's image; where the weights are resident, in the memory too.
    pub weight_address_o: Wire<Out>,
    pub weight_row_o: Wire<Out>,
    pub weight_live_o: Wire<Out>,
    pub weight_cols_o: Wire<Out>,
    // Pixels
    pub pixel_valid_o: Wire<Out>,
    pub pixel_switch_o: Wire<Out>,
    pub pixel_padding_o: Wire<Out>,
    pub pixel_address_o: Wire<Out>,
    pub pixel_rows_o: Wire<Out>,
    pub pixel_control_o: Wire<Out>,
    pub pixel_row_count_o: Wire<Out>,
    pub pixel_col_count_o: Wire<Out>,
    pub source_o: Wire<Out>,
    // Write-back
    pub write_start_o: Wire<Out>,
    pub write_base_o: Wire<Out>,
    pub write_image_o: Wire<Out>,
    pub write_plane_o: Wire<Out>,
    pub images_o: Wire<Out>,
    pub folds_o: Wire<Out>,
    pub cols_last_o: Wire<Out>,
    // Counters and records
    pub layer_o: Wire<Out>,
    pub group_o: Wire<Out>,
    pub epochs_o: Wire<Out>,
    // For the scrubber, where there is one: a layer runs, and where its weights are.
    pub run_o: Vec<Wire<Out>>,
    pub weight_base_o: Vec<Wire<Out>>,
    pub weight_end_o: Vec<Wire<Out>>,
    pub count_clear_o: Wire<Out>,
    pub count_run_o: Wire<Out>,
    pub count_stall_o: Wire<Out>,
    pub count_select_o: Wire<Out>,
    pub store_o: Wire<Out>,
    pub store_index_o: Wire<Out>,
    _text: String,
}

impl Sequencer {
    /// Returns the sequencer of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let map = hw.map_address_bits;
        let scrub = hw.config.protection.scrub;
        Self {
            run_o: Wire::optional(scrub, 1),
            weight_base_o: Wire::optional(scrub, 32),
            weight_end_o: Wire::optional(scrub, END_BITS),
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            start_i: Wire::new(1),
            stop_i: Wire::new(1),
            first_i: Wire::new(8),
            count_i: Wire::new(8),
            inject_i: Wire::new(1),
            busy_o: Wire::new(1),
            program_read_o: Wire::new(1),
            program_address_o: Wire::new(8 + DESCRIPTOR_WORDS.ilog2()),
            program_data_i: Wire::new(32),
            seed_load_o: Wire::new(1),
            weight_key_o: Wire::new(128),
            weight_shift_o: Wire::new(1),
            bias_key_o: Wire::new(128),
            bias_shift_o: Wire::new(1),
            map_key_o: Wire::new(128),
            map_shift_o: Wire::new(1),
            weight_ready_i: Wire::new(1),
            weight_next_o: Wire::new(1),
            weight_read_o: Wire::new(1),
            weight_address_o: Wire::new(32),
            weight_row_o: Wire::new(hw.rows),
            weight_live_o: Wire::new(hw.cols),
            weight_cols_o: Wire::new(8),
            pixel_valid_o: Wire::new(1),
            pixel_switch_o: Wire::new(1),
            pixel_padding_o: Wire::new(1),
            pixel_address_o: Wire::new(map),
            pixel_rows_o: Wire::new(hw.rows),
            pixel_control_o: Wire::new(Control::new(hw).bits),
            pixel_row_count_o: Wire::new(8),
            pixel_col_count_o: Wire::new(8),
            source_o: Wire::new(1),
            write_start_o: Wire::new(1),
            write_base_o: Wire::new(map),
            write_image_o: Wire::new(map),
            write_plane_o: Wire::new(map),
            images_o: Wire::new(8),
            folds_o: Wire::new(16),
            cols_last_o: Wire::new(8),
            layer_o: Wire::new(8),
            group_o: Wire::new(16),
            epochs_o: Wire::new(16 * EPOCH_CLASSES as u32),
            count_clear_o: Wire::new(1),
            count_run_o: Wire::new(1),
            count_stall_o: Wire::new(1),
            count_select_o: Wire::new(4),
            store_o: Wire::new(1),
            store_index_o: Wire::new(8),
            _text: text(hw),
        }
    }
}

/// The fetched descriptor as named wires.
fn fields(hw: &Elaborated) -> String {
    let mut text = String::new();
    for n in 0..DESCRIPTOR_WORDS {
        text.push_str(&format!("reg [31:0] d{n};\n"));
    }
    let unused = |name: &str| name.starts_with("weight_end") && !hw.config.protection.scrub;
    for (name, f, _) in FIELDS.iter().filter(|(name, ..)| !unused(name)) {
        let range = if f.bits == 1 { String::new() } else { format!("[{}:0] ", f.bits - 1) };
        let slice = if f.bits == 1 { format!("[{}]", f.low) } else { format!("[{}:{}]", f.low + f.bits - 1, f.low) };
        text.push_str(&format!("wire {range}f_{name} = d{}{slice};\n", f.word));
    }
    text
}

/// A mask of `width` bits whose lowest `count` bits are set, `count` being an 8-bit net.
fn mask(count: &str, width: u32) -> String {
    let bits: Vec<String> = (0..width).rev().map(|i| format!("{count} > 8'd{i}")).collect();
    format!("{{{}}}", bits.join(", "))
}

/// Extends `net` of `bits` bits with zeros, or drops its upper bits, to `wanted` bits.
fn resized(net: &str, bits: u32, wanted: u32) -> String {
    match wanted.cmp(&bits) {
        Ordering::Greater => format!("{{{}'d0, {net}}}", wanted - bits),
        Ordering::Equal => net.to_owned(),
        Ordering::Less => format!("{net}[{}:0]", wanted - 1),
    }
}

fn text(hw: &Elaborated) -> String {
    let mut shift = String::new();
    for n in 0..DESCRIPTOR_WORDS - 1 {
        shift.push_str(&format!("    d{n} <= d{};\n", n + 1));
    }
    let a = hw.map_address_bits;
    let (acc, par) = (hw.accumulator_address_bits, hw.parameter_address_bits);
    let seed = if hw.seed_cycles > 0 { "inject_i ? SEED : RUN" } else { "RUN" };
    let values = [
        ("FIELDS", fields(hw)),
        ("SHIFT", shift),
        ("MAP", a.to_string()),
        ("MTOP", (a - 1).to_string()),
        ("ATOP", (acc - 1).to_string()),
        ("ACC", acc.to_string()),
        ("PTOP", (par - 1).to_string()),
        ("ROWSTOP", (hw.rows - 1).to_string()),
        ("COLSTOP", (hw.cols - 1).to_string()),
        ("ROWS", hw.rows.to_string()),
        ("COLS", hw.cols.to_string()),
        ("MIN_PASS", (hw.min_pass_cycles(LayerKind::Conv3x3) - 1).to_string()),
        ("SEED_LAST", hw.seed_cycles.saturating_sub(1).to_string()),
        ("WEIGHT_SEEDS", hw.seed_words(Site::Weights).to_string()),
        ("BIAS_SEEDS", hw.seed_words(Site::Biases).to_string()),
        ("MAP_SEEDS", hw.seed_words(Site::Activations).to_string()),
        ("TAP_PASS", (hw.min_pass_cycles(LayerKind::Linear) - 1).to_string()),
        ("DRAIN_LAST", (hw.drain_cycles() - 1).to_string()),
        ("AFTER_FETCH", seed.to_owned()),
        ("ROWMASK", mask("pass_rows", hw.rows)),
        ("COLMASK", mask("tile_cols", hw.cols)),
        ("WIDTH", resized("f_width", 8, a)),
        ("IMAGES", resized("f_images", 8, acc)),
        ("ONEHOT", (0..hw.rows).rev().map(|r| format!("tile_row == 8'd{r}")).collect::<Vec<_>>().join(", ")),
    ];
    let scrub = if hw.config.protection.scrub { SCRUB } else { "" };
    values.iter().fold(TEXT.to_owned() + scrub, |text, (key, value)| text.replace(&format!("<{key}>"), value))
}

/// `run` is as late as the reads of weights are.
const SCRUB: &str = "reg run;
assign run_o_0 = run;
assign weight_base_o_0 = f_weight_base;
assign weight_end_o_0 = {f_weight_end_upper, f_weight_end};
always @(posedge clk_i) run <= running & ~ended;
";

const TEXT: &str = include_str!("sequencer.v");

impl Logic for Sequencer {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("sequencer", "Runs the layer program.", self._text.clone())
    }
}
