//! `hafnia generate`.

use std::path::PathBuf;

use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::hardware::HardwareArgs;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Folder to write into.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let hw = args.hardware.resolve()?;
    let files = hafnia_gen::generate(&hw).write(&args.output)?;
    let text: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    console.result(&text.join("\n"), &json!({ "config_hash": hw.config.hash(), "files": files }))?;
    Ok(Status::Done)
}
