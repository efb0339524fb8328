//! What is drawn while a sweep runs: progress, curves, legend, the last row.

use std::time::Duration;

use hafnia_sweep::{Progress, Row};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis as ChartAxis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph};

use super::curves::{self, Axis, Curves};

const COLOURS: [Color; 6] = [Color::Cyan, Color::Yellow, Color::Green, Color::Magenta, Color::Blue, Color::Red];

/// From this width on the legend stands beside the curves.
const WIDE: u16 = 60;

/// A sweep as far as it is.
pub struct View {
    curves: Curves,
    progress: Progress,
    /// Points behind us before the first that was computed now.
    before: usize,
    /// The last row in words.
    last: String,
    /// What the builder told since.
    notice: Option<String>,
    /// Whether the sweep will end after this point.
    pub stopping: bool,
}

impl View {
    /// Returns the view of a sweep of `total` points with these rows of an earlier run.
    pub fn new<'a>(mut curves: Curves, total: usize, found: impl Iterator<Item = &'a Row>) -> Self {
        found.for_each(|row| curves.add(row));
        let progress = Progress { total, ..Progress::default() };
        Self { curves, progress, before: 0, last: String::new(), notice: None, stopping: false }
    }

    /// Takes what the sweep tells after a point.
    pub fn add(&mut self, progress: Progress, row: Option<&Row>) {
        self.progress = progress;
        match row {
            Some(row) => {
                self.curves.add(row);
                self.last = curves::line(&self.curves.name(row), row);
                self.notice = None;
            }
            // Nothing was computed yet.
            None if self.last.is_empty() => self.before = progress.done,
            None => {}
        }
    }

    /// Shows a notice until the next row.
    pub fn tell(&mut self, notice: String) {
        self.notice = Some(notice);
    }

    /// Draws everything, `elapsed` after the start.
    pub fn draw(&self, frame: &mut Frame<'_>, elapsed: Duration) {
        let [top, middle, last, help] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
            Constraint::Length(u16::from(frame.area().height >= 10 || self.stopping)),
        ])
        .areas(frame.area());
        let Progress { done, total, .. } = self.progress;
        let gauge = LineGauge::default().ratio(done as f64 / total.max(1) as f64).label(self.status(elapsed));
        frame.render_widget(gauge.filled_style(Style::new().fg(Color::Green)), top);
        let [chart, legend] = self.split(middle);
        self.draw_curves(frame, chart);
        self.draw_legend(frame, legend);
        // The end of a row says most: rate, seed, accuracy.
        let hidden = self.last.chars().count().saturating_sub(last.width as usize);
        let row = || self.last.chars().skip(hidden).collect();
        frame.render_widget(Paragraph::new(self.notice.clone().unwrap_or_else(row)), last);
        let text =
            if self.stopping { "stopping after this point; q again: at once" } else { "q: stop after this point" };
        frame.render_widget(Paragraph::new(text), help);
    }

    /// Room for the curves, and for the legend beside or below them.
    fn split(&self, area: Rect) -> [Rect; 2] {
        let names = self.curves.list.iter().map(|curve| curve.name.chars().count());
        let (longest, count) = (names.clone().max().unwrap_or(0) as u16, names.len() as u16);
        let layout = if area.width >= WIDE {
            Layout::horizontal([Constraint::Min(1), Constraint::Length((longest + 3).min(area.width / 2))])
        } else {
            Layout::vertical([Constraint::Min(1), Constraint::Length(count.min(area.height / 5))])
        };
        layout.areas(area)
    }

    fn status(&self, elapsed: Duration) -> String {
        let Progress { done, total, .. } = self.progress;
        let eta = match (done - self.before) as u32 {
            0 => "-".to_owned(),
            now => clock(elapsed / now * (total - done) as u32),
        };
        format!("{done}/{total} points {} ETA {eta}", clock(elapsed))
    }

    fn draw_curves(&self, frame: &mut Frame<'_>, area: Rect) {
        let axis = Axis::new(&self.curves.rates);
        let points = self.curves.list.iter().map(|curve| {
            let points = self.curves.points(curve);
            points.map(|(rate, mean)| (axis.position(rate), 100.0 * mean)).collect::<Vec<_>>()
        });
        let points: Vec<_> = points.collect();
        let dataset = |i: usize, marker, kind| {
            Dataset::default().data(&points[i]).marker(marker).graph_type(kind).style(colour(i))
        };
        // All letters above all lines.
        let lines = (0..points.len()).map(|i| dataset(i, Marker::Braille, GraphType::Line));
        let letters = (0..points.len()).map(|i| dataset(i, Marker::Custom(letter(i)), GraphType::Scatter));
        let x = ChartAxis::default().bounds([f64::from(axis.first), f64::from(axis.last)]);
        let y = ChartAxis::default().bounds([0.0, 100.0]).labels(["0 %", "50 %", "100 %"]);
        let named = Block::new().title("mean top-1 against bit-error rate");
        let block = if area.height < 12 { Block::new() } else { named };
        let chart = Chart::new(lines.chain(letters).collect()).legend_position(None).block(block);
        let chart = chart.x_axis(x.labels(axis.labels(area.width.saturating_sub(6)))).y_axis(y);
        frame.render_widget(chart, area);
    }

    /// As many names as there is room for, the last one with the number of those left out.
    fn draw_legend(&self, frame: &mut Frame<'_>, area: Rect) {
        let list = &self.curves.list;
        let shown = list.len().min(area.height as usize);
        let more = list.len() - shown;
        let lines = list[..shown].iter().enumerate().map(|(i, curve)| {
            let more = if more > 0 && i + 1 == shown { format!(" (+{more})") } else { String::new() };
            Line::from(vec![
                Span::styled(format!(" {} ", letter(i)), colour(i)),
                format!("{}{more}", curve.name).into(),
            ])
        });
        frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
    }
}

