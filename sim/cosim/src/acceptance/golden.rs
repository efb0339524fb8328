//! The exact draws of the golden model.

use hafnia_config::Elaborated;
use hafnia_config::fault::{CELL_GENERATOR, Keep, RateError, Rates, Site, Thresholds, stream_key};
use hafnia_golden::injector::{Lane, Tree, seeded_lanes};
use hafnia_golden::read::Stream;

use super::source::{Hit, Shape, Source};
use crate::CosimError;

/// The lanes of the golden model.
pub struct GoldenDraws {
    shape: Shape,
    rate: f64,
    tree: Tree,
    keep: Option<Keep>,
    /// What every cell holds.
    stored: u128,
}

impl GoldenDraws {
    /// Returns the draws of this hardware's weight lanes at these rates, all cells holding `stored`.
    ///
    /// # Errors
    /// If the rates cannot be had.
    pub fn new(hw: &Elaborated, rates: impl Into<Rates>, stored: bool) -> Result<Self, RateError> {
        let rates = rates.into();
        let thresholds = Thresholds::new(rates, hw.codeword_bits)?;
        Ok(Self {
            shape: Shape { lanes: hw.lanes as usize, cells: hw.codeword_bits as usize },
            rate: if stored { rates.p10 } else { rates.p01 },
            tree: Tree::new(&thresholds),
            keep: thresholds.keep,
            stored: if stored { u128::MAX } else { 0 },
        })
    }

    fn lanes(&self, stream: Stream) -> Vec<Lane<'_>> {
        seeded_lanes(
            stream_key(stream.seed, Site::Weights, stream.layer, stream.group),
            self.shape.lanes as u32,
            &self.tree,
        )
    }
}

impl Source for GoldenDraws {
    fn name(&self) -> &'static str {
        "golden"
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn read(&self, stream: Stream, words: u32) -> Result<Vec<Vec<Hit>>, CosimError> {
        let hits = |mut lane: Lane<'_>| {
            let mut flips = || lane.draw().flips(self.stored, self.keep);
            (0..words).map(|word| Hit { word, mask: flips() }).filter(|hit| hit.mask != 0).collect()
        };
        Ok(self.lanes(stream).into_iter().map(hits).collect())
    }

    fn starts(&self, stream: Stream) -> Result<Vec<u128>, CosimError> {
        let lanes = self.lanes(stream);
        let generators = lanes.iter().flat_map(|lane| std::iter::once(lane.word()).chain(lane.nodes().iter().copied()));
        Ok(generators.map(|generator| state(generator.registers())).collect())
    }
}

/// The bits of a cell generator's registers that carry state.
pub(super) fn state(registers: [u32; 3]) -> u128 {
    let components = registers.iter().zip(&CELL_GENERATOR);
    components.fold(0, |state, (z, component)| state << 32 | u128::from(z & component.mask()))
}
