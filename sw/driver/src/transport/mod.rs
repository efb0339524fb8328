//! Ways to reach an accelerator.

pub mod fake;
#[cfg(feature = "sim")]
pub mod sim;

use hafnia_config::flip::Flip;

use crate::DriverError;

/// What a transport can do beyond reading and writing words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// It feeds the weight-stream port.
    pub weight_stream: bool,
    /// It records flips.
    pub flip_records: bool,
}

/// A link to an accelerator. Addresses count 32-bit words.
pub trait Transport {
    /// Returns what this transport can do.
    fn capabilities(&self) -> Capabilities;

    /// Writes words to consecutive addresses.
    ///
    /// # Errors
    /// [`DriverError::Transport`] with the address.
    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError>;

    /// Reads words from consecutive addresses.
    ///
    /// # Errors
    /// [`DriverError::Transport`] with the address.
    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError>;

    /// Waits until the layer program ends, feeding `stream` (host words, a whole number of weight words) to the
    /// weight-stream port; at most `max_cycles` clock cycles.
    ///
    /// # Errors
    /// [`DriverError::Hang`] if the program does not end.
    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<(), DriverError>;

    /// Returns the flips recorded since the last call, in read order; none if the transport records none.
    fn take_flips(&mut self) -> Vec<Flip>;

    /// Returns the clock cycles since the link was opened, where the transport knows them.
    fn cycle(&self) -> Option<u64>;
}
