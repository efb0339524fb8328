//! One row: a point and what it gave.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::programmed::Programmed;
use hafnia_config::scrub::Scrubbed;
use hafnia_cosim::Totals;
use parquet_derive::ParquetRecordWriter;
use serde::{Deserialize, Serialize};

/// A finished point, one line of `rows.csv`. `docs/sweeps.md` describes the columns.
///
/// The fields are the one list of columns: CSV and Parquet are derived from it. An optional one is empty where it is not known,
/// as in the rows of versions that did not have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ParquetRecordWriter)]
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
    /// Images that the hardware holds at once; with statistical draws those that share a read.
    pub batch: u32,
    /// Bit-error rate asked for, of the directions in which cells are read wrong.
    pub ber_requested: f64,
    /// Rate asked for at which a stored 0 is read as 1.
    pub p01_requested: f64,
    /// Rate asked for at which a stored 1 is read as 0.
    pub p10_requested: f64,
    /// Run seed.
    pub seed: u64,
    /// Memories at risk, joined by `+`: `weights`, `biases`, `activations`.
    pub sites: String,
    /// Bits of a byte that are cells at risk, as a mask.
    pub bit_mask: u8,
    /// Layers at risk, as a mask; bit 0 is the first layer.
    pub layer_mask: u32,
    /// Faults of the cells at risk, as `key=value,...`; empty where there are none.
    pub cells: String,
    /// `exact` or `statistical`.
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
    /// Bits read wrong.
    pub flips: u64,
    /// Those that held 0.
    pub flips_01: u64,
    /// Those of weights.
    pub flips_weights: u64,
    /// Those of biases.
    pub flips_biases: u64,
    /// Those of activations.
    pub flips_activations: u64,
    /// Check cells of weights read wrong; empty without a code.
    pub flips_check_weights: Option<u64>,
    /// Check cells of biases read wrong; empty without a code.
    pub flips_check_biases: Option<u64>,
    /// Cells of weights read.
    pub cells_weights: u64,
    /// Cells of biases read.
    pub cells_biases: u64,
    /// Cells of activations read.
    pub cells_activations: u64,
    /// Cells read that were at risk.
    pub cells_at_risk: u64,
    /// Those of them that held 0; 0 where activations are at risk: what they hold is not counted.
    pub zeros_at_risk: u64,
    /// Weight words read.
    pub words_read: u64,
    /// Useful multiply-accumulates.
    pub macs: u64,
    /// Clock cycles of the layer programs.
    pub cycles: u64,
    /// Cycles in which the array waited for weights.
    pub stall_weights: u64,
    /// Units of weights in which the decoder corrected errors, as the counter of that name.
    pub corrected_weights: Option<u64>,
    /// Units of weights in which it detected errors that it did not correct.
    pub detected_weights: Option<u64>,
    /// The same of biases.
    pub corrected_biases: Option<u64>,
    /// The same of biases.
    pub detected_biases: Option<u64>,
    /// Units of weights read wrong without being detected; empty from the hardware, and without a code.
    pub silent_weights: Option<u64>,
    /// The same of biases.
    pub silent_biases: Option<u64>,
    /// Cells of weights that were programmed; empty without write-verify.
    pub programmed_weights: Option<u64>,
    /// The same of biases.
    pub programmed_biases: Option<u64>,
    /// Pulses that they got after their first one.
    pub repeated_weights: Option<u64>,
    /// The same of biases.
    pub repeated_biases: Option<u64>,
    /// Cells of weights that were read wrong after their last pulse.
    pub give_ups_weights: Option<u64>,
    /// The same of biases.
    pub give_ups_biases: Option<u64>,
    /// Words of weights that were scrubbed; this and the next three are empty without a scrubber.
    pub scrubbed_words: Option<u64>,
    /// Units of weights in which scrubbing found errors that the decoder corrects.
    pub scrubbed_corrected: Option<u64>,
    /// The same of errors that it detects and does not correct.
    pub scrubbed_detected: Option<u64>,
    /// Pulses that scrubbing gave to cells.
    pub scrubbed_pulses: Option<u64>,
    /// Images of this point that were run again on the simulated hardware and found equal.
    pub audited: u64,
    /// Version of the program.
    pub version: String,
}

