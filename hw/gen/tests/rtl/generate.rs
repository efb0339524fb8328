//! What the generator writes: the same bytes each time, clean to Verilator, few modules, and files that agree.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::{array, coded, injecting, preset, run, tool, with_nodes_of_three_cells, written};
use hafnia_config::AccelConfig;
use hafnia_config::accel::InjectorConfig;
use hafnia_config::board::{self, Build};
use hafnia_config::fault::{Kinds, Site};
use hafnia_config::manifest::Manifest;
use hafnia_config::protect::{Code, OnDetected};
use hafnia_config::{Elaborated, presets, regs};
use hafnia_gen::{generate, generate_board};
use hafnia_golden::codec::Codec;

#[test]
fn same_configuration_gives_the_same_bytes() {
    for config in presets::all() {
        let hw = config.validate().expect("presets are legal");
        let (first, second) = (generate(&hw), generate(&hw));
        assert!(first.verilog == second.verilog, "{}: the Verilog differs", config.name);
        assert_eq!(first.manifest, second.manifest);
        assert_eq!((first.registers, first.core), (second.registers, second.core));
    }
}

fn assert_lint_clean(hw: &Elaborated) {
    let (generated, folder) = written(hw);
    lint(&generated.manifest.top, folder.path());
}

/// Lints the module `top`, in the file of its name.
fn lint(top: &str, folder: &Path) {
    let file = format!("{top}.v");
    let waived = ["-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM"];
    let arguments = [&["--lint-only", "-Wall", "--top-module", top], &waived[..], &[&file]].concat();
    let (clean, text) = run(&tool("verilator"), &arguments, folder);
    assert!(clean && text.is_empty(), "{top}:\n{text}");
}

#[test]
fn tops_of_boards_are_lint_clean() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    for (board, cols) in board::all().iter().zip([2, 4, 12].into_iter().cycle()) {
        let mut config = array(2, cols, 2).config;
        // 12 columns would take too many multipliers for the smallest device.
        config.array.soft_rows = 2;
        let hw = config.validate().expect("the array is legal");
        let generated = generate_board(&Build::new(board, &hw, None, None).expect("a board has a clock"));
        let top = generated.top().name.clone();
        let verilog = generated.verilog + include_str!("../../../../sim/cosim/models/pll.v");
        std::fs::write(folder.path().join(format!("{top}.v")), verilog).expect("the folder is ours");
        lint(&top, folder.path());
    }
}

#[test]
fn presets_are_lint_clean() {
    presets::all().iter().for_each(|config| assert_lint_clean(&config.validate().expect("presets are legal")));
}

#[test]
fn extreme_and_odd_shapes_are_lint_clean() {
    for (rows, cols, lane_weights) in [(2, 2, 1), (2, 16, 8), (16, 2, 2), (3, 5, 2), (13, 7, 4)] {
        assert_lint_clean(&array(rows, cols, lane_weights));
        assert_lint_clean(&injecting(&array(rows, cols, lane_weights), &Site::ALL));
    }
}

#[test]
fn every_choice_of_injectors_is_lint_clean() {
    let hw = array(9, 5, 2);
    for chosen in 0..8_usize {
        let sites: Vec<_> = Site::ALL.into_iter().filter(|&site| chosen >> site as usize & 1 == 1).collect();
        assert_lint_clean(&injecting(&hw, &sites));
    }
    assert_lint_clean(&with_nodes_of_three_cells());
}

/// Verilator's lint is the negative control's judge too: a wire of the wrong width must not pass.
#[test]
fn lint_refuses_a_wrong_width() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    let text = "module wrong (input wire [3:0] a_i, output wire [1:0] b_o);\nassign b_o = a_i;\nendmodule\n";
    std::fs::write(folder.path().join("wrong.v"), text).expect("the folder is ours");
    let (clean, text) = run(&tool("verilator"), &["--lint-only", "-Wall", "wrong.v"], folder.path());
    assert!(!clean && text.contains("WIDTH"), "{text}");
}

