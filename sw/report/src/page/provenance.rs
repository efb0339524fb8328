//! Where the figures come from and how to get them again.

use maud::{Markup, html};
use serde_json::Value;

use super::{distinct, section, table};
use crate::format::{count, rate};
use crate::setup::{Setup, grouped};
use crate::{Report, Source};

impl Report {
    pub(super) fn provenance(&self) -> Markup {
        section(
            "provenance",
            "Provenance",
            html! {
                p { "The same program and the same rows give this page again, byte for byte:" }
                pre { code { (self.request.command()) } }
                @for (number, source) in (1..).zip(&self.sources) { (folder(number, source)) }
                h3 { "Networks" }
                (self.networks())
                h3 { "Hardware" }
                (self.hardware())
            },
        )
    }

    fn networks(&self) -> Markup {
        let networks = distinct(self.curves.iter().map(|c| (&c.setup.model, &c.setup.model_sha256)));
        let body = html! {
            tbody {
                @for (name, sha256) in networks {
                    tr { th scope="row" { (name) } td.text.wide { code { (sha256) } } }
                }
            }
        };
        table("networks", html! { "int8 model files" }, &["network", "SHA-256"], body)
    }

    fn hardware(&self) -> Markup {
        let used = self.curves.iter().map(|curve| &curve.setup);
        let used = grouped(used, |setup| (&setup.preset, &setup.config_hash));
        let head = [
            "preset",
            "rows x cols",
            "weight words",
            "map words",
            "accumulators",
            "parameters",
            "descriptors",
            "codeword",
            "injector",
            "clock to aim for",
            "hash",
        ];
        let body = html! { tbody { @for (_, setups) in used { (preset(setups[0])) } } };
        table(
            "hardware",
            html! {
                "Configurations. Depths of the memories in words, see docs/configuration.md; both feature-map memories have "
                "this depth."
            },
            &head,
            body,
        )
    }
}

impl crate::Request {
    /// The command that makes the report again.
    fn command(&self) -> String {
        let mut words = vec!["hafnia".to_owned(), "report".to_owned()];
        words.extend(self.folders.iter().map(|folder| quoted(&folder.display().to_string())));
        words.extend(["-o".to_owned(), quoted(&self.output.display().to_string())]);
        if let Some(folder) = &self.svg {
            words.extend(["--svg".to_owned(), quoted(&folder.display().to_string())]);
        }
        if !self.ber.is_empty() {
            words.extend(["--ber".to_owned(), self.ber.iter().map(|&ber| rate(ber)).collect::<Vec<_>>().join(",")]);
        }
        words.join(" ")
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn folder(number: usize, source: &Source) -> Markup {
    let folder = source.folder.display().to_string();
    let plan = &source.plan;
    let images = &plan["images"];
    let end = images["first"].as_u64().unwrap_or(0) + images["count"].as_u64().unwrap_or(0);
    let facts = [
        ("version", source.version.clone()),
        (
            "rows",
            format!(
                "{}{}",
                count(source.rows as u64),
                source.points.map_or_else(String::new, |n| format!(" of {} points", count(n)))
            ),
        ),
        ("engines", text(&plan["engines"])),
        ("protection", unless_null(&plan["protection"], "that of the configurations")),
        ("bit-error rates", text(&plan["ber"])),
        ("bits at risk", unless_null(&plan["bits"], "all")),
        ("layers at risk", unless_null(&plan["layers"], "all")),
        ("seeds", text(&plan["seeds"])),
        ("images", format!("{}, {} to {}", text(&images["data"]), text(&images["first"]), end.saturating_sub(1))),
        ("SHA-256 of the images", text(&images["sha256"])),
        ("batch", unless_null(&plan["batch"], "as many as fit")),
        ("early stopping", stopping(&plan["stop"])),
        ("share audited", unless_null(&plan["audit"], "none")),
        ("Verilog", unless_null(&plan["rtl_crc32"], "as generated")),
    ];
    html! {
        h3 { "Sweep " code { (folder) } }
        (table(&format!("sweep-{number}"), html! { "Facts of the plan" }, &["fact", "value"], html! {
            tbody { @for (name, value) in facts { tr { th scope="row" { (name) } td.text.wide { (value) } } } }
        }))
        p { "The sweep file. Its paths are relative to the folder in which it was; from there," }
        pre { code { "hafnia sweep FILE.toml -o " (quoted(&folder)) } }
        p { "with " code { "FILE.toml" } ":" }
        pre { code { (source.sweep) } }
    }
}

/// A fact of a plan, or what its absence means.
fn stopping(stop: &Value) -> String {
    if stop.is_null() {
        return "none".to_owned();
    }
    format!("at an interval of {} of top-1, after {} seeds at least", text(&stop["width"]), text(&stop["at_least"]))
}

fn unless_null(value: &Value, absent: &str) -> String {
    if value.is_null() { absent.to_owned() } else { text(value) }
}

/// A fact of a plan: numbers in lists as they were asked for, lists in lists in brackets.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) if values.iter().any(Value::is_array) => value.to_string(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, rate),
        other => other.to_string(),
    }
}

fn preset(setup: &Setup) -> Markup {
    let hash = &*setup.config_hash;
    html! {
        tr {
            th scope="row" { (setup.preset) }
            @match setup.hardware() {
                Some(hw) => {
                    @let memory = &hw.config.memory;
                    td { (hw.rows) " x " (hw.cols) }
                    @for depth in [memory.weight_words, memory.map_words, memory.accumulator_words, memory.parameter_words,
                        memory.program_descriptors] { td { (count(depth.into())) } }
                    td { (hw.codeword_bits) " cells" }
                    td { (hw.config.injector) }
                    td { (hw.config.clock_mhz) " MHz" }
                }
                None => { td.text colspan="9" { "not the preset of today" } }
            }
            td { code title=(hash) { (hash.get(..12).unwrap_or(hash)) } }
        }
    }
}
