//! The simulated accelerator against the golden model.

mod acceptance;
mod board;
mod cells;
mod cifar;
mod codes;
mod common;
mod directed;
mod mutation;
mod scrub;
mod statistical;
mod twin;
