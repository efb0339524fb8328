//! The datapath: array, sequencer, feeder and write-back.

pub mod array;
pub mod column;
pub mod control;
pub mod counters;
pub mod feeder;
pub mod pe;
pub mod requantise;
pub mod sequencer;
pub mod skew;
pub mod write_back;
