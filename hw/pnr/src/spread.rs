//! Rows of a device that logic stays out of, so that there is room for routes.
//!
//! nextpnr packs logic as close as it fits, and where it is dense there are not enough wires: its router then leads routes around for
//! good, or finds none. Here the LUTs of every third or fourth row of tiles are taken by cells that do nothing and are connected to nothing.
//! Carry chains run along rows, and find them whole.

use std::path::Path;

use hafnia_config::board::Device;
use serde_json::json;

use crate::board::NETLIST;
use crate::run::{Error, report};
use crate::synthesis::{Counts, count};

const WANTED: &str = "the cells of the design";

/// Of so many rows one is left free.
const PERIODS: [usize; 2] = [3, 4];

/// Returns of how many rows one can be left free by a design of these cells, if it is to take no more than some three
/// quarters of the others.
pub fn free_rows(cells: &Counts, device: Device) -> Option<usize> {
    // A carry cell is two LUTs.
    let used = count(cells, "LUT4") + 2 * count(cells, "CCU2C");
    PERIODS.into_iter().find(|&period| 4 * period as u64 * used <= 3 * (period as u64 - 1) * device.luts())
}

/// Takes the LUTs of every third row in the netlist in `folder`, which has these cells, or of every fourth where it needs more room, and
/// returns how many that are: none where it does not fit beside those either.
///
/// # Errors
/// There is no such netlist, or it cannot be written.
pub fn leave_rows_free(folder: &Path, top: &str, cells: &Counts, device: Device) -> Result<u64, Error> {
    let Some(period) = free_rows(cells, device) else { return Ok(0) };
    let path = folder.join(NETLIST);
    let failed = || Error::Report { path: path.clone(), wanted: WANTED };
    let mut netlist = report(&path, WANTED)?;
    let placed = netlist["modules"][top]["cells"].as_object_mut().ok_or_else(failed)?;
    let mut taken = 0;
    for row in device.logic_rows().step_by(period) {
        for column in device.logic_columns() {
            for lut in ["A.K0", "A.K1", "B.K0", "B.K1", "C.K0", "C.K1", "D.K0", "D.K1"] {
                let place = format!("X{column}/Y{row}/SLICE{lut}");
                let cell = json!({
                    "hide_name": 0, "type": "TRELLIS_COMB", "parameters": { "MODE": "LOGIC", "INITVAL": "0".repeat(16) },
                    "attributes": { "BEL": place }, "port_directions": {}, "connections": {}
                });
                placed.insert(format!("free {place}"), cell);
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

    #[test]
    fn cells_that_are_placed_take_the_rows() {
        let device = Device::Lfe5u25f;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NETLIST);
        let rows_taken = |luts: u64| {
            std::fs::write(&path, json!({ "modules": { "top": { "cells": {} } } }).to_string()).unwrap();
            let cells = Counts::from([("LUT4".to_owned(), luts)]);
            let taken = leave_rows_free(folder.path(), "top", &cells, device).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches("\"BEL\"").count() as u64, taken);
            assert_eq!(taken > 0, text.contains("\"X2/Y2/SLICEA.K0\"") && text.contains("\"X70/Y2/SLICED.K1\""));
            let next = (3..=7).find(|row| text.contains(&format!("/Y{row}/")));
            (taken / (69 * 8), next)
        };
        // Of 44 rows; carry cells are counted twice.
        let most = device.luts() * 9 / 16;
        let (third, fourth) = ((15, Some(5)), (11, Some(6)));
        let taken = [device.luts() / 2, device.luts() / 2 + 1, most, most + 1].map(rows_taken);
        assert_eq!(taken, [third, fourth, fourth, (0, None)]);
        let carry = Counts::from([("CCU2C".to_owned(), device.luts() / 4), ("LUT4".to_owned(), 1)]);
        assert_eq!(free_rows(&carry, device), Some(4));
    }
}
