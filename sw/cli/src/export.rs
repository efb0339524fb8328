//! `hafnia export`.

use std::path::PathBuf;

use hafnia_sweep::Table;
use serde_json::json;

use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {
    /// Folders of sweeps; their rows follow one another in this order.
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Output {
    /// Write this Parquet file, for pandas, DuckDB and polars.
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
    /// Write this CSV file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let table = Table::read(&args.folders)?;
    let file = match &args.output {
        Output { parquet: Some(file), .. } => table.write_parquet(file).map(|()| file),
        Output { csv, .. } => {
            let file = csv.as_ref().expect("clap asks for one of both");
            table.write_csv(file).map(|()| file)
        }
    }?;
    let (rows, sweeps) = (table.rows.len(), args.folders.len());
    let text = format!("{rows} rows of {sweeps} sweeps in {}", file.display());
    console.result(&text, &json!({ "file": file, "folders": args.folders, "rows": rows }))?;
    Ok(Status::Done)
}
