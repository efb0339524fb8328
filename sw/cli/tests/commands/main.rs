//! The commands as a user calls them.

mod advise;
mod bad_input;
mod board;
mod build;
mod common;
mod engines;
mod export;
mod imports;
mod presets;
mod price;
mod report;
mod shard;
mod slurm;
mod sweep;
mod watch;
