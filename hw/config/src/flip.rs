//! The record of one flipped bit, the same from every engine.

use std::fmt;

/// One flipped bit of a weight read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flip {
    /// Layer number, from 0.
    pub layer: u32,
    /// Read group: which read of the layer's weights it was.
    pub group: u32,
    /// Weight word within the layer, in read order.
    pub word: u32,
    /// Bit within the word: `8 * column + bit of the weight`.
    pub bit: u32,
    /// The stored bit; what was read is its opposite.
    pub before: bool,
}

impl Flip {
    /// First line of a flip log.
    pub const CSV_HEADER: &'static str = "site,layer,address,read_index,bit,before,after";
}

/// One line of a flip log, without the line end.
impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = (u8::from(self.before), u8::from(!self.before));
        write!(f, "weights,{},{},{},{},{before},{after}", self.layer, self.word, self.group, self.bit)
    }
}
