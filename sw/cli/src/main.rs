//! The `hafnia` command. Results on stdout, progress on stderr; exit 0 done, 1 the compared results differ or nothing
//! meets what was asked for, 2 could not run.
//!
//! Invariant: one file per subcommand, no logic of its own.

mod advise;
mod bench;
mod board;
mod build;
mod console;
mod data;
mod doctor;
mod export;
mod fault;
mod flash;
mod flip_log;
mod generate;
mod hardware;
mod presets;
mod price;
mod quantize;
mod replay;
mod report;
mod row;
mod run;
mod setup;
mod signals;
mod simulate;
mod sweep;
mod table;
mod tool;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use console::{Console, Failure};

/// How much memory noise can an int8 neural network take, and which protection is worth its price?
#[derive(Parser)]
#[command(name = "hafnia", version, propagate_version = true)]
struct Cli {
    /// Print one JSON object on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List every external tool: found, version, what is lost without it, how to get it.
    Doctor(doctor::Args),
    /// Fetch or check CIFAR-10.
    Data(data::Args),
    /// Turn a trained fp32 network into an int8 model file.
    Quantize(quantize::Args),
    /// List the named accelerators, the boards, and the memory devices of the literature, or show one in full.
    Presets(presets::Args),
    /// Write the Verilog of an accelerator, its manifest, register documentation, FuseSoC core file and configuration.
    Generate(generate::Args),
    /// Run a network over test images on one engine: accuracy, counters, cycles, measured bit-error rate.
    Run(run::Args),
    /// Run golden model and simulated hardware, or a board at a port, side by side and compare every layer, flip and counter.
    Verify(verify::Args),
    /// Run a grid of experiments from a file; every finished point is a durable row.
    Sweep(sweep::Args),
    /// Write the rows of sweeps as one Parquet or CSV file.
    Export(export::Args),
    /// Make one page of the results of sweeps: curves, midpoints, sensitivity maps, prices.
    Report(report::Args),
    /// Tell what each code of the weight memory costs on the same array: stored cells, latency, logic, clock, reads, energy.
    Price(price::Args),
    /// List the cheapest protections that keep the loss below a target at a device's bit-error rate, with the rows that say so.
    Advise(advise::Args),
    /// Make the bitstream of an accelerator on an FPGA board: synthesis, place and route with several seeds, packing.
    Build(build::Args),
    /// Configure a board with what `hafnia build` made, by openFPGALoader.
    Flash(flash::Args),
    /// Simulate a board: its serial port is a pseudo-terminal, and everything behind it is the RTL of the board.
    Simulate(simulate::Args),
    /// Measure array utilisation and the speed of the simulated hardware and of the golden model.
    Bench(bench::Args),
}

/// How a command ended that could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done; compared results are equal.
    Done,
    /// The compared results differ.
    Differs,
    /// Nothing meets what was asked for.
    Unmet,
}

fn main() -> ExitCode {
    // clap ends with 2 on a wrong command line and with 0 on help, as this command does.
    let cli = Cli::parse();
    let console = Console { json: cli.json };
    let outcome: Result<Status, Failure> = match cli.command {
        Command::Doctor(args) => doctor::run(&args, &console),
        Command::Data(args) => data::run(&args, &console),
        Command::Quantize(args) => quantize::run(&args, &console),
        Command::Presets(args) => presets::run(&args, &console),
        Command::Generate(args) => generate::run(&args, &console),
        Command::Run(args) => run::run(&args, &console),
        Command::Verify(args) => verify::run(&args, &console),
        Command::Sweep(args) => sweep::run(&args, &console),
        Command::Export(args) => export::run(&args, &console),
        Command::Report(args) => report::run(&args, &console),
        Command::Price(args) => price::run(&args, &console),
        Command::Advise(args) => advise::run(&args, &console),
        Command::Build(args) => build::run(&args, &console),
        Command::Flash(args) => flash::run(&args, &console),
        Command::Simulate(args) => simulate::run(&args, &console),
        Command::Bench(args) => bench::run(&args, &console),
    };
    match outcome {
        Ok(Status::Done) => ExitCode::SUCCESS,
        Ok(Status::Differs | Status::Unmet) => ExitCode::from(1),
        Err(failure) => {
            console.failure(&failure);
            ExitCode::from(2)
        }
    }
}
