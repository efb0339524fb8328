//! `hafnia bench golden`: images a second of the golden model on all cores, beside a peer, in one run.

use std::path::PathBuf;
use std::time::Duration;

use hafnia_cosim::bench::Clean;
use hafnia_cosim::random;
use hafnia_golden::conv::arg_max;
use hafnia_golden::fast::Isa;
use ndarray::ArrayView1;
use serde::Serialize;
use serde_json::json;

use super::peer::{ONNX_RUNTIME, Peer, write_images};
use super::{median, median_ratio};
use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// int8 model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Images of a batch, random.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Times that eight batches in a row are measured, in turn; the medians are shown.
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// Batches of a measurement, one after another: the scheduler needs some milliseconds to spread threads that slept over the cores.
const IN_A_ROW: u32 = 8;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Beside {
    name: &'static str,
    version: String,
    images_per_second: f64,
    /// Median of the golden model's images a second / the peer's, pair by pair.
    golden_over_peer: f64,
    /// Share of the images to which both give the same class.
    same_class: f64,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let network = hafnia_quantize::read_model(&args.model)?.network;
    let images = random::images(&network, args.batch as usize, 1);
    let threads = rayon::current_num_threads();
    let golden = Clean::new(&network);
    let file = write_images(&images)?;
    let mut peers = Vec::from_iter(ONNX_RUNTIME.start(&args.model, file.path(), images.len(), threads)?);
    let bar = console.bar(args.repeats.into(), "rounds");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..args.repeats {
        // The peer's threads look for work for a while after its batch, and would take the processor from ours.
        std::thread::sleep(PAUSE);
        ours.push((0..IN_A_ROW).map(|_| golden.run(&images).1).sum::<Duration>() / IN_A_ROW);
        if !peers.is_empty() {
            let times: Vec<_> = (0..IN_A_ROW).map(|_| Peer::run(&mut peers)).collect::<Result<_, _>>()?;
            theirs.push(times.iter().sum::<Duration>() / IN_A_ROW);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rate = |times: &[Duration]| f64::from(args.batch) / median(times);
    let classes: Vec<usize> = golden.run(&images).0.iter().map(|logits| arg_max(ArrayView1::from(logits))).collect();
    let peer = peers.pop().map(|peer| -> Result<Beside, Failure> {
        let version = peer.version.clone();
        let same = peer.classes()?.iter().zip(&classes).filter(|(theirs, ours)| theirs == ours).count();
        Ok(Beside {
            name: "onnxruntime",
            version,
            images_per_second: rate(&theirs),
            golden_over_peer: median_ratio(&theirs, &ours),
            same_class: same as f64 / classes.len() as f64,
        })
    });
    let peer = peer.transpose()?;
    let isa = format!("{:?}", Isa::best());
    let mut text = format!(
        "network {}, batches of {}, {threads} threads, medians of {}\ngolden model ({isa})   {:>10.1} images/s\n",
        network.name,
        args.batch,
        args.repeats,
        rate(&ours)
    );
    text.push_str(&match &peer {
        Some(p) => format!(
            "ONNX Runtime {:<8}   {:>10.1} images/s   golden / peer {:.3}   same class on {:.1}% of the images",
            p.version,
            p.images_per_second,
            p.golden_over_peer,
            100.0 * p.same_class
        ),
        None => ONNX_RUNTIME.missing(),
    });
    console.result(
        &text,
        &json!({
            "network": network.name, "batch": args.batch, "threads": threads, "repeats": args.repeats,
            "instructions": isa, "golden_images_per_second": rate(&ours), "peer": peer,
        }),
    )?;
    Ok(Status::Done)
}
