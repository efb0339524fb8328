//! Host driver: a [`Transport`] carries words, an [`Accel`] session knows what they mean.
//!
//! Invariant: knows no files and no data sets; it reads the generator's choices from the configuration alone. From the
//! golden model it takes the types of a network and its outputs, never its arithmetic.

mod accel;
mod error;
mod pack;
pub mod transport;

pub use accel::{Accel, Armed, BatchRun, Directed};
pub use error::DriverError;
pub use hafnia_golden::run::Depth;
pub use transport::Transport;