#[test]
fn every_code_is_lint_clean() {
    for code in [Code::Parity, Code::Secded { data_bits: 8 }, Code::Secded { data_bits: 64 }, Code::MsbTmr { bits: 3 }]
    {
        for kinds in [Kinds::NONE, Kinds::READ, Kinds::ALL] {
            let mut config = coded(&array(3, 8, 8), code).config;
            config.injector = InjectorConfig { weights: kinds, biases: kinds, activations: Kinds::NONE };
            config.protection.on_detected = OnDetected::Zero;
            config.protection.scrub = code.corrects() && kinds != Kinds::READ;
            config.protection.write_verify = config.protection.scrub;
            assert_lint_clean(&config.validate().expect("the configuration is legal"));
        }
    }
}

/// The rows of the manifest are those of the code: every encoded word satisfies them, and one wrong cell does not.
#[test]
fn the_manifest_has_the_parity_check_matrices() {
    let hw = coded(&preset("8x8"), Code::Secded { data_bits: 64 });
    let (generated, _folder) = written(&hw);
    assert_eq!(generated.manifest.codes.len(), 2);
    for entry in &generated.manifest.codes {
        let codec = Codec::new(hw.codeword(entry.site)).expect("a code");
        let word = codec.encode(0x0123_4567_89ab_cdef & codec.word().data_cells() as u64);
        for row in &entry.parity_check {
            let row = u128::from_str_radix(row, 16).expect("hexadecimal digits");
            assert_eq!((word & row).count_ones() % 2, 0, "{row:x}");
            assert_eq!(((word ^ (row & row.wrapping_neg())) & row).count_ones() % 2, 1, "{row:x}");
        }
    }
}

#[test]
fn equal_blocks_share_one_module() {
    let generated = generate(&preset("16x16"));
    let distinct: BTreeSet<_> = generated.modules.iter().map(|module| &module.name).collect();
    assert_eq!(distinct.len(), generated.modules.len(), "a name is there twice");
    assert_eq!(generated.verilog.matches("\nmodule ").count(), distinct.len());
    assert!(distinct.len() <= 40, "{} modules: {distinct:?}", distinct.len());
}

#[test]
fn written_files_are_whole_and_the_manifest_reads_back_equal() {
    let hw = preset("4x4");
    let (generated, folder) = written(&hw);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let manifest: Manifest = serde_json::from_str(&read("manifest.json")).expect("the manifest is JSON of its schema");
    assert_eq!(manifest, generated.manifest);
    assert_eq!(read(&manifest.verilog), generated.verilog);
    assert_eq!(read("registers.md"), generated.registers);
    assert_eq!(read(&format!("{}.core", manifest.top)), generated.core);
    assert_eq!(AccelConfig::from_toml(&read("config.toml")), Ok(hw.config));
    let files = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(files, 5, "something else was left in the folder");
}

#[test]
fn registers_md_lists_every_register() {
    let hw = preset("8x8");
    let text = generate(&hw).registers;
    for register in regs::registers(&hw) {
        assert!(text.contains(&format!(" {} |", register.name)), "{} is missing", register.name);
    }
}

#[test]
fn injector_left_out_leaves_no_module_behind() {
    // Weights and feature maps have codewords of 64 cells, so their lanes are one module.
    let hw = array(3, 5, 8);
    for (sites, records, lanes) in [
        (&Site::ALL[..], vec!["flip_record_64", "flip_record_32"], 2),
        (&[Site::Weights, Site::Activations], vec!["flip_record_64"], 1),
        (&[Site::Weights], vec!["flip_record_64"], 1),
        (&[Site::Biases], vec!["flip_record_32"], 1),
        (&[Site::Activations], vec!["flip_record_64"], 1),
        (&[], vec![], 0),
    ] {
        let generated = generate(&injecting(&hw, sites));
        let called = |start: &str| {
            let names = generated.modules.iter().map(|module| module.name.as_str());
            names.filter(|name| name.starts_with(start)).collect::<Vec<_>>()
        };
        assert_eq!(called("flip_record"), records, "{sites:?}");
        assert_eq!((called("injector_lane").len(), called("seeder").len()), (lanes, lanes.min(1)), "{sites:?}");
        assert_eq!(called("read_port").is_empty(), sites.is_empty(), "{sites:?}");
        assert!(
            called("word_hash").is_empty() && called("cell_faults").is_empty() && called("write_faults").is_empty()
        );
        let described = generated.manifest.generators.map(|generators| generators.sites);
        let described: Vec<_> = described.into_iter().flatten().map(|(site, ..)| site).collect();
        assert_eq!(described, sites);
    }
}
