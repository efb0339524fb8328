//! Negative control of the co-simulation: a one-line fault in the generated Verilog never passes unseen.

use crate::common::{Bench, builder, config, conv, head};
use crate::scrub;
use hafnia_config::accel::InjectorConfig;
use hafnia_config::fault::{AtRisk, CellFaults, Kinds, Noise, Rates, Telegraph, Verify};
use hafnia_config::protect::{Code, OnDetected};
use hafnia_cosim::{CosimError, Engine, Found, Hardware, Ifmaps, Plan, Totals, design, random};
use hafnia_verilate::{Design, Model, Port, Variant};
use rayon::prelude::*;

/// A planted fault.
struct Fault {
    name: &'static str,
    /// Text of the generated Verilog, inside an assignment, a wire with a value or an always block; blocks of several sizes
    /// have it several times.
    text: &'static str,
    /// What stands there instead.
    instead: &'static str,
}

const fn fault(name: &'static str, text: &'static str, instead: &'static str) -> Fault {
    Fault { name, text, instead }
}

const FAULTS: [Fault; 66] = [
    // Requantiser
    fault("rounding bit left out", "nearest = kept + {7'd0, rounds}", "nearest = kept"),
    fault("ties toward minus infinity", "product_low[15:0]};", "product_low[15:0]} - 49'd1;"),
    fault("saturation at 127 missing", "else if (saturates) clamped", "else if (saturates & sign) clamped"),
    fault("rounded past 127", "(~sign & &kept[6:0])", "1'b0"),
    fault("what exceeds by few places is not seen", "{|above[6:3], |above[2:0]}", "{|above[6:3], 1'b0}"),
    fault("what exceeds by many places is not seen", "{|above[6:3], |above[2:0]}", "{1'b0, |above[2:0]}"),
    fault("ReLU missing", "if (sign & flags_3[2]) clamped <= 8'sd0;\n    else", ""),
    fault("sign of the product lost", "negative = product[48]", "negative = 1'b0"),
    fault("shift too far", "shifted_1 = s_2[0] ?", "shifted_1 = 1'b1 ?"),
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
    fault("seed chain skips a register", "seed_i[0] ? b3 :", "seed_i[0] ? a3 :"),
    fault("never both halves", "upper0 <= ~(both_16 < u1) | (", "upper0 <= ("),
    fault("threshold of another node size", "lower0 <= ~(left_16 < u1)", "lower0 <= ~(left_8 < u1)"),
    fault("bits that are not at risk", "live_0 <= {bits_i & {8{live_i[1]}},", "live_0 <= {{8{live_i[1]}},"),
    fault("layers that are not at risk", "registers_inject_enable_o & at_risk", "registers_inject_enable_o"),
    fault("flips in columns that are not live", "flips = flips & live_3 & (", "flips = flips & ("),
    fault("candidates of the other value thinned", "{16{thinned[1]}} & code", "{16{thinned[1]}} & ~code"),
    fault(
        "a cell kept that is not",
        "(u8 < keep_2_both_lower)) : (u8 < keep_2_lower)",
        "(u8 < keep_2_both_lower)) : (u8 <= left_2)",
    ),
    fault(
        "upper cell kept with the lower",
        "~(u8 < keep_2_both_lower) & (u8 < keep_2_both_upper)",
        "(u8 < keep_2_both_upper)",
    ),
    fault(
        "biases seeded with the key of weights",
        "bias_port_0_seed_key_i = sequencer_bias_key_o",
        "bias_port_0_seed_key_i = sequencer_weight_key_o",
    ),
    fault(
        "bias chain shifted too long",
        "bias_shift_o = (state == SEED) & (timer < 16'd96)",
        "bias_shift_o = (state == SEED)",
    ),
    fault(
        "bias draws not restarted in every layer",
        "bias_port_0_seed_shift_i = sequencer_bias_shift_o",
        "bias_port_0_seed_shift_i = sequencer_bias_shift_o & (sequencer_layer_o == 8'd0)",
    ),
    fault(
        "bias one column late",
        "wire [4:0] column = first ? 5'd0 : next_column;",
        "wire [4:0] column = first ? 5'd1 : next_column;",
    ),
    fault(
        "bias a cycle late",
        "assign bias_port_read = bias_port_0_code_o[31:0];",
        "reg [31:0] late;\nalways @(posedge clk_i) late <= bias_port_0_code_o;\nassign bias_port_read = late;",
    ),
    fault("biases of the fold before", "fold = first ? start_", "fold = ~first ? start_"),
    fault("draws for padding", "assign word_o = command_2[0] & ~command_2[2];", "assign word_o = command_2[0];"),
    fault(
        "activations of unused rows",
        "map_port_0_live_i = {5'd0, feeder_word_rows_o}",
        "map_port_0_live_i = {5'd0, ~feeder_word_rows_o}",
    ),
    // Faults of cells
    fault("rotation in a hash", "({x_0[7:0], x_0[31:8]} + y_0)", "({x_0[6:0], x_0[31:7]} + y_0)"),
    fault("hash with one word of the key", "^ key_i[63:32] ^", "^ key_i[31:0] ^"),
    fault("stuck cells that are not at risk", "& ~(cells_0_stuck_0_o & at_risk)", "& ~cells_0_stuck_0_o"),
    fault("epochs two by two", "{address_i[3:0], 4'd0} +: 16", "{address_i[3:1], 5'd0} +: 16"),
    fault("charge the same in every layer", "charge_0_epoch_i = {layer_i, ", "charge_0_epoch_i = {8'd0, "),
    fault("reads of traps drawn by place", "read_0_address_i = index_i;", "read_0_address_i = address_i;"),
    fault("reads of traps the same in every group", "{layer_i, 8'd0, group_i}", "{layer_i, 8'd0, 16'd0}"),
    fault("noise does not see faults of cells", "lanes_0_code_i = seen", "lanes_0_code_i = held"),
    fault("noise and fault of one cell both count", "faulty_read ^ noisy", "faulty_read | noisy"),
    fault("faults where no word is read", "{issue_4 & at_risk_i}", "{at_risk_i}"),
    fault(
        "feature maps A and B the same device",
        "map_port_0_address_i = {sequencer_source_o, ",
        "map_port_0_address_i = {1'b0, ",
    ),
    fault(
        "write errors of the other direction",
        "(data_2 & to_0) | (~data_2 & to_1)",
        "(data_2 & to_1) | (~data_2 & to_0)",
    ),
    fault("write errors in every layer", "at_risk_1 <= at_risk_i;", "at_risk_1 <= 1'b1;"),
    fault("layer of an ofmap", "next_layer = sequencer_layer_o + 8'd1;", "next_layer = sequencer_layer_o;"),
    fault("group of an ofmap", "{next_layer, 8'd0, sequencer_group_o}", "{next_layer, 24'd0}"),
    fault("streamed words two by two at one place", "? ws_data_i[95:64]", "? {ws_data_i[95:65], 1'b0}"),
    fault(
        "writes to the memory that is read",
        "map_write_b = host_map_write ? host_map_b_write_o : ~",
        "map_write_b = host_map_write ? host_map_b_write_o : ",
    ),
    fault("errors of one word in the next", "beside_o = beside_o_3;", "beside_o = beside_o_2;"),
    // Counters
    fault("every flip counted twice", "{2'd0, weight_flips_i}", "{1'd0, weight_flips_i, 1'd0}"),
    fault("PEs added instead of multiplied", "{2'd0, pixel_rows_i} * {2'd0", "{2'd0, pixel_rows_i} + {2'd0"),
    fault("padding counted as read", "activations_is <= pixel_i & ~padding_i &", "activations_is <= pixel_i &"),
    fault("flips counted in the other direction", "of_1 = mask & stored;", "of_1 = mask & ~stored;"),
    fault("flip counts not cleared", "clear <= rst_i | clear_i;", "clear <= rst_i;"),
    // Time
    fault("ring of streamed weights holds one word", "weights_level_o > 20'd53", "weights_level_o > 20'd0"),
    fault("program that never starts", "if (start_i & (count_i != 8'd0))", "if (start_i & (count_i > 8'd200))"),
    fault("pass that never ends", "wire pass_end = pass_busy &", "wire pass_end = idle &"),
];

