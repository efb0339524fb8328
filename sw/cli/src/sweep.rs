//! `hafnia sweep`.

use std::ops::ControlFlow;
use std::path::PathBuf;

use hafnia_sweep::{Plan, Progress, Spec, Store, SweepError};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::setup::{builder, jobs};
use crate::watch;

#[derive(clap::Args)]
pub struct Args {
    /// Sweep file (TOML), see docs/sweeps.md.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the results: `rows.csv` and `plan.json`.
    #[arg(short, long, value_name = "DIR", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Go on with the rows that are in the folder.
    #[arg(long)]
    resume: bool,
    /// Show the plan and run nothing.
    #[arg(long, conflicts_with = "resume")]
    list: bool,
    /// Draw the curves on the terminal as points come; into a file or pipe, write a line for each. q or Ctrl-C ends the
    /// sweep after the running point.
    #[arg(long, conflicts_with = "list")]
    watch: bool,
    /// Hardware batches computed at once; without it one per processor. It changes no row.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let plan = Plan::new(&Spec::read(&args.file)?)?;
    let output = match &args.output {
        Some(output) if !args.list => output,
        _ => return list(&plan, console),
    };
    let mut store = Store::open(output, &plan, args.resume)?;
    let found = store.rows().len();
    let jobs = jobs(args.jobs);
    let end = if args.watch {
        watch::run(&plan, &mut store, jobs, console)?
    } else {
        run_with_bar(&plan, &mut store, jobs, console)?
    };
    let (rows, computed) = (store.rows().len(), store.rows().len() - found);
    let text = format!(
        "{rows} rows in {}: {computed} computed now, {found} found; {} of {} points left out by early stopping",
        output.display(),
        end.left_out,
        end.total
    );
    console.result(
        &text,
        &json!({
            "folder": output, "points": end.total, "rows": rows, "computed": computed, "found": found,
            "left_out": end.left_out,
        }),
    )?;
    Ok(Status::Done)
}

fn run_with_bar(plan: &Plan, store: &mut Store, jobs: usize, console: &Console) -> Result<Progress, SweepError> {
    let bar = console.bar(plan.points.len() as u64, "points");
    let end = hafnia_sweep::run(plan, store, &builder(), jobs, &mut |progress, _| {
        bar.set_position(progress.done as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok(end)
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
