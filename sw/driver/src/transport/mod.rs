//! Ways to reach an accelerator.

pub mod fake;
pub mod serial;
#[cfg(feature = "sim")]
pub mod sim;

use hafnia_config::flip::Flip;

use crate::DriverError;

/// A link to an accelerator. Addresses count 32-bit words.
pub trait Transport {
    /// Returns whether this transport feeds the weight-stream port.
    fn feeds_weight_stream(&self) -> bool;

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
    /// weight-stream port; at most `max_cycles` clock cycles. Returns what was seen last if it did not end or did not
    /// take the whole stream.
    ///
    /// # Errors
    /// [`DriverError::Transport`].
    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError>;

    /// Returns the flips recorded since the last call, in the order of a flip log: layer, read group, site, then read order;
    /// none if the transport records none.
    fn take_flips(&mut self) -> Vec<Flip>;

    /// Returns the clock cycles since the link was opened, where the transport knows them.
    fn cycle(&self) -> Option<u64>;
}