const FAULTS_OF_WRITE_VERIFY: [Fault; 12] = [
    fault("all cells pulsed again", "      pulsed <= wrong;\n", ""),
    fault("one pulse less", "number + 8'd1 == most", "number + 8'd2 == most"),
    fault("kept cells as wanted", "(held & ~pulsed)", "(wanted & ~pulsed)"),
    fault("read back a cycle early", "SEE: if (timer == 3'd4)", "SEE: if (timer == 3'd3)"),
    fault("noise that does not know the pulse", "{24'd0, weight_programmer_0_number_o}", "32'd0"),
    fault("stuck cells unseen", "(code_i & ~stuck) | (stuck & ~stuck_0)", "code_i"),
    fault(
        "noise of the other direction",
        "(given_0 & to_0) | (~given_0 & to_1)",
        "(given_0 & to_1) | (~given_0 & to_0)",
    ),
    fault("cells that are not at risk", "& {40{at_risk_i}};", "| {40{at_risk_i}};"),
    fault("repeated pulses counted as given up", "(judged & last) ?", "judged ?"),
    fault("words counted by pulses", "{1'b0, {31'd0, commit_o}}", "{1'b0, {31'd0, write_o}}"),
    fault("word in the ring before it is verified", "ring_write_i = commit_i", "ring_write_i = write_i"),
    fault("a layer's read put off", "~read_i ? write_address :", "look_i ? write_address :"),
];

