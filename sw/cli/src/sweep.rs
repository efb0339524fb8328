//! `hafnia sweep`.

use std::path::{Path, PathBuf};

use hafnia_sweep::{
    Configuration, Divergence, Engine, Machine, Plan, Point, Progress, Row, Shard, Slurm, Spec, Store, SweepError,
    WaitsFor, rate,
};
use serde_json::json;

use crate::Status;
use crate::board::PortArgs;
use crate::console::{Console, Failure};
use crate::hardware::{ArrayArgs, HardwareArgs};
use crate::replay::VerifyCommand;
use crate::setup::{builder, jobs, warn_of_foreign_images};
use crate::signals;
use crate::watch;

#[derive(clap::Args)]
pub struct Args {
    /// Sweep file (TOML), see docs/sweeps.md.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the results: `rows.csv` and `plan.json`.
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Go on with the rows that are in the folder, and take over those of its shards.
    #[arg(long)]
    resume: bool,
    /// Show the plan and run nothing.
    #[arg(long, conflicts_with = "resume")]
    list: bool,
    /// Draw the curves on the terminal as points come; into a file or pipe, write a line for each. q or Ctrl-C ends the
    /// sweep after the running point.
    #[arg(long, conflicts_with_all = ["list", "slurm"])]
    watch: bool,
    #[command(flatten)]
    port: PortArgs,
    /// Hardware batches computed at once; without it one per processor, with --slurm 1. It changes no row.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Compute part I of N alone, such as 2/4; a run of the whole with --resume merges the parts.
    #[arg(long, value_name = "I/N", conflicts_with = "list")]
    shard: Option<Shard>,
    /// Compute on a cluster, as a job array of SLURM, and merge its rows.
    #[arg(long, conflicts_with_all = ["shard", "list", "port"])]
    slurm: bool,
    /// Tasks of the array, each with many points; without it 32, and never more than there are points.
    #[arg(long, value_name = "N", requires = "slurm", value_parser = clap::value_parser!(u32).range(1..))]
    tasks: Option<u32>,
    /// One more option of `sbatch`, such as --sbatch=--partition=short. May be repeated.
    #[arg(long, value_name = "OPTION", requires = "slurm", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Submit the array and return.
    #[arg(long, requires = "slurm")]
    no_wait: bool,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let spec = Spec::read(&args.file)?;
    let plan = Plan::new(&spec)?;
    plan.setups.iter().for_each(|setup| warn_of_foreign_images(&setup.model, plan.data.name()));
    let output = match &args.output {
        Some(output) if !args.list => output,
        _ => return list(&plan, console),
    };
    let board = args.port.remote()?;
    if board.is_none() && args.port.board.is_some() {
        let help = "add `--port`, or leave it out: the sweep's file names its configurations";
        return Err(Failure::new("--board is for a board at a --port", help));
    }
    let wants = plan.setups.iter().any(|setup| setup.engine == Engine::Fpga);
    if wants && board.is_none() {
        return Err(SweepError::NoBoard.into());
    }
    let mut store = Store::open(output, &plan, args.shard, args.resume)?;
    let mut arrays = Vec::new();
    if args.slurm {
        let (jobs, options) = (args.jobs.map_or(1, usize::from), &args.sbatch[..]);
        let slurm = Slurm { plan: &plan, file: &args.file, folder: output, tasks: args.tasks, jobs, options };
        if args.no_wait {
            return submit(&slurm, &store, console);
        }
        let bar = console.bar(plan.points.len() as u64, "points");
        let mut waits = |what: WaitsFor<'_>| {
            let what = match what {
                WaitsFor::Found(name) => format!("tasks `{name}` are in the queue"),
                WaitsFor::Submitted(array) => {
                    arrays.push(array.job);
                    format!("array {}: {} tasks, logs in {}/slurm", array.job, array.shards.len(), output.display())
                }
            };
            let command = slurm.resume();
            bar.suspend(|| eprintln!("{what}. Ctrl-C ends the waiting alone; go on with\n  {command}"));
        };
        slurm.finish(&mut store, &mut waits, &mut |done| bar.set_position(done as u64))?;
        bar.finish_and_clear();
    }
    let builder = builder();
    let machine = Machine { builder: &builder, jobs: jobs(args.jobs), board: board.as_ref() };
    let ended = if args.watch {
        watch::run(&plan, &mut store, machine, console)?
    } else {
        run_with_bar(&plan, &mut store, machine, console)?
    };
    match ended {
        Err(SweepError::Differs { point, divergence }) => differs(&spec, &plan, &point, &divergence, console),
        ended => summary(ended?, &store, args, output, &arrays, console),
    }
}

