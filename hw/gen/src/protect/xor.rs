//! Sums of cells.

/// Returns the XOR of the bits of `net` in `mask`. Bit by bit, and not of a mask: so the solver of the formal proofs sees at once
/// what cancels, without which it does not finish.
pub fn xor(net: &str, mask: u128) -> String {
    let bits = (0..u128::BITS).filter(|bit| mask >> bit & 1 == 1);
    bits.map(|bit| format!("{net}[{bit}]")).collect::<Vec<_>>().join(" ^ ")
}