const FAULTS_OF_SCRUBBING: [Fault; 9] = [
    fault("detected errors encoded anew", "mend <= (seen_i ^ wanted) & sound;", "mend <= seen_i ^ wanted;"),
    fault("sound cells pulsed too", "pulsed <= mend_i_0;", "pulsed <= ~44'd0;"),
    fault("every walk draws alike", "epoch <= epoch + 32'd1;", "epoch <= epoch;"),
    fault(
        "draws of programming",
        "weight_programmer_0_scrubbing_o_0 ? scrubber_0_epoch_o :",
        "1'b0 ? scrubber_0_epoch_o :",
    ),
    fault("last word left out", "address <= (address == last_i) ?", "address <= (address + 11'd1 == last_i) ?"),
    fault("words of the layer that runs", "(timer == period_i) & ~own;", "(timer == period_i);"),
    fault("no word before the layer that runs", "own = (place >= base_i) & ", "own = "),
    fault("time goes on between runs", "  if (~run_i) timer <= 20'd0;\n", ""),
    fault("a read of the array's taken for one's own", "taken = offered & slot_i;", "taken = offered;"),
];

/// Convolutions with and without a pool and a head, on an array whose sides do not divide each other, the weights streamed.
fn bench(write_verify: bool) -> Bench {
    let mut config = config(3, 5, 2);
    config.memory.weight_words = 64;
    let all = Kinds::ALL;
    config.injector = InjectorConfig { weights: all, biases: all, activations: all };
    config.protection.write_verify = write_verify;
    let hw = config.validate().expect("the configuration is legal");
    let shapes =
        [conv(4, 7, 8, 8, true), conv(7, 6, 4, 4, false), conv(6, 5, 4, 4, true), conv(5, 8, 2, 2, true), head(8, 6)];
    let network = random::network(&shapes, 1);
    let images = random::images(&network, 5, 2);
    Bench::new(hw, network, 1, images)
}

/// Input of the faulty design that says which fault acts: its number from 1 on, 0 for none.
const ACTING: &str = "acting_fault_i";

