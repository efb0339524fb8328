//! Which crate may use which: one direction, and generator and golden model never meet outside of tests.

use std::collections::BTreeSet;
use std::path::Path;

/// Each crate, and the crates of this workspace that it may use. Tests may use more.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("hw/config", &[]),
    ("hw/gen", &["config", "files"]),
    ("hw/pnr", &["config"]),
    ("sw/files", &[]),
    ("sw/testing", &[]),
    ("sim/verilate", &[]),
    ("sw/golden", &["config"]),
    ("sw/dataset", &["files"]),
    ("sw/quantize", &["config", "dataset", "files", "golden"]),
    ("sw/driver", &["config", "golden", "verilate"]),
    ("sim/cosim", &["config", "driver", "gen", "golden", "verilate"]),
    ("sw/report", &["config", "files", "sweep"]),
    ("sw/sweep", &["config", "cosim", "dataset", "files", "quantize", "verilate"]),
    (
        "sw/cli",
        &[
            "config", "cosim", "dataset", "driver", "files", "gen", "golden", "pnr", "quantize", "report", "sweep",
            "verilate",
        ],
    ),
];

fn manifest(folder: &str) -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    manifest.get("dependencies").and_then(|d| d.as_table()).map_or_else(BTreeSet::new, |d| d.keys().cloned().collect())
}

#[test]
fn crates_use_only_what_they_may() {
    for (folder, allowed) in ALLOWED {
        for name in dependencies(folder) {
            if let Some(used) = name.strip_prefix("hafnia-") {
                assert!(allowed.contains(&used), "{folder} may not use {name}");
            }
            assert!(name != "rust-hdl" || folder == "hw/gen", "{folder} may not use rust-hdl");
        }
    }
}

#[test]
fn every_crate_of_the_workspace_is_listed() {
    let workspace = manifest(".");
    let members = workspace["workspace"]["members"].as_array().expect("a list of folders");
    let members: BTreeSet<_> = members.iter().filter_map(|m| m.as_str()).collect();
    assert_eq!(members, ALLOWED.iter().map(|(folder, _)| *folder).collect());
}
