//! What each setup costs: cycles, reads, stored overhead, cells of the ECP5, read energy.

use hafnia_config::Elaborated;
use hafnia_config::accel::ProtectionConfig;
use hafnia_config::device::Device;
use hafnia_config::price::{Cells, Engines, Record, overhead, variant};
use hafnia_sweep::Row;
use serde::Serialize;

use crate::setup::{Setup, grouped};

/// The price of a network on a configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Price {
    /// Name of the network.
    pub model: String,
    /// Checksum of its file.
    pub model_sha256: String,
    /// Name of the configuration.
    pub preset: String,
    /// Its hash.
    pub config_hash: String,
    /// Code of the weight memory.
    pub protection: String,
    /// Images that the hardware holds at once.
    pub batch: u32,
    /// Clock cycles an image, at the lowest rate of the sweep.
    pub cycles: f64,
    /// Weight words read an image.
    pub words_read: f64,
    /// Cells of weights read an image, check cells too.
    pub cells_read: f64,
    /// Check cells / data cells; none of a code that is none of today.
    pub overhead: Option<f64>,
    /// Cells of the ECP5, without injectors; none if the array was not recorded.
    pub area: Option<Cells>,
    /// Read energy of an image under each device that publishes one.
    pub energy: Vec<Energy>,
}

/// Read energy.
#[derive(Clone, Debug, Serialize)]
pub struct Energy {
    /// Name of the device.
    pub device: String,
    /// DOI of the energy of a read.
    pub source: String,
    /// nJ an image: cells read x energy of a read. Decoders are not modelled.
    pub nj: f64,
}

impl Price {
    /// Whether it is that of a setup.
    pub fn is_of(&self, setup: &Setup) -> bool {
        (&self.model_sha256, &self.config_hash, &self.protection, self.batch)
            == (&setup.model_sha256, &setup.config_hash, &setup.protection, setup.batch)
    }
}

/// Prices every network on every configuration, in the order of the rows; the cells of the ECP5 are those of `record`.
pub fn prices(rows: &[Row], devices: &[Device], record: &Record) -> Vec<Price> {
    let key = |row: &&Row| (row.model_sha256.clone(), row.config_hash.clone(), row.protection.clone(), row.batch);
    let groups = grouped(rows, key);
    groups.iter().map(|(_, rows)| price(cheapest(rows), record, devices)).collect()
}

/// The row of the lowest rate: with noise, cycles include the seeding of the injector, which no product would have. Of
/// several, the one with the most cells at risk.
fn cheapest<'a>(rows: &[&'a Row]) -> &'a Row {
    let best = rows.iter().min_by(|a, b| {
        let cells = |row: &Row| row.cells_weights as f64 / row.images as f64;
        a.ber_requested.total_cmp(&b.ber_requested).then(cells(b).total_cmp(&cells(a)))
    });
    best.expect("a group has a row")
}

fn price(row: &Row, record: &Record, devices: &[Device]) -> Price {
    let each = |total: u64| total as f64 / row.images as f64;
    let hw = Setup::of(row).hardware();
    let overhead = row.protection.parse().ok().map(overhead);
    let cells_read = each(row.cells_weights) * (1.0 + overhead.unwrap_or(0.0));
    let energy = devices.iter().filter_map(|device| {
        let nj = cells_read * device.read_pj_per_bit? / 1000.0;
        Some(Energy { device: device.name.clone(), source: device.source.clone(), nj })
    });
    Price {
        model: row.model.clone(),
        model_sha256: row.model_sha256.clone(),
        preset: row.preset.clone(),
        config_hash: row.config_hash.clone(),
        protection: row.protection.clone(),
        batch: row.batch,
        cycles: each(row.cycles),
        words_read: each(row.words_read),
        cells_read,
        overhead,
        area: hw.and_then(|hw| {
            let ProtectionConfig { write_verify, scrub, .. } = hw.config.protection;
            area(&hw, Engines::of(write_verify, scrub), record)
        }),
        energy: energy.collect(),
    }
}

