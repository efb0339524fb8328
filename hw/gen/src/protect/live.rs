//! Which cells of a codeword count: the first bytes of a word may be all that is in use.

use hafnia_config::protect::Codeword;

/// Returns the cells of a codeword that hold or check data in use, as an expression. `byte` names the net that tells whether a
/// byte of the codeword is in use.
pub fn cells_in_use(word: &Codeword, byte: impl Fn(u32) -> String) -> String {
    let data = |b| format!("{{8{{{}}}}}", byte(b));
    joined(word, data, |check| in_use(word, check, &byte))
}

/// Returns those of them that are at risk; `bits` is the net with the bits of each byte at risk, and above them whether check
/// cells are.
pub fn cells_at_risk(word: &Codeword, bits: &str, byte: impl Fn(u32) -> String) -> String {
    let of_byte = if word.is_coded() { format!("{bits}[7:0]") } else { bits.to_owned() };
    let data = |b| format!("{of_byte} & {{8{{{}}}}}", byte(b));
    joined(word, data, |check| format!("{bits}[8] & ({})", in_use(word, check, &byte)))
}

fn joined(word: &Codeword, data: impl Fn(u32) -> String, check: impl Fn(u64) -> String) -> String {
    let checks = word.checks.iter().rev().map(|&mask| check(mask));
    let bytes = (0..word.data_bits / 8).rev().map(data);
    format!("{{{}}}", checks.chain(bytes).collect::<Vec<_>>().join(", "))
}

/// Whether one of the bytes that a check cell goes by is in use.
fn in_use(word: &Codeword, check: u64, byte: &impl Fn(u32) -> String) -> String {
    let bytes = (0..word.data_bits / 8).filter(|b| check >> (8 * b) & 0xff != 0);
    bytes.map(byte).collect::<Vec<_>>().join(" | ")
}
