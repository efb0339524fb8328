//! What is paid for a setup.

use hafnia_config::device::Device;
use serde::Serialize;

use crate::Price;
use crate::format::{count, quantity};

/// What is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// Clock cycles an image.
    Cycles,
    /// Lookup tables.
    Lut4,
    /// Flip-flops.
    Ff,
    /// Block RAMs of 18 Kibit.
    Dp16kd,
    /// Check cells / data cells.
    Overhead,
    /// Read energy of an image under this device, nJ.
    Energy(String),
}

impl Cost {
    /// Returns what to look at first unless another is named: the read energy where the device publishes one, else the cells
    /// that are stored.
    pub fn first_of(device: Option<&Device>) -> Self {
        let energy = device.filter(|device| device.read_pj_per_bit.is_some());
        energy.map_or(Self::Overhead, |device| Self::Energy(device.name.clone()))
    }

    /// Returns the cost in a price; none where it is not known.
    pub fn of(&self, price: &Price) -> Option<f64> {
        let area = |of: fn(&hafnia_config::price::Cells) -> u64| price.area.as_ref().map(|area| of(area) as f64);
        match self {
            Self::Cycles => Some(price.cycles),
            Self::Lut4 => area(|area| area.lut4),
            Self::Ff => area(|area| area.ff),
            Self::Dp16kd => area(|area| area.dp16kd),
            Self::Overhead => price.overhead,
            Self::Energy(device) => price.energy.iter().find(|e| e.device == *device).map(|e| e.nj),
        }
    }

    /// Returns its name, as a part of the names of files.
    pub fn name(&self) -> String {
        match self {
            Self::Cycles => "cycles".to_owned(),
            Self::Lut4 => "lut4".to_owned(),
            Self::Ff => "ff".to_owned(),
            Self::Dp16kd => "dp16kd".to_owned(),
            Self::Overhead => "overhead".to_owned(),
            Self::Energy(device) => format!("energy-{device}"),
        }
    }

    /// Returns what it is, in words.
    pub fn told(&self) -> String {
        match self {
            Self::Cycles => "clock cycles an image".to_owned(),
            Self::Lut4 => "LUT4 of the accelerator".to_owned(),
            Self::Ff => "flip-flops of the accelerator".to_owned(),
            Self::Dp16kd => "block RAMs (DP16KD) of the accelerator".to_owned(),
            Self::Overhead => "check cells for each data cell".to_owned(),
            Self::Energy(device) => format!("nJ of reads an image, {device}"),
        }
    }

    /// Returns a value of it as it is shown.
    pub fn shown(&self, value: f64) -> String {
        match self {
            Self::Lut4 | Self::Ff | Self::Dp16kd => count(value as u64),
            Self::Overhead => format!("{:.1}%", 100.0 * value),
            Self::Cycles | Self::Energy(_) => quantity(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use hafnia_config::device;

    use super::*;

    #[test]
    fn what_is_looked_at_first_is_what_the_device_publishes() {
        let first = |name| Cost::first_of(Some(&device::find(name).expect("a device")));
        assert_eq!(first("intel22-isscc19"), Cost::Energy("intel22-isscc19".to_owned()));
        assert_eq!((first("mlc4-iedm19"), Cost::first_of(None)), (Cost::Overhead, Cost::Overhead));
    }

    #[test]
    fn values_are_shown_in_their_own_way() {
        let shown = [(Cost::Lut4, 9456.0), (Cost::Overhead, 0.125), (Cost::Energy(String::new()), 41.234)];
        assert_eq!(shown.map(|(cost, value)| cost.shown(value)), ["9,456", "12.5%", "41.2"]);
    }
}
