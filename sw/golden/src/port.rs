//! A noisy read port: the lanes of one site, drawing word by word.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Keep, Noise, Site};

use crate::injector::{Lane, Tree, seeded_lanes};
use crate::read::Stream;

/// The read port of a site in the run of one layer over one read group.
pub struct Port<'t> {
    lanes: Vec<Lane<'t>>,
    lane_bytes: usize,
    bits: u8,
    keep: Option<Keep>,
}

impl<'t> Port<'t> {
    /// Returns the port at its first word; `tree` is that of the site's codewords. None where nothing is drawn.
    pub fn new(hw: &Elaborated, site: Site, stream: Stream, noise: &Noise, tree: &'t Tree) -> Option<Self> {
        let bits = noise.bits_in(site, stream.layer);
        let port = hw.port(site);
        (bits != 0).then(|| Self {
            lanes: seeded_lanes(stream.key(site), port.lanes, tree),
            lane_bytes: port.lane_bytes as usize,
            bits,
            keep: tree.keep(),
        })
    }

    /// Draws for the next word, which holds `stored` in the bytes that are in use, and tells each bit that is read wrong:
    /// its number in the word, and what is stored.
    pub fn read(&mut self, stored: &[u8], mut flip: impl FnMut(u32, bool)) {
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            let first = l * self.lane_bytes;
            let bytes = stored.iter().skip(first).take(self.lane_bytes);
            let held = bytes.rev().fold(0, |held, &byte| held << 8 | u128::from(byte));
            let flips = lane.draw().flips(held, self.keep);
            for cell in (0..u128::BITS).filter(|cell| flips >> cell & 1 == 1) {
                let in_use = (cell as usize / 8) < self.lane_bytes.min(stored.len().saturating_sub(first));
                if in_use && self.bits >> (cell % 8) & 1 == 1 {
                    flip(8 * first as u32 + cell, held >> cell & 1 == 1);
                }
            }
        }
    }
}
