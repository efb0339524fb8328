//! Configurations and tools of the generator's tests.

// Each test file is a crate of its own and uses a part of this module.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

use hafnia_config::{Elaborated, presets};
use hafnia_gen::{Generated, generate};

/// The preset of this name, checked.
pub fn preset(name: &str) -> Elaborated {
    presets::find(name).expect("a preset").validate().expect("presets are legal")
}

/// A configuration of `rows x cols` with codewords of `lane_weights` weights and the memories of preset `4x4`.
pub fn array(rows: u32, cols: u32, lane_weights: u32) -> Elaborated {
    let mut config = presets::find("4x4").expect("a preset");
    config.name = format!("array_{rows}x{cols}");
    config.array.rows = rows;
    config.array.cols = cols;
    config.protection.weights_per_codeword = lane_weights;
    config.validate().expect("the configuration is legal")
}

/// Writes the files of `hw` into a fresh folder.
pub fn written(hw: &Elaborated) -> (Generated, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written");
    let generated = generate(hw);
    generated.write(folder.path()).unwrap_or_else(|error| panic!("{error}"));
    (generated, folder)
}

/// Where the tool is; a missing one fails the test and says how to get it.
pub fn tool(name: &str) -> PathBuf {
    let build = std::env::var_os("HAFNIA_BUILD")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build"), PathBuf::from);
    // The tests run their tools elsewhere, so a relative path would not do.
    let build = std::path::absolute(&build).expect("there is a current folder");
    let tools = hafnia_verilate::tools::probe(&build);
    let tool = tools.iter().find(|tool| tool.name == name).expect("the list has every tool of the tests");
    tool.found.clone().unwrap_or_else(|| panic!("{name} was not found. {}", tool.how_to_get))
}

/// Runs a tool in `folder` and returns whether it succeeded, and all it printed.
pub fn run(program: &Path, arguments: &[&str], folder: &Path) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
