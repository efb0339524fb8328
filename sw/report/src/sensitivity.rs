//! Which layers and which bits matter: accuracy lost when they alone are at risk.

use serde::Serialize;

use crate::curve::Curve;
use crate::setup::{Setup, grouped};

/// A map of accuracy lost.
#[derive(Debug, Serialize)]
pub struct Map {
    /// What it is of: network, preset and the rest that its rows share. The masks of its first row.
    #[serde(flatten)]
    pub setup: Setup,
    /// What its rows are.
    pub down: Axis,
    /// What its columns are.
    pub across: Axis,
    /// Rate of all cells, where rates are not an axis.
    pub ber: Option<f64>,
    /// Layers or bit positions of the rows.
    pub rows: Vec<u32>,
    /// Rates, or bit positions, of the columns.
    pub columns: Vec<f64>,
    /// Points lost, clean minus mean top-1 in percent, row by row; none where the sweep has no such point.
    pub lost: Vec<Vec<Option<f64>>>,
    /// Seeds of the point that has the fewest.
    pub seeds: usize,
    /// Half the width of the widest 95% interval of a mean, in percent; none where a point has one seed.
    pub half_width: Option<f64>,
}

/// What an axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Layers, the first is 0.
    Layer,
    /// Bits of a weight, 7 is the sign.
    Bit,
    /// Bit-error rates.
    Ber,
}

/// One place of a map and what is lost there.
struct Place {
    row: u32,
    column: f64,
    lost: f64,
    seeds: usize,
    half_width: Option<f64>,
}

/// Returns every map that the curves give: layer x rate and bit x rate where one of the two is singled out, layer x bit at
/// each rate where both are.
pub fn maps(curves: &[Curve]) -> Vec<Map> {
    let mut maps = Vec::new();
    for (_, curves) in grouped(curves, |curve| curve.setup.unmasked()) {
        let layers = curves.iter().filter(|c| c.setup.layer().is_some() && c.setup.bit().is_none());
        for (_, curves) in grouped(layers, |curve| (whole(curve), curve.setup.bit_mask)) {
            maps.extend(against_rate(Axis::Layer, &curves, |setup| setup.layer()));
        }
        let bits = curves.iter().filter(|c| c.setup.bit().is_some() && c.setup.layer().is_none());
        for (_, curves) in grouped(bits, |curve| (whole(curve), curve.setup.layer_mask)) {
            maps.extend(against_rate(Axis::Bit, &curves, |setup| setup.bit()));
        }
        for (_, curves) in grouped(curves.iter().copied(), |curve| whole(curve)) {
            maps.extend(layer_by_bit(&curves));
        }
    }
    maps
}

/// Sites and direction of a curve: maps are of one of each.
fn whole(curve: &Curve) -> (String, String) {
    (curve.setup.sites.clone(), curve.setup.direction.clone())
}

fn against_rate(down: Axis, curves: &[&&Curve], row: impl Fn(&Setup) -> Option<u32>) -> Option<Map> {
    let places = curves.iter().flat_map(|curve| {
        let at = row(&curve.setup);
        curve.noisy().iter().filter_map(move |point| place(at?, point.ber, curve, point.ber))
    });
    map(curves.first()?.setup.clone(), [down, Axis::Ber], None, &places.collect::<Vec<_>>())
}

fn layer_by_bit(curves: &[&Curve]) -> Vec<Map> {
    let both: Vec<_> = curves.iter().filter(|c| c.setup.layer().is_some() && c.setup.bit().is_some()).collect();
    let mut rates: Vec<f64> = both.iter().flat_map(|c| c.noisy().iter().map(|p| p.ber)).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let at = |ber: f64| {
        let at = |c: &&&Curve| place(c.setup.layer()?, f64::from(c.setup.bit()?), c, ber);
        let places: Vec<Place> = both.iter().filter_map(at).collect();
        map(both[0].setup.clone(), [Axis::Layer, Axis::Bit], Some(ber), &places)
    };
    rates.into_iter().filter_map(at).collect()
}

/// What is lost at a rate.
fn place(row: u32, column: f64, curve: &Curve, ber: f64) -> Option<Place> {
    let point = curve.at(ber)?;
    let lost = 100.0 * (curve.clean? - point.mean);
    Some(Place { row, column, lost, seeds: point.seeds, half_width: point.half_width.map(|half| 100.0 * half) })
}

fn map(setup: Setup, [down, across]: [Axis; 2], ber: Option<f64>, places: &[Place]) -> Option<Map> {
    let mut rows: Vec<u32> = places.iter().map(|place| place.row).collect();
    let mut columns: Vec<f64> = places.iter().map(|place| place.column).collect();
    rows.sort_unstable();
    rows.dedup();
    columns.sort_by(f64::total_cmp);
    columns.dedup();
    // The sign comes first, as it is written.
    if down == Axis::Bit {
        rows.reverse();
    }
    if across == Axis::Bit {
        columns.reverse();
    }
    let cell = |row: u32, column: f64| places.iter().find(|p| (p.row, p.column) == (row, column)).map(|p| p.lost);
    let lost = rows.iter().map(|&row| columns.iter().map(|&column| cell(row, column)).collect()).collect();
    let seeds = places.iter().map(|place| place.seeds).min()?;
    let half_widths: Option<Vec<f64>> = places.iter().map(|place| place.half_width).collect();
    let half_width = half_widths.map(|half_widths| half_widths.into_iter().fold(0.0, f64::max));
    Some(Map { setup, down, across, ber, rows, columns, lost, seeds, half_width })
}

#[cfg(test)]
mod tests {
    use hafnia_sweep::Row;

    use super::*;
    use crate::curve::curves;

    fn row(ber_requested: f64, bit_mask: u8, layer_mask: u32, top1: f64) -> Row {
        Row { ber_requested, bit_mask, layer_mask, top1, cells_at_risk: 1, ..Row::default() }
    }

    #[test]
    fn single_layers_and_bits_make_maps_of_points_lost() {
        let rows = [
            row(0.0, 255, 7, 0.75),
            row(1e-2, 255, 1, 0.5),
            row(1e-2, 255, 4, 0.25),
            row(1e-2, 0x80, 7, 0.5),
            row(1e-2, 0x01, 7, 0.75),
            row(1e-2, 0x80, 1, 0.625),
        ];
        let maps = maps(&curves(&rows));
        let found: Vec<_> = maps.iter().map(|m| (m.down, m.across, m.rows.clone(), m.lost.clone())).collect();
        let column = |values: [f64; 2]| values.map(|v| vec![Some(v)]).to_vec();
        assert_eq!(found[0], (Axis::Layer, Axis::Ber, vec![0, 2], column([25.0, 50.0])));
        assert_eq!(found[1], (Axis::Bit, Axis::Ber, vec![7, 0], column([25.0, 0.0])));
        assert_eq!(found[2], (Axis::Layer, Axis::Bit, vec![0], vec![vec![Some(12.5)]]));
        assert_eq!((maps.len(), maps[2].ber), (3, Some(1e-2)));
    }

    #[test]
    fn curves_of_all_cells_make_no_map() {
        assert!(maps(&curves(&[row(0.0, 255, 7, 0.75), row(1e-2, 255, 7, 0.5)])).is_empty());
    }
}
