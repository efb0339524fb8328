//! Which cells may be read wrong.

use super::Site;
use crate::protect::Codeword;

/// Which cells are at risk. Where some of a memory's are, draws are made for all of its cells alike, and those of others
/// are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// Bits of each byte of each site, as a mask, in the order of [`Site::ALL`]; 0 for a site that is not at risk.
    pub bits: [u8; 3],
    /// Layers, as a mask: bit `l` is layer `l`. From layer 32 on all are at risk.
    pub layers: u32,
    /// Check cells of the memories that have a code, where the memory is at risk.
    pub checks: bool,
}

impl AtRisk {
    /// Every weight.
    pub const WEIGHTS: Self = Self { bits: [u8::MAX, 0, 0], ..Self::EVERYTHING };
    /// Every weight and bias.
    pub const PARAMETERS: Self = Self { bits: [u8::MAX, u8::MAX, 0], ..Self::EVERYTHING };
    /// Every cell.
    pub const EVERYTHING: Self = Self { bits: [u8::MAX; 3], layers: u32::MAX, checks: true };

    /// Returns what is at risk in a network of `count` layers: bits of each byte of each site, as masks, in all layers or
    /// in those listed.
    ///
    /// # Errors
    /// [`AtRiskError`] if nothing is left, or a layer does not exist.
    pub fn new(bits: [u8; 3], layers: Option<&[u32]>, count: usize) -> Result<Self, AtRiskError> {
        if bits == [0; 3] {
            return Err(AtRiskError::NoBit);
        }
        let Some(list) = layers else { return Ok(Self { bits, ..Self::EVERYTHING }) };
        if let Some(&layer) = list.iter().find(|&&layer| layer as usize >= count.min(32)) {
            return Err(AtRiskError::NoSuchLayer { layer, last: count.min(32) - 1 });
        }
        match list.iter().fold(0, |mask, layer| mask | 1 << layer) {
            0 => Err(AtRiskError::NoLayer),
            layers => Ok(Self { bits, layers, ..Self::EVERYTHING }),
        }
    }

    /// Returns the sites at risk.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        Site::ALL.into_iter().zip(self.bits).filter(|(_, bits)| *bits != 0).map(|(site, _)| site)
    }

    /// Returns the layers at risk of a network of `count`, as a mask.
    pub const fn layers_of(&self, count: usize) -> u32 {
        if count >= 32 { self.layers } else { self.layers & ((1 << count) - 1) }
    }

    /// Returns the bits of a byte that are at risk in `layer`, as a mask.
    pub const fn bits_in(&self, site: Site, layer: u32) -> u8 {
        if self.has_layer(layer) { self.bits[site as usize] } else { 0 }
    }

    /// Returns the cells of a codeword of `site` that are at risk in `layer`, as a mask.
    pub fn cells_in(&self, site: Site, layer: u32, word: &Codeword) -> u128 {
        word.cells_at_risk(self.bits_in(site, layer), self.checks)
    }

    /// Whether a layer is at risk.
    pub const fn has_layer(&self, layer: u32) -> bool {
        layer > 31 || self.layers >> layer & 1 == 1
    }
}

/// Cells at risk that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AtRiskError {
    /// No bit.
    #[error("no bit of a byte is at risk; write a mask from 0x01 to 0xff, or a bit-error rate of 0 for no noise")]
    NoBit,
    /// No layer.
    #[error("no layer is at risk; list at least one, or leave the list out for all")]
    NoLayer,
    /// A layer that the network does not have.
    #[error("there is no layer {layer}; this network has layers 0 to {last} to choose from")]
    NoSuchLayer {
        /// The layer.
        layer: u32,
        /// The last one.
        last: usize,
    },
}
