//! Top-1 against bit-error rate, one curve a setup.

use maud::{Markup, html};

use super::{Frame, Plot, at, legend, mark, most, path, series};
use crate::curve::{CHANCE, Curve, Point};
use crate::format::{measured, percent, rate};
use crate::midpoint::Crossing;

const WIDTH: f64 = 860.0;
/// Height of the part inside the axes.
const INSIDE: f64 = 340.0;
/// Width left of the logarithmic axis, which has no 0, for the clean points.
const CLEAN: f64 = 64.0;

/// Draws the curves; none where no rate is above 0.
pub fn accuracy(curves: &[&Curve], labels: &[String]) -> Option<Plot> {
    let rates = || curves.iter().flat_map(|curve| curve.noisy().iter().map(|point| point.ber.log10()));
    let (low, high) = (rates().reduce(f64::min)?, rates().reduce(f64::max)?);
    let (keys, top) = legend(labels, 52.0, WIDTH - 16.0);
    let frame = Frame { left: 52.0, right: WIDTH - 16.0, top: top + 34.0, bottom: top + 34.0 + INSIDE };
    let largest = curves.iter().flat_map(|curve| curve.points.iter().map(Point::high)).fold(0.0, f64::max);
    let scale = Scale { frame, low: low - 0.15, high: high + 0.15, most: most(largest) };
    let body = html! {
        (keys)
        (frame.accuracy_axis(scale.most))
        (frame.chance(CHANCE, scale.most))
        (scale.rate_axis())
        @for (i, curve) in curves.iter().enumerate() {
            g class={ "series " (series(i)) } data-series=(i) { (scale.curve(i, curve, &labels[i])) }
        }
    };
    let label = format!("Top-1 against bit-error rate: {}. The table below has every point.", labels.join("; "));
    Some(Plot { name: "accuracy".into(), label, width: WIDTH, height: frame.bottom + 46.0, body })
}

/// From rates and top-1 to places.
struct Scale {
    frame: Frame,
    /// log10 of the rates at the ends of the axis.
    low: f64,
    high: f64,
    /// Top-1 at the end of the axis.
    most: f64,
}

impl Scale {
    fn log_x(&self, log: f64) -> f64 {
        let left = self.frame.left + CLEAN;
        left + (self.frame.right - left) * (log - self.low) / (self.high - self.low)
    }

    fn x(&self, ber: f64) -> f64 {
        if ber == 0.0 { self.frame.left + CLEAN / 2.0 } else { self.log_x(ber.log10()) }
    }

    fn y(&self, share: f64) -> f64 {
        self.frame.y(share, self.most)
    }

    fn rate_axis(&self) -> Markup {
        let Frame { left, right, bottom, .. } = self.frame;
        let decades = self.low.ceil() as i32..=self.high.floor() as i32;
        let minor = (self.low.floor() as i32..=self.high.ceil() as i32)
            .flat_map(|decade| (2..10).map(move |n| f64::from(decade) + f64::from(n).log10()))
            .filter(|log| (self.low..=self.high).contains(log));
        html! {
            line.axis x1=(left) x2=(left + CLEAN - 4.0) y1=(bottom) y2=(bottom) {}
            line.axis x1=(left + CLEAN + 4.0) x2=(right) y1=(bottom) y2=(bottom) {}
            line.grid x1=(left + CLEAN) x2=(left + CLEAN) y1=(self.frame.top) y2=(bottom) {}
            text.middle x=(left + CLEAN / 2.0) y=(bottom + 20.0) { "0" }
            text.quiet.small.middle x=(left + CLEAN / 2.0) y=(bottom + 36.0) { "clean" }
            @for log in minor {
                line.axis x1=(at(self.log_x(log))) x2=(at(self.log_x(log))) y1=(bottom) y2=(bottom + 3.0) {}
            }
            @for decade in decades {
                @let x = at(self.log_x(f64::from(decade)));
                line.grid x1=(x) x2=(x) y1=(self.frame.top) y2=(bottom) {}
                line.axis x1=(x) x2=(x) y1=(bottom) y2=(bottom + 6.0) {}
                text.middle x=(x) y=(bottom + 20.0) { (rate(10f64.powi(decade))) }
            }
            text.quiet.small.end x=(right) y=(bottom + 36.0) { "bit-error rate of each cell read" }
        }
    }

    fn curve(&self, number: usize, curve: &Curve, label: &str) -> Markup {
        let place = |point: &Point| (self.x(point.ber), self.y(point.mean));
        let noisy: Vec<_> = curve.noisy().iter().map(place).collect();
        let clean = curve.clean.map(|clean| (self.x(0.0), self.y(clean)));
        let middle = curve.midpoints.as_ref().and_then(|m| match m.interpolated.ber {
            Crossing::At(ber) => Some((self.x(ber), self.y(m.halfway))),
            _ => None,
        });
        html! {
            path.band d={ (self.band(curve.noisy())) "Z" } {}
            @if let (Some(clean), Some(first)) = (clean, noisy.first()) {
                path.stroke.thin.dotted d=(path(&[clean, *first])) {}
            }
            @if let Some((x, y)) = middle { path.stroke.thin.dashed d=(path(&[(x, y), (x, self.frame.bottom)])) {} }
            path.stroke d=(path(&noisy)) {}
            @for point in &curve.points {
                @let (x, y) = place(point);
                g.point {
                    path.stroke.thin d=(path(&[(x, self.y(point.low())), (x, self.y(point.high()))])) {}
                    (mark(number, x, y))
                    circle.hit cx=(at(x)) cy=(at(y)) r="9" {}
                    title { (told(label, curve, point)) }
                }
            }
        }
    }

    /// The outline of the intervals.
    fn band(&self, points: &[Point]) -> String {
        let over = points.iter().map(|p| (self.x(p.ber), self.y(p.high())));
        let under = points.iter().rev().map(|p| (self.x(p.ber), self.y(p.low())));
        path(&over.chain(under).collect::<Vec<_>>())
    }
}

/// What a point says when pointed at.
fn told(label: &str, curve: &Curve, point: &Point) -> String {
    let half = point.half_width.map(|half| format!(" ± {:.2}", 100.0 * half)).unwrap_or_default();
    let (seeds, images) = (point.seeds, curve.setup.images);
    format!(
        "{label}\nBER {}, measured {}\ntop-1 {}{half}\n{seeds} seed{} of {images} images",
        rate(point.ber),
        measured(point.ber_measured),
        percent(point.mean),
        if seeds == 1 { "" } else { "s" }
    )
}