impl Row {
    /// Puts what a run on `hw` gave into a row that holds its point.
    pub(crate) fn fill(&mut self, totals: &Totals, hw: &Elaborated) {
        let (low, high) = totals.ber_interval();
        (self.ber_measured, self.ber_low, self.ber_high) = (totals.ber_measured(), low, high);
        (self.images, self.correct, self.top1) = (totals.images, totals.correct, totals.top1());
        self.zeros_at_risk = totals.zeros_at_risk().unwrap_or(0);
        (self.flips, self.cells_at_risk) = totals.all();
        self.flips_01 = Site::ALL.map(|site| totals.flips_of(site, false)).iter().sum();
        [self.flips_weights, self.flips_biases, self.flips_activations] = Site::ALL.map(|site| totals.flips(site));
        self.cells_weights = totals.counter("cells_weights");
        self.cells_biases = totals.counter("cells_biases");
        self.cells_activations = totals.counter("cells_activations");
        self.words_read = totals.counter("words_read");
        self.macs = totals.counter("macs");
        self.cycles = totals.counter("cycles");
        self.stall_weights = totals.counter("stall_weights");
        self.corrected_weights = Some(totals.counter("corrected_weights"));
        self.detected_weights = Some(totals.counter("detected_weights"));
        self.corrected_biases = Some(totals.counter("corrected_biases"));
        self.detected_biases = Some(totals.counter("detected_biases"));
        let coded = |site: Site| hw.is_coded(site).then_some(site as usize);
        let checks = |site| Some(totals.flip_counts.checks[coded(site)?].iter().sum());
        let silent = |site| Some(totals.silent?[coded(site)?]);
        [self.flips_check_weights, self.flips_check_biases] = Site::PROGRAMMED.map(checks);
        if let Some([weights, biases]) = totals.programmed {
            let cells = |counts: Programmed, site| Some(counts.words * u64::from(hw.written_cells(site)));
            self.programmed_weights = cells(weights, Site::Weights);
            self.programmed_biases = cells(biases, Site::Biases);
            [self.repeated_weights, self.repeated_biases] = [weights, biases].map(|counts| Some(counts.repeated));
            [self.give_ups_weights, self.give_ups_biases] = [weights, biases].map(|counts| Some(counts.give_ups));
        }
        if let Some(Scrubbed { words, corrected, detected, pulses }) = totals.scrubbed {
            [self.scrubbed_words, self.scrubbed_corrected] = [words, corrected].map(Some);
            [self.scrubbed_detected, self.scrubbed_pulses] = [detected, pulses].map(Some);
        }
        [self.silent_weights, self.silent_biases] = Site::PROGRAMMED.map(silent);
    }

    /// Returns what tells its point from the others of its sweep.
    pub(crate) fn key(&self) -> Key {
        let Self { model_sha256, config_hash, engine, sites, cells, seed, bit_mask, layer_mask, .. } = self;
        let names = [model_sha256.clone(), config_hash.clone(), engine.clone(), sites.clone(), cells.clone()];
        let rates = [self.p01_requested, self.p10_requested].map(f64::to_bits);
        (names, rates, *seed, *bit_mask, *layer_mask)
    }

    /// Returns the directions in which cells are read wrong: `both`, `0->1`, `1->0`, or `uneven` at two rates.
    pub fn direction(&self) -> &'static str {
        match (self.p01_requested, self.p10_requested) {
            (p01, p10) if p01 == p10 => "both",
            (_, 0.0) => "0->1",
            (0.0, _) => "1->0",
            _ => "uneven",
        }
    }

    /// Whether both are of points that differ by their seeds at most.
    pub(crate) fn same_cell(&self, other: &Self) -> bool {
        self.key() == Self { seed: self.seed, ..other.clone() }.key()
    }
}

/// Model, configuration, engine, sites and faults of cells; rates, seed, bits and layers of a point.
pub(crate) type Key = ([String; 5], [u64; 2], u64, u8, u32);

/// A bit-error rate as it was asked for.
pub fn rate(ber: f64) -> String {
    if ber == 0.0 { "0".to_owned() } else { format!("{ber:e}") }
}