/// The design with every fault in it, one of which acts at a time, since a model takes much longer to compile than to run.
/// An item of a module that faults change stands there in all its versions, which share their registers.
fn faulty(sound: &Design, faults: &[Fault]) -> Design {
    let mut found = vec![0; faults.len()];
    let mut verilog = String::new();
    for (number, item) in items(&sound.verilog).iter().enumerate() {
        let mut versions = Vec::new();
        for (index, Fault { text, instead, .. }) in faults.iter().enumerate().filter(|(_, f)| item.contains(f.text)) {
            found[index] += item.matches(text).count();
            versions.push((index + 1, item.replace(text, instead)));
        }
        verilog.push_str(&if versions.is_empty() { item.clone() } else { choice(&sound.top, number, item, &versions) });
    }
    for (Fault { name, text, .. }, found) in faults.iter().zip(found) {
        let there = sound.verilog.matches(text).count();
        assert!(there > 0, "{name}: `{text}` is not there");
        assert_eq!(found, there, "{name}: `{text}` is not always inside one item of a module");
    }
    let header = format!("module {} (\n", sound.top);
    verilog = verilog.replace(&header, &format!("{header}  input wire [7:0] {ACTING},\n"));
    let ports = sound.ports.iter().cloned().chain([Port::input(ACTING, 8)]).collect();
    Design { verilog, ports, ..sound.clone() }
}

/// Takes Verilog apart into pieces that begin with a word or a comment at the start of a line: every declaration,
/// assignment and block of a module is one.
fn items(verilog: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in verilog.split_inclusive('\n') {
        let begins = line.starts_with(|c: char| c == '/' || c.is_ascii_lowercase()) && line.trim_end() != "end";
        match items.last_mut() {
            Some(item) if !begins => item.push_str(line),
            _ => items.push(line.to_owned()),
        }
    }
    items
}

/// An item in its sound version and in those of some faults. Each assignment has a statement of its own, so that no version
/// changes the width or the sign in which another one is computed.
fn choice(top: &str, number: usize, sound: &str, faulty: &[(usize, String)]) -> String {
    let after = |text: &str| sound.find(text).map(|at| at + text.len());
    let head = match sound.split(' ').next() {
        Some("always") => after(") "),
        Some("wire" | "assign") => after(" = "),
        _ => None,
    };
    let (head, sound) = sound.split_at(head.unwrap_or_else(|| panic!("no fault can be planted in `{sound}`")));
    let (before, always, target, after) = match head.strip_suffix(" = ") {
        None => (String::new(), head, String::new(), String::new()),
        Some(target) => {
            let name = target.rsplit(' ').next().expect("there is a last word");
            let declared = if target.starts_with("wire") { format!("{target};\n") } else { String::new() };
            let before = format!("{declared}reg [$bits({name})-1:0] chosen_{number};\n");
            let after = format!("assign {name} = chosen_{number};\n");
            (before, "always @(*) ", format!("chosen_{number} = "), after)
        }
    };
    let (mut beside, mut cases) = (String::new(), String::new());
    for (fault, text) in faulty {
        // What a fault adds stands in front of what it changes.
        let mut added = items(text);
        let version = added.pop().expect("an item is not empty");
        let body = version.strip_prefix(head).unwrap_or_else(|| panic!("`{version}` does not begin with `{head}`"));
        beside.extend(added);
        cases.push_str(&format!("8'd{fault}: {target}{body}"));
    }
    format!("{before}{beside}{always}case ({top}.{ACTING})\n{cases}default: {target}{sound}endcase\n{after}")
}

