//! Synthesis for the ECP5: multipliers in DSP blocks, memories in block RAM, no latches.
//! The recorded prices of codes are counted again as well.

use crate::common::{preset, tool, written};
use hafnia_config::Elaborated;
use hafnia_config::area::Recorded;
use hafnia_config::price::{Record, variants};
use hafnia_config::protect::Code;
use hafnia_pnr::{Counts, Synthesis, count, script, synthesise};

/// What yosys may build of: LUTs, carry chains, wide multiplexers, flip-flops, DSP and block RAM. No latch is among them,
/// and no distributed RAM (`TRELLIS_DPR16X4`).
const PRIMITIVES: [&str; 7] = ["LUT4", "CCU2C", "PFUMX", "L6MUX21", "TRELLIS_FF", "MULT18X18D", "DP16KD"];
/// Bits of one DP16KD.
const BLOCK_BITS: u64 = 18 * 1024;

fn synthesised(hw: &Elaborated) -> Synthesis {
    let (generated, folder) = written(hw);
    synthesise(&tool("yosys"), folder.path(), &generated.manifest.top).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_uses_the_right_blocks(hw: &Elaborated, Synthesis { modules, total }: &Synthesis) {
    println!("{}: {total:?}", hw.config.name);
    for (name, cells) in modules {
        let foreign: Vec<_> =
            cells.keys().filter(|k| !PRIMITIVES.contains(&k.as_str()) && !modules.contains_key(*k)).collect();
        assert!(foreign.is_empty(), "{name} is built of {foreign:?}");
        if let Some(size) = name.strip_prefix("block_ram_").or(name.strip_prefix("banked_ram_")) {
            assert_is_block_ram(name, size, cells);
        }
    }
    let (dsp, want) = (count(total, "MULT18X18D"), hw.multipliers());
    assert!((want..=want + 1).contains(&dsp), "{dsp} MULT18X18D, expected {want} or one more");
    let pe = &modules["pe"];
    assert_eq!(count(pe, "MULT18X18D"), 1, "{pe:?}");
    assert!(count(pe, "LUT4") < 16, "a multiplier of LUTs: {pe:?}");
}

/// All words in DP16KD, few enough of them, and no flip-flops but the output registers: two, or two of each bank, those of what is
/// written, and of addresses.
fn assert_is_block_ram(name: &str, size: &str, cells: &Counts) {
    // A second module of the same size would carry a number after it.
    let (depth, width) = size.split_once('x').expect("depth x width");
    let width = width.split('_').next().expect("the width comes first");
    let (depth, width): (u64, u64) = (depth.parse().expect("a depth"), width.parse().expect("a width"));
    let (blocks, least) = (count(cells, "DP16KD"), (depth * width).div_ceil(BLOCK_BITS));
    assert!((least..=2 * least).contains(&blocks), "{name}: {blocks} DP16KD, at least {least} needed");
    let most = if name.starts_with("banked") { 2 * (depth.div_ceil(2048) + 1) * (width + 3) + 22 } else { 2 * width };
    assert!(count(cells, "TRELLIS_FF") <= most, "{name} holds words in flip-flops: {cells:?}");
}

#[test]
fn a_4x4_array_with_injectors_maps_to_dsp_and_block_ram_without_latches() {
    let hw = preset("4x4");
    let synthesis = synthesised(&hw);
    assert_uses_the_right_blocks(&hw, &synthesis);
    let recorded = Recorded::read();
    let area = recorded.find(&hw.config.hash()).expect("every preset is recorded");
    let counts = ["MULT18X18D", "DP16KD", "LUT4", "TRELLIS_FF"].map(|kind| count(&synthesis.total, kind));
    let want = [area.mult18x18d, area.dp16kd, area.lut4, area.ff];
    assert_eq!(counts, want, "record the counts in hw/config/src/area.toml, counted by {}", recorded.tool);
}

/// One without a code, and one with a decoder of every kind of part: encoders, syndromes, a way out of two cycles.
#[test]
fn arrays_without_injectors_map_so_too_at_the_recorded_price() {
    let record = Record::built_in();
    assert!(record.synthesis.command.contains(&script("TOP")), "{}", record.synthesis.command);
    for (name, code) in [("8x8", Code::None), ("4x4", Code::Secded { data_bits: 32 })] {
        let variants = variants(&preset(name).config);
        let hw = variants.iter().find(|hw| hw.config.protection.code == code).expect("it can have the code");
        let synthesis = synthesised(hw);
        assert_uses_the_right_blocks(hw, &synthesis);
        let recorded = record.find(&hw.config.hash()).expect("it is recorded");
        let again = format!("record again: `hafnia price --preset {name} --measure --record hw/config/src/price.toml`");
        assert_eq!(synthesis.cells(), recorded.cells, "{again}");
    }
}
