//! Top-1 against what a setup costs.

use maud::{Markup, html};

use super::{Frame, Plot, at, legend, mark, most, path, series, text_width, ticks};
use crate::cost::Cost;
use crate::curve::CHANCE;
use crate::format::{percent, quantity, rate};
use crate::setup::grouped;
use crate::trade::{Offer, Series, Trade};

const WIDTH: f64 = 370.0;
/// Height of the part inside the axes.
const INSIDE: f64 = 230.0;
/// Least distance of two labels' lines.
const APART: f64 = 13.0;

/// Draws a trade.
pub fn trade(trade: &Trade) -> Plot {
    let keys: Vec<_> = trade.series.iter().map(|series| format!("BER {}", rate(series.ber))).collect();
    let (legend, top) = legend(&keys, 44.0, WIDTH - 10.0);
    let frame = Frame { left: 44.0, right: WIDTH - 10.0, top: top + 32.0, bottom: top + 32.0 + INSIDE };
    let offers = || trade.series.iter().flat_map(|series| &series.points);
    let dearest = offers().map(|offer| offer.cost).fold(0.0, f64::max);
    let scale =
        Scale { frame, dearest: 1.2 * dearest, most: most(offers().map(|offer| offer.interval.1).fold(0.0, f64::max)) };
    let body = html! {
        (legend)
        (frame.accuracy_axis(scale.most))
        (frame.chance(CHANCE, scale.most))
        (scale.cost_axis(&trade.cost))
        @for (i, points) in trade.series.iter().enumerate() {
            g class={ "series " (series(i)) } data-series=(i) { (scale.series(i, points)) }
        }
        @for (label, x, y) in scale.labels(&trade.series) { text.small.middle x=(at(x)) y=(at(y)) { (label) } }
    };
    let name = format!("price-{}", trade.cost.name());
    let label = format!("Top-1 against {}. The tables have the figures.", trade.cost.told());
    Plot { name, label, width: WIDTH, height: frame.bottom + 44.0, body }
}

struct Scale {
    frame: Frame,
    /// Cost at the end of the axis.
    dearest: f64,
    /// Top-1 at the end of the axis.
    most: f64,
}

impl Scale {
    fn x(&self, cost: f64) -> f64 {
        self.frame.left + (self.frame.right - self.frame.left) * cost / self.dearest
    }

    fn place(&self, offer: &Offer) -> (f64, f64) {
        (self.x(offer.cost), self.frame.y(offer.top1, self.most))
    }

    fn cost_axis(&self, cost: &Cost) -> Markup {
        let Frame { left, right, bottom, .. } = self.frame;
        html! {
            line.axis x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
            @for tick in ticks(self.dearest) {
                @let x = at(self.x(tick));
                line.axis x1=(x) x2=(x) y1=(bottom) y2=(bottom + 5.0) {}
                text.quiet.middle x=(x) y=(bottom + 19.0) { (if tick == 0.0 { "0".to_owned() } else { quantity(tick) }) }
            }
            text.quiet.small.end x=(right) y=(bottom + 36.0) { (cost.told()) }
        }
    }

    fn series(&self, number: usize, series: &Series) -> Markup {
        html! {
            path.stroke.thin d=(self.front(&series.points)) {}
            @for offer in &series.points {
                @let (x, y) = self.place(offer);
                @let end = |top1: f64| (x, self.frame.y(top1, self.most));
                g class=(if offer.front { "point" } else { "point hollow" }) {
                    path.stroke.thin d=(path(&[end(offer.interval.0), end(offer.interval.1)])) {}
                    (mark(number, x, y))
                    circle.hit cx=(at(x)) cy=(at(y)) r="9" {}
                    title {
                        (offer.label) "\nBER " (rate(series.ber)) ": top-1 " (percent(offer.top1)) ", " (percent(offer.interval.0)) " to " (percent(offer.interval.1)) "\n"
                        (quantity(offer.cost)) (if offer.front { "\non the front" } else { "" })
                    }
                }
            }
        }
    }

    /// The stairs through what no other beats.
    fn front(&self, offers: &[Offer]) -> String {
        let mut stairs: Vec<(f64, f64)> = Vec::new();
        for (x, y) in offers.iter().filter(|offer| offer.front).map(|offer| self.place(offer)) {
            stairs.extend(stairs.last().map(|&(_, before)| (x, before)));
            stairs.push((x, y));
        }
        path(&stairs)
    }

    /// Places of the setups' labels: a setup costs the same at every rate, so one above its highest mark, or above a label
    /// that is in the way.
    fn labels<'a>(&self, series: &'a [Series]) -> Vec<(&'a str, f64, f64)> {
        let offers = grouped(series.iter().flat_map(|series| &series.points), |offer| offer.curve);
        let mut placed: Vec<(&str, f64, f64)> = Vec::new();
        for (_, offers) in offers {
            let (x, mark) = self.place(offers[0]);
            let highest = offers.iter().map(|offer| self.frame.y(offer.interval.1, self.most)).fold(mark, f64::min);
            let (label, mut y) = (offers[0].label.as_str(), highest - 9.0);
            let taken = |y: f64| {
                let apart = |other: &str| (text_width(label) + text_width(other)) / 2.0;
                let near =
                    placed.iter().find(|(l, at, height)| (at - x).abs() < apart(l) && (height - y).abs() < APART);
                near.map(|&(_, _, height)| height)
            };
            while let Some(height) = taken(y) {
                y = height - APART;
            }
            placed.push((label, x, y));
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_setups_that_cost_the_same_are_apart() {
        let frame = Frame { left: 0.0, right: 100.0, top: 0.0, bottom: 100.0 };
        let offer = |curve, cost, top1| Offer {
            curve,
            label: "4x4".to_owned(),
            cost,
            top1,
            interval: (top1, top1),
            front: true,
        };
        let points = vec![offer(0, 10.0, 0.50), offer(1, 11.0, 0.51), offer(2, 90.0, 0.5)];
        let scale = Scale { frame, dearest: 100.0, most: 1.0 };
        let heights: Vec<_> = scale.labels(&[Series { ber: 1e-3, points }]).iter().map(|label| label.2).collect();
        assert_eq!(heights, [41.0, 28.0, 41.0]);
    }
}
