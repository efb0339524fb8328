//! A read port: faults of the cells of one site, and the lanes of its read noise, drawing word by word.

use hafnia_config::fault::{Keep, Noise, Site};
use hafnia_config::{Elaborated, accel};

use crate::cells::Reads;
use crate::injector::{Lane, Tree, seeded_lanes};
use crate::read::Stream;

/// The read port of a site in the run of one layer over one read group.
pub struct Port<'t> {
    /// None where read noise is not drawn.
    lanes: Option<Vec<Lane<'t>>>,
    cells: Option<Reads>,
    port: accel::Port,
    at_risk: u128,
    keep: Option<Keep>,
    /// Reads so far.
    words: u32,
}

/// A lane of a word: a codeword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What its cells hold.
    pub cells: u128,
    /// Those that count.
    pub in_use: u128,
}

impl<'t> Port<'t> {
    /// Returns the port at its first word; `tree` is that of the site's codewords. None where no read is wrong.
    pub fn new(hw: &Elaborated, site: Site, stream: Stream, noise: &Noise, tree: &'t Tree) -> Option<Self> {
        let port = hw.port(site);
        let noisy = noise.bits_in(site, stream.layer) != 0;
        let lanes = noisy.then(|| seeded_lanes(stream.key(site), port.lanes, tree));
        let cells = Reads::new(site, stream, noise);
        let at_risk = noise.at_risk.cells_in(site, stream.layer, hw.codeword(site));
        (noisy || cells.is_some()).then(|| Self { lanes, cells, port, at_risk, keep: tree.keep(), words: 0 })
    }

    /// Draws for the next word, which is stored at `address`, lane by lane, and returns for each the cells that are read wrong.
    pub fn read(&mut self, address: u32, word: &[Stored]) -> Vec<u128> {
        let mut flips = Vec::with_capacity(word.len());
        for (l, lane) in (0..self.port.lanes).zip(word) {
            let faults = self.cells.as_ref();
            let wrong = faults.map_or(0, |faults| faults.wrong(address, self.words, l * self.port.cells, *lane));
            // The read noise turns over what the cell gives.
            let noisy = self.lanes.as_mut().map(|lanes| &mut lanes[l as usize]);
            let noise = noisy.map_or(0, |noisy| noisy.draw().flips(lane.cells ^ wrong, self.keep));
            flips.push((wrong ^ noise) & lane.in_use & self.at_risk);
        }
        self.words += 1;
        flips
    }
}
