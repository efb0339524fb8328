//! The maps of accuracy lost.

use maud::{Markup, html};

use super::section;
use crate::format::{count, rate};
use crate::sensitivity::Axis;
use crate::setup::labels;
use crate::{Map, Report};

impl Report {
    pub(super) fn sensitivity(&self) -> Markup {
        let setups: Vec<_> = self.maps.iter().map(|map| map.setup.unmasked()).collect();
        let labels = labels(&setups.iter().collect::<Vec<_>>());
        section(
            "sensitivity",
            "Sensitivity",
            html! {
                @if self.maps.is_empty() {
                    p {
                        "No row puts a single bit or a single layer at risk; the keys " code { "bits = \"each\"" } " and "
                        code { "layers = \"each\"" } " in a sweep file give such rows, and maps of the accuracy that they lose "
                        "here."
                    }
                } @else {
                    p {
                        "Points of top-1 lost, clean minus mean over seeds, when the cells of one layer or of one bit of every "
                        "weight alone are at risk. Bit 7 is the sign; layers count from 0. All maps have one scale."
                    }
                    div.pair {
                        @for ((plot, map), label) in self.heat_plots().iter().zip(&self.maps).zip(&labels) {
                            figure { div.scroll { (plot.inline()) } figcaption { (label) ": " (caption(map)) " " (certainty(map)) } }
                        }
                    }
                }
            },
        )
    }
}

fn caption(map: &Map) -> String {
    let at_risk = match (map.down, map.across) {
        (Axis::Layer, Axis::Bit) => "one bit of one layer at risk",
        (Axis::Layer, _) => "one layer at risk",
        _ => "one bit of every weight at risk",
    };
    map.ber.map_or_else(|| format!("{at_risk}."), |ber| format!("{at_risk}, at BER {}.", rate(ber)))
}

/// How many results a place has, and how sure it is.
fn certainty(map: &Map) -> String {
    let (seeds, images) = (map.seeds, count(map.setup.images));
    match map.half_width {
        Some(half) => {
            format!("{seeds} seeds or more of {images} images; 95% intervals over seeds, the widest ±{half:.1} points.")
        }
        None => format!("{images} images; a place of one seed has no interval."),
    }
}