/// The plan with every fault of cells.
fn with_cells(plan: Plan<'_>) -> Plan<'_> {
    let telegraph = Telegraph { fraction: 0.1, capture_reads: 3.0, emission_reads: 2.0, probability: 0.6 };
    let write = Rates { p01: 0.03, p10: 0.01 };
    let cells =
        CellFaults { device_seed: Some(11), stuck: [0.02, 0.03], telegraph, write, verify: None, scrub_period: None };
    Plan { noise: Noise { cells, ..plan.noise }, ..plan }
}

/// The same with words that are verified with noise.
fn verified(plan: Plan<'_>) -> Plan<'_> {
    let plan = with_cells(plan);
    let (write, verify) = (Rates { p01: 0.3, p10: 0.4 }, Some(Verify { max_pulses: 4, noisy: true }));
    Plan { noise: Noise { cells: CellFaults { write, verify, ..plan.noise.cells }, ..plan.noise }, ..plan }
}

/// Asserts that the design is equal to the golden model under all `plans` while no fault acts, and that each of the faults is seen
/// under one of them.
fn assert_each_is_seen(bench: &Bench, faults: &[Fault], plans: &[Plan<'_>]) {
    let images = Ifmaps { first: 1, images: &bench.images, clean: None };
    let build = |design: &Design| -> Model {
        builder().build(design, Variant::default()).unwrap_or_else(|error| panic!("{error}"))
    };
    // Runs until there is a difference.
    let run = |model: Model| -> Result<(Totals, Option<Found>), CosimError> {
        let hardware: Hardware = model.into();
        let mut totals = Totals::new(&bench.plan(0.0, 3));
        let mut found = None;
        for plan in plans {
            hafnia_cosim::run(plan, Engine::Both((&hardware).into()), images, 1, &mut |batch| {
                totals.add(&batch, &[]);
                found = batch.difference;
                found.is_none()
            })?;
            if found.is_some() {
                break;
            }
        }
        Ok((totals, found))
    };
    let assert_equal = |model: Model| {
        let (totals, found) = run(model).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(found, None);
        let images = plans.len() * bench.images.len();
        assert!(totals.images == images as u64 && totals.all().0 > 1000, "the run is too small to show the faults");
    };

    let faulty = build(&faulty(&design(&bench.hw), faults));
    // While no fault acts the design is the sound one.
    assert_equal(faulty.clone());

    let miss = |(index, fault): (usize, &Fault)| match run(faulty.clone().with_input(ACTING, &[index as u32 + 1])) {
        Ok((_, Some(found))) => {
            println!("{}: {}", fault.name, found.difference);
            None
        }
        Ok((_, None)) => Some(fault.name.to_owned()),
        Err(error) => Some(format!("{}: {error}", fault.name)),
    };
    let unseen: Vec<_> = faults.par_iter().enumerate().filter_map(miss).collect();
    assert!(unseen.is_empty(), "faults that the comparison did not see: {unseen:#?}");
}

#[test]
fn every_planted_fault_is_seen_and_the_sound_design_is_equal() {
    let bench = bench(false);
    // Noise shows the faults of the injector, its absence those that need untouched weights, such as exact ties.
    let some = AtRisk { bits: [0x81, 0x81, 0], layers: 0b01011, checks: true };
    let uneven = Rates { p01: 0.3, p10: 0.1 };
    let plans = [
        bench.masked(0.1, 3, AtRisk::EVERYTHING),
        bench.plan(0.0, 3),
        bench.masked(0.1, 3, some),
        bench.masked(uneven, 3, AtRisk::EVERYTHING),
        with_cells(bench.masked(0.0, 3, some)),
        with_cells(bench.masked(uneven, 3, AtRisk::EVERYTHING)),
    ];
    assert_each_is_seen(&bench, &FAULTS, &plans);
}

/// In a design of its own: words that are verified come late, which hides some faults of the others.
#[test]
fn every_planted_fault_of_write_verify_is_seen() {
    let bench = bench(true);
    let some = AtRisk { bits: [0x81, 0x81, 0], layers: 0b01011, checks: true };
    let uneven = Rates { p01: 0.3, p10: 0.1 };
    let plans = [verified(bench.masked(uneven, 3, AtRisk::EVERYTHING)), verified(bench.masked(0.1, 4, some))];
    assert_each_is_seen(&bench, &FAULTS_OF_WRITE_VERIFY, &plans);
}

#[test]
fn every_planted_fault_of_scrubbing_is_seen() {
    let code = Code::Secded { data_bits: 16 };
    let bench = scrub::bench(scrub::scrubbing(code, OnDetected::Pass, Kinds::ALL));
    let plan = |rates: Rates, cells| bench.faulty(rates, cells, AtRisk::PARAMETERS, 3);
    let verify = Some(Verify { max_pulses: 2, noisy: true });
    let noisy = plan(Rates { p01: 2e-2, p10: 1e-2 }, CellFaults { verify, ..scrub::WRITES });
    let often = plan(0.0.into(), CellFaults { write: 0.05.into(), ..scrub::WRITES });
    assert_each_is_seen(&bench, &FAULTS_OF_SCRUBBING, &[noisy, often]);
}
