//! Parameters of the fault model: sites, rates, generator constants, thresholds and keys. The draws themselves are stated
//! twice elsewhere, in `hw/gen` and in `sw/golden`; `docs/fault-model.md` holds the equations.

mod at_risk;
pub mod cell_hash;
mod cells;
mod epochs;
mod generator;
mod key;
mod noise;
mod rates;
mod site;
mod spec;

pub use at_risk::{AtRisk, AtRiskError};
pub use cells::{
    CellFaultError, CellFaults, CellKeys, CellThresholds, SCRUB_PERIODS, Telegraph, Verify, below, threshold,
};
pub use epochs::Epochs;
pub use generator::{CELL_GENERATOR, SEED_FIX, SEED_GENERATOR, SEED_LOW_BITS, Tausworthe, live_seed};
pub use key::{device_key, stream_key, telegraph_key};
pub use noise::{
    CELL_LATENCY, Draws, INJECTOR_LATENCY, Keep, NodeThresholds, Noise, Share, Thresholds, WRITE_LATENCY, halves,
    node_sizes,
};
pub use rates::{RateError, Rates};
pub use site::{Kind, Kinds, Site};
pub use spec::{FaultError, FaultSpec};

#[cfg(test)]
mod tests;
