//! Formal proofs on the generated Verilog, by yosys-smtbmc with z3. `formal/*.v` holds the properties, one file a
//! block, each with what it proves and by which argument.
//!
//! A proof is a bounded check from every power-on state and an induction step; together they hold for all time. A block
//! whose outputs depend on the last cycles alone needs no induction. Every `cover` must be reached, so no assumption
//! rules out what matters. As a negative control each property must fail, with a counterexample, on a copy of the
//! Verilog with one fault.

mod board;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::common::{array, injecting, noise, preset, run, tool, written};
use hafnia_config::Elaborated;
use hafnia_config::accel::{InjectorConfig, ProtectionConfig, SEED_GROUP};
use hafnia_config::fault::{Site, node_sizes};
use hafnia_config::program::DESCRIPTOR_WORDS;
use hafnia_config::protect::{Code, Decoding, OnDetected};
use hafnia_config::regs::{Access, LayerCounters, Register, registers};

/// A block of a configuration, with the properties to prove of it.
struct Proof {
    /// The generated module, or several; the properties are the module `<block>_properties` of `formal/<block>.v`.
    block: &'static str,
    /// The generated Verilog.
    verilog: String,
    /// Parameters of the property module.
    parameters: Vec<(&'static str, u32)>,
    /// `generated.vh`, for the properties that include it.
    header: String,
    /// Cycles of the bounded check, and the longest induction.
    cycles: u32,
}

/// The programs of a proof, looked for once.
struct Programs {
    yosys: PathBuf,
    smtbmc: PathBuf,
}

/// One changed line of the Verilog, and the property that must fail by it.
struct Fault {
    line: &'static str,
    instead: &'static str,
    fails: &'static str,
}

/// The generated block with its properties, as yosys wrote it for the solver.
struct Model {
    block: &'static str,
    cycles: u32,
    folder: tempfile::TempDir,
}

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        // yosys-smtbmc comes with yosys and is named after it; it looks for z3 on the search path.
        tool("z3");
        let yosys = tool("yosys");
        let name = yosys.file_name().and_then(|name| name.to_str()).expect("a file name");
        Programs { smtbmc: yosys.with_file_name(format!("{name}-smtbmc")), yosys }
    })
}

/// The names of the properties in a text.
fn labels(text: &str) -> Vec<&str> {
    let before = text.lines().filter_map(|line| line.split_once(": assert (")).map(|(before, _)| before);
    before.filter_map(|before| before.split_whitespace().last()).collect()
}

impl Proof {
    fn new(block: &'static str, hw: &Elaborated, cycles: u32) -> Self {
        let (generated, _folder) = written(hw);
        Self { block, verilog: generated.verilog, parameters: Vec::new(), header: String::new(), cycles }
    }

    /// Replaces a text that must be there exactly once.
    fn with(mut self, text: &str, instead: &str) -> Self {
        assert_eq!(self.verilog.matches(text).count(), 1, "places of `{text}` in the Verilog");
        self.verilog = self.verilog.replace(text, instead);
        self
    }

    /// The text of the properties.
    fn properties(&self) -> String {
        let path = format!("{}/formal/{}.v", env!("CARGO_MANIFEST_DIR"), self.block);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
    }

    fn model(&self) -> Model {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
        for (name, text) in
            [("dut.v", &self.verilog), ("properties.v", &self.properties()), ("generated.vh", &self.header)]
        {
            std::fs::write(folder.path().join(name), text).expect("the folder is ours");
        }
        let set: String = self.parameters.iter().map(|(name, value)| format!(" -chparam {name} {value}")).collect();
        // Without `-norom` yosys would make memories of `case` tables, and the induction would start from any contents.
        // The block's initial values are dropped before the properties are read: it powers on in any state.
        let top = if self.verilog.contains(&format!("module {} (", self.block)) {
            format!("hierarchy -top {};", self.block)
        } else {
            String::new()
        };
        let script = format!(
            "read_verilog dut.v; {top} proc -norom; setattr -unset init w:*; \
             read_verilog -formal properties.v; hierarchy -check -top {block}_properties{set}; proc -norom; flatten; \
             prep -nordff; chformal -lower; write_smt2 -wires model.smt2",
            block = self.block,
        );
        let (done, text) = run(&programs().yosys, &["-q", "-p", &script], folder.path());
        assert!(done, "yosys failed on {}:\n{text}", self.block);
        let smt2 = std::fs::read_to_string(folder.path().join("model.smt2")).expect("yosys wrote the model");
        for (marker, statement) in [("; yosys-smt2-assert ", ": assert ("), ("; yosys-smt2-cover ", ": cover (")] {
            let (kept, stated) = (smt2.matches(marker).count(), self.properties().matches(statement).count());
            assert_eq!(kept, stated, "properties of {} that yosys kept, and that are stated", self.block);
        }
        Model { block: self.block, cycles: self.cycles, folder }
    }
}

