//! The simulated accelerator against the golden model.

mod acceptance;
mod cells;
mod cifar;
mod codes;
mod common;
mod mutation;
mod statistical;
mod twin;