impl Price {
    /// Returns the same with so many words more read for an image.
    pub(crate) fn reading_more(mut self, words: f64) -> Self {
        if words == 0.0 {
            return self;
        }
        let factor = 1.0 + words / self.words_read;
        self.words_read += words;
        self.cells_read *= factor;
        self.energy.iter_mut().for_each(|energy| energy.nj *= factor);
        self
    }
}

/// Returns what was recorded of an array with its code and with these engines.
pub fn area(hw: &Elaborated, engines: Engines, record: &Record) -> Option<Cells> {
    let hash = variant(&hw.config, hw.config.protection.code, engines).hash();
    record.find(&hash).map(|measured| measured.cells)
}

#[cfg(test)]
mod tests {
    use hafnia_config::presets;
    use hafnia_config::protect::Code;

    use super::*;

    fn row(preset: &str, config_hash: String, ber_requested: f64) -> Row {
        let cycles = if ber_requested > 0.0 { 1100 } else { 1000 };
        let (cells_weights, words_read, protection) = (80_000, 100, "none".to_owned());
        let (preset, images) = (preset.to_owned(), 10);
        Row {
            preset,
            config_hash,
            protection,
            ber_requested,
            images,
            cycles,
            cells_weights,
            words_read,
            ..Row::default()
        }
    }

    fn built_in(rows: &[Row], devices: &[Device]) -> Vec<Price> {
        prices(rows, devices, &Record::built_in())
    }

    #[test]
    fn prices_are_of_an_image_and_of_the_lowest_rate() {
        let hash = presets::find("8x8").expect("a preset").hash();
        let prices = built_in(&[row("8x8", hash.clone(), 1e-3), row("8x8", hash, 0.0)], &hafnia_config::device::all());
        let price = &prices[0];
        assert_eq!((prices.len(), price.cycles, price.words_read, price.cells_read), (1, 100.0, 10.0, 8000.0));
        assert_eq!(price.overhead, Some(0.0));
        assert!(price.area.is_some_and(|area| area.dp16kd == 190), "{:?}", price.area);
        // 1 pJ a bit is published by one device: 8,000 cells are 8 nJ.
        assert_eq!(price.energy.iter().map(|e| (&*e.device, e.nj)).collect::<Vec<_>>(), [("intel22-isscc19", 8.0)]);
    }

    #[test]
    fn a_configuration_that_is_no_preset_of_today_has_no_area() {
        let price = &built_in(&[row("8x8", "0".repeat(64), 0.0)], &[])[0];
        assert!(price.area.is_none() && price.energy.is_empty());
    }

    #[test]
    fn check_cells_are_read_too() {
        let overhead = ["none", "parity", "secded-13-8", "secded-72-64", "tmr", "msb-tmr-2", "later"].map(|code| {
            let row = Row { protection: code.to_owned(), ..row("8x8", String::new(), 0.0) };
            let price = &built_in(&[row], &[])[0];
            (price.overhead, price.cells_read)
        });
        let known =
            [(0.0, 8000.0), (0.125, 9000.0), (0.625, 13_000.0), (0.125, 9000.0), (2.0, 24_000.0), (0.5, 12_000.0)];
        assert_eq!(overhead[..6], known.map(|(share, cells)| (Some(share), cells)));
        assert_eq!(overhead[6], (None, 8000.0));
    }

    #[test]
    fn a_code_has_the_area_of_its_own_array() {
        let code = Code::Secded { data_bits: 64 };
        let plain = presets::find("8x8").expect("a preset");
        let hash = plain.clone().protected(code).hash();
        let coded = Row { protection: code.to_string(), ..row("8x8-secded-72-64", hash, 0.0) };
        let plain = Row { protection: Code::None.to_string(), ..row("8x8", plain.hash(), 0.0) };
        let lut4 = |price: &Price| price.area.expect("8x8 is recorded").lut4;
        let prices = built_in(&[plain, coded], &[]);
        assert!(lut4(&prices[1]) > lut4(&prices[0]));
    }
}
