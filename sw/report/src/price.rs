//! What each setup costs: cycles, reads, stored overhead, cells of the ECP5, read energy.

use hafnia_config::area::{Area, Recorded};
use hafnia_config::device::Device;
use hafnia_config::presets;
use hafnia_sweep::Row;
use serde::Serialize;

use crate::setup::grouped;

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
    /// Cells read an image.
    pub cells_read: f64,
    /// Check cells / data cells; none if the configuration is not the preset of today.
    pub overhead: Option<f64>,
    /// Cells of the ECP5; none if the configuration was not recorded.
    pub area: Option<Area>,
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

/// Prices every network on every configuration, in the order of the rows.
pub fn prices(rows: &[Row], devices: &[Device]) -> Vec<Price> {
    let recorded = Recorded::read();
    let key = |row: &&Row| (row.model_sha256.clone(), row.config_hash.clone(), row.protection.clone(), row.batch);
    let groups = grouped(rows, key);
    groups.iter().map(|(_, rows)| price(cheapest(rows), &recorded, devices)).collect()
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

fn price(row: &Row, recorded: &Recorded, devices: &[Device]) -> Price {
    let each = |total: u64| total as f64 / row.images as f64;
    let cells_read = each(row.cells_weights);
    let energy = devices.iter().filter_map(|device| {
        let nj = cells_read * device.read_pj_per_bit? / 1000.0;
        Some(Energy { device: device.name.clone(), source: device.source.clone(), nj })
    });
    let hw = presets::find(&row.preset).ok().and_then(|config| config.validate().ok());
    let hw = hw.filter(|hw| hw.config.hash() == row.config_hash);
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
        overhead: hw.map(|hw| f64::from(hw.codeword_bits) / f64::from(8 * hw.lane_weights) - 1.0),
        area: recorded.find(&row.config_hash).cloned(),
        energy: energy.collect(),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn prices_are_of_an_image_and_of_the_lowest_rate() {
        let hash = presets::find("8x8").expect("a preset").hash();
        let prices = prices(&[row("8x8", hash.clone(), 1e-3), row("8x8", hash, 0.0)], &hafnia_config::device::all());
        let price = &prices[0];
        assert_eq!((prices.len(), price.cycles, price.words_read, price.cells_read), (1, 100.0, 10.0, 8000.0));
        assert_eq!(price.overhead, Some(0.0));
        assert_eq!(price.area.as_ref().map(|area| &*area.name), Some("8x8"));
        // 1 pJ a bit is published by one device: 8,000 cells are 8 nJ.
        assert_eq!(price.energy.iter().map(|e| (&*e.device, e.nj)).collect::<Vec<_>>(), [("intel22-isscc19", 8.0)]);
    }

    #[test]
    fn a_configuration_that_is_no_preset_of_today_has_no_area() {
        let price = &prices(&[row("8x8", "0".repeat(64), 0.0)], &[])[0];
        assert!(price.area.is_none() && price.overhead.is_none() && price.energy.is_empty());
    }
}
