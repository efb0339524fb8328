//! Maps of accuracy lost.

use maud::{Markup, html};

use super::{Plot, at};
use crate::format::rate;
use crate::sensitivity::{Axis, Map};
use crate::theme::STEPS;

const CELL: (f64, f64) = (62.0, 30.0);
/// Places of the first cell and of the scale below the last.
const LEFT: f64 = 74.0;
const TOP: f64 = 30.0;
const SCALE: f64 = 46.0;
/// Width of a step of the scale.
const STEP: f64 = 22.0;

/// Draws a map under a name of its own; `whole` are the points lost at the darkest step.
pub fn heat(map: &Map, name: String, whole: f64) -> Plot {
    let (columns, rows) = (map.columns.len() as f64, map.rows.len() as f64);
    let bottom = TOP + rows * CELL.1;
    let body = html! {
        text.quiet.small x="0" y=(TOP - 10.0) { (word(map.down)) }
        @for (i, &column) in map.columns.iter().enumerate() {
            text.middle x=(LEFT + (i as f64 + 0.5) * CELL.0) y=(TOP - 10.0) { (named(map.across, column)) }
        }
        @for (j, (&row, cells)) in map.rows.iter().zip(&map.lost).enumerate() {
            @let y = TOP + j as f64 * CELL.1;
            text.end x=(LEFT - 10.0) y=(y + CELL.1 / 2.0) dy="0.34em" { (named(map.down, row.into())) }
            @for (i, (&lost, &column)) in cells.iter().zip(&map.columns).enumerate() {
                (cell(LEFT + i as f64 * CELL.0, y, lost, whole, &place(map, row, column)))
            }
        }
        text.quiet.small x=(LEFT) y=(bottom + 20.0) { (across(map)) }
        (scale(bottom + SCALE - 14.0, whole))
    };
    let width = (LEFT + columns * CELL.0 + 8.0).max(LEFT + STEPS as f64 * STEP + 150.0);
    let label = format!("Points of top-1 lost, {} by {}", word(map.down), word(map.across));
    Plot { name, label, width, height: bottom + SCALE + 8.0, body }
}

fn cell(x: f64, y: f64, lost: Option<f64>, whole: f64, place: &str) -> Markup {
    let class = lost.map_or("cell absent".to_owned(), |lost| format!("cell h{}", step(lost, whole)));
    let shown = lost.map_or("–".to_owned(), signed);
    html! {
        g class=(class) {
            rect x=(x + 1.0) y=(y + 1.0) width=(CELL.0 - 2.0) height=(CELL.1 - 2.0) rx="3" {}
            text.middle x=(at(x + CELL.0 / 2.0)) y=(y + CELL.1 / 2.0) dy="0.34em" { (shown) }
            title { (place) ": " (shown) " points lost" }
        }
    }
}

/// A loss with one decimal, without a sign at 0.
fn signed(lost: f64) -> String {
    let text = format!("{lost:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

/// The step of a loss, 0 to 8; a gain has the first.
fn step(lost: f64, whole: f64) -> usize {
    let last = (STEPS - 1) as f64;
    (last * (lost / whole).clamp(0.0, 1.0)).round() as usize
}

/// The steps, and what the first and the last stand for.
fn scale(y: f64, whole: f64) -> Markup {
    html! {
        @for i in 0..STEPS {
            g class={ "h" (i) } { rect x=(LEFT + i as f64 * STEP) y=(y) width=(STEP) height="10" {} }
        }
        text.quiet.small.end x=(LEFT - 6.0) y=(y + 5.0) dy="0.34em" { "0" }
        text.quiet.small x=(LEFT + STEPS as f64 * STEP + 6.0) y=(y + 5.0) dy="0.34em" { (format!("{whole:.0} points lost")) }
    }
}

fn word(axis: Axis) -> &'static str {
    match axis {
        Axis::Layer => "layer",
        Axis::Bit => "bit",
        Axis::Ber => "bit-error rate",
    }
}

fn across(map: &Map) -> String {
    match map.ber {
        Some(ber) => format!("{}, at bit-error rate {}", word(map.across), rate(ber)),
        None => word(map.across).to_owned(),
    }
}

fn named(axis: Axis, value: f64) -> String {
    match axis {
        Axis::Ber => rate(value),
        Axis::Bit if value == 7.0 => "7 (sign)".to_owned(),
        Axis::Bit | Axis::Layer => format!("{value:.0}"),
    }
}

fn place(map: &Map, row: u32, column: f64) -> String {
    let [down, across] = [(map.down, f64::from(row)), (map.across, column)]
        .map(|(axis, v)| format!("{} {}", word(axis), named(axis, v)));
    format!("{down}, {across}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_from_nothing_to_all() {
        assert_eq!([-3.0, 0.0, 30.0, 60.0, 70.0].map(|lost| step(lost, 60.0)), [0, 0, 4, 8, 8]);
        assert_eq!([signed(-0.04), signed(12.34), signed(-0.1)], ["0.0", "12.3", "-0.1"]);
    }
}
