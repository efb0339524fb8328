//! What the decoders of codes did.

use maud::{Markup, html};

use super::table;
use crate::format::{count, rate};
use crate::{Curve, Decoded, Report, labels};

impl Report {
    /// The counts of every point with a code; nothing where no curve has one.
    pub(super) fn codes(&self) -> Markup {
        let whole = self.whole();
        let coded = |curve: &Curve| curve.points.iter().any(|point| point.weights.is_some() || point.biases.is_some());
        let curves: Vec<_> = labels(&whole).into_iter().zip(whole).filter(|(_, curve)| coded(curve)).collect();
        if curves.is_empty() {
            return html! {};
        }
        let of_site = ["check cells", "corrected", "detected", "silent"];
        let names: Vec<_> =
            ["weights", "biases"].iter().flat_map(|site| of_site.map(|name| format!("{site}: {name}"))).collect();
        let head: Vec<_> = ["BER", "seeds"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let body = html! {
            @for (label, curve) in &curves {
                tbody.group {
                    tr { th scope="rowgroup" colspan=(head.len()) { (label) } }
                    @for point in &curve.points {
                        tr {
                            th scope="row" { (rate(point.ber)) }
                            td { (point.seeds) }
                            (counts(point.weights.as_ref()))
                            (counts(point.biases.as_ref()))
                        }
                    }
                }
            }
        };
        let caption = html! {
            "What decoders did, all images and seeds together: check cells read wrong; codewords of secded, or weights and biases of other "
            "codes, in which errors were corrected, detected and left, or silent: read wrong without being detected, which the "
            "golden model alone knows."
        };
        table("codes", caption, &head, body)
    }
}

/// The cells of one memory.
fn counts(decoded: Option<&Decoded>) -> Markup {
    let dash = || "–".to_owned();
    let counts = decoded.map(|of| [Some(of.flips_check), Some(of.corrected), Some(of.detected), of.silent]);
    html! { @for number in counts.unwrap_or_default() { td { (number.map_or_else(dash, count)) } } }
}
