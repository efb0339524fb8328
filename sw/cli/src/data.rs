//! `hafnia data`.

use std::path::PathBuf;

use hafnia_dataset::{Archive, cache_dir, check, fetch, locate};
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
    /// Download CIFAR-10 from its official address into the per-user cache.
    Fetch,
    /// Check a data set: sizes, labels, counts, checksums.
    Check {
        /// Folder, or `digits`; without it $HAFNIA_DATA, then the cache.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    match &args.action {
        Action::Fetch => {
            let bar = console.bar(0, "CIFAR-10");
            let folder = fetch(&Archive::cifar10(), &cache_dir()?, &mut |p| {
                bar.set_length(p.total.unwrap_or(p.done));
                bar.set_position(p.done);
            })?;
            bar.finish_and_clear();
            console.result(&folder.display().to_string(), &json!({ "folder": folder }));
        }
        Action::Check { data } => {
            let report = check(&locate(data.as_deref())?)?;
            let text = serde_json::to_string_pretty(&report).expect("a report is plain data");
            if !report.is_ok() {
                return Err(Failure::new(text, "fetch the data set again with `hafnia data fetch`"));
            }
            console.result(&text, &report);
        }
    }
    Ok(Status::Done)
}
