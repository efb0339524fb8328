//! `hafnia doctor`.

use hafnia_verilate::build_folder;
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: &Args, console: &Console) -> Result<Status, Failure> {
    let tools = hafnia_verilate::tools::probe(&build_folder());
    let mut text = String::new();
    let mut list = Vec::new();
    for tool in &tools {
        let state = match (&tool.found, &tool.version) {
            (Some(path), version) => {
                format!("{} ({})", version.as_deref().unwrap_or("version unknown"), path.display())
            }
            (None, _) => format!("missing; needed for {}; {}", tool.needed_for, tool.how_to_get),
        };
        text.push_str(&format!("{:<16} {state}\n", tool.name));
        list.push(json!({
            "name": tool.name, "found": tool.found, "version": tool.version,
            "needed_for": tool.needed_for, "how_to_get": tool.how_to_get,
        }));
    }
    console.result(&text, &json!({ "tools": list }))?;
    Ok(Status::Done)
}
