//! `hafnia build`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use hafnia_config::board::{Board, Build, BuildRecord, mhz};
use hafnia_config::digest::sha256;
use hafnia_gen::generate_board;
use hafnia_pnr::{BITSTREAM, Placer, Report, Target, Watch, flatten, leave_rows_free, pack, place_and_route};
use hafnia_sweep::twice;
use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::Status;
use crate::board::{BoardArgs, Chosen};
use crate::console::{Console, Failure};
use crate::signals;
use crate::tool::tool;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    board: BoardArgs,
    /// Seeds of placer and router to try, such as 1,2,3; the fastest result is kept.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 2, 3], value_parser = seed)]
    seeds: Vec<u32>,
    /// How nextpnr places and routes: `heap`, or `static` for a device that is nearly full, where `heap` finds no routes. Without it
    /// `static` where more than three quarters of the block RAMs or multipliers are taken, and no more than 56% of the LUTs.
    #[arg(long, value_name = "NAME", value_parser = placers())]
    placer: Option<Placer>,
    /// Seeds tried at once, each with up to 1.5 GB; without it one per processor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Folder to write into: bitstream, its record `build.json`, Verilog, pins, configuration, and what the tools print, as they print it.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// What one seed came to.
struct Tried {
    seed: u32,
    report: Report,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let chosen = args.board.resolve()?;
    let build = chosen.build()?;
    if let Some(seed) = twice(&args.seeds) {
        return Err(Failure::new(
            format!("--seeds has {seed} more than once"),
            "name each seed once: it would be routed alike",
        ));
    }
    let ends = signals::told()?;
    // What cannot be written should be known before the work. What the tools printed stays, nothing else of a build that fails.
    let made = !args.output.exists();
    std::fs::create_dir_all(&args.output).map_err(|error| unwritable(&args.output, &error))?;
    make(args, &chosen, &build, &ends, console).map_err(|failure| {
        if made {
            let _ = std::fs::remove_dir(&args.output);
        }
        // A terminal's Ctrl-C ends the tool too, whose failure is then no news.
        if ends.load(Ordering::SeqCst) { ended() } else { failure }
    })
}

fn ended() -> Failure {
    Failure::new("ended by a signal", "start it again: it begins anew")
}

fn make(
    args: &Args,
    chosen: &Chosen,
    build: &Build<'_>,
    ends: &AtomicBool,
    console: &Console,
) -> Result<Status, Failure> {
    let [yosys, nextpnr, ecppack] = ["yosys", "nextpnr-ecp5", "ecppack"].map(tool);
    let [yosys, nextpnr, ecppack] = [yosys?, nextpnr?, ecppack?];
    let work = tempfile::tempdir()?;
    let folder = work.path();
    let generated = generate_board(build);
    let target = target(build, &generated.top().name);
    let verilog = format!("{}.v", target.top);
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text);
    write(&verilog, &generated.verilog)?;
    write(&target.pins, chosen.board.pins())?;

    let spinner = console.spinner();
    let shown = |log: &str, stage: String| Shown::create(&args.output.join(log), stage, &spinner, ends);
    let mut synthesis = shown("yosys.log", "synthesis".to_owned())?;
    let cells =
        flatten(&yosys.program, folder, &target, &mut synthesis).map_err(|error| synthesis.failure(&error, NO_ROOM))?;
    let placer = args.placer.unwrap_or_else(|| Placer::suited(&cells, build.board.device));
    let free = match placer {
        Placer::Heap => 0,
        Placer::Static => leave_rows_free(folder, &target.top, &cells, build.board.device)?,
    };
    let done = AtomicUsize::new(0);
    let route = |&seed: &u32| {
        let stage = format!("seed {seed} ({} of {} done)", done.load(Ordering::Relaxed), args.seeds.len());
        let mut routing = shown(&format!("nextpnr-{seed}.log"), format!("place and route, {stage}"))?;
        let report = place_and_route(&nextpnr.program, folder, &target, placer, seed, &mut routing);
        done.fetch_add(1, Ordering::Relaxed);
        let report = report.map_err(|error| routing.failure(&error, NO_ROUTES))?;
        Ok(Tried { seed, report: report.without_luts(free) })
    };
    let jobs = crate::setup::jobs(args.jobs).min(args.seeds.len());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let routed: Vec<_> = pool.install(|| args.seeds.par_iter().map(route).collect());
    spinner.finish_and_clear();
    let (mut tried, mut failed) = (Vec::new(), Vec::new());
    for (seed, routed) in args.seeds.iter().zip(routed) {
        match routed {
            Ok(routed) => tried.push(routed),
            Err(failure) => failed.push((seed, failure)),
        }
    }
    let fastest = tried.iter().max_by(|a, b| a.report.fmax_mhz.total_cmp(&b.report.fmax_mhz));
    let Some(best) = fastest.filter(|_| !ends.load(Ordering::SeqCst)) else {
        return Err(failed.pop().map_or_else(ended, |(_, failure)| failure));
    };
    for (seed, _) in failed {
        eprintln!("warning: seed {seed} came to nothing, nextpnr-{seed}.log tells why");
    }
    if best.report.slack_ns() < 0.0 {
        return Err(too_slow(build.board, best, &tried));
    }
    pack(&ecppack.program, folder, best.seed)?;

    let bitstream = std::fs::read(folder.join(BITSTREAM))?;
    let tools = [yosys, nextpnr, ecppack].map(|tool| tool.version).to_vec();
    let record = record(build, tools, placer, best, &tried, [generated.verilog.as_bytes(), &bitstream]);
    let config = chosen.hw.config.to_toml();
    for (name, bytes) in [
        (&*verilog, generated.verilog.as_bytes()),
        (&target.pins, chosen.board.pins().as_bytes()),
        ("config.toml", config.as_bytes()),
        (BITSTREAM, &bitstream),
        // Last: where there is a record, everything is there.
        (RECORD, record.to_json().as_bytes()),
    ] {
        let path = args.output.join(name);
        hafnia_files::write(&path, bytes).map_err(|error| unwritable(&path, &error))?;
    }
    console.result(&text(&record, &args.output), &record)?;
    Ok(Status::Done)
}

