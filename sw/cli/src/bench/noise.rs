//! `hafnia bench noise`: images a second of the golden model with read noise on all cores, beside the float-mask operator
//! of arXiv 2401.05820 in PyTorch, in one run.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hafnia_config::fault::{AtRisk, Draws, Noise};
use hafnia_config::schedule::Schedule;
use hafnia_cosim::Plan;
use hafnia_cosim::bench::{Clean, Noisy, shared_reads};
use hafnia_golden::conv::arg_max;
use hafnia_golden::network::Network;
use hafnia_quantize::read_model;
use ndarray::{Array3, ArrayView1};
use serde::Serialize;
use serde_json::json;

use super::peer::{PYTORCH, Peer, write_images};
use super::{median, rate, ratios};
use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// int8 model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Data set: a folder, or `digits`; without it $HAFNIA_DATA, then the per-user cache.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Test images that the golden model runs at a time, and that both classify without noise.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..))]
    images: u32,
    /// Bit-error rates, separated by commas.
    #[arg(long, value_name = "P,...", value_delimiter = ',', default_value = "1e-4,1e-3,1e-2", value_parser = rate)]
    ber: Vec<f64>,
    /// Times that each is measured, in turn; the medians are shown.
    #[arg(long, value_name = "N", default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
}

/// What is compared: images that share a read, and how PyTorch draws masks and what it reads through them.
struct Case {
    shared: u32,
    masks: &'static str,
    sites: &'static str,
    peer_shared: u32,
}

/// For each way to draw: a read for every image; 16 images a read in both; and 64 in PyTorch alone, while the golden model
/// still reads for every image.
const CASES: [Case; 10] = [
    weights("paper", 1, 1),
    weights("paper", 16, 16),
    weights("paper", 1, 64),
    weights("planes", 1, 1),
    weights("planes", 16, 16),
    weights("planes", 1, 64),
    weights("sparse", 1, 1),
    weights("sparse", 16, 16),
    weights("sparse", 1, 64),
    Case { sites: "everything", ..weights("paper", 1, 1) },
];

/// The cases that the golden model runs alone where there is no PyTorch.
const ALONE: usize = 2;

const fn weights(masks: &'static str, shared: u32, peer_shared: u32) -> Case {
    Case { shared, masks, sites: "weights", peer_shared }
}

#[derive(Serialize)]
struct Row {
    ber: f64,
    images_a_read: u32,
    golden_images_per_second: f64,
    peer: Option<Beside>,
}

#[derive(Serialize)]
struct Beside {
    masks: &'static str,
    sites: &'static str,
    images_a_read: u32,
    ber_measured: f64,
    images_per_second: f64,
    /// Least, median and greatest of the golden model's images a second / the peer's, pair by pair.
    golden_over_peer: [f64; 3],
}

/// The peer, and what it makes of the images without noise.
#[derive(Serialize)]
struct CleanPeer {
    name: &'static str,
    version: String,
    top1: f64,
    /// Share of the images to which both give the same class.
    same_class: f64,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let model = read_model(&args.model)?;
    let data = hafnia_dataset::locate(args.data.as_deref())?;
    model.check_images(&args.model, &data)?;
    let test = data.test().read(0, args.images as usize)?;
    let network = &model.network;
    let images: Vec<_> = test.iter().map(|(pixels, _)| network.quantise_image(pixels)).collect();
    let file = write_images(&images)?;
    let threads = rayon::current_num_threads();
    // A process for each thread: together they are faster than one process with as many.
    let start = |_| PYTORCH.start(&args.model, file.path(), images.len(), 1);
    let mut peers: Vec<_> = (0..threads).filter_map(|peer| start(peer).transpose()).collect::<Result<_, _>>()?;
    let costs = costs(args, network, &images)?;
    let rows = rows(args, console, network, &images, &mut peers)?;
    let (golden_top1, peer) = clean(network, &images, test.labels(), peers)?;
    console.result(
        &text(&network.name, threads, args, golden_top1, peer.as_ref(), &costs, &rows),
        &json!({
            "network": network.name, "data": data.name(), "images": args.images, "threads": threads,
            "repeats": args.repeats, "golden_top1": golden_top1, "peer": peer, "costs": costs, "rows": rows,
        }),
    )?;
    Ok(Status::Done)
}

