//! Where flips come from.

use hafnia_golden::read::Stream;

use crate::CosimError;

/// Lanes, and cells of a codeword of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Lanes that draw side by side.
    pub lanes: usize,
    /// Cells of a codeword, at most 128.
    pub cells: usize,
}

impl Shape {
    /// Returns the cells that one word of each lane has together.
    pub const fn cells_of_all_lanes(&self) -> u64 {
        (self.lanes * self.cells) as u64
    }
}

/// A codeword with at least one flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Number of the codeword in its stream and lane, from 0.
    pub word: u32,
    /// The flipped cells, cell 0 in bit 0.
    pub mask: u128,
}

impl Hit {
    /// Lists the flipped cells, lowest first.
    pub fn cells(&self) -> impl Iterator<Item = usize> {
        let halves = [(0, self.mask as u64), (64, (self.mask >> 64) as u64)];
        halves.into_iter().flat_map(|(low, mut rest)| {
            std::iter::from_fn(move || {
                let cell = (rest != 0).then(|| low + rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(cell)
            })
        })
    }

    /// Returns the number of flipped cells.
    pub const fn flips(&self) -> u64 {
        self.mask.count_ones() as u64
    }
}

/// A source of flips: each cell of each word of each lane of each stream is to flip at the rate, independently.
pub trait Source: Sync {
    /// Returns its name in reports.
    fn name(&self) -> &'static str;

    /// Returns lanes and cells.
    fn shape(&self) -> Shape;

    /// Returns the rate at which a cell is to flip, above 0 and below 1.
    fn rate(&self) -> f64;

    /// Reads the first `words` codewords of each lane of a stream; for each lane lists those with a flip, in order.
    ///
    /// # Errors
    /// If the source fails.
    fn read(&self, stream: Stream, words: u32) -> Result<Vec<Vec<Hit>>, CosimError>;

    /// Returns the state bits with which each generator of each lane starts a stream.
    ///
    /// # Errors
    /// If the source fails.
    fn starts(&self, stream: Stream) -> Result<Vec<u128>, CosimError>;
}
