//! Registers that a netlist has beside block RAMs and multipliers go into them.
//!
//! An ECP5 has registers at the outputs of its block RAMs (FPGA-TN-02204) and around its multipliers (FPGA-TN-02205). yosys leaves
//! them idle and makes registers of logic instead, which lie somewhere else: the way there and back is the longest of a design that
//! fills a device. A block RAM takes the registers of its outputs, a multiplier those of both operands, those of its product, or
//! all. What a register holds in each cycle is the same as before; the netlist is simulated against the golden model.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::board::NETLIST;
use crate::run::{Error, report};
use crate::synthesis::Counts;

const WANTED: &str = "the cells of the design";

/// Cells, by name.
type Cells = Map<String, Value>;

/// A register without set or reset.
#[derive(Clone)]
struct Register {
    cell: String,
    input: Value,
    output: Value,
    clock: Value,
    /// Its enable; none where it takes something in every cycle.
    enable: Option<Value>,
}

/// Where nets go to, and the registers at both ends of them.
struct Nets {
    users: HashMap<u64, usize>,
    from: HashMap<u64, Register>,
    to: HashMap<u64, Register>,
    /// Outputs of registers in block RAMs and multipliers.
    hard: HashSet<u64>,
}

/// Changes the netlist in `folder`, and returns its cells.
///
/// # Errors
/// There is no such netlist, or it cannot be written.
pub fn absorb_registers(folder: &Path) -> Result<Counts, Error> {
    let path = folder.join(NETLIST);
    let failed = || Error::Report { path: path.clone(), wanted: WANTED };
    let mut netlist = report(&path, WANTED)?;
    absorb(&mut netlist).ok_or_else(failed)?;
    std::fs::write(&path, netlist.to_string()).map_err(|_| failed())?;
    let modules = netlist["modules"].as_object().into_iter().flatten();
    let cells = modules.filter_map(|(_, module)| module["cells"].as_object()).flatten();
    let mut counts = Counts::new();
    for kind in cells.filter_map(|(_, cell)| cell["type"].as_str()) {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    Ok(counts)
}

/// Changes each module of the netlist, and returns how many registers went into something; none if it is no netlist.
fn absorb(netlist: &mut Value) -> Option<usize> {
    netlist["modules"].as_object_mut()?.values_mut().map(absorb_in).sum()
}

fn absorb_in(module: &mut Value) -> Option<usize> {
    let outputs = module["ports"].as_object()?.values().filter(|port| port["direction"] == "output");
    let outputs: Vec<Value> = outputs.filter_map(|port| port["bits"].as_array()).flatten().cloned().collect();
    let cells = module["cells"].as_object_mut()?;
    let mut nets = Nets::new(cells, &outputs);
    let mut absorbed = 0;
    for name in cells.keys().cloned().collect::<Vec<_>>() {
        absorbed += match cells.get(&name).and_then(|cell| cell["type"].as_str()) {
            Some("DP16KD") => nets.fill_memory(cells, &name),
            Some("MULT18X18D") => nets.fill_multiplier(cells, &name),
            _ => 0,
        };
    }
    Some(absorbed)
}

impl Nets {
    fn new(cells: &Cells, outputs: &[Value]) -> Self {
        let mut nets = Self { users: HashMap::new(), from: HashMap::new(), to: HashMap::new(), hard: HashSet::new() };
        let directions = cells.values().map(|cell| (&cell["connections"], &cell["port_directions"]));
        let inputs = directions.flat_map(|(pins, directions)| {
            let pins = pins.as_object().into_iter().flatten();
            pins.filter(move |(pin, _)| directions[pin.as_str()] != "output").map(|(_, bits)| bits)
        });
        for bit in inputs.filter_map(Value::as_array).flatten().chain(outputs).filter_map(Value::as_u64) {
            *nets.users.entry(bit).or_default() += 1;
        }
        for register in cells.iter().filter_map(|(name, cell)| Register::of(name, cell)) {
            if let Some(net) = register.input.as_u64() {
                nets.to.insert(net, register.clone());
            }
            if let Some(net) = register.output.as_u64() {
                nets.from.insert(net, register);
            }
        }
        nets
    }

    fn users(&self, bit: &Value) -> usize {
        bit.as_u64().and_then(|net| self.users.get(&net)).copied().unwrap_or(0)
    }

    /// Returns the registers that alone take the outputs of `cell` which somebody takes, with their pins; none if an output is taken by something
    /// else, or two registers differ in clock or enable.
    fn behind(&self, cell: &Value, prefix: &str) -> Option<Vec<(String, Register)>> {
        let mut registers: Vec<(String, Register)> = Vec::new();
        for (pin, bit) in pins(cell, prefix) {
            match self.users(&bit) {
                0 => continue,
                1 => registers.push((pin, self.to.get(&bit.as_u64()?)?.clone())),
                _ => return None,
            }
        }
        alike(&registers).then_some(registers)
    }

    /// Returns the registers of an operand; none if a bit is of something else, or two registers differ in clock or enable. What a
    /// register takes from logic would have to come all the way to the multiplier in the same cycle: such ones stay where they are.
    fn before(&self, cell: &Value, prefix: &str) -> Option<Vec<(String, Register)>> {
        let mut registers = Vec::new();
        for (pin, bit) in pins(cell, prefix) {
            match bit.as_u64() {
                Some(net) => registers
                    .push((pin, self.from.get(&net).filter(|register| self.is_registered(&register.input))?.clone())),
                // In the first cycle the register of a constant 0 holds it too.
                None if bit == "0" => (),
                None => return None,
            }
        }
        alike(&registers).then_some(registers)
    }

    /// Moves what is behind the reading port of a block RAM into it.
    fn fill_memory(&mut self, cells: &mut Cells, name: &str) -> usize {
        let memory = &cells[name];
        // A port of 36 bits is both ports, which yosys uses where a memory is small.
        let wide =
            memory["parameters"]["DATA_WIDTH_B"].as_str().is_some_and(|width| u32::from_str_radix(width, 2) == Ok(36));
        let written = self.users_of(memory, "DOA");
        let Some(registers) = self.behind(memory, "DOB").filter(|_| !wide && written == 0) else { return 0 };
        let pin = |name: &str| &memory["connections"][name][0];
        // The register has the enable and the reset of the port, and those that move into it have none.
        if pin("OCEB") != "1" || pin("RSTB") != "0" {
            return 0;
        }
        let clock = pin("CLKB");
        let fits = |register: &Register| register.enable.is_none() && register.clock == *clock;
        if registers.is_empty() || !registers.iter().all(|(_, register)| fits(register)) {
            return 0;
        }
        self.take_outputs(cells, name, &registers);
        cells[name]["parameters"]["REGMODE_B"] = json!("OUTREG");
        registers.len()
    }

    fn is_registered(&self, bit: &Value) -> bool {
        bit.as_u64().is_none_or(|net| self.from.contains_key(&net) || self.hard.contains(&net))
    }

    fn users_of(&self, cell: &Value, prefix: &str) -> usize {
        pins(cell, prefix).map(|(_, bit)| self.users(&bit)).sum()
    }

    /// Moves what is before and behind a multiplier into it.
    fn fill_multiplier(&mut self, cells: &mut Cells, name: &str) -> usize {
        let multiplier = &cells[name];
        let product = self.behind(multiplier, "P").filter(|registers| !registers.is_empty());
        let operands =
            ["A", "B"].map(|prefix| self.before(multiplier, prefix).filter(|registers| !registers.is_empty()));
        let clock = |registers: &[(String, Register)]| registers[0].1.clock.clone();
        let mut parts = Vec::new();
        // nextpnr times a multiplier with registers at both operands, or at none.
        if let [Some(a), Some(b)] = operands {
            parts.extend([("INPUTA", 0, a), ("INPUTB", 1, b)]);
        }
        parts.extend(product.map(|registers| ("OUTPUT", 2, registers)));
        let Some((_, _, first)) = parts.first() else { return 0 };
        let clock_of_all = clock(first);
        if parts.iter().any(|(_, _, registers)| clock(registers) != clock_of_all) {
            return 0;
        }
        let mut moved = 0;
        for (stage, number, registers) in parts {
            match stage {
                "OUTPUT" => self.take_outputs(cells, name, &registers),
                _ => self.take_inputs(cells, name, &registers),
            }
            let enable = registers[0].1.enable.clone().unwrap_or_else(|| json!("1"));
            if let Some(net) = enable.as_u64() {
                *self.users.entry(net).or_default() += 1;
            }
            for (pin, bit) in [
                (format!("CLK{number}"), json!("0")),
                (format!("CE{number}"), enable),
                (format!("RST{number}"), json!("0")),
            ] {
                connect(&mut cells[name], &pin, bit);
            }
            for (what, value) in
                [("CLK", "CLK0".to_owned()), ("CE", format!("CE{number}")), ("RST", format!("RST{number}"))]
            {
                cells[name]["parameters"][format!("REG_{stage}_{what}")] = json!(value);
            }
            moved += registers.len();
        }
        connect(&mut cells[name], "CLK0", clock_of_all);
        moved
    }

    /// The pins drive what the registers drove, which are no more.
    fn take_outputs(&mut self, cells: &mut Cells, name: &str, registers: &[(String, Register)]) {
        for (pin, register) in registers {
            cells[name]["connections"][pin] = json!([register.output]);
            self.remove(cells, register);
            self.hard.extend(register.output.as_u64());
        }
    }

    /// The pins take what the registers took. A register that nobody else needs is no more.
    fn take_inputs(&mut self, cells: &mut Cells, name: &str, registers: &[(String, Register)]) {
        for (pin, register) in registers {
            cells[name]["connections"][pin] = json!([register.input]);
            if let Some(net) = register.input.as_u64() {
                *self.users.entry(net).or_default() += 1;
            }
            let users = register.output.as_u64().and_then(|net| self.users.get_mut(&net)).expect("it has a user");
            *users -= 1;
            if *users == 0 {
                self.remove(cells, register);
            }
        }
    }

    fn remove(&mut self, cells: &mut Cells, register: &Register) {
        cells.remove(&register.cell);
        for bit in [Some(&register.input), register.enable.as_ref()].into_iter().flatten() {
            if let Some(users) = bit.as_u64().and_then(|net| self.users.get_mut(&net)) {
                *users -= 1;
            }
        }
        if let Some(net) = register.output.as_u64() {
            self.from.remove(&net);
        }
        if let Some(net) = register.input.as_u64() {
            self.to.remove(&net);
        }
    }
}

impl Register {
    fn of(name: &str, cell: &Value) -> Option<Self> {
        if cell["type"] != "TRELLIS_FF" {
            return None;
        }
        let parameter = |name: &str| cell["parameters"][name].as_str().unwrap_or("").trim_end();
        let pin = |name: &str| cell["connections"][name][0].clone();
        let plain = pin("LSR") == "0" && parameter("CLKMUX") == "CLK" && parameter("REGSET") == "RESET";
        let enable = match parameter("CEMUX") {
            "1" => None,
            "CE" => Some(pin("CE")),
            _ => return None,
        };
        plain.then(|| Self { cell: name.to_owned(), input: pin("DI"), output: pin("Q"), clock: pin("CLK"), enable })
    }
}

/// Whether all have the same clock and enable.
fn alike(registers: &[(String, Register)]) -> bool {
    registers.windows(2).all(|pair| pair[0].1.clock == pair[1].1.clock && pair[0].1.enable == pair[1].1.enable)
}

/// Returns the numbered pins of a cell which begin with `prefix`, with what is connected to them.
fn pins<'a>(cell: &'a Value, prefix: &'a str) -> impl Iterator<Item = (String, Value)> + 'a {
    let all = cell["connections"].as_object().into_iter().flatten();
    let numbered = all.filter(move |(pin, _)| {
        pin.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    numbered.map(|(pin, bits)| (pin.clone(), bits[0].clone()))
}

fn connect(cell: &mut Value, pin: &str, bit: Value) {
    cell["connections"][pin] = json!([bit]);
    cell["port_directions"][pin] = json!("input");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(d: u64, q: u64, enable: Option<u64>, reset: &Value) -> Value {
        let enable = enable.map_or((json!("1 "), json!("1")), |net| (json!("CE"), json!(net)));
        json!({
            "type": "TRELLIS_FF", "parameters": { "CEMUX": enable.0, "CLKMUX": "CLK", "REGSET": "RESET" },
            "port_directions": { "CE": "input", "CLK": "input", "DI": "input", "LSR": "input", "Q": "output" },
            "connections": { "CE": [enable.1], "CLK": [1], "DI": [d], "LSR": [reset], "Q": [q] }
        })
    }

    fn multiplier() -> Value {
        json!({
            "type": "MULT18X18D", "parameters": {},
            "port_directions": { "A0": "input", "A1": "input", "B0": "input", "P0": "output", "P1": "output", "SIGNEDA": "input" },
            "connections": { "A0": [10], "A1": ["0"], "B0": [11], "P0": [12], "P1": [13], "SIGNEDA": ["1"] }
        })
    }

    fn memory(width: &str) -> Value {
        json!({
            "type": "DP16KD", "parameters": { "DATA_WIDTH_B": width, "REGMODE_B": "NOREG" },
            "port_directions": { "CLKB": "input", "OCEB": "input", "RSTB": "input", "DOA0": "output", "DOB0": "output", "DOB1": "output" },
            "connections": { "CLKB": [1], "OCEB": ["1"], "RSTB": ["0"], "DOA0": [20], "DOB0": [21], "DOB1": [22] }
        })
    }

    fn netlist(cells: &[(&str, Value)]) -> Value {
        let cells: Cells = cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect();
        json!({ "modules": { "top": { "ports": { "o": { "direction": "output", "bits": [30, 31] } }, "cells": cells } } })
    }

    #[test]
    fn a_multiplier_takes_the_registers_of_both_operands_and_of_its_product() {
        let low = json!("0");
        let mut netlist = netlist(&[
            ("mult", multiplier()),
            ("a", register(40, 10, None, &low)),
            // Somebody else needs this operand too.
            ("b", register(41, 11, Some(42), &low)),
            ("next", register(11, 31, None, &low)),
            ("p", register(12, 30, None, &low)),
            ("to_a", register(50, 40, None, &low)),
            ("to_b", register(51, 41, None, &low)),
        ]);
        // Without a register before that of an operand the operands stay outside.
        let mut of_logic = netlist.clone();
        of_logic["modules"]["top"]["cells"].as_object_mut().unwrap().remove("to_b");
        assert_eq!(absorb(&mut of_logic), Some(1));
        assert_eq!(absorb(&mut netlist), Some(3));
        let cells = netlist["modules"]["top"]["cells"].as_object().unwrap();
        assert_eq!(cells.keys().collect::<Vec<_>>(), ["b", "mult", "next", "to_a", "to_b"]);
        let (pins, parameters) = (&cells["mult"]["connections"], &cells["mult"]["parameters"]);
        assert_eq!(
            [&pins["A0"], &pins["B0"], &pins["P0"], &pins["P1"]],
            [&json!([40]), &json!([41]), &json!([30]), &json!([13])]
        );
        assert_eq!(
            [&pins["CLK0"], &pins["CE0"], &pins["CE1"], &pins["RST2"]],
            [&json!([1]), &json!(["1"]), &json!([42]), &json!(["0"])]
        );
        assert_eq!([&parameters["REG_INPUTB_CE"], &parameters["REG_OUTPUT_CLK"]], ["CE1", "CLK0"]);
    }

    #[test]
    fn a_multiplier_keeps_out_what_it_has_no_register_for() {
        let reset = json!(43);
        for (a, p) in [
            // A reset, an enable that differs from bit to bit, and a product that is used as it is.
            (register(40, 10, None, &reset), register(12, 30, None, &reset)),
            (register(40, 10, None, &reset), register(14, 12, None, &json!("0"))),
        ] {
            let mut before = netlist(&[("mult", multiplier()), ("a", a), ("p", p)]);
            let after = before.clone();
            assert_eq!(absorb(&mut before), Some(0));
            assert_eq!(before, after);
        }
        assert_eq!(absorb(&mut json!({ "modules": {} })), Some(0));
        assert_eq!(absorb(&mut json!({})), None);
    }

    #[test]
    fn a_memory_takes_the_registers_of_its_outputs() {
        let low = json!("0");
        let registers = |enable| [("0", register(21, 30, None, &low)), ("1", register(22, 31, enable, &low))];
        let narrow = "00000000000000000000000000000010";
        let mut taken = netlist(&[&[("memory", memory(narrow))][..], &registers(None)].concat());
        assert_eq!(absorb(&mut taken), Some(2));
        let cells = taken["modules"]["top"]["cells"].as_object().unwrap();
        assert_eq!(cells.len(), 1);
        assert_eq!(
            [&cells["memory"]["connections"]["DOB0"], &cells["memory"]["connections"]["DOB1"]],
            [&json!([30]), &json!([31])]
        );
        assert_eq!(cells["memory"]["parameters"]["REGMODE_B"], "OUTREG");
        // An enable, and both ports in one.
        for (width, enable) in [(narrow, Some(42)), ("00000000000000000000000000100100", None)] {
            let mut kept = netlist(&[&[("memory", memory(width))][..], &registers(enable)].concat());
            assert_eq!(absorb(&mut kept), Some(0));
        }
        // A reset of the port.
        let mut reset = memory(narrow);
        reset["connections"]["RSTB"] = json!([43]);
        let mut kept = netlist(&[&[("memory", reset)][..], &registers(None)].concat());
        assert_eq!(absorb(&mut kept), Some(0));
    }
}
