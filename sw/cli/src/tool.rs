//! The external programs of a command.

use std::path::PathBuf;

use hafnia_verilate::{build_folder, tools};

use crate::console::Failure;

/// A program and its version.
pub struct Tool {
    pub program: PathBuf,
    pub version: String,
}

/// Finds the program of this name in the list of `hafnia doctor`.
pub fn tool(name: &str) -> Result<Tool, Failure> {
    let tool = tools::find(&std::path::absolute(build_folder())?, name);
    let program = tool.found.ok_or_else(|| Failure::new(format!("{name} was not found"), tool.how_to_get))?;
    let version = format!("{name} {}", tool.version.as_deref().unwrap_or("of unknown version"));
    Ok(Tool { program, version })
}
