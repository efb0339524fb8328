//! Builds without a tool. A test binary of its own, since it changes the environment of the whole process.

mod common;

use common::{WIDTH, toy};
use hafnia_verilate::{Builder, Error, Variant};

#[test]
fn missing_tool_is_an_error_that_says_how_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    let build =
        || Builder::new().folder(empty.path().join("cache")).build(&toy(WIDTH), Variant::default()).unwrap_err();

    // SAFETY: this is the only test of this process, so no other thread reads the environment.
    unsafe { std::env::set_var("CXX", "no-such-compiler") };
    let error = build();
    assert!(matches!(&error, Error::ToolMissing { tool, .. } if tool == "no-such-compiler"), "{error}");
    assert!(error.to_string().contains("scripts/setup"), "{error}");

    // SAFETY: as above.
    unsafe { std::env::set_var("PATH", empty.path()) };
    let error = build();
    assert!(matches!(&error, Error::ToolMissing { tool, .. } if tool == "verilator"), "{error}");
    assert!(error.to_string().contains("scripts/setup"), "{error}");
}
