//! `hafnia sweep`.

use std::path::{Path, PathBuf};

use hafnia_sweep::{Plan, Progress, Shard, Slurm, Spec, Store};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::setup::{builder, jobs};

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
    /// Hardware batches computed at once; without it one per processor, with --slurm 1. It changes no row.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Compute part I of N alone, such as 2/4; a run of the whole with --resume merges the parts.
    #[arg(long, value_name = "I/N", conflicts_with = "list")]
    shard: Option<Shard>,
    /// Compute on a cluster, as a job array of SLURM, and merge its rows.
    #[arg(long, conflicts_with_all = ["shard", "list"])]
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
    let plan = Plan::new(&Spec::read(&args.file)?)?;
    let output = match &args.output {
        Some(output) if !args.list => output,
        _ => return list(&plan, console),
    };
    let mut store = Store::open(output, &plan, args.shard, args.resume)?;
    let mut arrays = Vec::new();
    if args.slurm {
        let (jobs, options) = (args.jobs.map_or(1, usize::from), &args.sbatch[..]);
        let slurm = Slurm { plan: &plan, file: &args.file, folder: output, tasks: args.tasks, jobs, options };
        if args.no_wait {
            return submit(&slurm, &store, console);
        }
        let bar = console.bar(plan.points.len() as u64, "points");
        let mut submitted = |array: &hafnia_sweep::Array| {
            bar.suspend(|| {
                eprintln!("array {}: {} tasks, logs in {}/slurm", array.job, array.shards.len(), output.display())
            });
            arrays.push(array.job);
        };
        slurm.finish(&mut store, &mut submitted, &mut |done| bar.set_position(done as u64))?;
        bar.finish_and_clear();
    }
    let bar = console.bar(plan.points.len() as u64, "points");
    let end = hafnia_sweep::run(&plan, &mut store, &builder(), jobs(args.jobs), &mut |progress: Progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    })?;
    bar.finish_and_clear();
    summary(end, args, output, &arrays, console)
}

fn summary(end: Progress, args: &Args, output: &Path, arrays: &[u64], console: &Console) -> Result<Status, Failure> {
    let Progress { total, found, merged, computed, left_out, .. } = end;
    let (rows, shard) = (found + merged + computed, args.shard.map(|shard| shard.to_string()));
    let of = shard.as_ref().map_or_else(String::new, |shard| format!(" of shard {shard}"));
    let text = format!(
        "{rows} rows{of} in {}: {computed} computed now, {found} found, {merged} merged from shards; \
         {left_out} of {total} points left out by early stopping",
        output.display(),
    );
    console.result(
        &text,
        &json!({
            "folder": output, "shard": shard, "points": total, "rows": rows, "computed": computed, "found": found,
            "merged": merged, "left_out": left_out, "arrays": arrays,
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

fn list(plan: &Plan, console: &Console) -> Result<Status, Failure> {
    let mut text = format!("{} points, {} images each\n", plan.points.len(), plan.images.len());
    let mut points = Vec::new();
    for point in &plan.points {
        let setup = &plan.setups[point.setup];
        let (model, preset) = (&setup.model.network.name, &setup.hw.config.name);
        text.push_str(&format!("{model} {preset} ber {:e} seed {}\n", point.ber(), point.seed()));
        points.push(json!({ "model": model, "preset": preset, "ber": point.ber(), "seed": point.seed() }));
    }
    console.result(&text, &json!({ "images": plan.images.len(), "points": points }))?;
    Ok(Status::Done)
}
