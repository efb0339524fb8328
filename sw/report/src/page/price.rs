//! What each setup costs, and which one to take.

use hafnia_config::device::Device;
use hafnia_config::price::Record;
use maud::{Markup, html};

use super::{section, table};
use crate::format::quantity;
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
        let record = Record::built_in();
        let caption = html! {
            "An image. Overhead: check cells / data cells. LUT4, FF, block RAM (DP16KD) and multipliers (MULT18X18D) of the "
            "whole accelerator on an ECP5, without injectors, which no product would have: " (record.synthesis.tool)
            ", not routed, as " code { "hafnia price" } " shows it; a dash for an array that is not recorded."
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
    let area = price.area.map(|a| [a.lut4, a.ff, a.dp16kd, a.mult18x18d].map(crate::format::count));
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
    let mut head = vec!["device"];
    head.extend(devices.first().iter().flat_map(|device| device.figures()).map(|figure| figure.name));
    let body = html! {
        tbody {
            @for device in devices {
                tr {
                    th scope="row" { (device.name) small { (doi(&device.source)) } }
                    @for figure in device.figures() {
                        td.text { @if figure.value.is_some() { (figure) } @else { span.note { (figure) } } }
                    }
                }
            }
        }
    };
    table("devices", html! { "Figures of the literature; what was not published stays so." }, &head, body)
}

/// A DOI as a link, anything else as it stands.
fn doi(source: &str) -> Markup {
    html! {
        @if source.starts_with("10.") { a href={ "https://doi.org/" (source) } { (source) } } @else { (source) }
    }
}
