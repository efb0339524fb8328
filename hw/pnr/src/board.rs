//! A bitstream for a board: synthesis of the whole design at once, place and route with its pins, and packing.

use std::path::Path;

use crate::absorb::absorb_registers;
use crate::report::Report;
use crate::run::{Error, Watch, report, run, words};

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

    /// Returns the one that finds routes for a design with so many block RAMs on a device that has so many: it is their nets for
    /// which there is no room (`docs/boards.md`).
    pub const fn suited(block_rams: u64, available: u64) -> Self {
        if 4 * block_rams > 3 * available { Self::Static } else { Self::Heap }
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

/// Synthesises the design in `folder`, leaves the netlist there, and returns its number of block RAMs.
///
/// # Errors
/// yosys cannot be run or fails.
pub fn flatten(yosys: &Path, folder: &Path, target: &Target, watch: &mut dyn Watch) -> Result<u64, Error> {
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

    /// 8x8-85f takes 196 of the 208 block RAMs of an LFE5U-85F, and 8x8-45f 68 of 108.
    #[test]
    fn a_device_is_filled_evenly_where_its_block_rams_are_nearly_all_taken() {
        assert_eq!([Placer::suited(196, 208), Placer::suited(68, 108)], [Placer::Static, Placer::Heap]);
    }
}
