//! Synthesis for the ECP5: multipliers in DSP blocks, memories in block RAM, no latches.
//!
//! Without flattening each distinct module is synthesised once, so 8x8 takes a minute; the counts are those of the whole
//! hierarchy. Flattened, the LUT4 are some 13% fewer, and DSP and block RAM the same.

use std::collections::BTreeMap;

use crate::common::{preset, run, tool, written};
use hafnia_config::Elaborated;
use hafnia_config::area::Recorded;
use serde_json::Value;

/// What yosys may build of: LUTs, carry chains, wide multiplexers, flip-flops, DSP and block RAM. No latch is among them,
/// and no distributed RAM (`TRELLIS_DPR16X4`).
const PRIMITIVES: [&str; 7] = ["LUT4", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_FF", "MULT18X18D", "DP16KD"];
/// Bits of one DP16KD.
const BLOCK_BITS: u64 = 18 * 1024;

type Cells = BTreeMap<String, u64>;

/// Cells of each module, and of the whole hierarchy.
struct Synthesis {
    modules: BTreeMap<String, Cells>,
    total: Cells,
}

fn synthesise(hw: &Elaborated) -> Synthesis {
    let (generated, folder) = written(hw);
    let top = &generated.manifest.top;
    let script =
        format!("read_verilog {top}.v; synth_ecp5 -top {top} -noflatten; tee -q -o stat.json stat -json -top {top}");
    let (done, text) = run(&tool("yosys"), &["-q", "-p", &script], folder.path());
    assert!(done, "yosys failed on {}:\n{text}", hw.config.name);
    let stat = std::fs::read_to_string(folder.path().join("stat.json")).expect("yosys wrote its statistics");
    let stat: Value = serde_json::from_str(&stat).expect("the statistics are JSON");
    let cells = |part: &Value| -> Cells {
        let counts = part["num_cells_by_type"].as_object().expect("yosys counts cells by type");
        counts.iter().map(|(kind, n)| (kind.clone(), n.as_u64().expect("a count"))).collect()
    };
    let modules = stat["modules"].as_object().expect("yosys lists the modules");
    let modules = modules.iter().map(|(name, part)| (name.trim_start_matches('\\').to_owned(), cells(part))).collect();
    Synthesis { modules, total: cells(&stat["design"]) }
}

fn count(cells: &Cells, kind: &str) -> u64 {
    cells.get(kind).copied().unwrap_or(0)
}

fn assert_uses_the_right_blocks(hw: &Elaborated) {
    let Synthesis { modules, total } = synthesise(hw);
    println!("{}: {total:?}", hw.config.name);
    for (name, cells) in &modules {
        let foreign: Vec<_> =
            cells.keys().filter(|k| !PRIMITIVES.contains(&k.as_str()) && !modules.contains_key(*k)).collect();
        assert!(foreign.is_empty(), "{name} is built of {foreign:?}");
        if let Some(size) = name.strip_prefix("block_ram_") {
            assert_is_block_ram(name, size, cells);
        }
    }
    // One for each PE and two for each requantiser; the counters' product may be one more.
    let (dsp, want) = (count(&total, "MULT18X18D"), u64::from(hw.rows * hw.cols + 2 * hw.cols));
    assert!((want..=want + 1).contains(&dsp), "{dsp} MULT18X18D, expected {want} or one more");
    let pe = &modules["pe"];
    assert_eq!(count(pe, "MULT18X18D"), 1, "{pe:?}");
    assert!(count(pe, "LUT4") < 16, "a multiplier of LUTs: {pe:?}");
    let recorded = Recorded::read();
    let area = recorded.find(&hw.config.hash()).expect("every preset is recorded");
    let counts = ["MULT18X18D", "DP16KD", "LUT4", "TRELLIS_FF"].map(|kind| count(&total, kind));
    let want = [area.mult18x18d, area.dp16kd, area.lut4, area.ff];
    assert_eq!(counts, want, "record the counts in hw/config/src/area.toml, counted by {}", recorded.tool);
}

/// All words in DP16KD, few enough of them, and no flip-flops but the two output registers.
fn assert_is_block_ram(name: &str, size: &str, cells: &Cells) {
    // A second module of the same size would carry a number after it.
    let (depth, width) = size.split_once('x').expect("depth x width");
    let width = width.split('_').next().expect("the width comes first");
    let (depth, width): (u64, u64) = (depth.parse().expect("a depth"), width.parse().expect("a width"));
    let (blocks, least) = (count(cells, "DP16KD"), (depth * width).div_ceil(BLOCK_BITS));
    assert!((least..=2 * least).contains(&blocks), "{name}: {blocks} DP16KD, at least {least} needed");
    assert!(count(cells, "TRELLIS_FF") <= 2 * width, "{name} holds words in flip-flops: {cells:?}");
}

#[test]
fn preset_4x4_maps_to_dsp_and_block_ram_without_latches() {
    assert_uses_the_right_blocks(&preset("4x4"));
}

#[test]
fn preset_8x8_maps_to_dsp_and_block_ram_without_latches() {
    assert_uses_the_right_blocks(&preset("8x8"));
}