impl Model {
    /// Runs yosys-smtbmc and returns whether it succeeded, and all it printed.
    fn solve(&self, options: &[&str]) -> (bool, String) {
        let cycles = self.cycles.to_string();
        // Without `--unroll` z3 would expand the shared expressions of a deep block one by one.
        let common = ["-s", "z3", "--unroll", "--noprogress", "-t", &cycles];
        run(&programs().smtbmc, &[&common, options, &["model.smt2"]].concat(), self.folder.path())
    }

    fn assert_holds_from_power_on(&self) {
        let (holds, text) = self.solve(&[]);
        assert!(holds && text.contains("Status: PASSED"), "{} from power-on:\n{text}", self.block);
    }

    fn assert_holds_by_induction(&self) {
        let (holds, text) = self.solve(&["-i"]);
        assert!(holds && text.contains("Temporal induction successful"), "{} by induction:\n{text}", self.block);
    }

    fn assert_every_cover_is_reached(&self) {
        let (reached, text) = self.solve(&["-c"]);
        assert!(reached && text.contains("Reached cover statement"), "{}: a cover is not reached:\n{text}", self.block);
    }

    fn assert_breaks(&self, property: &str) {
        let failure = format!("Assert failed in {}_properties: {property}\n", self.block);
        let (mut holds, mut text) = self.solve(&[]);
        if !text.contains(&failure) {
            // Another property may fail some cycles earlier.
            (holds, text) = self.solve(&["--keep-going"]);
        }
        assert!(!holds && text.contains("Status: FAILED"), "{}: the fault is not found:\n{text}", self.block);
        assert!(text.contains(&failure), "{}: `{property}` does not fail:\n{text}", self.block);
    }
}

/// Plants each fault in a copy of its own and asserts that it breaks the property that it should.
fn assert_each_fault_is_found(proof: impl Fn() -> Proof, faults: &[Fault]) {
    for fault in faults {
        proof().with(fault.line, fault.instead).model().assert_breaks(fault.fails);
    }
    let broken: BTreeSet<&str> = faults.iter().map(|fault| fault.fails).collect();
    let properties = proof().properties();
    let stated: BTreeSet<&str> = labels(&properties).into_iter().collect();
    assert_eq!(broken, stated, "properties that a fault breaks, and all of them");
}

#[test]
fn scrubbing_never_delays_a_read_and_mends_what_the_code_corrects() {
    // Encoders and decoders of all codes have proofs of their own.
    let model = scrubber("scrubber", 4).model();
    model.assert_holds_from_power_on();
    model.assert_every_cover_is_reached();
    let model = scrubber("scrubbing", 17).model();
    model.assert_holds_from_power_on();
    model.assert_holds_by_induction();
    model.assert_every_cover_is_reached();
}

#[test]
fn scrubbing_with_a_fault_breaks_its_properties() {
    let fault = |line, instead, fails| Fault { line, instead, fails };
    let faults = [
        // Errors that are only detected would be encoded anew.
        fault("mend <= (seen_i ^ wanted) & sound;", "mend <= seen_i ^ wanted;", "left"),
        fault("mended <= wanted;", "mended <= seen_i;", "single"),
    ];
    assert_each_fault_is_found(|| scrubber("scrubber", 4), &faults);
    let faults = [
        // The engine's reads would come first, or take no heed of the array's.
        fault("= ~read_i ? write_address :", "= look_i ? write_address :", "served"),
        fault("taken = offered & slot_i;", "taken = offered;", "idle"),
        fault("(state == IDLE) & named & ~valid_i", "(state == IDLE) & ~valid_i", "idle"),
        fault("(timer == period_i) & ~own;", "(timer == period_i);", "kept_off"),
        fault("(timer == period_i) & ~own;", "~own;", "paced"),
        fault("if (taken_i) timer <= 20'd1;", "if (taken_i) timer <= 20'd0;", "pace_known"),
        fault("(state == MEND) & (timer == 3'd3);", "(state == MEND) & (timer == 3'd2);", "held"),
        fault("pulsed <= mend_i_0;", "pulsed <= ~mend_i_0;", "spared"),
        fault("state <= (|mend_i_0) ? PULSE : IDLE;", "state <= (|mend_i_0) ? LOOK : IDLE;", "ends"),
        fault("tag <= scrub_tag_i_0;", "if (taken) tag <= tag_i;", "stable"),
        fault("if (address == last_i) epoch <= epoch + 32'd1;", "epoch <= epoch + 32'd1;", "walks"),
        fault("(write_o & (most == 8'd0) & ~scrubbing);", "(write_o & (most == 8'd0));", "uncounted"),
    ];
    assert_each_fault_is_found(|| scrubber("scrubbing", 17), &faults);
}

