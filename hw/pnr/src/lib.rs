//! Synthesis by yosys and place and route by nextpnr for the ECP5, in a folder that holds generated Verilog.
//!
//! Invariant: knows a top module and its file, and no registers, layers or configurations. It finds no programs: the caller
//! says where they are.

mod absorb;
mod board;
mod netlist;
mod report;
mod route;
mod run;
mod spread;
mod synthesis;

pub use board::{BITSTREAM, NETLIST, Placer, Target, configuration, flatten, pack, place_and_route, routed};
pub use netlist::netlist_verilog;
pub use report::{Hop, Path, Report, Use};
pub use route::{SEED, SPEED_GRADE, route, route_arguments};
pub use run::{Error, Watch};
pub use spread::leave_rows_free;
pub use synthesis::{Counts, Synthesis, count, script, synthesise};
