//! `hafnia report`.

use std::path::PathBuf;

use hafnia_report::{Report, Request};
use serde::Serialize;

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// Folders that `hafnia sweep FILE -o DIR` wrote.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The page, one self-contained HTML file.
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Write each plot as a file of its own to this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Bit-error rates at which accuracy is set against price; without it up to three that tell.
    #[arg(long, value_name = "P,...", value_delimiter = ',')]
    ber: Vec<f64>,
}

#[derive(Serialize)]
struct Output<'a> {
    output: &'a PathBuf,
    svg: Vec<PathBuf>,
    #[serde(flatten)]
    report: &'a Report,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let Args { folders, output, svg, ber } = args;
    let request = Request { folders: folders.clone(), output: output.clone(), svg: svg.clone(), ber: ber.clone() };
    let report = Report::new(request)?;
    let svg = report.write()?;
    report.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let mut text = format!("{}\n{} written", report.summary(), output.display());
    if let Some(folder) = &args.svg {
        text.push_str(&format!("; plots in {}: {}", folder.display(), svg.len()));
    }
    console.result(&text, &Output { output, svg, report: &report })?;
    Ok(Status::Done)
}