/// A ring as deep as the weight memory of `hw`.
fn ring(hw: &Elaborated) -> Proof {
    let depth = hw.config.memory.weight_words;
    Proof { parameters: vec![("DEPTH", depth)], ..Proof::new("ring", hw, 4) }
}

/// A ring of 5 words, which the solver can fill and wrap: the same text but for its two constants. Without injectors no
/// other block has lines like its own.
fn short_ring() -> Proof {
    let ring = Proof::new("ring", &injecting(&preset("4x4"), &[]), 9);
    let ring = ring.with("] last = 20'hfff;", "] last = 20'd4;").with("] depth = 20'h1000;", "] depth = 20'd5;");
    Proof { parameters: vec![("DEPTH", 5)], ..ring }
}

/// The lane of the weights, which is the only one there is.
fn lane(hw: &Elaborated) -> Proof {
    let hw = &injecting(hw, &[Site::Weights]);
    let sizes = node_sizes(hw.codeword_bits).len() as u32;
    let parameters = vec![("WEIGHTS", hw.lane_weights), ("SIZES", sizes)];
    Proof { parameters, header: draws(hw.codeword_bits), ..Proof::new("injector_lane", hw, 6) }
}

/// What the nodes know of their next draws in Verilog, by the names of their registers in the flattened design; and whether it became
/// so in the cycle before, by the draw that each generator had when it stepped, or stayed. Node `n` has generator `n + 1`; with a power of
/// two of cells the nodes of two cells are the last ones, and halves are equal. How it became so is asked of the smallest word alone:
/// it has nodes of every kind, and each is proved by itself.
fn draws(cells: u32) -> String {
    assert!(cells.is_power_of_two(), "{cells} cells");
    let (mut text, mut always, mut known, mut possible) = (String::new(), String::new(), Vec::new(), Vec::new());
    let mut inside = |range: &str, name: &str| {
        if !["a0", "b0", "c0", "hits"].contains(&name) {
            text.push_str(&format!("(* hierconn *) wire {range} \\dut.{name} ;\n"));
        }
        format!("\\dut.{name} ")
    };
    let (mut candidates, mut kept, mut declared) = (Vec::new(), Vec::new(), String::new());
    for g in 0..cells {
        let [u, a, b, c] = ["u", "a", "b", "c"].map(|z| inside("[31:0]", &format!("{z}{g}")));
        let mut flags = vec!["hits".to_owned()];
        let mut says = vec![format!("{u} <= word_threshold")];
        let mut steps = "draws".to_owned();
        if g > 0 {
            let (n, at) = (g - 1, 34 + 64 * g.ilog2());
            let (both, left) = (format!("{u} <= noise_i[{at} +: 32]"), format!("{u} <= noise_i[{} +: 32]", at + 32));
            flags = vec![format!("lower{n}"), format!("upper{n}")];
            says = vec![left.clone(), format!("({both}) || !({left})")];
            steps = format!("draws_now[{n}]");
            if g >= cells / 2 {
                let below = |part: u32| format!("{u} < noise_i[KEEP+{} +: 32]", 32 * part);
                let [both_both, both_lower, both_upper, of_lower, of_upper] = [0, 1, 2, 3, 4].map(below);
                let of_both = format!("({both_both}) || !({both_lower}) && ({both_upper})");
                flags.extend([format!("keeps_lower{n}"), format!("keeps_upper{n}")]);
                says.push(format!("({both}) ? ({both_lower}) : ({of_lower})"));
                says.push(format!("({both}) ? ({of_both}) : ({of_upper})"));
            }
        }
        let flags: Vec<String> = flags.iter().map(|name| inside("", name)).collect();
        match &flags[..] {
            [lower, upper, keeps_lower, keeps_upper] => {
                candidates.splice(0..0, [upper.clone(), lower.clone()]);
                kept.splice(0..0, [keeps_upper.clone(), keeps_lower.clone()]);
                possible.push(format!("({lower} || {upper})"));
            }
            [lower, upper] => possible.push(format!("({lower} || {upper})")),
            _ => {}
        }
        let (count, now) = (flags.len(), format!("{{{}, {u}, {a}, {b}, {c}}}", flags.join(", ")));
        declared.push_str(&format!(
            "reg steps_{g};\nreg [{}:0] says_{g};\nreg [31:0] next_{g};\nreg [{}:0] stays_{g};\n",
            count - 1,
            count + 127
        ));
        always.push_str(&format!(
            "  steps_{g} <= seed_i || first[{}] || {steps};\n  says_{g} <= {{{}}};\n  next_{g} <= {a} ^ {b} ^ {c};\n  stays_{g} <= {now};\n",
            g / SEED_GROUP,
            says.join(", ")
        ));
        known.push(format!(
            "(steps_{g} ? {{{}}} == says_{g} && {u} == next_{g} : {now} == stays_{g})",
            flags.join(", ")
        ));
    }
    if cells > 8 {
        (declared, always, known) = (String::new(), String::new(), vec!["1'b1".to_owned()]);
    }
    text + &declared
        + &format!(
            "always @(posedge clk_i) begin\n{always}end\nwire [2*PAIRS-1:0] pair_candidates = {{{}}};\n\
             wire [2*PAIRS-1:0] pair_kept = {{{}}};\nwire is_known = {};\nwire is_possible = {};\n",
            candidates.join(", "),
            kept.join(", "),
            known.join(" &&\n  "),
            possible.join(" && "),
        )
}

