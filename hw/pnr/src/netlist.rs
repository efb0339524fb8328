//! Verilog of a netlist, for simulation: as yosys made it, or as nextpnr routed it.
//!
//! A routed design leaves pins open. An open pin of an ECP5 reads as 1, behind which there may be a constant or an inverter in the
//! pin's multiplexer; the set or reset of a register is off. So much is put into the netlist here, and parameters that say nothing
//! about behaviour are dropped, so that the models of the cells need not know of either. A pad is called by its direction.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::run::{Error, report, run};

/// The netlist as it is read.
const PREPARED: &str = "netlist.json";
/// Its Verilog.
const VERILOG: &str = "netlist.v";
const WANTED: &str = "a netlist with cells";

/// Returns the Verilog of the module `top` of the netlist `file` in `folder`.
///
/// # Errors
/// The file is no netlist, or yosys cannot be run or fails.
pub fn netlist_verilog(yosys: &Path, folder: &Path, file: &str, top: &str) -> Result<String, Error> {
    let path = folder.join(file);
    let prepared = prepare(report(&path, WANTED)?, top).ok_or(Error::Report { path, wanted: WANTED })?;
    let failed = |path: std::path::PathBuf| move |_| Error::Report { path, wanted: WANTED };
    let at = folder.join(PREPARED);
    std::fs::write(&at, prepared.to_string()).map_err(failed(at.clone()))?;
    // Bits of a vector depend on each other, and a simulator takes that for a loop.
    let script =
        format!("read_json {PREPARED}; delete t:$scopeinfo; splitnets; clean; write_verilog -noattr {VERILOG}");
    run(yosys, &["-q".to_owned(), "-p".to_owned(), script], folder, &mut ())?;
    let at = folder.join(VERILOG);
    std::fs::read_to_string(&at).map_err(failed(at.clone()))
}

/// The name that nextpnr gives to the module that it writes.
const ROUTED_TOP: &str = "top";

/// Keeps the module `top` alone, and prepares its cells.
fn prepare(mut netlist: Value, top: &str) -> Option<Value> {
    let modules = netlist["modules"].as_object_mut()?;
    let mut all = std::mem::take(modules);
    let mut module = all.remove(top).or_else(|| all.remove(ROUTED_TOP))?;
    for cell in module["cells"].as_object_mut()?.values_mut() {
        prepare_cell(cell)?;
    }
    modules.insert(top.to_owned(), module);
    Some(netlist)
}

fn prepare_cell(cell: &mut Value) -> Option<()> {
    let kind = cell["type"].as_str()?.to_owned();
    let parameters = cell["parameters"].as_object()?.clone();
    let directions = cell["port_directions"].as_object().cloned().unwrap_or_default();
    let register = kind == "TRELLIS_FF";
    // The wider multiplexer of a slice is in the cell that has its inputs.
    let is_wide = cell["connections"]["FXA"].as_array().is_some_and(|nets| !nets.is_empty());
    let direction = parameters.get("DIR").and_then(Value::as_str).map(str::to_owned);
    for (pin, nets) in cell["connections"].as_object_mut()? {
        let open = nets.as_array()?.is_empty();
        if open && directions.get(pin).is_some_and(|direction| direction == "input") {
            let through = parameters.get(&format!("{pin}MUX")).and_then(Value::as_str).map(str::trim_end);
            let low = matches!(through, Some("0" | "INV")) || (register && pin == "LSR");
            *nets = json!([if low { "0" } else { "1" }]);
        }
    }
    let kept = |name: &str| match &*kind {
        // Of registers the multiplexers are modelled. Of other cells an open pin has its constant by now.
        "TRELLIS_FF" => true,
        "DP16KD" | "MULT18X18D" => !name.ends_with("MUX") || ["CLKAMUX", "CLKBMUX"].contains(&name),
        "TRELLIS_COMB" => name != "WREMUX",
        "TRELLIS_IO" => false,
        _ => true,
    };
    let mut behaviour: Map<_, _> =
        parameters.into_iter().filter(|(name, _)| kept(name) && !name.starts_with("INITVAL_")).collect();
    if is_wide {
        behaviour.insert("IS_Z1".to_owned(), json!("1"));
    }
    cell["parameters"] = Value::Object(behaviour);
    if kind == "TRELLIS_IO" {
        let direction = direction.as_deref()?;
        cell["type"] = json!(format!("TRELLIS_IO_{direction}"));
        cell["port_directions"]["B"] = json!(direction.to_lowercase());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_pins_get_what_the_hardware_reads() {
        let cell = |kind: &str, parameters: Value, pins: &[&str]| {
            let pins = || pins.iter().map(|pin| (*pin).to_owned());
            let connections: Map<_, _> = pins().map(|pin| (pin, json!([]))).collect();
            let directions: Map<_, _> = pins().map(|pin| (pin, json!("input"))).collect();
            json!({ "type": kind, "parameters": parameters, "connections": connections, "port_directions": directions })
        };
        let netlist = json!({ "modules": { "top": { "cells": {
            "lut": cell("TRELLIS_COMB", json!({ "WREMUX": "WRE", "INITVAL": "1111" }), &["A"]),
            "ff": cell("TRELLIS_FF", json!({ "CEMUX": "1 " }), &["LSR", "CE"]),
            "ram": cell("DP16KD", json!({ "ADA0MUX": "0 ", "RSTAMUX": "INV", "INITVAL_00": "0" }), &["ADA0", "RSTA", "CEA"]),
        } } } });
        let prepared = prepare(netlist, "board").unwrap();
        let cells = &prepared["modules"]["board"]["cells"];
        let pin = |cell: &str, pin: &str| cells[cell]["connections"][pin][0].as_str().unwrap().to_owned();
        assert_eq!((pin("lut", "A"), pin("ff", "LSR"), pin("ff", "CE")), ("1".into(), "0".into(), "1".into()));
        assert_eq!((pin("ram", "ADA0"), pin("ram", "RSTA"), pin("ram", "CEA")), ("0".into(), "0".into(), "1".into()));
        assert_eq!(cells["ram"]["parameters"], json!({}));
        assert_eq!(cells["lut"]["parameters"], json!({ "INITVAL": "1111" }));
        assert_eq!(prepare(json!({ "modules": {} }), "board"), None);
    }
}
