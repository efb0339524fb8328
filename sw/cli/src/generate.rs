//! `hafnia generate`.

use std::path::{Path, PathBuf};

use hafnia_config::board::{self, Build};
use hafnia_gen::{generate, generate_board};
use serde_json::json;

use crate::Status;
use crate::board::{board_names, mhz, planned};
use crate::build::unwritable;
use crate::console::{Console, Failure};
use crate::hardware::HardwareArgs;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Write the top of a board and its pins as well; `hafnia build` makes the bitstream.
    #[arg(long, value_name = "NAME", value_parser = board_names())]
    board: Option<String>,
    /// Clock of the accelerator on the board in MHz; without it that of the board.
    #[arg(long, value_name = "MHZ", requires = "board", value_parser = mhz)]
    clock: Option<u32>,
    /// Folder to write into.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let board = args.board.as_deref().map(board::find).transpose()?;
    let hw = args.hardware.on(board.as_ref()).resolve()?;
    // What cannot be is known before anything is written.
    let build = board.as_ref().map(|board| planned(board, &hw, args.clock, None)).transpose()?;
    let mut files = generate(&hw).write(&args.output)?;
    if let Some(build) = &build {
        files.extend(write_board(build, &args.output)?);
    }
    let text: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    console.result(&text.join("\n"), &json!({ "config_hash": hw.config.hash(), "files": files }))?;
    Ok(Status::Done)
}

fn write_board(build: &Build<'_>, folder: &Path) -> Result<[PathBuf; 2], Failure> {
    let generated = generate_board(build);
    let verilog = folder.join(format!("{}.v", generated.top().name));
    let pins = folder.join(format!("{}.lpf", build.board.constraints));
    for (path, text) in [(&verilog, &*generated.verilog), (&pins, build.board.pins())] {
        hafnia_files::write(path, text.as_bytes()).map_err(|error| unwritable(path, &error))?;
    }
    Ok([verilog, pins])
}
