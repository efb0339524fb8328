//! `hafnia sweep`.

use std::ops::ControlFlow;
use std::path::PathBuf;

use hafnia_sweep::{Divergence, Plan, Point, Progress, Row, Spec, Store, SweepError};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::replay::VerifyCommand;
use crate::setup::{builder, jobs, warn_of_foreign_images};
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
    let spec = Spec::read(&args.file)?;
    let plan = Plan::new(&spec)?;
    plan.setups.iter().for_each(|setup| warn_of_foreign_images(&setup.model, plan.data));
    let output = match &args.output {
        Some(output) if !args.list => output,
        _ => return list(&plan, console),
    };
    let mut store = Store::open(output, &plan, args.resume)?;
    let found = store.rows().len();
    let jobs = jobs(args.jobs);
    let ended = if args.watch {
        watch::run(&plan, &mut store, jobs, console)?
    } else {
        run_with_bar(&plan, &mut store, jobs, console)
    };
    let end = match ended {
        Err(SweepError::Differs { point, divergence }) => return differs(&spec, &plan, &point, &divergence, console),
        ended => ended?,
    };
    let (rows, computed) = (store.rows().len(), store.rows().len() - found);
    let images = |of: fn(&Row) -> u64| store.rows().iter().map(of).sum::<u64>();
    let (all, audited) = (images(|row| row.images), images(|row| row.audited));
    let text = format!(
        "{rows} rows in {}: {computed} computed now, {found} found; {} of {} points left out by early stopping\n\
         {audited} of {all} images audited on the simulated hardware, none differs",
        output.display(),
        end.left_out,
        end.total
    );
    console.result(
        &text,
        &json!({
            "folder": output, "points": end.total, "rows": rows, "computed": computed, "found": found,
            "left_out": end.left_out, "audited": audited,
        }),
    )?;
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
    let command = VerifyCommand::new(vec!["--preset".into(), setup.hw.config.name.clone()])
        .path("--model", Some(&setup.path))
        .path("--data", spec.data.as_deref())
        .path("--rtl", spec.rtl.as_deref())
        .images(divergence.images.clone(), setup.schedule.batch)
        .noise(point.ber(), point.seed())
        .at_risk(point.noise.at_risk, setup.schedule.layers.len())
        .line();
    let error = SweepError::Differs { point: Box::new(point.clone()), divergence: divergence.clone() };
    let text = format!("{error}\nreplay it with\n  {command}");
    console.result(&text, &json!({ "equal": false, "difference": error.to_string(), "replay": command }))?;
    Ok(Status::Differs)
}

fn run_with_bar(plan: &Plan, store: &mut Store, jobs: usize, console: &Console) -> Result<Progress, SweepError> {
    let bar = console.bar(plan.points.len() as u64, "points");
    let end = hafnia_sweep::run(plan, store, &builder(), jobs, &mut |progress, _| {
        bar.set_position(progress.done as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    end
}

fn list(plan: &Plan, console: &Console) -> Result<Status, Failure> {
    let mut text = format!("{} points, {} images each\n", plan.points.len(), plan.images.len());
    let mut points = Vec::new();
    for point in &plan.points {
        let setup = &plan.setups[point.setup];
        let (model, preset) = (&setup.model.network.name, &setup.hw.config.name);
        let (ber, seed, bits, layers) = (point.ber(), point.seed(), point.bit_mask(), point.layer_mask());
        text.push_str(&format!("{model} {preset} bits 0x{bits:02x} layers 0x{layers:x} ber {ber:e} seed {seed}\n"));
        points.push(json!({
            "model": model, "preset": preset, "bit_mask": bits, "layer_mask": layers, "ber": ber, "seed": seed,
        }));
    }
    console.result(&text, &json!({ "images": plan.images.len(), "points": points }))?;
    Ok(Status::Done)
}
