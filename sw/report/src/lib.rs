//! From the folders of sweeps to one self-contained page: curves, midpoints, sensitivity maps, prices, audit and
//! provenance; or to advice, the cheapest setups that meet a target.
//!
//! Invariant: computes nothing that a sweep could; every figure is a function of the rows, and the same rows give the same
//! bytes. Plots are written as SVG here and not by a plotting library, since those set colours once and for all, where the
//! page needs them as CSS variables, for light, dark and print.

mod advise;
mod cost;
mod curve;
mod error;
mod format;
mod logistic;
mod midpoint;
mod page;
mod plot;
mod price;
mod sensitivity;
mod setup;
mod source;
mod theme;
mod trade;
mod write;

use std::path::PathBuf;

use hafnia_config::device::{self, Device};
use hafnia_config::price::Record;
use hafnia_sweep::{Engine, Row};
use serde::Serialize;

pub use advise::{Advice, Answer, Candidate, Evidence, Limit, Only, Programming, Question, Reason, Wanted};
pub use cost::Cost;
pub use curve::{Curve, Decoded, Point};
pub use error::ReportError;
pub use midpoint::{Crossing, Fitted, Midpoint, Midpoints};
pub use plot::Plot;
pub use price::{Energy, Price};
pub use sensitivity::{Axis, Map};
pub use setup::Setup;
pub use source::Source;
pub use trade::{Offer, Series, Trade};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Folders of sweeps.
    pub folders: Vec<PathBuf>,
    /// The page.
    pub output: PathBuf,
    /// Folder in which every plot is a file of its own.
    pub svg: Option<PathBuf>,
    /// Rates at which accuracy is set against price; none: up to three that tell.
    pub ber: Vec<f64>,
}

/// A report, computed and not yet written.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(skip)]
    request: Request,
    /// The folders.
    pub sources: Vec<Source>,
    /// What is to be seen before the figures.
    pub warnings: Vec<String>,
    /// The curves, in the order of the rows.
    pub curves: Vec<Curve>,
    /// Maps of accuracy lost.
    pub maps: Vec<Map>,
    /// What each network costs on each configuration.
    pub prices: Vec<Price>,
    /// Accuracy against cost.
    pub trades: Vec<Trade>,
    /// What was run again on the simulated hardware.
    pub audit: Audit,
    #[serde(skip)]
    devices: Vec<Device>,
}

/// Pairs of a point and an image, run again on the simulated hardware. A sweep stops at the first that differs, whose row it
/// does not write: all of these were equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Pairs that were run again.
    pub audited: u64,
    /// Pairs of all rows.
    pub of: u64,
    /// Pairs of the rows that hardware computed itself, simulated or on a board.
    pub simulated: u64,
    /// Sweeps that a difference ended.
    pub differing: usize,
}

impl Report {
    /// Reads the folders and computes everything.
    ///
    /// # Errors
    /// A folder that is not that of a sweep, two results of one point, or a rate that is in no row.
    pub fn new(request: Request) -> Result<Self, ReportError> {
        let (sources, rows) = source::read(&request.folders)?;
        Self::of(request, sources, &rows)
    }

    /// Computes everything.
    fn of(request: Request, sources: Vec<Source>, rows: &[Row]) -> Result<Self, ReportError> {
        let devices = device::all();
        let curves = curve::curves(rows);
        let prices = price::prices(rows, &devices, &Record::built_in());
        let trades = trade::trades(&curves, &prices, &request.ber)?;
        let simulated = rows.iter().filter(|row| row.engine != Engine::Golden.name());
        let audit = Audit {
            audited: rows.iter().map(|row| row.audited).sum(),
            of: rows.iter().map(|row| row.images).sum(),
            simulated: simulated.map(|row| row.images).sum(),
            differing: sources.iter().filter(|source| source.difference.is_some()).count(),
        };
        let warnings = source::warnings(&sources);
        let maps = sensitivity::maps(&curves);
        Ok(Self { request, sources, warnings, curves, maps, prices, trades, audit, devices })
    }

    /// Returns a line for each curve of a whole network: clean top-1 and midpoint.
    pub fn summary(&self) -> String {
        let whole = self.whole();
        let line = |(label, curve): (&String, &&Curve)| {
            let clean = curve.clean.map_or_else(|| "unknown".to_owned(), format::percent);
            let none = || if curve.clean.is_some() { "none" } else { "unknown, no row of rate 0" }.to_owned();
            let middle = curve.midpoints.as_ref().map_or_else(none, |m| format::midpoint(&m.interpolated));
            format!("{label}: clean top-1 {clean}, midpoint {middle}")
        };
        labels(&whole).iter().zip(&whole).map(line).collect::<Vec<_>>().join("\n")
    }

    /// Returns the curves of whole networks, which single out no bit or layer. One of rate 0 alone is there for those that do.
    fn whole(&self) -> Vec<&Curve> {
        self.curves.iter().filter(|curve| !curve.setup.is_part() && !curve.noisy().is_empty()).collect()
    }

    /// Returns every plot, in the order of the page.
    pub fn plots(&self) -> Vec<Plot> {
        let plots = self.accuracy_plot().into_iter();
        plots.chain(self.heat_plots()).chain(self.trade_plots()).collect()
    }

    fn accuracy_plot(&self) -> Option<Plot> {
        let whole = self.whole();
        plot::accuracy(&whole, &labels(&whole))
    }

    fn heat_plots(&self) -> Vec<Plot> {
        // One scale for all, so that maps can be compared.
        let lost = self.maps.iter().flat_map(|map| map.lost.iter().flatten().flatten());
        let whole = lost.fold(1.0, |most: f64, &lost| most.max(lost));
        let name = |i: usize| format!("sensitivity-{}", i + 1);
        self.maps.iter().enumerate().map(|(i, map)| plot::heat(map, name(i), whole)).collect()
    }

    fn trade_plots(&self) -> Vec<Plot> {
        self.trades.iter().map(plot::trade).collect()
    }
}

/// Names the curves.
fn labels(curves: &[&Curve]) -> Vec<String> {
    setup::labels(&curves.iter().map(|curve| &curve.setup).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
