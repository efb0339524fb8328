//! The figures of a device in words, each with its unit and its condition.

use std::fmt;

use super::Device;

/// Stands where a figure was not published.
pub const NOT_PUBLISHED: &str = "not published";

/// A unit's size in that of the figure, and its name. Of a list, smallest first, a value takes the largest that fits.
type Unit = (f64, &'static str);

const TIME: &[Unit] = &[(1.0, "ns"), (1e3, "us")];
const ENERGY: &[Unit] = &[(1.0, "pJ/bit")];
const CAPACITY: &[Unit] = &[(1e-3, "kbit"), (1.0, "Mbit")];
const RESISTANCE: &[Unit] = &[(1.0, "ohm"), (1e3, "kohm"), (1e6, "Mohm")];

/// One figure of a device. It displays as `5 ns (0.7 V)`, or as [`NOT_PUBLISHED`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// Its value with the unit, if it was published.
    pub value: Option<String>,
    /// Under what it holds, if that was published.
    pub condition: Option<String>,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value.as_deref().unwrap_or(NOT_PUBLISHED))?;
        self.condition.iter().try_for_each(|condition| write!(f, " ({condition})"))
    }
}

impl Device {
    /// Returns every figure, published or not, in the same order for each device.
    pub fn figures(&self) -> [Figure; 8] {
        let plain = |name, value| Figure { name, value, condition: None };
        let with = |name, value, condition: &Option<String>| Figure { name, value, condition: condition.clone() };
        [
            with("read time", one(self.read_ns, TIME), &self.read_condition),
            plain("read energy", one(self.read_pj_per_bit, ENERGY)),
            plain("write pulse", two([("SET", self.set_ns), ("RESET", self.reset_ns)], TIME)),
            plain("write energy", two([("SET", self.set_pj_per_bit), ("RESET", self.reset_pj_per_bit)], ENERGY)),
            with("raw BER", self.raw_ber.map(|p| format!("{p:e}")), &self.raw_ber_condition),
            plain("capacity", one(self.capacity_mbit, CAPACITY)),
            plain("resistance", two([("HRS", self.hrs_ohm), ("LRS", self.lrs_ohm)], RESISTANCE)),
            plain("endurance", self.endurance_cycles.map(|n| format!("{n:e} cycles"))),
        ]
    }
}

fn one(value: Option<f64>, units: &[Unit]) -> Option<String> {
    let value = value?;
    let (size, unit) = units.iter().rev().find(|(size, _)| value >= *size).unwrap_or(&units[0]);
    Some(format!("{} {unit}", value / size))
}

/// Two values under their names; none if neither was published.
fn two(pair: [(&str, Option<f64>); 2], units: &[Unit]) -> Option<String> {
    pair.iter().find_map(|(_, value)| *value)?;
    let half = |(name, value)| format!("{name} {}", one(value, units).as_deref().unwrap_or(NOT_PUBLISHED));
    Some(pair.map(half).join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::all;

    #[test]
    fn values_take_the_unit_that_fits_and_half_a_pair_says_so() {
        let times = [0.5, 999.0, 1000.0, 12_500.0].map(|ns| one(Some(ns), TIME).unwrap());
        assert_eq!(times, ["0.5 ns", "999 ns", "1 us", "12.5 us"]);
        assert_eq!([0.001, 3.6].map(|mbit| one(Some(mbit), CAPACITY).unwrap()), ["1 kbit", "3.6 Mbit"]);
        let half = two([("HRS", Some(4e6)), ("LRS", None)], RESISTANCE);
        assert_eq!(half.as_deref(), Some("HRS 4 Mohm, LRS not published"));
        assert_eq!(two([("HRS", None), ("LRS", None)], RESISTANCE), None);
    }

    /// Page and `device.toml` were written apart, each in its own units: a slip in one shows.
    #[test]
    fn the_table_of_the_page_states_the_same_figures() {
        let header = format!("| device | source | {} |\n", all()[0].figures().map(|figure| figure.name).join(" | "));
        let (_, rest) =
            include_str!("../../../../docs/devices.md").split_once(&header).expect("the page has the table");
        let rows: Vec<&str> = rest.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
        let expected = all().into_iter().map(|device| {
            let doi = |doi| format!("[{doi}](https://doi.org/{doi})");
            let figures = device.figures().map(|figure| figure.to_string()).join(" | ");
            format!("| `{}` | {} | {figures} |", device.name, device.doi().map_or(device.source.clone(), doi))
        });
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }
}
