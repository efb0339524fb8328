//! `hafnia quantize`.

use std::path::PathBuf;

use hafnia_quantize::{Granularity, Options, Stage};

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
    /// Data set that calibrates and evaluates: a folder, or `digits`; without it $HAFNIA_DATA, then the per-user cache.
    #[arg(long, value_name = "DIR")]
    calibration: Option<PathBuf>,
    /// What shares one weight scale; it moves the noise tolerance.
    #[arg(long, value_enum, default_value = "per-channel")]
    granularity: GranularityName,
    /// Percentile of each layer's outputs that becomes 127, above 50 and up to 100.
    #[arg(long, value_name = "PERCENT", default_value_t = Options::PERCENTILE)]
    percentile: f64,
    /// Training images to calibrate with.
    #[arg(long, value_name = "N", default_value_t = Options::CALIBRATION_IMAGES)]
    calibration_images: usize,
    /// Seed of their choice.
    #[arg(long, default_value_t = Options::SEED)]
    seed: u64,
    /// Test images, from the first, on which both accuracies are measured; without it all of them, 0 measures none.
    #[arg(long, value_name = "N")]
    test_images: Option<usize>,
    /// Model file to write.
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum GranularityName {
    PerChannel,
    PerTensor,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let options = Options {
        granularity: match args.granularity {
            GranularityName::PerChannel => Granularity::PerChannel,
            GranularityName::PerTensor => Granularity::PerTensor,
        },
        percentile: args.percentile,
        calibration_images: args.calibration_images,
        seed: args.seed,
        test_images: args.test_images,
        ..Options::new(args.weights.clone(), args.meta.clone(), args.calibration.clone(), args.output.clone())
    };
    let bar = console.bar(0, "images");
    let summary = hafnia_quantize::run(&options, &mut |p| {
        bar.set_message(match p.stage {
            Stage::Calibrate => "calibrating",
            Stage::EvaluateFp32 => "fp32 top-1",
            Stage::EvaluateInt8 => "int8 top-1",
        });
        bar.set_length(p.total as u64);
        bar.set_position(p.done as u64);
    })?;
    bar.finish_and_clear();
    let accuracy = summary.meta.accuracy.as_ref().map_or_else(String::new, |a| {
        format!(
            "\nfp32 top-1  {:.2}% ({} of {})\nint8 top-1  {:.2}% ({} of {})",
            100.0 * a.fp32_top1,
            a.fp32_correct,
            a.images,
            100.0 * a.int8_top1,
            a.int8_correct,
            a.images
        )
    });
    let text = format!("model       {}\nsha256      {}{accuracy}", summary.output.display(), summary.sha256);
    console.result(&text, &summary)?;
    Ok(Status::Done)
}