fn rows(
    args: &Args,
    console: &Console,
    network: &Network,
    images: &[Array3<i8>],
    peers: &mut [Peer],
) -> Result<Vec<Row>, Failure> {
    let hw = shared_reads();
    let cases = if peers.is_empty() { &CASES[..ALONE] } else { &CASES };
    let bar = console.bar((args.ber.len() * cases.len()) as u64, "measurements");
    let mut rows = Vec::new();
    for &ber in &args.ber {
        for case in cases {
            let schedule = Schedule::new(&hw, &network.shapes(), Some(case.shared))?;
            let plan = Plan { hw: &hw, network, schedule: &schedule, noise: hw.noise(ber, AtRisk::WEIGHTS)?, seed: 1 };
            rows.push(row(case, ber, args.repeats, &Noisy::new(&plan), images, peers)?);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(rows)
}

/// Measures one case: the golden model and the peer in turn.
fn row(
    case: &Case,
    ber: f64,
    repeats: u32,
    golden: &Noisy<'_>,
    images: &[Array3<i8>],
    peers: &mut [Peer],
) -> Result<Row, Failure> {
    let Case { shared, masks, sites, peer_shared } = *case;
    let read: Vec<Read> = Peer::ask(peers, &format!("read {masks} {sites} {ber:e} {peer_shared}"))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        ours.push(golden.run(images).div_f64(images.len() as f64));
        if !peers.is_empty() {
            let together: u32 = read.iter().map(|read| read.images).sum();
            theirs.push(Peer::run(peers)?.div_f64(together.into()));
        }
    }
    let peer = (!peers.is_empty()).then(|| Beside {
        masks,
        sites,
        images_a_read: peer_shared,
        ber_measured: read.iter().map(|read| read.flipped).sum::<f64>() / read.len() as f64,
        images_per_second: 1.0 / median(&theirs),
        golden_over_peer: spread(&theirs, &ours),
    });
    Ok(Row { ber, images_a_read: shared, golden_images_per_second: 1.0 / median(&ours), peer })
}

/// What noise costs the golden model, a read for every image.
#[derive(Serialize)]
struct Cost {
    ber: f64,
    draws: Draws,
    images_per_second: f64,
    /// Least, median and greatest of its time / that of a clean pass, pair by pair.
    over_clean: [f64; 3],
}

/// Measures clean passes and noisy ones in turn.
fn costs(args: &Args, network: &Network, images: &[Array3<i8>]) -> Result<Vec<Cost>, Failure> {
    let hw = shared_reads();
    let schedule = Schedule::new(&hw, &network.shapes(), Some(1))?;
    let clean = Clean::new(network);
    let mut costs = Vec::new();
    for &ber in &args.ber {
        for draws in [Draws::Exact, Draws::Statistical] {
            let noise = Noise { draws, ..hw.noise(ber, AtRisk::WEIGHTS)? };
            let plan = Plan { hw: &hw, network, schedule: &schedule, noise, seed: 1 };
            let noisy = Noisy::new(&plan);
            let pair = |_| (noisy.run(images), clean.run(images).1);
            let (noisy, clean): (Vec<_>, Vec<_>) = (0..args.repeats).map(pair).unzip();
            let images_per_second = images.len() as f64 / median(&noisy);
            costs.push(Cost { ber, draws, images_per_second, over_clean: spread(&noisy, &clean) });
        }
    }
    Ok(costs)
}

/// Least, median and greatest of the ratios, pair by pair.
fn spread(over: &[Duration], under: &[Duration]) -> [f64; 3] {
    let ratios = ratios(over, under);
    [ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]]
}

