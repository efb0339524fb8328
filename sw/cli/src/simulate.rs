//! `hafnia simulate`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use hafnia_config::board::Build;
use hafnia_cosim::board::board_design;
use hafnia_cosim::terminal::Terminal;
use hafnia_verilate::Variant;
use serde_json::json;

use crate::Status;
use crate::board::BoardArgs;
use crate::console::{Console, Failure};
use crate::setup::builder;
use crate::signals;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    board: BoardArgs,
    /// Name that the port gets, a link to a pseudo-terminal; it must not exist, and is removed at the end.
    #[arg(long, value_name = "PATH")]
    port: PathBuf,
}

/// Cycles of a bit unless a rate is asked for: most of the simulation's time would pass on a slower line.
const BIT_CYCLES: u32 = 8;

/// A link that is removed in the end.
struct Link<'a>(&'a Path);

impl Drop for Link<'_> {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = std::fs::remove_file(self.0);
    }
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let chosen = args.board.resolve()?;
    let build = chosen.build()?;
    let build = match args.board.baud {
        Some(_) => build,
        None => Build { baud: build.clock_khz * 1000 / BIT_CYCLES, ..build },
    };
    let path = &args.port;
    let unusable = |reason: String| {
        Failure::new(
            format!("cannot make the port {}: {reason}", path.display()),
            "pass a name that does not exist yet, in a folder that does",
        )
    };
    // Before the work.
    if path.symlink_metadata().is_ok() {
        return Err(unusable("it is there already".to_owned()));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(unusable(format!("there is no folder {}", folder.display())));
    }
    let model = builder().build(&board_design(&build), Variant::default())?;
    let ends = signals::told()?;
    let mut terminal = Terminal::open(model.dut()?, &build)?;
    symlink(terminal.path(), path).map_err(|error| unusable(error.to_string()))?;
    let _link = Link(path);
    let port = path.display().to_string();
    console.result(
        &format!(
            "`{}` with `{}` is at {port}; Ctrl-C ends it. In another shell:\n  \
             hafnia run --engine fpga --port {port} --board {} {} --model ...",
            chosen.board.name,
            chosen.hw.config.name,
            chosen.board.name,
            args.board.flags(&chosen.board).join(" ")
        ),
        &json!({ "port": port, "board": chosen.board.name, "preset": chosen.hw.config.name, "baud": build.baud }),
    )?;
    terminal.serve(&|| ends.load(Ordering::SeqCst))?;
    Ok(Status::Done)
}
