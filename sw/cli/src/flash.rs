//! `hafnia flash`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hafnia_config::board::{self, Board, BuildRecord};
use hafnia_config::digest::sha256;
use hafnia_pnr::BITSTREAM;
use serde_json::json;

use crate::Status;
use crate::board::board_names;
use crate::build::RECORD;
use crate::console::{Console, Failure};
use crate::tool::tool;

#[derive(clap::Args)]
pub struct Args {
    /// Board that is plugged in; `hafnia presets` lists them.
    #[arg(long, value_name = "NAME", value_parser = board_names())]
    board: String,
    /// Folder that `hafnia build` wrote.
    #[arg(value_name = "DIR")]
    build: PathBuf,
    /// Write the flash memory, so that the board starts with this accelerator from now on; without it the accelerator lasts until
    /// the power goes, but for an OrangeCrab, whose boot loader always writes it.
    #[arg(long)]
    permanent: bool,
    /// Check the files and print the command, and leave the board alone.
    #[arg(long)]
    dry_run: bool,
}

/// The largest record to read, in bytes.
const LARGEST_RECORD: u64 = 1 << 20;
/// The largest bitstream to read, in bytes; that of an LFE5U-85F has 2 MB uncompressed.
const LARGEST_BITSTREAM: u64 = 16 << 20;

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let board = board::find(&args.board)?;
    let bitstream = args.build.join(BITSTREAM);
    let record = checked(&board, &args.build, &bitstream)?;
    let mut words = board.loader.options.clone();
    let permanent = args.permanent || board.loader.permanent;
    if permanent {
        words.push("--write-flash".to_owned());
    }
    words.push(bitstream.display().to_string());
    let line = shlex::try_join(["openFPGALoader"].into_iter().chain(words.iter().map(String::as_str)))?;
    let result = json!({
        "board": board.name, "preset": record.config.name, "config_hash": record.config_hash, "sha256": record.sha256,
        "command": line, "permanent": permanent, "done": !args.dry_run,
    });
    if args.dry_run {
        let text =
            format!("{} is whole, for `{}` with `{}`\n{line}", bitstream.display(), board.name, record.config.name);
        console.result(&text, &result)?;
        return Ok(Status::Done);
    }
    let loader = tool("openFPGALoader")?;
    let mut child = Command::new(&loader.program).args(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let (said, told) = std::thread::scope(|scope| {
        let told = scope.spawn(|| shown(stderr));
        (shown(stdout), told.join().expect("reading does not panic"))
    });
    let said = said? + &told?;
    if !child.wait()?.success() {
        return Err(Failure::new("openFPGALoader failed with what it says above", help(&board, &said)));
    }
    let lasts = if permanent { "and starts with it from now on" } else { "until its power goes" };
    console.result(&format!("`{}` has `{}` now, {lasts}", board.name, record.config.name), &result)?;
    Ok(Status::Done)
}

/// Shows what comes as it comes, for its bars of progress, and returns it.
fn shown(mut from: impl Read) -> std::io::Result<String> {
    let (mut all, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(String::from_utf8_lossy(&all).into_owned());
        }
        std::io::stderr().write_all(&buffer[..count])?;
        all.extend_from_slice(&buffer[..count]);
    }
}

/// Reads the record, and checks that it is of this board and that the bitstream is the recorded one.
fn checked(board: &Board, folder: &Path, bitstream: &Path) -> Result<BuildRecord, Failure> {
    let path = folder.join(RECORD);
    let wrong = |path: &Path, what: String, help: String| Failure::new(format!("{}: {what}", path.display()), help);
    let again = format!("make it with `hafnia build --board {} -o {}`", board.name, folder.display());
    if folder.is_file() {
        return Err(wrong(folder, "a file".to_owned(), "pass the folder that `hafnia build` wrote".to_owned()));
    }
    let text = hafnia_files::read_text(&path, LARGEST_RECORD)
        .map_err(|error| wrong(&path, error.to_string(), again.clone()))?;
    let record = BuildRecord::from_json(&text)
        .map_err(|error| wrong(&path, format!("not a record of a build: {error}"), again.clone()))?;
    if record.board != board.name {
        let help = format!(
            "pass `--board {}` if that is plugged in, or build for `{}` into another folder",
            record.board, board.name
        );
        return Err(wrong(&path, format!("`board` is `{}`, not `{}`", record.board, board.name), help));
    }
    let again = format!("the bitstream is damaged or of another build; {again}");
    let read = hafnia_files::read(bitstream, LARGEST_BITSTREAM)
        .map_err(|error| wrong(bitstream, error.to_string(), again.clone()))?;
    let bytes = read.ok_or_else(|| wrong(bitstream, "longer than any bitstream".to_owned(), again.clone()))?;
    let found = sha256(&bytes);
    if found != record.sha256 {
        let what = format!("its SHA-256 is {found}, and {} has `sha256` {}", path.display(), record.sha256);
        return Err(wrong(bitstream, what, again));
    }
    Ok(record)
}

/// What to do about what openFPGALoader said.
fn help(board: &Board, said: &str) -> String {
    let (vendor, product) = board.loader.usb.split_once(':').unwrap_or_default();
    let said = said.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if any(&["permission", "access denied", "insufficient", "libusb_error_access", "device: -4 ("]) {
        format!(
            "the device may not be opened. As root write this line to /etc/udev/rules.d/60-hafnia.rules, run \
             `udevadm control --reload`, and plug the board in again:\n\
             SUBSYSTEM==\"usb|hidraw\", ATTRS{{idVendor}}==\"{vendor}\", ATTRS{{idProduct}}==\"{product}\", MODE=\"0666\", TAG+=\"uaccess\""
        )
    } else if any(&["idcode", "unknown device", "mismatch"]) {
        format!(
            "the device on the board is not the {} of `{}` (IDCODE 0x{:08x}); pass the `--board` that it is, and a build for it",
            board.device,
            board.name,
            board.device.idcode()
        )
    } else {
        format!(
            "no board that answers: is `{}` plugged in with a cable that carries data? `lsusb -d {}` must list it{}",
            board.title,
            board.loader.usb,
            board.loader.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"))
        )
    }
}
