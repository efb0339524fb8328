//! Host driver: a [`Transport`] carries words, an [`Accel`] session knows what they mean.
//!
//! Invariant: knows no files and no data sets; it reads the generator's choices from the configuration alone.

mod accel;
mod error;
mod pack;
pub mod transport;

pub use accel::{Accel, BatchRun, Depth};
pub use error::DriverError;
pub use transport::{Capabilities, Transport};
