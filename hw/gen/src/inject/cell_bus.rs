//! Registers of the faults of cells, side by side: the one home of their layout.

use hafnia_config::Elaborated;
use hafnia_config::regs::registers;

/// Registers in the bus, lowest bit first, 32 bits each.
const REGISTERS: [&str; 15] = [
    "stuck_0",
    "stuck_1",
    "trapped",
    "trap_captured",
    "trap_read",
    "write_01",
    "write_10",
    "device_key_0",
    "device_key_1",
    "device_key_2",
    "device_key_3",
    "telegraph_key_0",
    "telegraph_key_1",
    "telegraph_key_2",
    "telegraph_key_3",
];

/// Width of the bus in bits.
pub const CELL_BUS_BITS: u32 = 32 * REGISTERS.len() as u32;

/// Returns the expression that joins the registers; those that the configuration leaves out are 0.
pub fn joined(hw: &Elaborated) -> String {
    let there = registers(hw);
    let net = |name: &&str| match there.iter().any(|r| r.name.to_lowercase() == **name) {
        true => (*name).to_owned(),
        false => "32'd0".to_owned(),
    };
    format!("{{{}}}", REGISTERS.iter().rev().map(net).collect::<Vec<_>>().join(", "))
}

/// Returns the part of the port `cells_i` that holds `words` registers from the one of this name on.
pub fn part(first: &str, words: u32) -> String {
    let place = REGISTERS.iter().position(|name| *name == first).expect("callers name registers of the bus");
    let low = 32 * place as u32;
    format!("cells_i[{}:{low}]", low + 32 * words - 1)
}
