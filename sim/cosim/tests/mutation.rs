//! Negative control of the co-simulation: a one-line fault in the generated Verilog never passes unseen.

mod common;

use std::sync::Mutex;

use common::{Bench, builder};
use hafnia_config::fault::{AtRisk, Rates};
use hafnia_cosim::{CosimError, Engine, Found, Hardware, Ifmaps, Totals, design, random};
use hafnia_verilate::{Design, Variant};

/// A planted fault.
struct Fault {
    name: &'static str,
    /// Text of the generated Verilog; blocks of several sizes have it several times.
    text: &'static str,
    /// What stands there instead.
    instead: &'static str,
}

const fn fault(name: &'static str, text: &'static str, instead: &'static str) -> Fault {
    Fault { name, text, instead }
}

const FAULTS: [Fault; 45] = [
    // Requantiser
    fault("rounding bit left out", "half = 49'd1 << (s_1 - 6'd1);", "half = 49'd0;"),
    fault("ties toward minus infinity", "49'd1 << (s_1 - 6'd1);", "(49'd1 << (s_1 - 6'd1)) - 49'd1;"),
    fault("saturation at 127 missing", "else if (~shifted[48] & |shifted[47:7]) clamped <= 8'sd127;", ""),
    fault("ReLU missing", "if (shifted[48] & flags_3[2]) clamped <= 8'sd0;\n    else", ""),
    fault("logical shift", "rounded >>> s_2", "rounded >> s_2"),
    fault("shift too far", "rounded >>> s_2", "rounded >>> (s_2 + 6'd1)"),
    fault("pool takes the smallest", "clamped > largest", "clamped < largest"),
    fault("upper half of the product unsigned", "{{17{sum_i[31]}}, sum_i[31:16]}", "{17'd0, sum_i[31:16]}"),
    // Array
    fault("pixel skew short by one", "{lane2_2, lane1_1, lanes_i[8:0]}", "{lane2_1, lane1_1, lanes_i[8:0]}"),
    fault("weight skew short by one", "{lane4_4, lane3_3, lane2_2", "{lane4_3, lane3_3, lane2_2"),
    fault("two columns swapped", "{columns_1_value_o, straight_0}", "{straight_0, columns_1_value_o}"),
    fault(
        "stale weight in the first cycle of a tile",
        "if (switch_i) weight <= shadow;",
        "if (switch_q) weight <= shadow;",
    ),
    fault("product not sign-extended", "psum_i + {{4{product[15]}}, product}", "psum_i + {4'd0, product}"),
    fault("bias added in the last pass", "addend = control_2[1] ?", "addend = control_2[2] ?"),
    fault("accumulator address of the next pixel", "address_3 <= control_2[", "address_3 <= control_1["),
    // Way of the pixels
    fault("no padding left and right", "f_taps9 & (pads_y | pads_x)", "f_taps9 & pads_y"),
    fault("unused rows not blanked", "{{8{rows[2]}}, {8{rows[1]}}", "{{8{1'b1}}, {8{1'b1}}"),
    fault("next fold one lane too low", "5'd3 : lane + 5'd2;", "5'd3 : lane + 5'd1;"),
    // Injector, in the lanes of all sites
    fault("LFSR tap of a cell generator", "((a0 << 13) ^ a0)", "((a0 << 12) ^ a0)"),
    fault("LFSR shift of the seeder", "((z3 << 3) ^ z3) >> 12", "((z3 << 3) ^ z3) >> 11"),
    fault("seed chain skips a register", "    c3 <= b3;", "    c3 <= a3;"),
    fault("never both halves", "draws[2] = both | (u > ", "draws[2] = (u > "),
    fault("threshold of another node size", "draws[1] = u <= left_16", "draws[1] = u <= left_8"),
    fault("bits that are not at risk", "live <= {bits & {8{live_i[1]}},", "live <= {{8{live_i[1]}},"),
    fault("layers that are not at risk", "registers_inject_enable_o & at_risk", "registers_inject_enable_o"),
    fault("flips in columns that are not live", "flips = flips & live & (", "flips = flips & ("),
    fault("candidates of the other value thinned", "{16{thinned[1]}} & code", "{16{thinned[1]}} & ~code"),
    fault(
        "a cell kept that is not",
        "(u < keep_2_both_lower) : (u < keep_2_lower)",
        "(u < keep_2_both_lower) : (u <= left_2)",
    ),
    fault(
        "upper cell kept with the lower",
        "(u >= keep_2_both_lower) & (u < keep_2_both_upper)",
        "(u < keep_2_both_upper)",
    ),
    fault(
        "biases seeded with the key of weights",
        "biases_seed_key_i = sequencer_bias_key_o",
        "biases_seed_key_i = sequencer_weight_key_o",
    ),
    fault(
        "bias chain shifted too long",
        "bias_shift_o = (state == SEED) & (timer < 16'd96)",
        "bias_shift_o = (state == SEED)",
    ),
    fault(
        "bias draws not restarted in every layer",
        "biases_seed_shift_i = sequencer_bias_shift_o",
        "biases_seed_shift_i = sequencer_bias_shift_o & (sequencer_layer_o == 8'd0)",
    ),
    fault(
        "bias one column late",
        "wire [4:0] column = first ? 5'd0 : next_column;",
        "wire [4:0] column = first ? 5'd1 : next_column;",
    ),
    fault(
        "bias a cycle late",
        "assign bias_o = injector_0_code_o;",
        "reg [31:0] late;\nalways @(posedge clk_i) late <= injector_0_code_o;\nassign bias_o = late;",
    ),
    fault("biases of the fold before", "fold = first ? start_", "fold = ~first ? start_"),
    fault("draws for padding", "assign word_o = command_2[0] & ~command_2[2];", "assign word_o = command_2[0];"),
    fault(
        "activations of unused rows",
        "map_port_0_rows_i = feeder_word_rows_o",
        "map_port_0_rows_i = ~feeder_word_rows_o",
    ),
    // Counters
    fault("every flip counted twice", "{2'd0, weight_flips_i}", "{1'd0, weight_flips_i, 1'd0}"),
    fault("PEs added instead of multiplied", "{2'd0, pixel_rows_i} * {2'd0", "{2'd0, pixel_rows_i} + {2'd0"),
    fault("padding counted as read", "if (pixel_i & ~padding_i) cells_activations", "if (pixel_i) cells_activations"),
    fault("flips counted in the other direction", "of_1 = mask & stored;", "of_1 = mask & ~stored;"),
    fault("flip counts not cleared", "if (rst_i | clear_i) begin\n    total_0", "if (rst_i) begin\n    total_0"),
    // Time
    fault("ring of streamed weights holds one word", "weights_level_o > 20'd60", "weights_level_o > 20'd0"),
    fault("program that never starts", "if (start_i & (count_i != 8'd0))", "if (start_i & (count_i > 8'd200))"),
    fault("pass that never ends", "wire pass_end = (pass_start | pass_busy) &", "wire pass_end = pass_start &"),
];

