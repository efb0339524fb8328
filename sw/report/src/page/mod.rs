//! The page.

mod accuracy;
mod codes;
mod price;
mod provenance;
mod sensitivity;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::format::{count, located, percent};
use crate::midpoint::Crossing;
use crate::theme::page_style;
use crate::{Audit, Curve, Report};

/// Nothing is loaded from anywhere: a browser is told to refuse it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

impl Report {
    /// Returns the page.
    pub fn html(&self) -> String {
        let models = distinct(self.curves.iter().map(|curve| &*curve.setup.model));
        let title = format!("{} under memory noise", models.join(", "));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content={ "hafnia " (env!("CARGO_PKG_VERSION")) };
                    link rel="icon" href="data:,";
                    title { (title) }
                    style { (PreEscaped(page_style())) }
                }
                body { (self.body(&title)) script { (PreEscaped(include_str!("legend.js"))) } }
            }
        };
        page.into_string() + "\n"
    }

    fn body(&self, title: &str) -> Markup {
        html! {
            header {
                p.eyebrow { "Hafnia report" }
                h1 { (title) }
                p.lede { (self.lede()) }
                @for warning in &self.warnings {
                    p.warning role="alert" { strong { "Warning. " } (warning) }
                }
                (self.facts())
                nav aria-label="Sections" {
                    ul {
                        @for (id, name) in [
                            ("accuracy", "Accuracy"), ("midpoints", "Midpoints"), ("sensitivity", "Sensitivity"),
                            ("price", "Price"), ("audit", "Audit"), ("provenance", "Provenance"),
                        ] { li { a href={ "#" (id) } { (name) } } }
                    }
                }
            }
            main {
                (self.accuracy())
                (self.midpoints())
                (self.sensitivity())
                (self.price())
                (self.audited())
                (self.provenance())
            }
            footer { "Written by hafnia " (env!("CARGO_PKG_VERSION")) ". docs/report.md defines every figure." }
        }
    }

    fn lede(&self) -> String {
        let curves = &self.curves;
        let rows: usize = curves.iter().flat_map(|c| c.points.iter().map(|p| p.seeds)).sum();
        let engines = distinct(curves.iter().map(|c| &*c.setup.engine)).join(" and ");
        let presets = distinct(curves.iter().map(|c| &*c.setup.preset)).join(", ");
        let data = distinct(curves.iter().map(|c| &*c.setup.data)).join(" and ");
        let rates = distinct(curves.iter().flat_map(|c| c.points.iter().map(|p| p.ber.to_bits()))).len();
        format!(
            "Top-1 of int8 networks that are read through noisy memory cells: {} rows; \
             engine {engines}; presets {presets}; {rates} bit-error rates; test images of {data}.",
            count(rows as u64)
        )
    }

    /// The figures to see first.
    fn facts(&self) -> Markup {
        let whole = self.whole();
        let clean = range(whole.iter().filter_map(|curve| curve.clean).collect(), percent);
        let middle = |curve: &&Curve| match curve.midpoints.as_ref()?.interpolated.ber {
            Crossing::At(ber) => Some(ber),
            _ => None,
        };
        let middles = range(whole.iter().filter_map(middle).collect(), located);
        let unmet = if whole.iter().any(|curve| curve.midpoints.is_some()) { "not reached" } else { "unknown" };
        let seeds = whole.iter().flat_map(|c| c.points.iter().map(|p| p.seeds as u64)).max().unwrap_or(0);
        let images = range(whole.iter().map(|c| c.setup.images as f64).collect(), |n| count(n as u64));
        let fact =
            |name: &str, value: Markup, more: &str| html! { div { dt { (name) } dd { (value) small { (more) } } } };
        let or = |value: Option<String>, other: &str| html! { (value.as_deref().unwrap_or(other)) };
        let Audit { audited, of, simulated, differing } = self.audit;
        let (audited, what) = match (differing, audited) {
            (1.., _) => ("differs".to_owned(), "the RTL from the golden model, see the warning"),
            (_, 0) if simulated == of => ("none".to_owned(), "all results are of the hardware itself"),
            (_, 0) => ("none".to_owned(), "of the results, on simulated RTL"),
            _ => (count(audited), "of the results, on simulated RTL"),
        };
        html! {
            dl.facts {
                (fact("Clean top-1", or(clean, "unknown"), "rate 0"))
                (fact("Midpoint", or(middles, unmet), "BER, half of the accuracy left, interpolated"))
                (fact("Images", or(images, "none"), "each seed and rate"))
                (fact("Seeds", html! { (seeds) }, "at most, a rate"))
                (fact("Audited", html! { (audited) }, what))
            }
        }
    }

    fn audited(&self) -> Markup {
        let Audit { audited, of, simulated, differing } = self.audit;
        section(
            "audit",
            "Audit",
            html! {
                @if differing > 0 {
                    p.warning {
                        strong { "The RTL and the golden model differ. " } "The warning at the top names the place. What follows is of the "
                        "rows before it."
                    }
                }
                @if simulated > 0 {
                    p { strong { (count(simulated)) } " results were computed on the hardware itself, simulated or on a board." }
                }
                @if audited == 0 && simulated < of {
                    p {
                        strong { "Not audited: " } "none of the " (count(of - simulated)) " results of the golden model, pairs of a point and "
                        "an image, was run again on the simulated RTL by the sweep. The line " code { "audit = 0.002" } " in the sweep file "
                        "makes it so for one pair in 500."
                    }
                } @else if audited > 0 {
                    p {
                        strong { (count(audited)) " of " (count(of)) } " results, pairs of a point and an image, were run again "
                        "on the simulated RTL. None of these differed: a sweep stops at the first that does, and does not write its row."
                    }
                }
            },
        )
    }
}

/// A part of the page with its heading.
fn section(id: &str, heading: &str, content: Markup) -> Markup {
    html! { section id=(id) aria-labelledby={ (id) "-heading" } { h2 id={ (id) "-heading" } { (heading) } (content) } }
}

/// A table that scrolls where it is too wide, under its caption; `head` holds the header row, `body` the rows.
fn table(id: &str, caption: Markup, head: &[&str], body: Markup) -> Markup {
    html! {
        p.caption id={ (id) "-caption" } { (caption) }
        div.scroll tabindex="0" role="region" aria-labelledby={ (id) "-caption" } {
            table id={ (id) "-table" } aria-labelledby={ (id) "-caption" } {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                (body)
            }
        }
    }
}

/// The values, each once, in order of first appearance.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut known, value| {
        if !known.contains(&value) {
            known.push(value);
        }
        known
    })
}

/// The least and the largest value, as one text; none of none.
fn range(values: Vec<f64>, shown: impl Fn(f64) -> String) -> Option<String> {
    let low = shown(values.iter().copied().reduce(f64::min)?);
    let high = shown(values.iter().copied().reduce(f64::max)?);
    Some(if low == high { low } else { format!("{low} – {high}") })
}