/// Encoder and decoder of a code over `units` weights, or over a bias.
fn codec(code: &str, units: u32, on_detected: OnDetected) -> Proof {
    let code: Code = code.parse().expect("a code");
    let mut config = array(4, 8, 8).config;
    let site = if units == 0 { Site::Biases } else { Site::Weights };
    config.protection = match site {
        Site::Weights => ProtectionConfig {
            code,
            weights_per_codeword: units,
            biases: Some(Code::None),
            on_detected,
            write_verify: false,
            scrub: false,
        },
        _ => ProtectionConfig { biases: Some(code), on_detected, ..config.protection },
    };
    let hw = config.validate().expect("the configuration is legal");
    let word = hw.codeword(site);
    let (block, copied) = match word.decoding {
        Decoding::Parity => ("parity", 0),
        Decoding::Majority => ("majority", word.checks.len() as u32 / 2 / word.units()),
        _ => ("secded", 0),
    };
    let whole = Proof::new(block, &hw, 4);
    let part = |kind: &str| {
        let name = format!("{kind}_{code}").replace('-', "_");
        (module(&whole.verilog, &name), name)
    };
    let ((encoder, encoder_name), (decoder, decoder_name)) = (part("encoder"), part("decoder"));
    let header = format!(
        "`define ENCODER {encoder_name}\n`define DECODER {decoder_name}\n`define DATA {}\n`define CELLS {}\n`define UNIT {}\n\
         `define UNITS {}\n`define COPIED {copied}\n`define LATENCY {}\n`define ZERO {}\n",
        word.data_bits,
        word.cells(),
        word.unit_bits,
        word.units(),
        code.latency(),
        u32::from(on_detected == OnDetected::Zero),
    );
    let header = header + include_str!("../../formal/codec.vh");
    Proof { verilog: encoder + &decoder, header, ..whole }
}

/// The engine of the weights of the smallest array. A tag is a place and an address.
fn programmer() -> Proof {
    let mut config = array(2, 2, 2).config;
    config.injector = InjectorConfig::default();
    config.protection.write_verify = true;
    let hw = config.validate().expect("the configuration is legal");
    let whole = Proof::new("programmer", &hw, 24);
    let parameters = vec![("BITS", 8 * hw.cols), ("TAG", 32 + hw.weight_address_bits)];
    Proof { parameters, verilog: module(&whole.verilog, "programmer"), ..whole }
}

