//! The modules that a board adds to its accelerator.

mod bridge;
mod fifo;
mod frames;
mod registers;
mod stream;
mod uart;

use crate::common::{Bench, array};
use hafnia_config::Elaborated;
use hafnia_config::board::{self, Build};
use hafnia_gen::generate_board;

/// A board with this accelerator, clock and rate.
fn with_build<T>(hw: &Elaborated, clock_khz: u32, baud: u32, then: impl FnOnce(&Build<'_>) -> T) -> T {
    let board = board::find("ulx3s-85f").expect("a board");
    then(&Build::new(&board, hw, Some(clock_khz), Some(baud)).expect("the clock and the rate can be"))
}

/// A module of a board with a small accelerator, behind its reset. `idle` are the inputs that rest at 1.
fn started(clock_khz: u32, baud: u32, module: &str, idle: &[&str]) -> Bench {
    let mut bench =
        with_build(&array(2, 2, 1), clock_khz, baud, |build| Bench::of_board(&generate_board(build), module));
    idle.iter().for_each(|port| bench.set(port, 1));
    reset(&mut bench);
    bench
}

/// Resets a module for as long as a board does.
fn reset(bench: &mut Bench) {
    bench.set("rst_i", 1);
    bench.steps(16);
    bench.set("rst_i", 0);
}
