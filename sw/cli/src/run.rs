//! `hafnia run`.

use std::time::Instant;

use hafnia_cosim::{Depth, Device, Engine, Totals};

use crate::Status;
use crate::console::{Console, Failure};
use crate::flip_log::FlipLog;
use crate::row::Row;
use crate::setup::{SetupArgs, builder};

#[derive(clap::Args)]
pub struct Args {
    /// What computes: the golden model, the generated RTL under Verilator, or a board at --port.
    #[arg(long, value_enum)]
    engine: EngineName,
    #[command(flatten)]
    setup: SetupArgs,
    /// Bit-error rate of each cell read, a probability; without it and other rates 0.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    ber: Option<f64>,
    /// Run seed.
    #[arg(long, allow_negative_numbers = true, default_value = "1", value_parser = crate::fault::seed)]
    seed: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EngineName {
    Golden,
    Sim,
    Fpga,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    if let (EngineName::Golden, Some(path)) = (args.engine, args.setup.wave.as_ref().or(args.setup.rtl.as_ref())) {
        return Err(Failure::new(
            format!("{} was given, but the golden model has no waveform and runs no Verilog", path.display()),
            "leave --wave and --rtl out, or pass `--engine sim`",
        ));
    }
    match (args.engine, &args.setup.port.port) {
        (EngineName::Fpga, None) => {
            return Err(Failure::new(
                "--engine fpga needs a board and the port that it is at",
                "add `--board NAME` and `--port`, such as `--port /dev/ttyUSB0`",
            ));
        }
        (EngineName::Golden | EngineName::Sim, Some(port)) => {
            let help = "pass `--engine fpga`, or leave it out; `--board` alone chooses that board's accelerator";
            return Err(Failure::new(format!("--port {port} is a board's"), help));
        }
        (EngineName::Golden, None) => (),
        (EngineName::Sim | EngineName::Fpga, _) => args.setup.check_exact()?,
    }
    let setup = args.setup.resolve()?;
    let plan = setup.plan(setup.noise(&args.setup.fault, args.ber)?, args.seed);
    let hardware = match args.engine {
        EngineName::Golden | EngineName::Fpga => None,
        EngineName::Sim => Some(args.setup.build(&builder(), &args.setup.design(&setup.hw)?)?),
    };
    let depth = if args.setup.flip_log.is_some() { Depth::Flips } else { Depth::Logits };
    let (engine, name) = match (&hardware, &setup.remote) {
        (Some(hardware), _) => (Engine::Hardware(hardware.into()), "sim"),
        (None, Some(remote)) => (Engine::Hardware(Device::Board(remote)), "fpga"),
        (None, None) => (Engine::Golden(depth), "golden"),
    };
    let mut log = args.setup.flip_log.as_deref().map(FlipLog::create).transpose()?;
    let mut failed = None;
    let mut totals = Totals::new(&plan);
    let begin = Instant::now();
    let bar = console.bar(setup.ifmaps.len() as u64, "images");
    hafnia_cosim::run(&plan, engine, setup.ifmaps(), setup.jobs, &mut |batch| {
        totals.add(&batch, setup.labels(batch.first, batch.images));
        bar.inc(batch.images.into());
        failed = log.as_mut().and_then(|log| log.write(&batch.flips).err());
        failed.is_none()
    })?;
    bar.finish_and_clear();
    if let Some(failure) = failed {
        return Err(failure);
    }
    log.map_or(Ok(()), FlipLog::finish)?;
    let row = Row::new(name, &setup, &plan, &totals, begin.elapsed().as_secs_f64());
    console.result(&text(&row), &row)?;
    Ok(Status::Done)
}

fn text(row: &Row) -> String {
    let counters: Vec<String> = row.counters.iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!(
        "engine          {} ({}, {})\nimages          {} to {} of {}\ntop-1           {:.2}% ({} of {})\n\
         at risk         {}\n{}BER requested   {}\nBER measured    {:.4e} (99.9% interval {:.4e} to {:.4e})\nseed            {}\n\
         cycles          {} ({:.0} an image)\ncounters        {}",
        row.engine,
        row.preset,
        row.model,
        row.images.first,
        u64::from(row.images.first) + row.images.count - 1,
        row.data,
        100.0 * row.top1,
        row.correct,
        row.images.count,
        row.at_risk(),
        row.faults(),
        row.requested(),
        row.ber_measured,
        row.ber_interval.0,
        row.ber_interval.1,
        row.seed,
        row.cycles.total,
        row.cycles.total as f64 / row.images.count as f64,
        counters.join(", "),
    )
}