/// A scrubber of words of two codewords of `secded-13-8`: itself, or with its engine and its memory of 64 words.
fn scrubber(block: &'static str, cycles: u32) -> Proof {
    let mut config = array(2, 2, 1).config;
    config.injector = InjectorConfig::default();
    config.memory.weight_words = 64;
    let code = ProtectionConfig::of(Code::Secded { data_bits: 8 }, 1);
    config.protection = ProtectionConfig { write_verify: true, scrub: true, ..code };
    Proof::new(block, &config.validate().expect("the configuration is legal"), cycles)
}

/// The text of a generated module.
fn module(verilog: &str, name: &str) -> String {
    let start = verilog.find(&format!("module {name} (")).unwrap_or_else(|| panic!("no module {name}"));
    let end = start + verilog[start..].find("endmodule").expect("a module ends") + "endmodule\n".len();
    verilog[start..end].to_owned()
}

fn register_bank(hw: &Elaborated) -> Proof {
    let bits = |site| noise::fields(hw.port(site).cells).iter().map(|(_, bits)| bits).sum();
    let parameters = vec![
        ("WEIGHTS", bits(Site::Weights)),
        ("BIASES", bits(Site::Biases)),
        ("ACTIVATIONS", bits(Site::Activations)),
    ];
    Proof { parameters, header: register_header(hw), ..Proof::new("register_bank", hw, 8) }
}

/// The register description in Verilog: offsets by name; access, used bits and reset value by offset; places in the buses.
fn register_header(hw: &Elaborated) -> String {
    let list = registers(hw);
    let mut text = String::new();
    for r in &list {
        text.push_str(&format!("localparam [7:0] {} = {};\n", r.name, r.offset));
    }
    let mut function = |name: &str, bits: u32, inputs: &str, of: &dyn Fn(&Register) -> Option<String>| {
        text.push_str(&format!("function [{}:0] {name}(input [7:0] offset{inputs});\n  case (offset)\n", bits - 1));
        for (r, value) in list.iter().filter_map(|r| Some((r, of(r)?))) {
            text.push_str(&format!("    {}: {name} = {value};\n", r.offset));
        }
        text.push_str(&format!("    default: {name} = 0;\n  endcase\nendfunction\n"));
    };
    function("access", 2, "", &|r| {
        let access = match r.access {
            Access::ReadOnly => "READ_ONLY",
            Access::ReadWrite => "READ_WRITE",
            Access::Trigger => "TRIGGER",
        };
        Some(access.to_owned())
    });
    function("mask", 32, "", &|r| Some(format!("32'h{:x}", u32::MAX >> (32 - r.bits))));
    function("reset_value", 32, "", &|r| Some(format!("32'h{:x}", r.reset)));
    for site in [Site::Weights, Site::Biases] {
        let bus = format!(", input [{}-1:0] bus", site.name().to_uppercase());
        function(&format!("in_{site}"), 1, "", &|r| low_in_bus(hw, site, r).map(|_| "1".to_owned()));
        function(&format!("of_{site}"), 32, &bus, &|r| {
            low_in_bus(hw, site, r).map(|low| format!("bus[{}:{low}]", low + r.bits - 1))
        });
    }
    text
}

/// The lowest bit of a register in the bus of a site that has it.
fn low_in_bus(hw: &Elaborated, site: Site, register: &Register) -> Option<u32> {
    let name = register.name.strip_prefix("INJECT_")?;
    let field = name.strip_suffix(&format!("_{}", site.name().to_uppercase())).unwrap_or(name);
    let fields = noise::fields(hw.port(site).cells);
    let place = fields.iter().position(|(name, _)| name == field)?;
    Some(fields[..place].iter().map(|(_, bits)| bits).sum())
}

