//! The registers of the read noise of one site, and those of the faults of cells, side by side.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Keep, Noise, Thresholds, node_sizes};
use hafnia_config::regs::noise_registers;

/// The registers of the faults of cells on their bus, lowest first, 32 bits each.
pub const CELLS: [&str; 15] = [
    "STUCK_0",
    "STUCK_1",
    "TRAPPED",
    "TRAP_CAPTURED",
    "TRAP_READ",
    "WRITE_01",
    "WRITE_10",
    "DEVICE_KEY_0",
    "DEVICE_KEY_1",
    "DEVICE_KEY_2",
    "DEVICE_KEY_3",
    "TELEGRAPH_KEY_0",
    "TELEGRAPH_KEY_1",
    "TELEGRAPH_KEY_2",
    "TELEGRAPH_KEY_3",
];

/// What they hold in a run; 0 where the hardware has no such register.
pub fn cells(hw: &Elaborated, noise: &Noise, run_seed: u64) -> Vec<u32> {
    let registers = noise_registers(hw, noise, run_seed);
    let value = |name: &str| registers.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value);
    CELLS.into_iter().map(value).collect()
}

/// The fields of the bus of codewords of `cells` cells, lowest bit first: names, as in the registers, and widths.
pub fn fields(cells: u32) -> Vec<(String, u32)> {
    let mut fields = vec![("WEAK".to_owned(), 2), ("WORD".to_owned(), 32)];
    let sizes = node_sizes(cells);
    let nodes = sizes.iter().flat_map(|size| [format!("BOTH_{size}"), format!("LEFT_{size}")]);
    let pair = ["BOTH_BOTH", "BOTH_LOWER", "BOTH_UPPER", "LOWER", "UPPER"].map(|part| (2, part));
    let triple = ["BOTH_LOWER", "LOWER"].map(|part| (3, part));
    let kept = pair.into_iter().chain(triple).filter(|(size, _)| sizes.contains(size));
    fields.extend(nodes.chain(kept.map(|(size, part)| format!("KEEP_{size}_{part}"))).map(|name| (name, 32)));
    fields
}

/// What the fields hold. Where nothing is thinned, the thresholds of what is kept are 0, as if nothing were.
pub fn values(thresholds: &Thresholds) -> Vec<u32> {
    let keep = thresholds.keep.as_ref();
    let weak = keep.map_or(0, |keep| if keep.weak { 0b10 } else { 0b01 });
    let mut values = vec![weak, thresholds.word];
    values.extend(thresholds.nodes.iter().flat_map(|node| [node.both, node.left]));
    let of = |parts: &[fn(&Keep) -> u32]| parts.iter().map(|part| keep.map_or(0, part)).collect::<Vec<_>>();
    let sizes = node_sizes(thresholds.cells);
    if sizes.contains(&2) {
        values.extend(of(&[
            |keep| keep.pair.both_both,
            |keep| keep.pair.both_lower,
            |keep| keep.pair.both_upper,
            |keep| keep.pair.lower,
            |keep| keep.pair.upper,
        ]));
    }
    if sizes.contains(&3) {
        values.extend(of(&[|keep| keep.triple.both_lower, |keep| keep.triple.lower]));
    }
    values
}

/// Joins fields of up to 32 bits, the first one lowest, each with its width.
pub fn joined(fields: impl IntoIterator<Item = (u32, u32)>) -> Vec<u32> {
    let (mut words, mut held, mut bits) = (Vec::new(), 0_u64, 0);
    for (value, width) in fields {
        held |= u64::from(value) << bits;
        bits += width;
        if bits >= 32 {
            words.push(held as u32);
            (held, bits) = (held >> 32, bits - 32);
        }
    }
    words.extend((bits > 0).then_some(held as u32));
    words
}
