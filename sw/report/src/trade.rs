//! Accuracy against price, and which setups no other beats.

use serde::Serialize;

use crate::ReportError;
use crate::cost::Cost;
use crate::curve::{CHANCE, Curve};
use crate::format::rate;
use crate::price::Price;
use crate::setup::short_labels;

/// Shares of the way from clean to chance whose nearest rates are compared unless others are asked for.
const SHARES: [f64; 3] = [0.1, 0.3, 0.5];

/// One cost against accuracy.
#[derive(Debug, Serialize)]
pub struct Trade {
    /// What is paid.
    pub cost: Cost,
    /// One series a rate, lowest first.
    pub series: Vec<Series>,
}

/// The setups at one rate.
#[derive(Debug, Serialize)]
pub struct Series {
    /// Bit-error rate asked for.
    pub ber: f64,
    /// The setups, cheapest first.
    pub points: Vec<Offer>,
}

/// A setup at one rate.
#[derive(Debug, Serialize)]
pub struct Offer {
    /// Number of its curve.
    pub curve: usize,
    /// What tells it from the others.
    pub label: String,
    /// What it costs.
    pub cost: f64,
    /// Mean top-1.
    pub top1: f64,
    /// Its 95% interval over seeds; both ends are the mean where there is one seed.
    pub interval: (f64, f64),
    /// Whether no other is cheaper and as accurate, or more accurate at the same cost.
    pub front: bool,
}

/// Returns the trades of `curves` at the rates `asked`, or at up to three that tell. There is none with fewer than two
/// setups.
///
/// # Errors
/// A rate asked for is in no curve.
pub fn trades(curves: &[Curve], prices: &[Price], asked: &[f64]) -> Result<Vec<Trade>, ReportError> {
    let offers: Vec<_> = prices.iter().filter_map(|price| Some((first_curve(curves, price)?, price))).collect();
    let rates = if asked.is_empty() { telling(curves, &offers) } else { asked.to_vec() };
    check(asked, curves, &offers)?;
    if offers.len() < 2 {
        return Ok(Vec::new());
    }
    let energies = prices[0].energy.iter().map(|energy| Cost::Energy(energy.device.clone()));
    let costs = energies.chain([Cost::Lut4, Cost::Cycles]);
    let labels = short_labels(&offers.iter().map(|&(curve, _)| &curves[curve].setup).collect::<Vec<_>>());
    Ok(costs
        .map(|cost| trade(cost, curves, &offers, &labels, &rates))
        .filter(|trade| !trade.series.is_empty())
        .collect())
}

/// Every rate asked for is in some curve that is compared.
fn check(asked: &[f64], curves: &[Curve], offers: &[(usize, &Price)]) -> Result<(), ReportError> {
    let unknown = asked.iter().find(|&&ber| offers.iter().all(|&(curve, _)| curves[curve].at(ber).is_none()));
    let Some(&ber) = unknown else { return Ok(()) };
    let mut known: Vec<f64> = curves.iter().flat_map(|c| c.points.iter().map(|p| p.ber)).collect();
    known.sort_by(f64::total_cmp);
    known.dedup();
    let known = known.into_iter().map(rate).collect::<Vec<_>>().join(", ");
    Err(ReportError::UnknownRate { ber, known })
}

/// The first curve of a priced setup with all its cells at risk.
fn first_curve(curves: &[Curve], price: &Price) -> Option<usize> {
    curves.iter().position(|curve| price.is_of(&curve.setup) && !curve.setup.is_part())
}

/// The rates that all setups have and at which, on average, [`SHARES`] of the accuracy above chance are lost, nearly.
fn telling(curves: &[Curve], offers: &[(usize, &Price)]) -> Vec<f64> {
    let Some(&(first, _)) = offers.first() else { return Vec::new() };
    let lost = |ber: f64| -> Option<f64> {
        let shares = offers.iter().map(|&(curve, _)| {
            let (clean, chance) = (curves[curve].clean?, CHANCE);
            Some((clean - curves[curve].at(ber)?.mean) / (clean - chance))
        });
        shares.sum::<Option<f64>>().map(|sum| sum / offers.len() as f64)
    };
    let known: Vec<_> = curves[first].noisy().iter().filter_map(|p| Some((p.ber, lost(p.ber)?))).collect();
    let nearest = |share: f64| known.iter().min_by(|a, b| (a.1 - share).abs().total_cmp(&(b.1 - share).abs()));
    let mut rates: Vec<f64> = SHARES.iter().filter_map(|&share| Some(nearest(share)?.0)).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates
}

fn trade(cost: Cost, curves: &[Curve], offers: &[(usize, &Price)], labels: &[String], rates: &[f64]) -> Trade {
    let series = rates.iter().map(|&ber| {
        let offer = |(&(curve, price), label): (&(usize, &Price), &String)| {
            let point = curves[curve].at(ber)?;
            let (top1, interval) = (point.mean, (point.low(), point.high()));
            Some(Offer { curve, label: label.clone(), cost: cost.of(price)?, top1, interval, front: false })
        };
        Series { ber, points: on_front(offers.iter().zip(labels).filter_map(offer).collect()) }
    });
    // Two points make a trade; below that there is nothing to choose.
    let series = series.filter(|series| series.points.len() > 1).collect();
    Trade { cost, series }
}

/// Sorts by cost and marks what no other beats.
fn on_front(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(b.top1.total_cmp(&a.top1)));
    let mut best = f64::NEG_INFINITY;
    for offer in &mut offers {
        offer.front = offer.top1 > best;
        best = best.max(offer.top1);
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_holds_what_no_other_beats() {
        let offer =
            |cost, top1| Offer { curve: 0, label: String::new(), cost, top1, interval: (top1, top1), front: false };
        let offers =
            on_front(vec![offer(3.0, 0.8), offer(1.0, 0.5), offer(2.0, 0.4), offer(1.0, 0.6), offer(4.0, 0.8)]);
        let front: Vec<_> = offers.iter().filter(|o| o.front).map(|o| (o.cost, o.top1)).collect();
        assert_eq!(front, [(1.0, 0.6), (3.0, 0.8)]);
    }
}
