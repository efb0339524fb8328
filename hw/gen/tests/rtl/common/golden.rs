//! The golden model of a noisy read port, word by word.

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::flip::Flip;
use hafnia_golden::injector::Tree;
use hafnia_golden::port::Port;
use hafnia_golden::read::Stream;

/// A port and all that it flipped.
pub struct GoldenPort<'t> {
    pub flips: Vec<Flip>,
    /// What was stored in each of the words read.
    pub stored: Vec<Vec<u8>>,
    port: Option<Port<'t>>,
    site: Site,
    stream: Stream,
}

impl<'t> GoldenPort<'t> {
    /// Returns the port at its first word; `tree` is that of the site's codewords.
    pub fn new(hw: &Elaborated, site: Site, stream: Stream, noise: &Noise, tree: &'t Tree) -> Self {
        let port = Port::new(hw, site, stream, noise, tree);
        Self { flips: Vec::new(), stored: Vec::new(), port, site, stream }
    }

    /// Reads the next word, at `address`, of which the first `in_use` bytes may flip.
    pub fn read(&mut self, address: u32, stored: &[u8], in_use: usize) -> Vec<u8> {
        let (mut read, word) = (stored.to_vec(), self.stored.len() as u32);
        let (site, Stream { layer, group, .. }) = (self.site, self.stream);
        if let Some(port) = &mut self.port {
            port.read(address, &stored[..in_use], |bit, before| {
                read[bit as usize / 8] ^= 1 << (bit % 8);
                self.flips.push(Flip { layer, group, site, word, bit, before });
            });
        }
        self.stored.push(stored.to_vec());
        read
    }
}
