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
    bits: u8,
    keep: Option<Keep>,
    /// Reads so far.
    words: u32,
}

impl<'t> Port<'t> {
    /// Returns the port at its first word; `tree` is that of the site's codewords. None where no read is wrong.
    pub fn new(hw: &Elaborated, site: Site, stream: Stream, noise: &Noise, tree: &'t Tree) -> Option<Self> {
        let port = hw.port(site);
        let noisy = noise.bits_in(site, stream.layer) != 0;
        let lanes = noisy.then(|| seeded_lanes(stream.key(site), port.lanes, tree));
        let cells = Reads::new(site, stream, noise);
        let bits = noise.at_risk.bits_in(site, stream.layer);
        (noisy || cells.is_some()).then(|| Self { lanes, cells, port, bits, keep: tree.keep(), words: 0 })
    }

    /// Draws for the next word, which is stored at `address` and holds `stored` in the bytes that are in use, and tells each bit
    /// that is read wrong: its number in the word, and what is stored.
    pub fn read(&mut self, address: u32, stored: &[u8], mut flip: impl FnMut(u32, bool)) {
        let accel::Port { lanes, lane_bytes, cells } = self.port;
        for l in 0..lanes {
            let first = l * lane_bytes;
            let bytes = stored.iter().skip(first as usize).take(lane_bytes as usize);
            let in_use = 8 * bytes.len() as u32;
            let held = bytes.rev().fold(0, |held, &byte| held << 8 | u128::from(byte));
            let faults = self.cells.as_ref();
            let wrong = faults.map_or(0, |faults| faults.wrong(address, self.words, l * cells, in_use, held));
            // The read noise turns over what the cell gives.
            let lane = self.lanes.as_mut().map(|lanes| &mut lanes[l as usize]);
            let noise = lane.map_or(0, |lane| lane.draw().flips(held ^ wrong, self.keep));
            let flips = wrong ^ noise;
            for cell in (0..in_use).filter(|cell| flips >> cell & 1 == 1) {
                if self.bits >> (cell % 8) & 1 == 1 {
                    flip(8 * first + cell, held >> cell & 1 == 1);
                }
            }
        }
        self.words += 1;
    }
}
