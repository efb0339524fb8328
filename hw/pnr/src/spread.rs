//! Rows of a device that logic stays out of, so that there is room for routes.
//!
//! nextpnr packs logic as close as it fits, and where it is dense there are not enough wires: its router then leads routes around for
//! good, or finds none. Here the LUTs of every third row of tiles are taken by cells that do nothing and are connected to nothing.
//! Carry chains run along rows, and find them whole.

use std::path::Path;

use hafnia_config::board::Device;
use serde_json::json;

use crate::board::NETLIST;
use crate::run::{Error, report};

const WANTED: &str = "the cells of the design";

/// Of so many rows one is left free.
const PERIOD: usize = 3;

/// Takes the LUTs of every third row in the netlist in `folder`, and returns how many that are: none where the design has more than half of
/// the device's, for it would not fit beside them.
///
/// # Errors
/// There is no such netlist, or it cannot be written.
pub fn leave_rows_free(folder: &Path, top: &str, device: Device) -> Result<u64, Error> {
    let path = folder.join(NETLIST);
    let failed = || Error::Report { path: path.clone(), wanted: WANTED };
    let mut netlist = report(&path, WANTED)?;
    let cells = netlist["modules"][top]["cells"].as_object_mut().ok_or_else(failed)?;
    // A carry cell is two LUTs.
    let luts = |kind: &str| match kind {
        "LUT4" => 1,
        "CCU2C" => 2,
        _ => 0,
    };
    let used: u64 = cells.values().filter_map(|cell| cell["type"].as_str()).map(luts).sum();
    if 2 * used > device.luts() {
        return Ok(0);
    }
    let mut taken = 0;
    for row in device.logic_rows().step_by(PERIOD) {
        for column in device.logic_columns() {
            for lut in ["A.K0", "A.K1", "B.K0", "B.K1", "C.K0", "C.K1", "D.K0", "D.K1"] {
                let place = format!("X{column}/Y{row}/SLICE{lut}");
                let cell = json!({
                    "hide_name": 0, "type": "TRELLIS_COMB", "parameters": { "MODE": "LOGIC", "INITVAL": "0".repeat(16) },
                    "attributes": { "BEL": place }, "port_directions": {}, "connections": {}
                });
                cells.insert(format!("free {place}"), cell);
                taken += 1;
            }
        }
    }
    std::fs::write(&path, netlist.to_string()).map_err(|_| failed())?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn netlist(luts: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let lut = json!({ "type": "LUT4", "connections": {} });
        let cells: serde_json::Map<_, _> = (0..luts).map(|n| (n.to_string(), lut.clone())).collect();
        let netlist = json!({ "modules": { "top": { "cells": cells } } });
        std::fs::write(folder.path().join(NETLIST), netlist.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_third_of_the_rows_is_left_free_where_half_of_the_device_is() {
        let device = Device::Lfe5u25f;
        let folder = netlist(device.luts() / 2);
        let taken = leave_rows_free(folder.path(), "top", device).unwrap();
        // 15 of 44 rows.
        assert_eq!(taken, 15 * 69 * 8);
        let text = std::fs::read_to_string(folder.path().join(NETLIST)).unwrap();
        assert_eq!(text.matches("\"BEL\"").count() as u64, taken);
        assert!(
            text.contains("\"X2/Y2/SLICEA.K0\"") && text.contains("\"X70/Y5/SLICED.K1\"") && !text.contains("/Y3/")
        );
        let folder = netlist(device.luts() / 2 + 1);
        assert_eq!(leave_rows_free(folder.path(), "top", device).unwrap(), 0);
    }
}
