//! `hafnia verify`.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::time::Instant;

use hafnia_config::fault::Noise;
use hafnia_cosim::{Device, Engine, Found, Ifmaps, Plan, Replay, Totals, Trace, replay};
use hafnia_verilate::{Builder, Design, build_folder};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::flip_log::FlipLog;
use crate::replay::VerifyCommand;
use crate::row::{Comparison, Row};
use crate::setup::{Setup, SetupArgs, builder};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    setup: SetupArgs,
    /// Bit-error rates of each cell read, separated by commas.
    #[arg(long, value_name = "P,...", allow_negative_numbers = true, value_delimiter = ',', num_args = 1)]
    ber: Vec<f64>,
    /// Run seeds, separated by commas.
    #[arg(
        long,
        value_name = "SEED,...",
        allow_negative_numbers = true,
        value_delimiter = ',',
        default_value = "1",
        value_parser = crate::fault::seed
    )]
    seed: Vec<u64>,
}

/// One rate and seed.
struct Point<'a> {
    args: &'a Args,
    setup: &'a Setup,
    plan: Plan<'a>,
}

/// The first difference of a point: what and when, and the first image of its batch.
struct First {
    found: Found,
    image: u32,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let several = args.ber.len().max(1) * args.seed.len() > 1;
    if several && (args.setup.flip_log.is_some() || args.setup.wave.is_some()) {
        return Err(Failure::new(
            "--flip-log and --wave hold one run, but several rates or seeds were given",
            "pass one --ber and one --seed with them",
        ));
    }
    args.setup.check_exact()?;
    let setup = args.setup.resolve()?;
    let rates = if args.ber.is_empty() { vec![None] } else { args.ber.iter().copied().map(Some).collect() };
    let noises = rates.into_iter().map(|ber| setup.noise(&args.setup.fault, ber));
    let noises = noises.collect::<Result<Vec<_>, Failure>>()?;
    let builder = builder();
    let design = args.setup.design(&setup.hw)?;
    let hardware;
    let (device, name) = match &setup.remote {
        Some(remote) => (Device::Board(remote), "fpga"),
        None => {
            hardware = args.setup.build(&builder, &design)?;
            ((&hardware).into(), "sim")
        }
    };
    let (mut rows, mut table) = (Vec::new(), String::from(HEADER));
    for noise in noises {
        for &seed in &args.seed {
            let point = Point { args, setup: &setup, plan: setup.plan(noise.clone(), seed) };
            let begin = Instant::now();
            let (totals, first) = point.compare(device, console)?;
            let mut row = Row::new(name, &setup, &point.plan, &totals, begin.elapsed().as_secs_f64());
            table.push_str(&line(&row, totals.compared, first.is_none()));
            let mut comparison =
                Comparison { equal: first.is_none(), values_compared: totals.compared, ..Comparison::default() };
            if let Some(first) = &first {
                let what = format!(
                    "seed {seed}, the batch that begins with image {}: {}",
                    first.image, first.found.difference
                );
                write!(table, "\ndiffers: {what}\n").expect("text grows");
                comparison.difference = Some(what);
                let shown = point.show(first, &builder, &design)?;
                table.push_str(&shown.text);
                comparison.replay = Some(shown.command);
                comparison.wave = shown.wave.map(|path| path.display().to_string());
            }
            row.comparison = Some(comparison);
            rows.push(row);
            if first.is_some() {
                console.result(&table, &json!({ "equal": false, "rows": rows }))?;
                return Ok(Status::Differs);
            }
        }
    }
    console.result(&table, &json!({ "equal": true, "rows": rows }))?;
    Ok(Status::Done)
}

const HEADER: &str = "       BER         seed   BER measured   99.9% interval             top-1 %      flips   cycles/image   \
                      values compared   golden = RTL\n";

fn line(row: &Row, compared: u64, equal: bool) -> String {
    format!(
        "{:>10} {:>12} {:>14.4e}   {:.4e} .. {:.4e} {:>9.2} {:>10} {:>14.0} {:>17} {:>14}\n",
        row.requested(),
        row.seed,
        row.ber_measured,
        row.ber_interval.0,
        row.ber_interval.1,
        100.0 * row.top1,
        row.flips,
        row.cycles.total as f64 / row.images.count as f64,
        compared,
        if equal { "equal" } else { "DIFFERS" },
    )
}

