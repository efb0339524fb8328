//! What each setup costs, and which one to take.

use hafnia_config::area::Recorded;
use hafnia_config::device::Device;
use maud::{Markup, html};

use super::{section, table};
use crate::format::{quantity, rate};
use crate::{Price, Report};

impl Report {
    pub(super) fn price(&self) -> Markup {
        section(
            "price",
            "Price",
            html! {
                p {
                    "What an image costs on each configuration, whatever the noise. Cycles are those of hardware whose weights "
                    "are never late. Read energy is cells read times the published energy of a read; "
                    strong { "the energy of decoders is not modelled" } ", nor that of the array and of the other memories."
                }
                (self.price_table())
                (self.trade_figures())
                h3 { "Devices" }
                (devices(&self.devices))
            },
        )
    }

    fn price_table(&self) -> Markup {
        let energies: Vec<_> = self.prices[0].energy.iter().map(|e| format!("nJ read, {}", e.device)).collect();
        let mut head =
            vec!["network", "preset", "protection", "batch", "cycles", "words read", "cells read", "overhead"];
        head.extend(energies.iter().map(String::as_str));
        head.extend(["LUT4", "FF", "DP16KD", "MULT18X18D"]);
        let recorded = Recorded::read();
        let caption = html! {
            "An image. Overhead: check cells / data cells. LUT4, FF, block RAM (DP16KD) and multipliers (MULT18X18D) of the "
            "whole accelerator on an ECP5: " (recorded.tool) "; recorded from " code { (recorded.command) }
            "; a dash where the rows are of a configuration that is not the preset of today."
            @for energy in &self.prices[0].energy { " Energy of " (energy.device) ": " (doi(&energy.source)) "." }
        };
        table("price", caption, &head, html! { tbody { @for price in &self.prices { (row(price)) } } })
    }

    fn trade_figures(&self) -> Markup {
        let plots = self.trade_plots();
        html! {
            h3 { "Accuracy against price" }
            @if plots.is_empty() {
                p { "With one setup there is nothing to choose from; report on sweeps of two or more presets or protections." }
            } @else {
                div.trio {
                    @for plot in &plots { figure { div.scroll { (plot.inline()) } } }
                }
                p.note {
                    "Filled marks and the line: the front, setups whose mean no other beats at its price. Hollow: beaten. Upright lines: "
                    "95% intervals of the means over seeds; where they overlap, another seed may turn the order. Rates, unless chosen "
                    "with " code { "--ber" } ", are up to three of the sweep, those nearest to a loss of 10, 30 and 50% of the accuracy "
                    "above chance."
                }
            }
        }
    }
}

fn row(price: &Price) -> Markup {
    let dash = || "–".to_owned();
    let area = price.area.as_ref().map(|a| [a.lut4, a.ff, a.dp16kd, a.mult18x18d].map(crate::format::count));
    html! {
        tr {
            th scope="row" { (price.model) }
            td { (price.preset) } td { (price.protection) } td { (price.batch) }
            td { (quantity(price.cycles)) } td { (quantity(price.words_read)) } td { (quantity(price.cells_read)) }
            td { (price.overhead.map_or_else(dash, |share| format!("{:.1}%", 100.0 * share))) }
            @for energy in &price.energy { td { (quantity(energy.nj)) } }
            @for cells in area.unwrap_or_else(|| std::array::from_fn(|_| dash())) { td { (cells) } }
        }
    }
}

/// Every device, with what it publishes.
fn devices(devices: &[Device]) -> Markup {
    let head =
        ["device", "read", "read energy", "SET / RESET", "SET / RESET energy", "raw BER", "HRS / LRS", "endurance"];
    let of = |value: Option<f64>, unit: &str| value.map(|v| format!("{} {unit}", plain(v)));
    let with = |text: Option<String>, more: &Option<String>| match (text, more) {
        (Some(text), Some(more)) => Some(format!("{text} ({more})")),
        (None, Some(more)) => Some(format!("at {more}")),
        (text, None) => text,
    };
    let pair = |a: Option<f64>, b: Option<f64>, unit: &str| Some(format!("{} / {} {unit}", plain(a?), plain(b?)));
    let kilo = |ohm: Option<f64>| ohm.map(|ohm| ohm / 1e3);
    let body = html! {
        tbody {
            @for d in devices {
                tr {
                    th scope="row" { (d.name) small { (doi(&d.source)) } }
                    (published(with(of(d.read_ns, "ns"), &d.read_condition)))
                    (published(of(d.read_pj_per_bit, "pJ/bit")))
                    (published(pair(d.set_ns, d.reset_ns, "ns")))
                    (published(pair(d.set_pj_per_bit, d.reset_pj_per_bit, "pJ/bit")))
                    (published(with(d.raw_ber.map(rate), &d.raw_ber_condition)))
                    (published(pair(kilo(d.hrs_ohm), kilo(d.lrs_ohm), "kohm")))
                    (published(d.endurance_cycles.map(|n| format!("{n:e} cycles"))))
                }
            }
        }
    };
    table("devices", html! { "Figures of the literature; what was not published stays so." }, &head, body)
}

fn published(figure: Option<String>) -> Markup {
    html! { td.text { @match figure { Some(figure) => (figure), None => span.note { "not published" } } } }
}

/// A number without needless digits.
fn plain(value: f64) -> String {
    if value >= 1000.0 { quantity(value) } else { value.to_string() }
}

/// A DOI as a link, anything else as it stands.
fn doi(source: &str) -> Markup {
    html! {
        @if source.starts_with("10.") { a href={ "https://doi.org/" (source) } { (source) } } @else { (source) }
    }
}
