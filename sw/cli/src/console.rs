//! What every subcommand shares: results, progress and errors.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

/// Where results and progress go.
pub struct Console {
    /// One JSON object instead of text.
    pub json: bool,
}

/// Why a command could not run: the message and, where there is more to say, the next step.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: Option<String>,
}

impl Failure {
    /// A failure with its next step.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Many errors already repeat their cause in their own text.
            if !message.contains(&cause.to_string()) {
                message.push_str(&format!("\n  because: {cause}"));
            }
            source = cause.source();
        }
        Self { message, help: None }
    }
}

impl Console {
    /// Prints `text`, or `value` as JSON when asked. A reader that has seen enough is no error.
    pub fn result(&self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let line = if self.json {
            serde_json::to_string(value).expect("results are plain data")
        } else {
            text.trim_end().to_owned()
        };
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::new(format!("cannot write the result to stdout: {error}"), "run the command again"))
            }
            _ => Ok(()),
        }
    }

    /// Prints why the command could not run.
    pub fn failure(&self, failure: &Failure) {
        let mut report = miette::MietteDiagnostic::new(&failure.message);
        if let Some(help) = &failure.help {
            report = report.with_help(help);
        }
        // What is no terminal gets whole lines, in which a name or number is never cut in two.
        let wraps = std::io::stderr().is_terminal();
        let handler = move |_: &_| -> Box<dyn miette::ReportHandler> {
            Box::new(miette::MietteHandlerOpts::new().wrap_lines(wraps).build())
        };
        miette::set_hook(Box::new(handler)).expect("one failure ends the program");
        eprintln!("{:?}", miette::Report::new(report));
    }

    /// Returns what shows that a tool is at work and at what, drawn on stderr while that is a terminal.
    pub fn spinner(&self) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}").expect("the template is fixed");
        let spinner = ProgressBar::with_draw_target(None, stderr()).with_style(style);
        spinner.enable_steady_tick(Duration::from_millis(200));
        spinner
    }

    /// Returns a progress bar with rate and time left, drawn on stderr while that is a terminal.
    pub fn bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec} ETA {left}")
            .expect("the template is fixed")
            // Nothing is known of the time left before the first is done.
            .with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                let _ = match state.pos() {
                    0 => write!(text, "?"),
                    _ => write!(text, "{:#}", HumanDuration(state.eta())),
                };
            });
        let bar = ProgressBar::with_draw_target(Some(total), stderr()).with_style(style).with_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Where progress is drawn.
fn stderr() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
