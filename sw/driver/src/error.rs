//! What can go wrong between host and accelerator.

use hafnia_config::fault::{RateError, Site};
use hafnia_config::schedule::ScheduleError;

/// An error of the driver.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// What answers is not this accelerator.
    #[error(
        "register ID reads 0x{got:08x}, expected 0x{want:08x}: no accelerator answers at this address; check the connection and the bitstream"
    )]
    NotHafnia {
        /// Value read.
        got: u32,
        /// Value expected.
        want: u32,
    },
    /// The accelerator speaks another register map.
    #[error(
        "the accelerator has register map 0x{got:08x}, this driver speaks 0x{want:08x}; rebuild the hardware with this version of hafnia"
    )]
    WrongVersion {
        /// Value read.
        got: u32,
        /// Value expected.
        want: u32,
    },
    /// The accelerator was built from another configuration.
    #[error(
        "the accelerator was built from configuration 0x{got:08x}{known}, not from `{preset}` (0x{want:08x}); load the matching build or pass its preset"
    )]
    WrongConfig {
        /// Hash read.
        got: u32,
        /// Which preset that is, in brackets, if it is one.
        known: String,
        /// Hash expected.
        want: u32,
        /// Name of the configuration asked for.
        preset: String,
    },
    /// Faults were asked of hardware that has no injector for them.
    #[error(transparent)]
    Noise(#[from] RateError),
    /// Faults were asked of a network that cannot run under them.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A directed flip was asked of hardware that can make none there.
    #[error(
        "`{preset}` has no directed injection at {site}; add \"directed\" to `injector.{site}` of its configuration"
    )]
    NotDirected {
        /// Memory.
        site: Site,
        /// Name of the configuration.
        preset: String,
    },
    /// Draws that no hardware makes.
    #[error("statistical draws are the golden model's alone; ask the hardware for exact ones")]
    Draws,
    /// The layer program did not run to its end.
    #[error("layer {layer}: the layer program did not run to its end: {status}")]
    Unfinished {
        /// Layer of the first descriptor that was started.
        layer: usize,
        /// What was seen last.
        status: String,
    },
    /// The transport failed.
    #[error("{0}")]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}
