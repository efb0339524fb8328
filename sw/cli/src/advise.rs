//! `hafnia advise`.

mod text;

use std::path::PathBuf;

use hafnia_config::device::{self, Device};
use hafnia_config::fault::{CellFaults, Site};
use hafnia_config::price::Record;
use hafnia_report::{Advice, Cost, Limit, Only, Wanted};

use crate::Status;
use crate::console::{Console, Failure};
use crate::price::{device_named, read_record};

#[derive(clap::Args)]
pub struct Args {
    /// Folders that `hafnia sweep FILE -o DIR` wrote, finished or not.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The most points of top-1 (percent of the images) that may be lost.
    #[arg(long, value_name = "POINTS", allow_negative_numbers = true, value_parser = points)]
    loss: f64,
    /// Memory device whose published bit-error rate, read energy, pulses and endurance are taken, see `hafnia presets`.
    #[arg(long, value_name = "NAME", value_parser = device_named, required_unless_present = "ber")]
    device: Option<Device>,
    /// Bit-error rate of each cell read, in place of the one that the device publishes.
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = share)]
    ber: Option<f64>,
    /// What is to be cheap; without it the read energy where the device publishes one, else the overhead. Of equals the one with fewer LUT4.
    #[arg(long, value_enum)]
    by: Option<By>,
    #[command(flatten)]
    budget: Budget,
    /// Answer for this network alone.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Answer for these memories at risk alone, separated by commas: weights, biases, activations.
    #[arg(long, value_name = "SITE,...", value_delimiter = ',')]
    sites: Option<Vec<Site>>,
    /// Answer for these faults of cells alone, as in `hafnia run --cells` but without write-verify, which is compared; or `none`.
    #[arg(long, value_name = "KEY=VALUE,...", value_parser = faults)]
    cells: Option<String>,
    /// Record of prices (TOML) of `hafnia price --measure --record FILE`, for arrays that the one of Hafnia lacks.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    /// Read energy of an image.
    Energy,
    /// Lookup tables of the accelerator.
    Lut4,
    /// Flip-flops of the accelerator.
    Ff,
    /// Block RAMs of the accelerator.
    Dp16kd,
    /// Check cells / data cells.
    Overhead,
    /// Clock cycles of an image.
    Cycles,
}

/// The most that may be paid.
#[derive(clap::Args)]
struct Budget {
    /// The most read energy of an image under the device, nJ.
    #[arg(long, value_name = "NJ", allow_negative_numbers = true, value_parser = amount, requires = "device")]
    max_nj: Option<f64>,
    /// The most lookup tables of the accelerator.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = amount)]
    max_lut4: Option<f64>,
    /// The most flip-flops.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = amount)]
    max_ff: Option<f64>,
    /// The most block RAMs of 18 Kibit; an LFE5U-85F has 208.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = amount)]
    max_dp16kd: Option<f64>,
    /// The most check cells / data cells of weights, such as 0.25.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = amount)]
    max_overhead: Option<f64>,
    /// The most clock cycles of an image.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = amount)]
    max_cycles: Option<f64>,
}

fn points(text: &str) -> Result<f64, String> {
    let points = text.parse().ok().filter(|points| (0.0..=100.0).contains(points));
    points.ok_or_else(|| "write points from 0 to 100, such as 1 for one image in a hundred".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a bit-error rate is in [0, 1]; write one such as 1e-4".to_owned())
}

fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| "write a number from 0 up, or leave the flag out for no budget".to_owned())
}

fn faults(text: &str) -> Result<String, String> {
    if text == "none" {
        return Ok(String::new());
    }
    let faults: CellFaults = text.parse()?;
    match (faults.verify, faults.scrub_period) {
        (None, None) => Ok(faults.to_string()),
        _ => Err(
            "what write-verify and scrubbing do is compared; leave `max_pulses`, `noisy_verify` and `scrub_period` out"
                .to_owned(),
        ),
    }
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let wanted = args.wanted()?;
    let advice = Advice::new(&args.folders, wanted, &args.record()?)?;
    advice.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    console.result(&text::text(&advice), &advice)?;
    Ok(if advice.met { Status::Done } else { Status::Unmet })
}

impl Args {
    fn wanted(&self) -> Result<Wanted, Failure> {
        let device = self.device.as_ref();
        let by = self.by.map_or_else(|| Ok(Cost::first_of(device)), |by| by.cost(device))?;
        let sites = self.sites.as_ref().map(|sites| {
            let asked = Site::ALL.into_iter().filter(|site| sites.contains(site));
            asked.map(Site::name).collect::<Vec<_>>().join("+")
        });
        Ok(Wanted {
            ber: self.rate()?,
            device: self.device.clone(),
            loss: self.loss,
            by,
            limits: self.budget.limits(device),
            only: Only { model: self.model.clone(), sites, faults: self.cells.clone() },
        })
    }

    fn rate(&self) -> Result<f64, Failure> {
        match (self.ber, &self.device) {
            (Some(ber), _) => Ok(ber),
            (None, Some(device)) => device::rate(&device.name).map_err(|error| {
                let what = format!("--device {}: {error}", device.name);
                Failure::new(what, "pass one of these, or a rate of your own with --ber P beside --device")
            }),
            (None, None) => unreachable!("clap asks for one of both"),
        }
    }

    /// Returns the record that comes with Hafnia, and in it what that of the user has.
    fn record(&self) -> Result<Record, Failure> {
        let mut record = Record::built_in();
        if let Some(path) = &self.record {
            record.merge(read_record(path)?).map_err(|error| {
                let what = format!("--record {}: {error}", path.display());
                Failure::new(
                    what,
                    "what is measured in two ways cannot be compared; measure it again with the tools of the other",
                )
            })?;
        }
        Ok(record)
    }
}

impl By {
    fn cost(self, device: Option<&Device>) -> Result<Cost, Failure> {
        let help = "pass --by overhead, lut4, ff, dp16kd or cycles, or a --device that published one";
        match (self, device) {
            (Self::Lut4, _) => Ok(Cost::Lut4),
            (Self::Ff, _) => Ok(Cost::Ff),
            (Self::Dp16kd, _) => Ok(Cost::Dp16kd),
            (Self::Overhead, _) => Ok(Cost::Overhead),
            (Self::Cycles, _) => Ok(Cost::Cycles),
            (Self::Energy, None) => {
                Err(Failure::new("--by energy: read energy is that of a device, and none is given", help))
            }
            (Self::Energy, Some(Device { name, .. })) => match device::read_energy(name) {
                Ok(_) => Ok(Cost::Energy(name.clone())),
                Err(error) => Err(Failure::new(format!("--by energy: {error}"), help)),
            },
        }
    }
}

impl Budget {
    fn limits(&self, device: Option<&Device>) -> Vec<Limit> {
        let Self { max_nj, max_lut4, max_ff, max_dp16kd, max_overhead, max_cycles } = *self;
        let energy = device.map(|device| (Cost::Energy(device.name.clone()), max_nj));
        let others = [
            (Cost::Lut4, max_lut4),
            (Cost::Ff, max_ff),
            (Cost::Dp16kd, max_dp16kd),
            (Cost::Overhead, max_overhead),
            (Cost::Cycles, max_cycles),
        ];
        let limit = |(cost, at_most): (Cost, Option<f64>)| Some(Limit { cost, at_most: at_most? });
        energy.into_iter().chain(others).filter_map(limit).collect()
    }
}