/// What a peer answers when it is told what to read: images of a run, flips / bits of one read of the weights.
struct Read {
    images: u32,
    flipped: f64,
}

impl FromStr for Read {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (images, flipped) = line.split_once(' ').ok_or(())?;
        Ok(Self { images: images.parse().map_err(drop)?, flipped: flipped.parse().map_err(drop)? })
    }
}

/// Classifies the images without noise; returns the golden model's top-1 and the peer's.
fn clean(
    network: &Network,
    images: &[Array3<i8>],
    labels: &[u8],
    peers: Vec<Peer>,
) -> Result<(f64, Option<CleanPeer>), Failure> {
    let logits = Clean::new(network).run(images).0;
    let ours: Vec<usize> = logits.iter().map(|logits| arg_max(ArrayView1::from(logits))).collect();
    let labels: Vec<usize> = labels.iter().copied().map(usize::from).collect();
    let same = |a: &[usize], b: &[usize]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64;
    let mut peer = None;
    // All must end; without noise they agree.
    for one in peers {
        let version = one.version.clone();
        let theirs = one.classes()?;
        let (top1, same_class) = (same(&theirs, &labels), same(&theirs, &ours));
        peer = Some(CleanPeer { name: PYTORCH.name, version, top1, same_class });
    }
    Ok((same(&ours, &labels), peer))
}

fn text(
    network: &str,
    threads: usize,
    args: &Args,
    golden_top1: f64,
    peer: Option<&CleanPeer>,
    costs: &[Cost],
    rows: &[Row],
) -> String {
    let mut text = format!(
        "network {network}, {threads} threads, medians of {}\nwithout noise, {} test images: golden model {:.1}% right",
        args.repeats,
        args.images,
        100.0 * golden_top1
    );
    let mut costs_text = "\nBER    draws        golden images/s  time / clean pass (least to greatest)\n".to_owned();
    for Cost { ber, draws, images_per_second, over_clean: [least, median, greatest] } in costs {
        let (ber, draws) = (format!("{ber:e}"), draws.name());
        let line =
            format!("{ber:<7}{draws:<12}{images_per_second:>16.1}{median:>11.2} ({least:.2} to {greatest:.2})\n");
        costs_text.push_str(&line);
    }
    text.push_str(&match peer {
        Some(peer) => format!(
            ", PyTorch {} {:.1}%, same class on {:.1}%\n\
             golden model: int8, 8 cells a weight; PyTorch: the same weights in fp32, 32 cells each, {threads} processes of a thread each\n\
             masks: paper, as its authors draw them; planes, the same draws bit plane by bit plane; sparse, set bits alone\n\
             through masks: everything is weights and maps, of which the golden model disturbs the weights\n\
             BER    masks  through       images a read             images/s        golden / PyTorch\n\
             {:29}golden PyTorch      golden    PyTorch      median (least to greatest)\n",
            peer.version,
            100.0 * peer.top1,
            100.0 * peer.same_class,
            ""
        ),
        None => format!("\n{}\nBER    images a read  golden images/s\n", PYTORCH.missing()),
    });
    rows.iter().fold(text, |text, row| text + &line(row)) + &costs_text
}

fn line(row: &Row) -> String {
    let Row { ber, images_a_read, golden_images_per_second: golden, peer } = row;
    let ber = format!("{ber:e}");
    let Some(peer) = peer else { return format!("{ber:<7}{images_a_read:>13} {golden:>16.1}\n") };
    let [least, median, greatest] = peer.golden_over_peer;
    format!(
        "{ber:<7}{:<7}{:<12}{images_a_read:>9}{:>8}{golden:>12.1}{:>11.2}{median:>10.1} ({least:.1} to {greatest:.1})\n",
        peer.masks, peer.sites, peer.images_a_read, peer.images_per_second
    )
}
