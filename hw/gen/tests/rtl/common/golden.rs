//! The golden model of a noisy read port, word by word.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_golden::injector::Tree;
use hafnia_golden::port::Port;
use hafnia_golden::read::{Stream, lanes_of};

/// A port and all that it flipped.
pub struct GoldenPort<'t> {
    pub flips: Vec<Flip>,
    /// What was stored in each of the words read.
    pub stored: Vec<Vec<u8>>,
    hw: Elaborated,
    port: Option<Port<'t>>,
    site: Site,
    stream: Stream,
}

impl<'t> GoldenPort<'t> {
    /// Returns the port at its first word; `tree` is that of the site's codewords.
    pub fn new(hw: &Elaborated, site: Site, stream: Stream, noise: &Noise, tree: &'t Tree) -> Self {
        let port = Port::new(hw, site, stream, noise, tree);
        Self { flips: Vec::new(), stored: Vec::new(), hw: hw.clone(), port, site, stream }
    }

    /// Reads the next word, at `address`, of which the first `in_use` bytes may flip.
    pub fn read(&mut self, address: u32, stored: &[u8], in_use: usize) -> Vec<u8> {
        let (mut read, word) = (stored.to_vec(), self.stored.len() as u32);
        let (site, Stream { layer, group, .. }) = (self.site, self.stream);
        if let Some(port) = &mut self.port {
            let lanes = lanes_of(&self.hw, site, None, &stored[..in_use]);
            for ((l, lane), flips) in (0..).zip(&lanes).zip(port.read(address, &lanes)) {
                for cell in (0..u128::BITS).filter(|cell| flips >> cell & 1 == 1) {
                    let (bit, before) = (self.hw.port(site).bit(l, cell), lane.cells >> cell & 1 == 1);
                    read[bit as usize / 8] ^= 1 << (bit % 8);
                    self.flips.push(Flip { layer, group, site, word, bit, before });
                }
            }
        }
        self.stored.push(stored.to_vec());
        read
    }
}