fn wishbone(hw: &Elaborated) -> Proof {
    let memory = &hw.config.memory;
    let parameters = vec![
        ("ROWS", hw.rows),
        ("COLS", hw.cols),
        ("WEIGHT_ADDRESS_BITS", hw.weight_address_bits),
        ("MAP_ADDRESS_BITS", hw.map_address_bits),
        ("WEIGHT_WORDS", memory.weight_words),
        ("MAP_WORDS", memory.map_words),
        ("ACCUMULATOR_WORDS", memory.accumulator_words),
        ("PARAMETER_WORDS", memory.parameter_words),
        ("PROGRAM_WORDS", memory.program_descriptors * DESCRIPTOR_WORDS),
        ("COUNTER_WORDS", memory.program_descriptors * LayerCounters::STRIDE),
    ];
    Proof { parameters, ..Proof::new("wishbone", hw, 9) }
}

/// The configuration of preset `4x4` with another depth of the weight memory.
fn weight_words(words: u32) -> Elaborated {
    let mut config = preset("4x4").config;
    config.memory.weight_words = words;
    config.validate().expect("the depth is legal")
}

#[test]
fn ring_keeps_the_order_of_its_words() {
    // Two depths that are powers of two and two that are not.
    for hw in [weight_words(64), weight_words(100), preset("4x4"), preset("8x8")] {
        let model = ring(&hw).model();
        model.assert_holds_from_power_on();
        model.assert_holds_by_induction();
    }
    short_ring().model().assert_every_cover_is_reached();
}

#[test]
fn ring_with_a_fault_breaks_its_properties() {
    let faults = [
        Fault {
            line: "if (write_pointer_q == last) begin",
            instead: "if (write_pointer_q == depth) begin",
            fails: "bounds",
        },
        Fault { line: "if (write_i & (~read_i)) begin", instead: "if (write_i) begin", fails: "span" },
        Fault { line: "full_o = level_q == depth;", instead: "full_o = level_q == last;", fails: "flags" },
        Fault { line: "if (rst_i | clear_i) begin", instead: "if (rst_i) begin", fails: "emptied" },
        Fault { line: "read_address_o = read_pointer_q;", instead: "read_address_o = write_pointer_q;", fails: "kept" },
        Fault { line: "read_pointer_d = read_pointer_q + one;", instead: "read_pointer_d = zero;", fails: "order" },
    ];
    assert_each_fault_is_found(short_ring, &faults);
}

#[test]
fn injector_off_is_identity_and_on_reports_every_flip() {
    // A tree of one cycle, and one of two with a cycle that it does not fill; a wider word is one level more.
    for (cols, lane_weights) in [(4, 1), (4, 4)] {
        lane(&array(4, cols, lane_weights)).model().assert_holds_from_power_on();
    }
    lane(&array(4, 4, 1)).model().assert_every_cover_is_reached();
}

#[test]
fn injector_lane_with_a_fault_breaks_its_properties() {
    let faults = [
        Fault { line: "word_valid = valid_i & enable_i;", instead: "word_valid = valid_i;", fails: "identity" },
        Fault { line: "code_q <= code_3 ^ flips;", instead: "code_q <= code_3;", fails: "reported" },
        Fault { line: "flips = flips & live_3 & (", instead: "flips = flips & (", fails: "only_live" },
        Fault { line: "live_0 <= {bits_i & ", instead: "live_0 <= {", fails: "only_live" },
        Fault { line: "hit_0 <= word_valid & hits;", instead: "hit_0 <= word_valid;", fails: "drawn" },
        // A draw equal to the threshold would flip neither half.
        Fault { line: "lower0 <= ~(left_8 < u1)", instead: "lower0 <= u1 < left_8", fails: "ahead" },
        Fault { line: "found[1] = draws[0] & lower0", instead: "found[1] = draws[0] & upper0", fails: "found" },
        Fault { line: "upper4 <= ~(both_2 < u5) | (left_2 < u5)", instead: "upper4 <= left_2 < u5", fails: "ahead" },
        Fault { line: "flips[3] = draws[4] & upper4", instead: "flips[3] = draws[4] & lower4", fails: "pairs" },
        Fault {
            line: "keeps_lower3 <= ~(both_2 < u4) ? ((u4 < keep_2_both_lower))",
            instead: "keeps_lower3 <= ~(both_2 < u4) ? ((u4 <= keep_2_both_lower))",
            fails: "ahead",
        },
        // The draw would be that after the next.
        Fault { line: "u0 <= a0", instead: "u0 <= next_a0", fails: "ahead" },
        // The first draw would be whatever was known before the seed.
        Fault { line: "first <= seed_i | seeded;", instead: "first <= seed_i;", fails: "first_draws" },
        Fault { line: "{8{thinned[1]}} & code", instead: "{8{thinned[0]}} & code", fails: "pairs" },
        Fault { line: "(kept | ~", instead: "(~", fails: "pairs" },
        Fault {
            line: "next_c0 = seed_i[0] ? b0 : {c0[14:4],",
            instead: "next_c0 = seed_i[0] ? b0 : {c0[15:5],",
            fails: "generator",
        },
    ];
    assert_each_fault_is_found(|| lane(&array(4, 4, 1)), &faults);
}

