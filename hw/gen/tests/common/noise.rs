//! The registers of the read noise of one site, side by side.

use hafnia_config::fault::{Keep, Thresholds, node_sizes};

/// The fields of the bus of codewords of `cells` cells, lowest bit first: names, as in the registers, and widths.
pub fn fields(cells: u32) -> Vec<(String, u32)> {
    let mut fields = vec![("BITS".to_owned(), 8), ("WEAK".to_owned(), 2), ("WORD".to_owned(), 32)];
    let sizes = node_sizes(cells);
    let nodes = sizes.iter().flat_map(|size| [format!("BOTH_{size}"), format!("LEFT_{size}")]);
    let pair = ["BOTH_BOTH", "BOTH_LOWER", "BOTH_UPPER", "LOWER", "UPPER"].map(|part| (2, part));
    let triple = ["BOTH_LOWER", "LOWER"].map(|part| (3, part));
    let kept = pair.into_iter().chain(triple).filter(|(size, _)| sizes.contains(size));
    fields.extend(nodes.chain(kept.map(|(size, part)| format!("KEEP_{size}_{part}"))).map(|name| (name, 32)));
    fields
}

/// What the fields hold. Where nothing is thinned, the thresholds of what is kept are 0, as if nothing were.
pub fn values(thresholds: &Thresholds, bits: u8) -> Vec<u32> {
    let keep = thresholds.keep.as_ref();
    let weak = keep.map_or(0, |keep| if keep.weak { 0b10 } else { 0b01 });
    let mut values = vec![bits.into(), weak, thresholds.word];
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
