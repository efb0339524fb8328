//! `hafnia bench faults`: the draws of the read noise, judged.

use std::time::{Duration, Instant};

use clap::ValueEnum;
use hafnia_config::Elaborated;
use hafnia_config::fault::AtRisk;
use hafnia_cosim::acceptance::{Check, GoldenDraws, RtlDraws, SingleStep, Source, Suite, Unit, Verdict, lane_design};
use hafnia_verilate::{Unknowns, Variant};
use serde_json::{Value, json};

use super::rate;
use crate::Status;
use crate::console::{Console, Failure};
use crate::hardware::HardwareArgs;
use crate::setup::builder;

#[derive(clap::Args)]
#[command(mut_arg("preset", |preset| preset.default_value("16x16")))]
pub struct Args {
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Bit-error rates, separated by commas.
    #[arg(long, value_name = "P,...", value_delimiter = ',', default_value = "0.5,1e-1,1e-2,1e-3,1e-4,1e-5,1e-6", value_parser = rate)]
    ber: Vec<f64>,
    /// Cells drawn at each rate, at least; in the golden model more at low rates, for 10,000 flips.
    #[arg(long, value_name = "N", default_value = "1e8", value_parser = draws)]
    draws: u64,
    /// Seed of the first streams.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    seed: u64,
    /// Whose draws are judged, separated by commas.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "golden,rtl")]
    sources: Vec<Exact>,
}

/// Who draws exactly what the accelerator draws.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Exact {
    /// The golden model.
    Golden,
    /// The generated injector, simulated.
    Rtl,
}

/// Rate at which the control is judged.
const CONTROL: f64 = 1e-2;

struct Row {
    verdict: Verdict,
    time: Duration,
    control: bool,
}

impl Row {
    /// A control that fails is as it should be.
    fn right(&self) -> bool {
        self.verdict.passed() != self.control
    }
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let hw = args.hardware.resolve()?;
    // Refused where the injector was left out.
    hw.noise(CONTROL, AtRisk::WEIGHTS)?;
    let rows = rows(args, &hw, console)?;
    let passed = rows.iter().all(Row::right);
    let objects: Vec<Value> = rows.iter().map(object).collect();
    console.result(
        &text(args, &hw, &rows),
        &json!({
            "preset": hw.config.name, "lanes": hw.lanes, "cells": hw.codeword_bits, "seed": args.seed,
            "passed": passed, "rows": objects,
        }),
    )?;
    Ok(if passed { Status::Done } else { Status::Differs })
}

fn rows(args: &Args, hw: &Elaborated, console: &Console) -> Result<Vec<Row>, Failure> {
    let settings = args.ber.len() * args.sources.len();
    let bar = console.bar(settings as u64 + 1, "settings");
    let mut rows = Vec::new();
    let mut judge = |source: &dyn Source, suite: Suite, control| -> Result<(), Failure> {
        let begin = Instant::now();
        let verdict = suite.judge(source)?;
        rows.push(Row { verdict, time: begin.elapsed(), control });
        bar.inc(1);
        Ok(())
    };
    let software = Suite::of_software(args.seed, settings, args.draws);
    for &exact in &args.sources {
        let model = match exact {
            Exact::Golden => None,
            // Registers start at random values: no draw may come from one that seeding does not reach.
            Exact::Rtl => {
                let unknowns = Unknowns::Randomise { seed: args.seed };
                Some(builder().build(&lane_design(hw), Variant { unknowns, ..Variant::default() })?)
            }
        };
        for &ber in &args.ber {
            match &model {
                None => judge(&GoldenDraws::new(hw, ber, false)?, software, false)?,
                Some(model) => {
                    let suite = Suite::of_hardware(args.seed, settings, args.draws);
                    judge(&RtlDraws::new(model, hw, ber, false)?, suite, false)?;
                }
            }
        }
    }
    let shape = GoldenDraws::new(hw, CONTROL, false)?.shape();
    judge(&SingleStep { shape, rate: CONTROL }, software, true)?;
    bar.finish_and_clear();
    Ok(rows)
}

fn object(row: &Row) -> Value {
    let Row { verdict, time, control } = row;
    let checks: Vec<Value> = verdict
        .checks
        .iter()
        .map(|check| {
            json!({
                "statistic": check.statistic, "looked_at": check.looked_at, "worst": check.worst, "value": check.value,
                "bound": check.bound, "unit": check.unit.name(), "passed": check.passed(),
            })
        })
        .collect();
    json!({
        "source": verdict.source, "control": control, "ber": verdict.rate, "draws": verdict.draws,
        "flips": verdict.flips, "seconds": time.as_secs_f64(), "passed": verdict.passed(), "checks": checks,
    })
}

fn text(args: &Args, hw: &Elaborated, rows: &[Row]) -> String {
    let mut text = format!(
        "{}, lanes {}, cells of a codeword {}, seed {}\n{:<12}{:<8}{:<9}{:<11}{:<56}{:>9}  {}\n",
        hw.config.name,
        hw.lanes,
        hw.codeword_bits,
        args.seed,
        "source",
        "BER",
        "draws",
        "statistic",
        "worst: found of expected",
        "value",
        "bound"
    );
    for Row { verdict, .. } in rows {
        for check in &verdict.checks {
            text.push_str(&line(verdict, check));
        }
    }
    for row in rows.iter().filter(|row| row.control) {
        let name = row.verdict.source;
        text.push_str(&match row.right() {
            true => format!("control {name} fails as it should: {}\n", row.verdict.failed().join(", ")),
            false => format!("control {name} passes, which it must not: these statistics find nothing\n"),
        });
    }
    let failed = rows.iter().filter(|row| !row.control && !row.right()).count();
    let exact = rows.iter().filter(|row| !row.control).count();
    text.push_str(&match failed {
        0 => format!("exact draws pass in all settings ({exact})"),
        _ => format!("exact draws fail in {failed} of {exact} settings"),
    });
    text
}

fn line(verdict: &Verdict, check: &Check) -> String {
    let relation = if check.unit == Unit::Probability { ">=" } else { "<=" };
    let number = |value: f64| match value {
        0.0 => "0".to_owned(),
        0.01.. => format!("{value:.2}"),
        _ => format!("{value:.1e}"),
    };
    format!(
        "{:<11} {:<7} {:<8} {:<10} {:<55} {:>9}  {:<22}{}\n",
        verdict.source,
        format!("{:e}", verdict.rate),
        format!("{:.1e}", verdict.draws as f64),
        check.statistic,
        check.worst,
        number(check.value),
        format!("{relation} {} {}", number(check.bound), check.unit.name()),
        if check.passed() { "pass" } else { "FAIL" }
    )
}

/// A number of draws, such as 1e8.
fn draws(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number: &f64| (1.0..=1e13).contains(number));
    number.map(|number| number as u64).ok_or_else(|| format!("{text} is no number from 1 to 1e13, such as 1e8"))
}