fn run_with_bar(
    plan: &Plan,
    store: &mut Store,
    machine: Machine<'_>,
    console: &Console,
) -> Result<watch::Ended, Failure> {
    let end = signals::asked_to_end()?;
    let bar = console.bar(store.points(plan).len() as u64, "points");
    let ended = hafnia_sweep::run(plan, store, machine, &mut |progress, _| {
        bar.set_position(progress.done as u64);
        signals::flow(&end)
    });
    bar.finish_and_clear();
    Ok(ended)
}

fn summary(
    end: Progress,
    store: &Store,
    args: &Args,
    output: &Path,
    arrays: &[u64],
    console: &Console,
) -> Result<Status, Failure> {
    let Progress { total, found, merged, computed, left_out, .. } = end;
    let (rows, shard) = (found + merged + computed, args.shard.map(|shard| shard.to_string()));
    let of = shard.as_ref().map_or_else(String::new, |shard| format!(" of shard {shard}"));
    let images = |of: fn(&Row) -> u64| store.rows().iter().map(of).sum::<u64>();
    let (all, audited) = (images(|row| row.images), images(|row| row.audited));
    let mut text = format!(
        "{rows} rows{of} in {}: {computed} computed now, {found} found, {merged} merged from shards; \
         {left_out} of {total} points left out by early stopping",
        output.display(),
    );
    if audited > 0 {
        text.push_str(&format!("\n{audited} of {all} images audited on the simulated hardware, none differs"));
    }
    console.result(
        &text,
        &json!({
            "folder": output, "shard": shard, "points": total, "rows": rows, "computed": computed, "found": found,
            "merged": merged, "left_out": left_out, "audited": audited, "arrays": arrays,
        }),
    )?;
    Ok(Status::Done)
}

fn submit(slurm: &Slurm<'_>, store: &Store, console: &Console) -> Result<Status, Failure> {
    let array = slurm.submit(store)?;
    let (job, tasks) = (array.as_ref().map(|array| array.job), array.map_or(0, |array| array.shards.len()));
    let state = job.map_or_else(|| "no row is missing".to_owned(), |job| format!("array {job}: {tasks} tasks"));
    let command = slurm.resume();
    let text = format!("{state}. Wait for it and merge its rows with\n  {command}");
    let folder = slurm.folder;
    console.result(&text, &json!({ "folder": folder, "job": job, "tasks": tasks, "command": command }))?;
    Ok(Status::Done)
}

/// Tells of a batch on which the simulated hardware differs, and how to see it again.
fn differs(
    spec: &Spec,
    plan: &Plan,
    point: &Point,
    divergence: &Divergence,
    console: &Console,
) -> Result<Status, Failure> {
    let setup = &plan.setups[point.setup];
    let Configuration { file, name, protect, .. } = setup.configuration.clone();
    let hardware = HardwareArgs { array: ArrayArgs { config: file, preset: Some(name) }, protect };
    // A scrubbed memory is what all batches before made of it.
    let first = if point.noise.cells.scrub_period.is_some() { plan.first } else { divergence.images.start };
    let command = VerifyCommand::new(hardware.flags())
        .path("--model", Some(&setup.path))
        .path("--data", spec.data.as_deref())
        .path("--rtl", spec.rtl.as_deref())
        .images(first..divergence.images.end, setup.schedule.batch)
        .noise(&point.noise, point.seed(), setup.schedule.layers.len())
        .line();
    let error = SweepError::Differs { point: Box::new(point.clone()), divergence: divergence.clone() };
    let text = format!("{error}\nreplay it with\n  {command}");
    console.result(&text, &json!({ "equal": false, "difference": error.to_string(), "replay": command }))?;
    Ok(Status::Differs)
}

fn list(plan: &Plan, console: &Console) -> Result<Status, Failure> {
    let mut text = format!("{} points, {} images each\n", plan.points.len(), plan.images.len());
    let mut points = Vec::new();
    for point in &plan.points {
        let setup = &plan.setups[point.setup];
        let (model, preset, engine) = (&setup.model.network.name, &point.row().preset, setup.engine.name());
        let (ber, seed, bits, layers) = (point.ber(), point.seed(), point.bit_mask(), point.layer_mask());
        let (sites, rates) = (point.sites(), point.rates());
        text.push_str(&format!(
            "{model} {preset} {engine} {sites} bits 0x{bits:02x} layers 0x{layers:x} {} ber {} seed {seed}{}{}\n",
            point.direction(),
            rate(ber),
            if point.cells().is_empty() { "" } else { " cells " },
            point.cells()
        ));
        points.push(json!({
            "model": model, "preset": preset, "engine": engine, "sites": sites, "bit_mask": bits, "layer_mask": layers, "ber": ber, "rates": rates, "cells": point.cells(),
            "protection": point.row().protection, "seed": seed,
        }));
    }
    console.result(&text, &json!({ "images": plan.images.len(), "points": points }))?;
    Ok(Status::Done)
}
