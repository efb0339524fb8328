//! The control word that travels beside each pixel: the one home of its layout.

use hafnia_config::Elaborated;

/// Places of the fields in the control word, lowest bit first.
pub struct Control {
    /// Bits of the whole word.
    pub bits: u32,
    accumulator_bits: u32,
}

/// Bit 0: the word belongs to a pixel.
pub const VALID: u32 = 0;
/// Bit 1: first pass of an output fold, add the bias instead of the stored sum.
pub const FIRST: u32 = 1;
/// Bit 2: last pass, the sum leaves through the requantiser instead of being stored.
pub const EMIT: u32 = 2;
/// Bit 3: ReLU.
pub const RELU: u32 = 3;
/// Bit 4: first value of a pool window.
pub const POOL_FIRST: u32 = 4;
/// Bit 5: last value of a pool window.
pub const POOL_LAST: u32 = 5;
const ADDRESSES: u32 = 6;

impl Control {
    /// Returns the layout of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let (accumulator_bits, parameter_bits) = (hw.accumulator_address_bits, hw.parameter_address_bits);
        Self { bits: ADDRESSES + accumulator_bits + parameter_bits, accumulator_bits }
    }

    /// Returns the slice of the accumulator address.
    pub fn accumulator(&self) -> String {
        format!("[{}:{ADDRESSES}]", ADDRESSES + self.accumulator_bits - 1)
    }

    /// Returns the slice of the parameter address.
    pub fn parameter(&self) -> String {
        format!("[{}:{}]", self.bits - 1, ADDRESSES + self.accumulator_bits)
    }
}
