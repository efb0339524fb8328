//! `hafnia quantize`.

use std::path::PathBuf;

use hafnia_quantize::Options;

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// Trained weights (safetensors, fp32 or fp16).
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Description beside the weights (JSON).
    #[arg(long, value_name = "FILE")]
    meta: PathBuf,
    /// Data set that calibrates and evaluates: a folder, or `digits`.
    #[arg(long, value_name = "DIR")]
    calibration: Option<PathBuf>,
    /// Model file to write.
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let options = Options::new(args.weights.clone(), args.meta.clone(), args.calibration.clone(), args.output.clone());
    let bar = console.bar(0, "images");
    let summary = hafnia_quantize::run(&options, &mut |p| {
        bar.set_length(p.total as u64);
        bar.set_position(p.done as u64);
    })?;
    bar.finish_and_clear();
    let text = serde_json::to_string_pretty(&summary).expect("a summary is plain data");
    console.result(&text, &summary);
    Ok(Status::Done)
}