#[test]
fn write_verify_ends_and_spares_what_is_right() {
    let model = programmer().model();
    model.assert_holds_from_power_on();
    model.assert_holds_by_induction();
    programmer().model().assert_every_cover_is_reached();
}

#[test]
fn write_verify_with_a_fault_breaks_its_properties() {
    let faults = [
        Fault { line: "SEE: if (timer == 3'd4) begin", instead: "SEE: if (timer == 3'd2) begin", fails: "ends" },
        Fault { line: "wire last = number + 8'd1 == most;", instead: "wire last = 1'b0;", fails: "limited" },
        Fault { line: "judged & (last | ~(|wrong));", instead: "judged;", fails: "passed" },
        Fault { line: "(result_i & pulsed) | (held & ~pulsed);", instead: "result_i;", fails: "spared" },
        Fault { line: "assign wanted_o = wanted;", instead: "assign wanted_o = wanted_i;", fails: "stable" },
        Fault { line: "assign look_o = state == LOOK;", instead: "assign look_o = state != IDLE;", fails: "asked" },
        Fault {
            line: "commit_o = done | (write_o &",
            instead: "commit_o = done | write_o | (write_o &",
            fails: "once",
        },
        Fault { line: "{1'b0, {31'd0, commit_o}}", instead: "{1'b0, {31'd0, done}}", fails: "counted" },
    ];
    assert_each_fault_is_found(programmer, &faults);
}

/// Every code, of weights and of biases (0 units here).
#[test]
fn codes_do_what_they_promise_for_all_data() {
    let secded =
        [("secded-13-8", 1), ("secded-22-16", 2), ("secded-39-32", 4), ("secded-39-32", 0), ("secded-72-64", 8)];
    for (code, units) in secded {
        for on_detected in [OnDetected::Pass, OnDetected::Zero] {
            codec(code, units, on_detected).model().assert_holds_from_power_on();
        }
    }
    let others = [("parity", 1), ("parity", 8), ("parity", 0), ("tmr", 1), ("tmr", 4), ("tmr", 0)];
    for (code, units) in others.into_iter().chain([("msb-tmr-1", 8), ("msb-tmr-3", 4), ("msb-tmr-4", 0)]) {
        codec(code, units, OnDetected::Pass).model().assert_holds_from_power_on();
    }
    for (code, units) in [("secded-13-8", 1), ("parity", 2), ("msb-tmr-2", 2)] {
        codec(code, units, OnDetected::Pass).model().assert_every_cover_is_reached();
    }
}

#[test]
fn codes_with_a_fault_break_their_promises() {
    for (code, units) in [("secded-13-8", 1), ("secded-22-16", 2), ("secded-39-32", 4), ("secded-72-64", 8)] {
        let faults = [
            Fault { line: "syndrome <= rows;", instead: "syndrome <= ~rows;", fails: "clean" },
            Fault { line: "data <= held ^ turned;", instead: "data <= held;", fails: "single" },
            Fault { line: "wire corrects = (|turned) |", instead: "wire corrects = (&turned) |", fails: "single" },
            Fault { line: "detects = (|syndrome) & ~corrects;", instead: "detects = 1'b0;", fails: "double" },
            Fault { line: "turned = {syndrome == ", instead: "turned = {syndrome != ", fails: "double" },
        ];
        assert_each_fault_is_found(|| codec(code, units, OnDetected::Pass), &faults);
    }
    let zeroes = || codec("secded-39-32", 4, OnDetected::Zero);
    zeroes().with("(held ^ turned) & {32{~detects}}", "held ^ turned").model().assert_breaks("double");
    for units in [2, 8] {
        let faults = [
            Fault { line: "detected <= wrong;", instead: "detected <= ~wrong;", fails: "flagged" },
            Fault { line: "{8{~wrong[0]}}", instead: "{8{~wrong[1]}}", fails: "zeroed" },
        ];
        assert_each_fault_is_found(|| codec("parity", units, OnDetected::Pass), &faults);
    }
    for code in ["tmr", "msb-tmr-1"] {
        let faults = [
            Fault { line: "data <= {(", instead: "data <= {~(", fails: "voted" },
            Fault { line: "detected_o = 4'd0;", instead: "detected_o = 4'd1;", fails: "flagged" },
        ];
        assert_each_fault_is_found(|| codec(code, 4, OnDetected::Pass), &faults);
    }
}

