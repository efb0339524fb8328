//! `hafnia bench`: the simulated array, `hafnia bench golden`, `hafnia bench noise` and `hafnia bench faults`.

mod faults;
mod golden;
mod noise;
mod peer;

use std::path::PathBuf;
use std::time::Duration;

use hafnia_config::fault::AtRisk;
use hafnia_config::presets;
use hafnia_config::schedule::Schedule;
use hafnia_config::shape::Vgg;
use hafnia_cosim::bench::{golden, simulated};
use hafnia_cosim::{Plan, design, random};
use hafnia_golden::network::Network;
use hafnia_verilate::Variant;
use serde::Serialize;
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};
use crate::setup::builder;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    array: ArrayArgs,
}

#[derive(clap::Subcommand)]
enum What {
    /// Measure the golden model alone, on all cores, beside ONNX Runtime's int8 where it is installed.
    Golden(golden::Args),
    /// Measure the golden model with read noise, on all cores, beside clean passes, and beside the float-mask operator in PyTorch where it is
    /// installed.
    ///
    /// The operator is that of Emonds, Xi and Fröning, arXiv 2401.05820, on the same weights in fp32. Its masks are drawn in three ways: `paper`,
    /// as its authors draw them, a Bernoulli sample for each bit of each mask, tensor by tensor; `planes`, the same draws bit plane by bit plane, the
    /// fastest found; `sparse`, the same law at a cost in proportion to the flips. Each is measured with a read of the weights for every image, with 16
    /// images a read, and with 64 images a read in PyTorch against one in the golden model. With `everything`, the maps are read through
    /// masks too, as in the paper, in PyTorch alone. PyTorch runs in a process of one thread on each core.
    Noise(noise::Args),
    /// Judge the draws of the read noise: rate, independence and streams of the golden model and of the simulated hardware.
    ///
    /// Statistics, see docs/fault-model.md: `hits`, flips of each cell, bit position and lane against the rate; `gaps`, reads from a flip of a cell to
    /// its next, which are geometric; `lags`, codewords 1 to 64 reads apart; `cells`, pairs of cells of a codeword; `lanes`, pairs of lanes;
    /// `neighbours`, the next layer, read group and seed; `starts`, states in which generators start. Of each the worst is shown beside its
    /// bound. An LFSR of one step a draw is judged as a control and must fail. Exit code 1 if any exact draws fail or the control does not.
    Faults(faults::Args),
}

#[derive(clap::Args)]
struct ArrayArgs {
    /// Presets to measure, separated by commas.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "8x8,16x16")]
    presets: Vec<String>,
    /// int8 model file; without it, a VGG-A of random weights: neither cycles nor speed depend on the values.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Bit-error rate of the injector, which is on.
    #[arg(long, value_name = "P", default_value_t = 1e-4)]
    ber: f64,
    /// Times that each is measured; the median is shown.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// Images that the golden model runs at a time.
const GOLDEN_IMAGES: usize = 64;

#[derive(Serialize)]
struct Row {
    preset: String,
    batch: u32,
    utilisation: f64,
    cycles_per_image: f64,
    sim_macs_per_second: f64,
    sim_images_per_second: f64,
    driven_over_bare: f64,
    golden_images_per_second: f64,
    golden_clean_images_per_second: f64,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    match &args.what {
        Some(What::Golden(args)) => golden::run(args, console),
        Some(What::Noise(args)) => noise::run(args, console),
        Some(What::Faults(args)) => faults::run(args, console),
        None => array(&args.array, console),
    }
}

fn array(args: &ArrayArgs, console: &Console) -> Result<Status, Failure> {
    let network = match &args.model {
        Some(path) => hafnia_quantize::read_model(path)?.network,
        None => random::network(&Vgg::A.layers(1), 1),
    };
    let mut rows = Vec::new();
    let bar = console.bar(2 * args.presets.len() as u64, "measurements");
    for preset in &args.presets {
        let hw = presets::find(preset)?.validate()?;
        let noise = hw.noise(args.ber, AtRisk::WEIGHTS)?;
        let model = builder().build(&design(&hw), Variant::default())?;
        let largest = Schedule::new(&hw, &network.shapes(), None)?;
        let alone = Schedule::new(&hw, &network.shapes(), Some(1))?;
        // Where no more than one image fits, both are the same.
        for schedule in [Some(&alone), (largest.batch > 1).then_some(&largest)].into_iter().flatten() {
            let plan = |noise| Plan { hw: &hw, network: &network, schedule, noise, seed: 1 };
            let images = random::images(&network, schedule.batch as usize, 1);
            let repeats = args.repeats as usize;
            let sim = simulated(&plan(noise.clone()), &model, &images, repeats)?;
            let [noisy, clean] = golden(&plan(noise.clone()), &random::images(&network, GOLDEN_IMAGES, 1), repeats);
            let count = f64::from(schedule.batch);
            rows.push(Row {
                preset: preset.clone(),
                batch: schedule.batch,
                utilisation: sim.utilisation,
                cycles_per_image: sim.cycles as f64 / count,
                sim_macs_per_second: sim.macs as f64 / median(&sim.driven),
                sim_images_per_second: count / median(&sim.driven),
                driven_over_bare: median_ratio(&sim.driven, &sim.bare),
                golden_images_per_second: GOLDEN_IMAGES as f64 / median(&noisy),
                golden_clean_images_per_second: GOLDEN_IMAGES as f64 / median(&clean),
            });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    console.result(
        &text(&network, args, &rows),
        &json!({
            "network": network.name, "ber": args.ber, "repeats": args.repeats, "rows": rows,
        }),
    )?;
    Ok(Status::Done)
}

/// The median, in seconds.
fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// The ratios, pair by pair, the smallest first.
fn ratios(over: &[Duration], under: &[Duration]) -> Vec<f64> {
    let mut ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over.div_duration_f64(*under)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// The median of the ratios, pair by pair.
fn median_ratio(over: &[Duration], under: &[Duration]) -> f64 {
    let ratios = ratios(over, under);
    ratios[ratios.len() / 2]
}

fn text(network: &Network, args: &ArrayArgs, rows: &[Row]) -> String {
    let mut text = format!(
        "network {}, BER {:e}, medians of {}; simulation and golden model on one core each\n\
         preset batch  utilisation  cycles/image  sim MMAC/s  sim images/s  Rust/C++  golden images/s  clean\n",
        network.name, args.ber, args.repeats
    );
    for r in rows {
        text.push_str(&format!(
            "{:<7}{:>5} {:>11.1}% {:>13.0} {:>11.1} {:>13.2} {:>9.3} {:>16.2} {:>6.2}\n",
            r.preset,
            r.batch,
            100.0 * r.utilisation,
            r.cycles_per_image,
            r.sim_macs_per_second / 1e6,
            r.sim_images_per_second,
            r.driven_over_bare,
            r.golden_images_per_second,
            r.golden_clean_images_per_second
        ));
    }
    text
}

/// A rate of the command line.
fn rate(text: &str) -> Result<f64, String> {
    // Of rates 0 and 1 there is nothing to draw.
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate < 1.0);
    rate.ok_or_else(|| format!("{text} is no rate between 0 and 1, such as 1e-4"))
}
