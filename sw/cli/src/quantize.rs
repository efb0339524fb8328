use crate::Status;
use crate::console::{Console, Failure};

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: &Args, _console: &Console) -> Result<Status, Failure> {
    Ok(Status::Done)
}
