//! A bitstream for a board: synthesis of the whole design at once, place and route with its pins, and packing.

use std::path::Path;

use hafnia_config::board::Device;

use crate::absorb::absorb_registers;
use crate::report::Report;
use crate::run::{Error, Watch, report, run, words};
use crate::spread::free_rows;
use crate::synthesis::{Counts, count};

/// The netlist, that nextpnr reads.
pub const NETLIST: &str = "net.json";
/// The bitstream.
pub const BITSTREAM: &str = "board.bit";

/// Returns the file of the design as routed with this seed, which yosys reads.
pub fn routed(seed: u32) -> String {
    format!("routed-{seed}.json")
}

/// Returns the file of the device's configuration as text, routed with this seed.
pub fn configuration(seed: u32) -> String {
    format!("routed-{seed}.config")
}

/// Where a design goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// Name of the top module and, with `.v`, of its file.
    pub top: String,
    /// Name of the file of pins.
    pub pins: String,
    /// The device, as an option of nextpnr without dashes.
    pub device: String,
    /// Its package.
    pub package: String,
    /// Its speed grade.
    pub speed_grade: u32,
}

/// How a design is placed and routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placer {
    /// Close together, by what is slow: the faster result where there is room.
    Heap,
    /// All over the device, which leaves room for the routes of one that is nearly full.
    Static,
}

impl Placer {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Heap, Self::Static];

    /// Returns its name, as nextpnr's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Heap => "heap",
            Self::Static => "static",
        }
    }

    /// Returns the one that finds routes for a design of these cells: where nearly all block RAMs or multipliers are taken, there is no
    /// room for their nets unless the logic is spread and some rows are free; where none can be, `heap` was seen to find routes
    /// (`docs/boards.md`).
    pub fn suited(cells: &Counts, device: Device) -> Self {
        let nearly_all = |kind, available| 4 * count(cells, kind) > 3 * available;
        let few_left = nearly_all("DP16KD", device.block_rams()) || nearly_all("MULT18X18D", device.multipliers());
        if few_left && free_rows(cells, device).is_some() { Self::Static } else { Self::Heap }
    }

    /// Returns the router that goes with it, and its options. Without the second, `router2` leads single nets far around and leaves it
    /// at that (`docs/boards.md`).
    const fn router(self) -> &'static str {
        match self {
            Self::Heap => "router1",
            Self::Static => "router2 --tmg-ripup",
        }
    }
}

/// Synthesises the design in `folder`, leaves the netlist there, and returns its cells.
///
/// # Errors
/// yosys cannot be run or fails.
pub fn flatten(yosys: &Path, folder: &Path, target: &Target, watch: &mut dyn Watch) -> Result<Counts, Error> {
    let top = &target.top;
    // Registers that are kept apart lose their modules last, when nothing is merged any more.
    let script = format!(
        "read_verilog {top}.v; synth_ecp5 -top {top}; setattr -mod -unset keep_hierarchy *; flatten; write_json {NETLIST}"
    );
    run(yosys, &["-p".to_owned(), script], folder, watch)?;
    absorb_registers(folder)
}

/// Places and routes the netlist in `folder` with this seed, and leaves the routed design there. Whether it is fast enough is for
/// the caller to see.
///
/// # Errors
/// nextpnr cannot be run, fails, or does not tell what it found: then the design is too large, or the pins are wrong.
pub fn place_and_route(
    nextpnr: &Path,
    folder: &Path,
    target: &Target,
    placer: Placer,
    seed: u32,
    watch: &mut dyn Watch,
) -> Result<Report, Error> {
    let Target { pins, device, package, speed_grade, .. } = target;
    let (placer, router) = (placer.name(), placer.router());
    let report_file = format!("report-{seed}.json");
    let text = format!(
        "--{device} --package {package} --speed {speed_grade} --json {NETLIST} --lpf {pins} --seed {seed} --threads 1 \
         --placer {placer} --router {router} --timing-allow-fail --report {report_file} --textcfg {} --write {}",
        configuration(seed),
        routed(seed),
    );
    run(nextpnr, &words(&text), folder, watch)?;
    let (path, wanted) = (folder.join(report_file), "a clock limit, what is used, and the slowest path");
    let found = report(&path, wanted)?;
    Report::read(&found).ok_or(Error::Report { path, wanted })
}

/// Packs what was routed in `folder` with this seed into a bitstream.
///
/// # Errors
/// ecppack cannot be run or fails.
pub fn pack(ecppack: &Path, folder: &Path, seed: u32) -> Result<(), Error> {
    let text = format!("--compress --freq 38.8 --input {} --bit {BITSTREAM}", configuration(seed));
    run(ecppack, &words(&text), folder, &mut ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logic_is_spread_where_block_rams_or_multipliers_are_nearly_all_taken_and_rows_can_be_free() {
        let placer = |luts, block_rams, multipliers, device| {
            let cells = [("LUT4", luts), ("DP16KD", block_rams), ("MULT18X18D", multipliers)];
            Placer::suited(&cells.map(|(kind, count)| (kind.to_owned(), count)).into(), device)
        };
        let device = Device::Lfe5u85f;
        assert_eq!(placer(20_000, 156, 117, device), Placer::Heap);
        assert_eq!([placer(20_000, 157, 0, device), placer(20_000, 0, 118, device)], [Placer::Static; 2]);
        // Half of the device and one more, and 9/16 of it and one more.
        assert_eq!(
            [placer(41_821, 196, 145, device), placer(47_048, 196, 145, device)],
            [Placer::Static, Placer::Heap]
        );
    }
}