/// What is shown of a difference: text, the command that replays it, and its waveform file.
struct Shown {
    text: String,
    command: String,
    wave: Option<PathBuf>,
}

impl Point<'_> {
    /// Runs both engines and stops at the first difference.
    fn compare(&self, device: Device<'_>, console: &Console) -> Result<(Totals, Option<First>), Failure> {
        let setup = self.setup;
        let mut log = self.args.setup.flip_log.as_deref().map(FlipLog::create).transpose()?;
        let (mut totals, mut first, mut failed) = (Totals::new(&self.plan), None, None);
        let bar = console.bar(setup.ifmaps.len() as u64, "images");
        let engine = Engine::Both(device);
        hafnia_cosim::run(&self.plan, engine, setup.ifmaps(), setup.jobs, &mut |batch| {
            totals.add(&batch, setup.labels(batch.first, batch.images));
            bar.inc(batch.images.into());
            failed = log.as_mut().and_then(|log| log.write(&batch.flips).err());
            first = batch.difference.map(|found| First { found, image: batch.first });
            first.is_none() && failed.is_none()
        })?;
        bar.finish_and_clear();
        if let Some(failure) = failed {
            return Err(failure);
        }
        log.map_or(Ok(()), FlipLog::finish)?;
        Ok((totals, first))
    }

    /// Runs the batch of a difference again, alone and traced, and shows what the signals did.
    fn show(&self, first: &First, builder: &Builder<'_>, design: &Design) -> Result<Shown, Failure> {
        let setup = self.setup;
        if setup.remote.is_some() {
            let command = self.command(setup.first, setup.ifmaps.len(), None)?;
            let text = format!("The same on the simulated hardware:\n  {command}\n");
            return Ok(Shown { text, command, wave: None });
        }
        let path = self.wave_path(first.image, design)?;
        let start = (first.image - setup.first) as usize;
        let end_of_batch = (first.image / setup.schedule.batch + 1) * setup.schedule.batch - setup.first;
        let ifmaps = &setup.ifmaps[start..setup.ifmaps.len().min(end_of_batch as usize)];
        let images = Ifmaps { first: first.image, images: ifmaps, clean: None };
        let Some(Replay { trace, window }) = replay(&self.plan, builder, design, images, &path)? else {
            let command = self.command(setup.first, setup.ifmaps.len(), None)?;
            let text = format!("It does not show when its batch runs alone. All of it again:\n  {command}\n");
            return Ok(Shown { text, command, wave: None });
        };
        let command = self.command(first.image, ifmaps.len(), Some(&trace))?;
        let window = window.map_or_else(String::new, |window| format!("{window}\n"));
        let text = format!("{window}waveform: {}\nreplay it with\n  {command}\n", path.display());
        Ok(Shown { text, command, wave: Some(path) })
    }

    /// Where the waveform of a difference goes: a name of its own for each point, model and Verilog.
    fn wave_path(&self, image: u32, design: &Design) -> Result<PathBuf, Failure> {
        let folder = build_folder().join("replay");
        std::fs::create_dir_all(&folder)
            .map_err(|e| Failure::new(format!("cannot create {}: {e}", folder.display()), "set HAFNIA_BUILD"))?;
        let mut hasher = DefaultHasher::new();
        (&self.setup.model.sha256, &design.verilog).hash(&mut hasher);
        let Noise { rates, at_risk, cells, .. } = &self.plan.noise;
        (at_risk.bits, at_risk.layers, cells.to_string()).hash(&mut hasher);
        let (name, seed) = (&self.setup.hw.config.name, self.plan.seed);
        let ber = if rates.is_even() { format!("{:e}", rates.p01) } else { format!("{:e}-{:e}", rates.p01, rates.p10) };
        Ok(folder.join(format!("{name}-{:016x}-ber{ber}-seed{seed}-image{image}.vcd", hasher.finish())))
    }

    /// The command that shows the difference again, with a waveform around it.
    fn command(&self, first: u32, count: usize, trace: Option<&Trace>) -> Result<String, Failure> {
        let args = &self.args.setup;
        let command = VerifyCommand::new(args.hardware()?.flags())
            .path("--model", Some(&args.model))
            .path("--data", args.data.as_deref())
            .path("--rtl", args.rtl.as_deref())
            .images(first..first + count as u32, self.setup.schedule.batch)
            .noise(&self.plan.noise, self.plan.seed, self.setup.schedule.layers.len())
            .trace(trace)
            .line();
        Ok(command)
    }
}
