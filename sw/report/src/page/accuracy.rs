//! The curves, their points and their midpoints.

use maud::{Markup, html};

use super::{section, table};
use crate::curve::CHANCE;
use crate::format::{count, interval, measured, midpoint, percent, rate};
use crate::midpoint::{BOOTSTRAP_SEED, Midpoints, RESAMPLES};
use crate::{Curve, Point, Report, labels};

impl Report {
    pub(super) fn accuracy(&self) -> Markup {
        let whole = self.whole();
        section(
            "accuracy",
            "Accuracy against bit-error rate",
            html! {
                @match self.accuracy_plot() {
                    Some(plot) => {
                        figure {
                            div.scroll { (plot.inline()) }
                            figcaption {
                                "Mean over seeds; the band is its 95% interval by Student's t. A dashed line drops from the "
                                "midpoint. Point at a mark for its values; a click on the legend hides a curve."
                                @if self.sources.iter().any(|source| !source.plan["stop"].is_null()) {
                                    " Early stopping looked at these intervals, so they cover less than 95%."
                                }
                            }
                        }
                    }
                    None => p {
                        "There is no curve of a whole network: no row of these sweeps has a rate above 0 and more than one bit "
                        "and one layer at risk."
                    }
                }
                @if !whole.is_empty() { (points(&whole)) }
                (self.codes())
            },
        )
    }

    pub(super) fn midpoints(&self) -> Markup {
        let whole = self.whole();
        let labels = labels(&whole);
        let rows: Vec<_> = labels.iter().zip(&whole).collect();
        let head =
            ["curve", "clean", "halfway", "interpolated", "95% interval", "logistic", "95% interval", "k", "misfit"];
        section(
            "midpoints",
            "Midpoints",
            html! {
                p {
                    "The bit-error rate at which top-1 is halfway between clean and chance (" (percent(CHANCE)) ", ten "
                    "classes). " em { "Interpolated" } ": on the line between neighbouring rates, linear in log10 of the rate. "
                    em { "Logistic" } ": of the curve " code { "chance + (clean - chance) / (1 + exp(k (log10 BER - m)))" }
                    " of least squares; where the fall is not logistic, the two differ by more than their intervals."
                }
                (table(
                    "midpoints",
                    html! {
                        "Intervals: bootstrap over seeds, " (count(RESAMPLES as u64)) " resamples, seed " (BOOTSTRAP_SEED)
                        "; they hold the spread over seeds, not that over images, and are too narrow with few seeds. Misfit: root mean square, points of top-1."
                    },
                    &head,
                    html! { tbody { @for (label, curve) in rows { (middles(label, curve)) } } },
                ))
            },
        )
    }
}

fn middles(label: &str, curve: &Curve) -> Markup {
    html! {
        tr {
            th scope="row" { (label) }
            @match (&curve.midpoints, curve.clean) {
                (Some(Midpoints { halfway, interpolated, logistic }), Some(clean)) => {
                    td { (percent(clean)) } td { (percent(*halfway)) }
                    td { (midpoint(interpolated)) } td { (interval(interpolated)) }
                    @match logistic {
                        Some(fit) => {
                            td { (midpoint(&fit.midpoint)) } td { (interval(&fit.midpoint)) }
                            td { (fit.k.map_or_else(|| "–".to_owned(), |k| format!("{k:.2}"))) } td { (format!("{:.2}", 100.0 * fit.misfit)) }
                        }
                        None => { td colspan="4" { "needs three rates above 0" } }
                    }
                }
                (None, Some(clean)) => {
                    td { (percent(clean)) } td colspan="7" { "no rate above 0, or nothing above chance to lose" }
                }
                (_, None) => { td colspan="8" { "unknown: the sweep has no rate 0, so there is no clean accuracy" } }
            }
        }
    }
}

fn points(curves: &[&Curve]) -> Markup {
    let head = ["BER", "seeds", "images", "mean top-1", "95% interval", "measured BER", "99.9% interval"];
    let body = html! {
        @for (label, curve) in labels(curves).iter().zip(curves) {
            tbody.group {
                tr { th scope="rowgroup" colspan="7" { (label) } }
                @for point in &curve.points { (row(point, curve.setup.images)) }
            }
        }
    };
    table(
        "points",
        html! { "Every point. Flips and cells of all seeds are put together for the measured rate; its interval is Wilson's." },
        &head,
        body,
    )
}

fn row(point: &Point, images: u64) -> Markup {
    let (low, high) = point.ber_interval;
    html! {
        tr {
            th scope="row" { (rate(point.ber)) }
            td { (point.seeds) }
            td { (count(images)) }
            td { (percent(point.mean)) }
            td {
                @if point.half_width.is_some() { (percent(point.low())) " to " (percent(point.high())) }
                @else { "one seed" }
            }
            @if point.ber == 0.0 { td { "no noise" } td { "–" } }
            @else { td { (measured(point.ber_measured)) } td { (measured(low)) " to " (measured(high)) } }
        }
    }
}
