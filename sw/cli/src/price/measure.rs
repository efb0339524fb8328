//! Measures prices with yosys and nextpnr.

use std::path::Path;

use hafnia_config::Elaborated;
use hafnia_config::accel::ProtectionConfig;
use hafnia_config::price::{DEVICE, Engines, Measured, Record, Routing, Synthesis, protection_name};
use hafnia_gen::generate;
use hafnia_pnr::{SEED, SPEED_GRADE, route, route_arguments, script, synthesise};

use crate::console::Failure;
use crate::tool::tool;

/// Measures every variant of the configuration called `name`, and keeps what is found in `file` as it comes.
pub fn measure(name: &str, variants: &[Elaborated], routed: bool, file: Option<&Path>) -> Result<Record, Failure> {
    let yosys = tool("yosys")?;
    let nextpnr = routed.then(|| tool("nextpnr-ecp5")).transpose()?;
    let mut record = Record {
        synthesis: Synthesis { tool: yosys.version, command: format!("yosys -q -p \"{}\"", script("TOP")) },
        routing: nextpnr.as_ref().map(|nextpnr| Routing {
            tool: nextpnr.version.clone(),
            command: format!("nextpnr-ecp5 {}", route_arguments(variants[0].config.clock_mhz).join(" ")),
            device: DEVICE.to_owned(),
            speed_grade: SPEED_GRADE,
            seed: SEED,
        }),
        array: Vec::new(),
    };
    if let Some(path) = file {
        record = kept(&record, path)?;
    }
    for (n, hw) in variants.iter().enumerate() {
        let ProtectionConfig { code, write_verify, scrub, .. } = hw.config.protection;
        let protection = protection_name(code, Engines::of(write_verify, scrub));
        let tell = |what: &str| eprintln!("{} of {}: {protection}: {what}", n + 1, variants.len());
        let folder = tempfile::tempdir()?;
        let generated = generate(hw);
        generated.write(folder.path())?;
        tell("synthesis");
        let cells = synthesise(&yosys.program, folder.path(), &generated.manifest.top)?.cells();
        let fmax_mhz = match &nextpnr {
            Some(nextpnr) if cells.fits() => {
                tell("place and route");
                Some(route(&nextpnr.program, folder.path(), hw.config.clock_mhz)?)
            }
            Some(_) => {
                tell(&format!("does not fit {DEVICE}, not routed"));
                None
            }
            None => None,
        };
        let (name, config_hash) = (name.to_owned(), hw.config.hash());
        let measured = Measured { name, code, write_verify, scrub, config_hash, fmax_mhz, cells };
        record.merge(Record { array: vec![measured], ..record.clone() })?;
        if let Some(path) = file {
            write(&record, path)?;
        }
    }
    Ok(record)
}

/// Returns the record of the file with the way of measuring of `now`, or `now` where there is no file yet.
fn kept(now: &Record, path: &Path) -> Result<Record, Failure> {
    if !path.exists() {
        // Better to fail here than after a long measurement.
        write(now, path)?;
        return Ok(now.clone());
    }
    let mut record = super::read_record(path)?;
    record.merge(now.clone()).map_err(|error| {
        Failure::new(
            format!("--record {}: {error}", path.display()),
            "pass a new file, or the tools that made this one",
        )
    })?;
    Ok(record)
}

fn write(record: &Record, path: &Path) -> Result<(), Failure> {
    hafnia_files::write(path, record.to_toml().as_bytes()).map_err(|error| {
        Failure::new(
            format!("cannot write --record {}: {error}", path.display()),
            "pass a path in a folder that exists",
        )
    })
}
