//! One row: a point and what it gave.

use hafnia_cosim::Totals;
use parquet_derive::ParquetRecordWriter;
use serde::{Deserialize, Serialize};

/// A finished point, one line of `rows.csv`. `docs/sweeps.md` describes the columns.
///
/// The fields are the one list of columns: CSV and Parquet are derived from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ParquetRecordWriter)]
#[cfg_attr(test, derive(parquet_derive::ParquetRecordReader))]
pub struct Row {
    /// Name of the network.
    pub model: String,
    /// Checksum of its file.
    pub model_sha256: String,
    /// Name of the configuration.
    pub preset: String,
    /// Its hash.
    pub config_hash: String,
    /// `golden` or `sim`.
    pub engine: String,
    /// `cifar10` or `digits`.
    pub data: String,
    /// First test image.
    pub first: u32,
    /// Number of images.
    pub images: u64,
    /// Images that the hardware holds at once.
    pub batch: u32,
    /// Bit-error rate asked for.
    pub ber_requested: f64,
    /// Run seed.
    pub seed: u64,
    /// Bits of a byte that are cells at risk, as a mask.
    pub bit_mask: u8,
    /// Layers whose weights are at risk, as a mask; bit 0 is the first layer.
    pub layer_mask: u32,
    /// `exact`.
    pub draws: String,
    /// Code of the weight memory.
    pub protection: String,
    /// Images classified right.
    pub correct: u64,
    /// Top-1, from 0 to 1.
    pub top1: f64,
    /// Flips / cells read that were at risk.
    pub ber_measured: f64,
    /// Lower end of the 99.9% Wilson score interval of the measured rate.
    pub ber_low: f64,
    /// Upper end.
    pub ber_high: f64,
    /// Bits flipped.
    pub flips: u64,
    /// Cells read.
    pub cells_read: u64,
    /// Cells read that were at risk.
    pub cells_at_risk: u64,
    /// Weight words read.
    pub words_read: u64,
    /// Useful multiply-accumulates.
    pub macs: u64,
    /// Clock cycles of the layer programs.
    pub cycles: u64,
    /// Cycles in which the array waited for weights.
    pub stall_weights: u64,
    /// Images of this point that were run again on the simulated hardware and found equal.
    pub audited: u64,
    /// Version of the program.
    pub version: String,
}

impl Row {
    /// Puts what a run gave into a row that holds its point.
    pub(crate) fn fill(&mut self, totals: &Totals) {
        let (low, high) = totals.ber_interval();
        (self.ber_measured, self.ber_low, self.ber_high) = (totals.ber_measured(), low, high);
        (self.images, self.correct, self.top1) = (totals.images, totals.correct, totals.top1());
        self.flips = totals.counter("flips");
        self.cells_read = totals.counter("cells_read");
        self.cells_at_risk = totals.cells_at_risk;
        self.words_read = totals.counter("words_read");
        self.macs = totals.counter("macs");
        self.cycles = totals.counter("cycles");
        self.stall_weights = totals.counter("stall_weights");
    }

    /// Returns what tells its point from the others of its sweep.
    pub(crate) fn key(&self) -> Key {
        let Self { model_sha256, config_hash, engine, ber_requested, seed, bit_mask, layer_mask, .. } = self;
        let names = [model_sha256.clone(), config_hash.clone(), engine.clone()];
        (names, ber_requested.to_bits(), *seed, *bit_mask, *layer_mask)
    }

    /// Whether both are of points that differ by their seeds at most.
    pub(crate) fn same_cell(&self, other: &Self) -> bool {
        self.key() == Self { seed: self.seed, ..other.clone() }.key()
    }
}

/// Model, configuration and engine; rate, seed, bits and layers of a point.
pub(crate) type Key = ([String; 3], u64, u64, u8, u32);

/// A bit-error rate as it was asked for.
pub fn rate(ber: f64) -> String {
    if ber == 0.0 { "0".to_owned() } else { format!("{ber:e}") }
}
