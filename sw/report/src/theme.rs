//! Colours, light and dark, and the style sheets that use them.
//!
//! The series are the colours of Okabe and Ito (2008), told apart under every common colour blindness; the steps of the
//! maps differ in lightness alone.

/// A colour's name, and its value in light and in dark.
type Colour = (&'static str, &'static str, &'static str);

const COLOURS: [Colour; 26] = [
    ("page", "#ffffff", "#15171a"),
    ("panel", "#f6f6f3", "#1d2024"),
    ("ink", "#1b1d20", "#e9e9e6"),
    ("quiet", "#5d6168", "#a3a8b0"),
    ("rule", "#dddcd6", "#363a41"),
    ("link", "#0b5c94", "#7cc0f0"),
    ("warn", "#8a4b00", "#f2b866"),
    ("warn-panel", "#fdf3e1", "#2e2415"),
    ("s0", "#0072b2", "#4ea8e0"),
    ("s1", "#d55e00", "#f0813a"),
    ("s2", "#009e73", "#2bbd94"),
    ("s3", "#b5578f", "#d98bb9"),
    ("s4", "#c98a00", "#e6b23c"),
    ("s5", "#3f9fd6", "#8fd0f5"),
    ("s6", "#4d4f53", "#c9ccd1"),
    ("h0", "#ebecea", "#272c32"),
    ("h1", "#dfe6eb", "#22313f"),
    ("h2", "#d3e0ec", "#1f3850"),
    ("h3", "#b3cee4", "#204767"),
    ("h4", "#8db8d9", "#1f5a83"),
    ("h5", "#659fcb", "#2672a3"),
    ("h6", "#3f84b9", "#4690c2"),
    ("h7", "#1f689f", "#79b1da"),
    ("h8", "#0b4a7c", "#b4d6ef"),
    ("on-low", "#1b1d20", "#e9e9e6"),
    ("on-high", "#ffffff", "#0d1620"),
];

/// Series that have a colour of their own; the next ones differ by their marks.
pub const SERIES: usize = 7;
/// Steps of a map.
pub const STEPS: usize = 9;

/// Returns the variables, dark ones on dark screens alone: paper is white.
fn variables() -> String {
    let list = |of: fn(&Colour) -> &'static str| -> String {
        COLOURS.iter().map(|colour| format!("--{}:{};", colour.0, of(colour))).collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n",
        list(|c| c.1),
        list(|c| c.2)
    )
}

/// Returns the style of a plot. A program that knows no variables, as those that turn SVG into PDF, finds the light colour
/// in the line before.
pub fn plot_style() -> String {
    let mut style = variables() + include_str!("plot.css");
    for i in 0..SERIES {
        style.push_str(&format!(".s{i} .stroke, .s{i} .mark {{\nstroke: var(--s{i});\n}}\n"));
        style.push_str(&format!(".s{i} .mark, .s{i} .band {{\nfill: var(--s{i});\n}}\n"));
    }
    for i in 0..STEPS {
        let on = if i < 5 { "on-low" } else { "on-high" };
        style.push_str(&format!(".h{i} rect {{\nfill: var(--h{i});\n}}\n.h{i} text {{\nfill: var(--{on});\n}}\n"));
    }
    style.lines().fold(String::new(), |all, line| match light(line) {
        Some(light) => all + &light + "\n" + line + "\n",
        None => all + line + "\n",
    })
}

/// Returns the style of the page and its plots.
pub fn page_style() -> String {
    plot_style() + include_str!("page.css")
}

/// The line with the light colour in the place of the variable, if it has one.
fn light(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("var(--")?;
    let (name, after) = rest.split_once(')')?;
    let colour = COLOURS.iter().find(|colour| colour.0 == name)?;
    Some(format!("{before}{}{after}", colour.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_a_colour_and_a_fallback() {
        let style = plot_style();
        let lines: Vec<&str> = style.lines().collect();
        let mut used = 0;
        for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("var(--")) {
            assert_eq!(light(line).as_deref(), Some(lines[i - 1]), "{line}");
            used += 1;
        }
        assert!(used > 20);
        for name in page_style().split("var(--").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(COLOURS.iter().any(|colour| colour.0 == name), "no colour `{name}`");
        }
    }
}
