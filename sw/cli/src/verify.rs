//! `hafnia verify`.

use std::path::PathBuf;

use hafnia_config::fault::Thresholds;
use hafnia_config::regs::LayerCounters;
use hafnia_config::schedule::Schedule;
use hafnia_cosim::run::{Engine, run as run_batches};
use hafnia_cosim::{Verify, design};
use hafnia_verilate::{Builder, Variant};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::hardware::HardwareArgs;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// int8 model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Data set: a folder, or `digits`; without it $HAFNIA_DATA, then the cache.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Test images, FIRST:COUNT.
    #[arg(long, value_name = "FIRST:COUNT", default_value = "0:8", value_parser = range)]
    images: (u32, u32),
    /// Bit-error rates, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    ber: Vec<f64>,
    /// Run seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(':').and_then(|(first, count)| Some((first.parse().ok()?, count.parse().ok()?)));
    parts.filter(|&(_, count): &(u32, u32)| count > 0).ok_or_else(|| "write FIRST:COUNT, such as 0:8".to_owned())
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let hw = args.hardware.resolve()?;
    let model = hafnia_quantize::read_model(&args.model)?;
    let data = hafnia_dataset::locate(args.data.as_deref())?;
    let (first, count) = args.images;
    let images = data.test().read(first as usize, count as usize)?;
    let ifmaps: Vec<_> = (0..images.len()).map(|i| model.network.quantise_image(images.pixels(i))).collect();
    let schedule = Schedule::new(&hw, &model.network.shapes(), None)?;
    let rates: Result<Vec<_>, _> = args.ber.iter().map(|&p| Thresholds::new(p, hw.codeword_bits)).collect();
    let builder = Builder::new().notice(|notice| eprintln!("{notice}"));
    let built = builder.build(&design(&hw), Variant::default())?;
    let mut rows = Vec::new();
    let mut text = format!(
        "{:>10} {:>12} {:>8} {:>10} {:>14} equal\n",
        "BER asked", "BER measured", "top-1 %", "flips", "cycles/image"
    );
    for (&p, thresholds) in args.ber.iter().zip(rates?) {
        let plan = Verify { hw: &hw, network: &model.network, schedule: &schedule, thresholds, seed: args.seed };
        let (mut correct, mut total, mut cycles) = (0, LayerCounters::default(), 0u64);
        let (mut cells, mut flips) = (0u64, 0u64);
        let mut difference = None;
        let bar = console.bar(count.into(), "images");
        run_batches(&plan, Engine::Both(&built), first, &ifmaps, 2, &mut |batch| {
            for (i, class) in batch.classes().enumerate() {
                correct += u32::from(class == usize::from(images.label((batch.first - first) as usize + i)));
            }
            for (_, counters) in &batch.counters {
                total.add(counters);
                cycles += u64::from(counters.cycles);
                cells += u64::from(counters.cells_read);
                flips += u64::from(counters.flips);
            }
            bar.inc(batch.logits.len() as u64);
            difference = batch.difference.map(|d| (batch.first, d));
            difference.is_none()
        })?;
        bar.finish_and_clear();
        let measured = flips as f64 / cells as f64;
        let top1 = f64::from(correct) / f64::from(count);
        rows.push(json!({
            "engine": "verify", "model": model.network.name, "model_sha256": model.sha256,
            "config_hash": hw.config.hash(), "preset": hw.config.name,
            "images": { "first": first, "count": count }, "top1": top1, "correct": correct,
            "ber_requested": p, "ber_measured": measured, "seed": args.seed, "draws": "exact", "protection": "none",
            "counters": total, "cycles": { "total": cycles }, "equal": difference.is_none(),
            "difference": difference.as_ref().map(|(_, d)| d.to_string()),
        }));
        text.push_str(&format!(
            "{p:>10} {measured:>12.3e} {:>8.2} {flips:>10} {:>14.0} {}\n",
            100.0 * top1,
            cycles as f64 / f64::from(count),
            difference.is_none()
        ));
        if let Some((batch, d)) = difference {
            text.push_str(&format!(
                "differs: batch of image {batch}, seed {}: {d}\nreplay: hafnia verify --preset {} --model {} --images {batch}:{} --ber {p} --seed {}\n",
                args.seed, hw.config.name, args.model.display(), schedule.batch, args.seed
            ));
            console.result(&text, &json!({ "rows": rows }));
            return Ok(Status::Differs);
        }
    }
    console.result(&text, &json!({ "rows": rows }));
    Ok(Status::Done)
}
