//! Plots as SVG: scales, axes, marks and legends.

mod accuracy;
mod heat;
mod trade;

pub use accuracy::accuracy;
pub use heat::heat;
pub use trade::trade;

use maud::{Markup, PreEscaped, html};

use crate::theme::{SERIES, plot_style};

/// One plot.
#[derive(Debug)]
pub struct Plot {
    /// Name of its file, without the ending.
    pub name: String,
    /// What it shows, for those who do not see it.
    pub label: String,
    width: f64,
    height: f64,
    body: Markup,
}

impl Plot {
    /// Returns it as a part of the page.
    pub fn inline(&self) -> Markup {
        let Self { name, label, width, height, body } = self;
        let class = if *width > 600.0 { "plot wide" } else { "plot" };
        html! {
            svg class=(class) id={ "plot-" (name) } viewBox=(format!("0 0 {width} {height}")) role="img"
                aria-label=(label) { (body) }
        }
    }

    /// Returns it as a file of its own.
    pub fn file(&self) -> String {
        let Self { label, width, height, body, .. } = self;
        let markup = html! {
            svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox=(format!("0 0 {width} {height}")) width=(width)
                height=(height) role="img" aria-label=(label) {
                style { (PreEscaped(plot_style() + "svg {\nbackground: var(--page);\n}\n")) }
                (body)
            }
        };
        markup.into_string() + "\n"
    }
}

/// The part of a plot that axes enclose, in its units.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    /// Height of top-1 `share` where the axis ends at `most`.
    fn y(&self, share: f64, most: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * share.clamp(0.0, most) / most
    }

    /// Grid and labels of top-1 from 0 to `most`.
    fn accuracy_axis(&self, most: f64) -> Markup {
        let step = if most > 0.5 { 20 } else { 10 };
        html! {
            @for percent in (0..=(100.0 * most).round() as u32).step_by(step) {
                @let y = at(self.y(f64::from(percent) / 100.0, most));
                line.grid x1=(self.left) x2=(self.right) y1=(y) y2=(y) {}
                text.quiet.end x=(self.left - 8.0) y=(y) dy="0.32em" { (percent) "%" }
            }
            text.quiet.small x=(self.left) y=(self.top - 8.0) { "top-1" }
        }
    }

    /// The line of a network that guesses.
    fn chance(&self, chance: f64, most: f64) -> Markup {
        let y = self.y(chance, most);
        html! {
            line.chance x1=(self.left) x2=(self.right) y1=(at(y)) y2=(at(y)) {}
            text.quiet.small x=(self.left + 6.0) y=(at(y - 5.0)) { "chance" }
        }
    }
}

/// The end of an axis of top-1 that must hold `largest`: the next ten percent.
fn most(largest: f64) -> f64 {
    ((10.0 * largest).ceil() / 10.0).clamp(0.2, 1.0)
}

/// A coordinate with two decimals: the same bytes, fewer of them.
fn at(value: f64) -> f64 {
    (100.0 * value).round() / 100.0
}

/// A path through points.
fn path(points: &[(f64, f64)]) -> String {
    let steps = points.iter().enumerate();
    steps.map(|(i, (x, y))| format!("{}{} {}", if i == 0 { 'M' } else { 'L' }, at(*x), at(*y))).collect()
}

/// The class of a series.
fn series(number: usize) -> String {
    format!("s{}", number % SERIES)
}

/// The mark of a series at a point: circle, square, diamond, triangle. Seven colours and four marks are 28 pairs.
fn mark(number: usize, x: f64, y: f64) -> Markup {
    let (x, y) = (at(x), at(y));
    let shape = match number % 4 {
        0 => format!("M{} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", at(x - 4.0)),
        1 => format!("M{} {}h7v7h-7Z", at(x - 3.5), at(y - 3.5)),
        2 => format!("M{x} {}l5 5l-5 5l-5 -5Z", at(y - 5.0)),
        _ => format!("M{x} {}l5 8.5h-10Z", at(y - 5.0)),
    };
    html! { path.mark d=(shape) {} }
}

/// Width of a text of 13 px, about.
fn text_width(text: &str) -> f64 {
    7.0 * text.chars().count() as f64
}

/// Height of a line of a legend.
const LINE: f64 = 20.0;

/// A legend of series, as many in a line as fit, and its height.
fn legend(labels: &[String], left: f64, right: f64) -> (Markup, f64) {
    let (mut x, mut y, mut places) = (left, LINE / 2.0, Vec::new());
    for label in labels {
        let width = text_width(label) + 44.0;
        if x > left && x + width > right {
            (x, y) = (left, y + LINE);
        }
        places.push((x, y));
        x += width;
    }
    let markup = html! {
        @for (i, (label, &(x, y))) in labels.iter().zip(&places).enumerate() {
            g class={ "key " (series(i)) } data-series=(i) {
                rect.hit x=(x) y=(y - LINE / 2.0) width=(text_width(label) + 36.0) height=(LINE) {}
                path.stroke d=(path(&[(x, y), (x + 22.0, y)])) {}
                (mark(i, x + 11.0, y))
                text x=(x + 29.0) y=(y) dy="0.34em" { (label) }
            }
        }
    };
    (markup, y + LINE / 2.0)
}

/// Steps of 1, 2 or 5 times a power of ten, about five of them from 0 to `largest`.
fn ticks(largest: f64) -> Vec<f64> {
    let rough = largest / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|&s| s * power >= rough).unwrap_or(10.0);
    (0..).map(|i| f64::from(i) * step).take_while(|&tick| tick <= largest * (1.0 + 1e-9)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(41_251.0), [0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0]);
    }

    #[test]
    fn a_legend_breaks_its_lines() {
        let labels = vec!["a network on a preset".to_owned(); 5];
        assert_eq!(legend(&labels, 0.0, 1000.0).1, LINE);
        assert_eq!(legend(&labels, 0.0, 400.0).1, 3.0 * LINE);
    }

    #[test]
    fn a_file_holds_its_style_and_escapes_its_text() {
        let (legend, height) = legend(&["<b>".to_owned()], 0.0, 100.0);
        let plot = Plot { name: "a".into(), label: "\"<b>\"".into(), width: 100.0, height, body: legend };
        let file = plot.file();
        assert!(file.contains("xmlns=") && file.contains("prefers-color-scheme") && !file.contains("<b>"), "{file}");
    }
}
