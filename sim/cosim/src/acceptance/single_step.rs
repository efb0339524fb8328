//! The negative control: the mistake that makes an LFSR useless as a source of noise.

use hafnia_config::fault::{Site, stream_key};
use hafnia_golden::generator::SeedGenerator;
use hafnia_golden::read::Stream;

use super::source::{Hit, Shape, Source};
use crate::CosimError;

/// `x^64 + x^63 + x^61 + x^60 + 1`, Galois form shifted right. Source: Xilinx XAPP 052, table 3.
const TAPS: u64 = 0xd800_0000_0000_0000;

/// An LFSR of 64 bits for each cell that advances by one position for each draw, the register being the draw: of maximal
/// length and at the right rate, yet the next draw is the last one shifted, so that a hit follows a hit with probability 1/2.
pub struct SingleStep {
    /// Lanes and cells.
    pub shape: Shape,
    /// Rate of each cell.
    pub rate: f64,
}

impl SingleStep {
    fn registers(&self, stream: Stream) -> Vec<u64> {
        let mut source = SeedGenerator::new(stream_key(stream.seed, Site::Weights, stream.layer, stream.group));
        let mut register = || u64::from(source.word()) << 32 | u64::from(source.word());
        (0..self.shape.cells_of_all_lanes()).map(|_| register()).collect()
    }
}

impl Source for SingleStep {
    fn name(&self) -> &'static str {
        "single-step"
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn read(&self, stream: Stream, words: u32) -> Result<Vec<Vec<Hit>>, CosimError> {
        let threshold = (self.rate * 2f64.powi(64)) as u64;
        let mut registers = self.registers(stream);
        let lane = |registers: &mut [u64]| {
            let mut draw = || {
                registers.iter_mut().zip(0..).fold(0, |mask, (z, cell)| {
                    let hit = u128::from(*z < threshold) << cell;
                    *z = *z >> 1 ^ if *z & 1 == 1 { TAPS } else { 0 };
                    mask | hit
                })
            };
            (0..words).map(|word| Hit { word, mask: draw() }).filter(|hit| hit.mask != 0).collect()
        };
        Ok(registers.chunks_exact_mut(self.shape.cells).map(lane).collect())
    }

    fn starts(&self, stream: Stream) -> Result<Vec<u128>, CosimError> {
        Ok(self.registers(stream).into_iter().map(u128::from).collect())
    }
}