/// Convolutions with and without a pool and a head, on an array whose sides do not divide each other, the weights streamed.
fn bench() -> Bench {
    let mut config = common::config(3, 5, 2);
    config.memory.weight_words = 64;
    let hw = config.validate().expect("the configuration is legal");
    let shapes = [
        common::conv(4, 7, 8, 8, true),
        common::conv(7, 6, 4, 4, false),
        common::conv(6, 5, 4, 4, true),
        common::conv(5, 8, 2, 2, true),
        common::head(8, 6),
    ];
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 5, 2);
    Bench::new(hw, network, 1, images)
}

/// The design with the fault in it.
fn mutant(sound: &Design, fault: &Fault) -> Design {
    assert!(sound.verilog.contains(fault.text), "{}: `{}` is not there", fault.name, fault.text);
    Design { verilog: sound.verilog.replace(fault.text, fault.instead), ..sound.clone() }
}

#[test]
fn every_planted_fault_is_seen_and_the_sound_design_is_equal() {
    let bench = bench();
    let sound = design(&bench.hw);
    let images = Ifmaps { first: 1, images: &bench.images, clean: None };
    let run = |design: &Design| -> Result<(Totals, Option<Found>), CosimError> {
        let hardware: Hardware = builder().build(design, Variant::default())?.into();
        let mut totals = Totals::new(&bench.plan(0.0, 3));
        let mut found = None;
        // Noise shows the faults of the injector, its absence those that need untouched weights, such as exact ties.
        let some = AtRisk { bits: [0x81, 0x81, 0], layers: 0b01011 };
        let uneven = Rates { p01: 0.3, p10: 0.1 };
        for plan in [
            bench.masked(0.1, 3, AtRisk::EVERYTHING),
            bench.plan(0.0, 3),
            bench.masked(0.1, 3, some),
            bench.masked(uneven, 3, AtRisk::EVERYTHING),
        ] {
            hafnia_cosim::run(&plan, Engine::Both(&hardware), images, 1, &mut |batch| {
                totals.add(&batch, &[]);
                found = found.take().or(batch.difference);
                found.is_none()
            })?;
        }
        Ok((totals, found))
    };
    let (totals, found) = run(&sound).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found, None);
    assert!(totals.images == 20 && totals.all().0 > 1000, "the run is too small to show the faults");

    let queue = Mutex::new(FAULTS.iter());
    let unseen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("taking a fault does not panic").next();
                    let Some(fault) = next else { break };
                    let missed = match run(&mutant(&sound, fault)) {
                        Ok((_, Some(found))) => {
                            println!("{}: {}", fault.name, found.difference);
                            continue;
                        }
                        Ok((_, None)) => fault.name.to_owned(),
                        Err(error) => format!("{}: {error}", fault.name),
                    };
                    unseen.lock().expect("storing does not panic").push(missed);
                }
            });
        }
    });
    let unseen = unseen.into_inner().expect("no thread panicked");
    assert!(unseen.is_empty(), "faults that the comparison did not see: {unseen:#?}");
}