#[test]
fn register_bank_holds_what_was_written_and_changes_nothing_else() {
    for hw in [preset("4x4"), preset("16x16")] {
        let model = register_bank(&hw).model();
        model.assert_holds_from_power_on();
        model.assert_holds_by_induction();
    }
    register_bank(&preset("4x4")).model().assert_every_cover_is_reached();
}

#[test]
fn register_bank_with_a_fault_breaks_its_properties() {
    let faults = [
        Fault { line: "column[1]) inject_left_32 <=", instead: "column[1]) inject_both_32 <=", fails: "held" },
        Fault { line: "inject_word_biases, inject_weak}", instead: "inject_word_weights, inject_weak}", fails: "held" },
        Fault { line: "program_count <= 8'd1;", instead: "program_count <= 8'd0;", fails: "held" },
        Fault { line: "3'd0: value <= row_0;", instead: "3'd0: value <= write_i ? data_i : row_0;", fails: "answered" },
        Fault {
            line: "3'd1: group_1 <= {12'd0, weight_level_i};",
            instead: "3'd1: group_1 <= 32'd0;",
            fails: "answered",
        },
        Fault { line: "<= flips_biases_i[287:256];", instead: "<= flips_biases_i[31:0];", fails: "answered" },
        Fault { line: "data[0] & ~status_i)", instead: "data[0])", fails: "counted" },
        Fault { line: "known = 1'b0;", instead: "known = write_i;", fails: "all_known" },
        Fault { line: "start <= ~rst_i & row", instead: "start <= start | ~rst_i & row", fails: "pulsed" },
        Fault { line: "flips_clear <= ~rst_i & row", instead: "flips_clear <= row", fails: "pulsed" },
    ];
    assert_each_fault_is_found(|| register_bank(&preset("4x4")), &faults);
}

#[test]
fn wishbone_answers_every_request_once_and_guards_the_memories() {
    // Words of one host word, of several, and of a number that is no power of two.
    for hw in [preset("4x4"), preset("16x16"), array(5, 11, 4)] {
        let model = wishbone(&hw).model();
        model.assert_holds_from_power_on();
        model.assert_holds_by_induction();
    }
    wishbone(&preset("4x4")).model().assert_every_cover_is_reached();
}

#[test]
fn wishbone_with_a_fault_breaks_its_properties() {
    let faults = [
        Fault { line: "valid <= ~rst_i & cyc_i & stb_i", instead: "valid <= ~rst_i & stb_i", fails: "answered" },
        Fault { line: "err_o = valid_after[4] & ~ok_after[4];", instead: "err_o = valid_after[4];", fails: "answered" },
        Fault { line: "stall_o = stream_i & nearly", instead: "stall_o = nearly", fails: "stalled" },
        Fault {
            line: "program_write_o = is_program & write_2;",
            instead: "program_write_o = is_program;",
            fails: "caused",
        },
        Fault { line: "(stream_i & is_ring_1)", instead: "is_ring_1", fails: "owned" },
        Fault { line: "is_registers_1 <= region == 4'd0", instead: "is_registers_1 <= region <= 4'd1", fails: "owned" },
        Fault { line: "4'd2: exists = offset < 20'd", instead: "4'd2: exists = offset <= 20'd", fails: "addressed" },
        Fault {
            line: "ok_after <= {ok_after[3:0], ok};",
            instead: "ok_after <= {ok_after[3:0], 1'b0};",
            fails: "no_harm",
        },
        Fault { line: "map_b_write_o = is_map_b & write_2;", instead: "map_b_write_o = 1'b0;", fails: "done" },
        Fault { line: "4'd5: answer = map_b[", instead: "4'd5: answer = map_a[", fails: "carried" },
    ];
    assert_each_fault_is_found(|| wishbone(&preset("4x4")), &faults);
}
