//! `hafnia data`.

use std::path::PathBuf;

use hafnia_dataset::{Archive, CheckReport, FetchStep, Layout, Origin, cache_dir, check, fetch, locate};
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Download CIFAR-10 from its official address: checksum, progress, and a cut download goes on where it stopped.
    Fetch {
        /// Folder to put it in; without it the per-user cache, where the other commands look.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Check a data set: sizes, labels, counts, checksums.
    Check {
        /// Folder, or `digits`; without it $HAFNIA_DATA, then the per-user cache.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    match &args.action {
        Action::Fetch { data } => {
            let into = data.clone().map_or_else(cache_dir, Ok)?;
            let bar = console.bar(0, "connecting");
            let folder = fetch(&Archive::cifar10(), &into, &mut |p| {
                bar.set_message(match p.step {
                    FetchStep::Download => "downloading",
                    FetchStep::Check => "checksum",
                    FetchStep::Unpack => "unpacking",
                });
                bar.set_length(p.total.unwrap_or(p.done));
                bar.set_position(p.done);
            })?;
            bar.finish_and_clear();
            console.result(&folder.display().to_string(), &json!({ "folder": folder }))?;
        }
        Action::Check { data } => {
            let report = check(&locate(data.as_deref())?)?;
            if !report.is_ok() {
                let problems: Vec<&str> = report.files.iter().filter_map(|f| f.problem.as_deref()).collect();
                return Err(Failure::new(problems.join("\n"), "fetch the data set again with `hafnia data fetch`"));
            }
            console.result(&text(&report), &report)?;
        }
    }
    Ok(Status::Done)
}

fn text(report: &CheckReport) -> String {
    let layout = match report.layout {
        Layout::Binary => "binary layout",
        Layout::Python => "Python layout",
        Layout::BuiltIn => "built in",
    };
    let origin = match report.origin {
        Origin::Official => "the official files",
        Origin::Different => "not the official files: accuracies may differ from published ones",
        Origin::Unknown => "nothing to compare with: only a set that `hafnia data fetch` installed can be traced",
        Origin::BuiltIn => "part of the program",
    };
    let mut text = format!(
        "data        {} ({layout}){}\nimages      {} training, {} test\norigin      {origin}\n",
        report.name,
        report.folder.as_ref().map_or_else(String::new, |f| format!(" in {}", f.display())),
        report.train_images,
        report.test_images
    );
    for file in &report.files {
        text.push_str(&format!("{}  {} {} bytes\n", file.sha256, file.name, file.bytes));
    }
    text
}
