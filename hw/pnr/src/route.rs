//! Place and route on an LFE5U-85F, out of context: the accelerator's ports are more than the device has pins, and nothing is
//! between them and the design. So paths from and to pins are not timed.

use std::path::Path;

use crate::absorb::absorb_registers;
use crate::board::NETLIST;
use crate::run::{Error, report, run, words};

/// Package of the device; out of context it does not matter.
const PACKAGE: &str = "CABGA756";
/// Speed grade of the device.
pub const SPEED_GRADE: u32 = 6;
/// Seed of placer and router.
pub const SEED: u32 = 1;
/// The file of nextpnr's report.
const REPORT: &str = "report.json";

/// Returns the arguments of nextpnr-ecp5 with a clock to aim for.
pub fn route_arguments(clock_mhz: u32) -> Vec<String> {
    words(&format!(
        "--85k --speed {SPEED_GRADE} --package {PACKAGE} --out-of-context --json {NETLIST} --freq {clock_mhz} --seed {SEED} \
         --threads 1 --timing-allow-fail --report {REPORT}"
    ))
}

/// Places and routes what [`crate::synthesise`] left in `folder`, and returns the clock limit in MHz.
///
/// # Errors
/// nextpnr cannot be run, fails, or tells no clock limit.
pub fn route(nextpnr: &Path, folder: &Path, clock_mhz: u32) -> Result<f64, Error> {
    absorb_registers(folder)?;
    run(nextpnr, &route_arguments(clock_mhz), folder, &mut ())?;
    let (path, wanted) = (folder.join(REPORT), "a clock limit");
    let found = report(&path, wanted)?;
    let clocks = found["fmax"].as_object().into_iter().flat_map(serde_json::Map::values);
    let limits = clocks.filter_map(|clock| clock["achieved"].as_f64());
    let least = limits.min_by(f64::total_cmp).ok_or(Error::Report { path, wanted })?;
    Ok((100.0 * least).round() / 100.0)
}