/// The record beside a bitstream.
pub const RECORD: &str = "build.json";

const NO_ROUTES: &str = "where there is not enough room, take a smaller preset or leave injectors out, `hafnia price` tells what \
                         an array takes; where no routes are found, pass other `--seeds` or the other `--placer`";
const NO_ROOM: &str = "see to it that there is room in memory and on the disk";

fn seed(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("write whole numbers up to {}, separated by commas, such as 1,2,3", u32::MAX))
}

fn placers() -> impl TypedValueParser<Value = Placer> {
    let named = |name: String| Placer::ALL.into_iter().find(|placer| placer.name() == name);
    PossibleValuesParser::new(Placer::ALL.map(Placer::name)).map(move |name| named(name).expect("one of the names"))
}

fn target(build: &Build<'_>, top: &str) -> Target {
    let board = build.board;
    Target {
        top: top.to_owned(),
        pins: format!("{}.lpf", board.constraints),
        device: board.device.nextpnr().to_owned(),
        package: board.package.clone(),
        speed_grade: board.speed_grade,
    }
}

/// What a tool prints, in a file that grows with it: who stops a build that takes long still has it.
struct Shown<'a> {
    path: PathBuf,
    log: File,
    stage: String,
    spinner: &'a ProgressBar,
    ends: &'a AtomicBool,
}

impl<'a> Shown<'a> {
    fn create(path: &Path, stage: String, spinner: &'a ProgressBar, ends: &'a AtomicBool) -> Result<Self, Failure> {
        let log = File::create(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self { path: path.to_owned(), log, stage, spinner, ends })
    }

    fn failure(&self, error: &hafnia_pnr::Error, help: &str) -> Failure {
        Failure::new(error.to_string(), format!("all that it printed is in {}; {help}", self.path.display()))
    }
}

impl Watch for Shown<'_> {
    fn line(&mut self, text: &str) {
        // A full disk is told when the results are written.
        let _ = writeln!(self.log, "{text}");
        let text = text.trim_start_matches("Info: ").trim();
        if !text.is_empty() {
            self.spinner.set_message(format!("{}: {}", self.stage, text.chars().take(80).collect::<String>()));
        }
    }

    fn stops(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }
}

/// The failure to write a file or folder below `-o`.
pub fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()), "pass `-o` a folder that can be written to")
}

fn too_slow(board: &Board, best: &Tried, tried: &[Tried]) -> Failure {
    let clock = mhz(board.clock_within(best.report.fmax_mhz));
    let seeds: Vec<String> =
        tried.iter().map(|tried| format!("{:.1} MHz with seed {}", tried.report.fmax_mhz, tried.seed)).collect();
    Failure::new(
        format!(
            "{:.1} MHz are not reached: {}. The slowest path goes {}",
            best.report.wanted_mhz,
            seeds.join(", "),
            best.report.path
        ),
        format!("pass `--clock {clock}`, other `--seeds`, or a smaller preset"),
    )
}

fn record(
    build: &Build<'_>,
    tools: Vec<String>,
    placer: Placer,
    best: &Tried,
    tried: &[Tried],
    [verilog, bitstream]: [&[u8]; 2],
) -> BuildRecord {
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    let used = best.report.utilisation.iter().filter(|(_, part)| part.used > 0);
    BuildRecord {
        board: build.board.name.clone(),
        device: build.board.device.to_string(),
        config: build.hw.config.clone(),
        config_hash: build.hw.config.hash(),
        clock_khz: build.clock_khz,
        baud: build.baud,
        hafnia: env!("CARGO_PKG_VERSION").to_owned(),
        verilog_sha256: sha256(verilog),
        tools,
        placer: placer.name().to_owned(),
        seeds: tried.iter().map(|tried| (tried.seed, rounded(tried.report.fmax_mhz))).collect(),
        seed: best.seed,
        fmax_mhz: rounded(best.report.fmax_mhz),
        slack_ns: rounded(best.report.slack_ns()),
        utilisation: used.map(|(name, part)| (name.clone(), [part.used, part.available])).collect(),
        critical_path: best.report.path.to_string(),
        sha256: sha256(bitstream),
    }
}

fn text(record: &BuildRecord, folder: &Path) -> String {
    let part = |name: &str| {
        let [used, available] = record.utilisation.get(name).copied().unwrap_or_default();
        format!("{used} of {available}")
    };
    format!(
        "bitstream       {}\nboard           {} ({})\npreset          {}\nclock           {} MHz, limit {} MHz (seed {})\n\
         LUT4            {}\nFF              {}\nDP16KD          {}\nMULT18X18D      {}\nslowest path    {}\nsha256          {}",
        folder.join(BITSTREAM).display(),
        record.board,
        record.device,
        record.config.name,
        mhz(record.clock_khz),
        record.fmax_mhz,
        record.seed,
        part("TRELLIS_COMB"),
        part("TRELLIS_FF"),
        part("DP16KD"),
        part("MULT18X18D"),
        record.critical_path,
        record.sha256,
    )
}