fn letter(i: usize) -> char {
    char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 52])
}

fn colour(i: usize) -> Style {
    Style::new().fg(COLOURS[i % COLOURS.len()])
}

/// Minutes and seconds, with hours when there are some.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn row(preset: &str, ber: f64, top1: f64) -> Row {
        Row { model: "vgg".into(), preset: preset.into(), ber_requested: ber, top1, ..Row::default() }
    }

    /// Two setups of three rates; the first is finished, of the second there is no row.
    fn view() -> View {
        let plan: Vec<_> =
            ["4x4", "8x8"].iter().flat_map(|preset| [0.0, 1e-4, 1e-2].map(|ber| row(preset, ber, 0.0))).collect();
        let mut view = View::new(Curves::new(plan.iter()), 6, [row("4x4", 0.0, 1.0)].iter());
        view.add(Progress { done: 1, total: 6, ..Progress::default() }, None);
        view.add(Progress { done: 2, total: 6, ..Progress::default() }, Some(&row("4x4", 1e-4, 1.0)));
        view.add(Progress { done: 3, total: 6, ..Progress::default() }, Some(&row("4x4", 1e-2, 0.0)));
        view
    }

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame, Duration::from_secs(60))).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect()
    }

    #[test]
    fn curves_legend_progress_and_last_row_are_where_they_belong() {
        let lines = drawn(&view(), 80, 24);
        // Two points took a minute, three are to come.
        assert!(lines[0].starts_with("3/6 points 1:00 ETA 1:30 "), "{lines:#?}");
        assert_eq!(lines[22], "vgg 4x4 ber 1e-2 seed 0: 0.0 %");
        assert_eq!(lines[23], "q: stop after this point");
        assert!(lines[1].starts_with("mean top-1") && lines[1].ends_with(" a vgg 4x4"), "{lines:#?}");
        assert!(lines[2].ends_with(" b vgg 8x8"), "{lines:#?}");
        // 100% from rate 0 to 1e-4, in the middle of the axis, then down to 0% at its right end.
        let at = |line: &str| line.chars().enumerate().filter(|c| c.1 == 'a').map(|c| c.0).collect::<Vec<_>>();
        let (left, middle, right) = (6, at(&lines[2])[1], at(&lines[19])[0]);
        assert!(at(&lines[2])[0] == left && middle.abs_diff((left + right).div_ceil(2)) <= right / 6, "{lines:#?}");
        let dots = |line: &String| line.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        assert!(lines[2..19].iter().all(dots), "{lines:#?}");
        assert!(lines[21].trim_start().starts_with("0 ") && lines[21].contains("1e-2"), "{lines:#?}");
    }

    #[test]
    fn a_small_window_keeps_progress_curve_and_accuracy() {
        let lines = drawn(&view(), 30, 8);
        assert!(lines[0].starts_with("3/6 points 1:00 ETA 1:30"), "{lines:#?}");
        assert!(lines[1..5].iter().any(|line| line.contains('a')), "{lines:#?}");
        assert!(lines[6].contains("a vgg 4x4 (+1)") && lines[7].ends_with("seed 0: 0.0 %"), "{lines:#?}");
        for size in [(1, 1), (3, 2), (200, 1), (1, 60)] {
            assert_eq!(drawn(&view(), size.0, size.1).len(), usize::from(size.1));
        }
    }

    #[test]
    fn notices_and_the_end_are_told() {
        let mut view = view();
        view.tell("building the model of 8x8".to_owned());
        view.stopping = true;
        let lines = drawn(&view, 80, 24);
        assert_eq!(lines[22..], ["building the model of 8x8", "stopping after this point; q again: at once"]);
        view.add(Progress { done: 4, total: 6, ..Progress::default() }, Some(&row("8x8", 0.0, 0.5)));
        assert_eq!(drawn(&view, 80, 24)[22], "vgg 8x8 ber 0 seed 0: 50.0 %");
    }
}
