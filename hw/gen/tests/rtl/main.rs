//! The modules of the RTL, one by one: against integer references, by proof, and what yosys makes of them.

mod area;
mod array_blocks;
mod bias_memory;
mod board;
mod codec;
mod common;
mod counters;
mod feeder;
mod flip_record;
mod formal;
mod generate;
mod injector;
mod memory;
mod pins;
mod read_port;
mod register_bank;
mod sequencer;
mod top;
mod way_out;
mod weight_memory;
mod wishbone;
mod write_back;
mod write_faults;
