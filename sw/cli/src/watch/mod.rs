//! `hafnia sweep --watch`: curves on a terminal, else a line for each finished point.

mod curves;
mod screen;
mod view;

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use hafnia_sweep::{Machine, Plan, Point, Progress, Row, Store, SweepError};
use hafnia_verilate::Builder;

use crate::console::{Console, Failure};
use crate::signals;
use curves::Curves;
use screen::Screen;
use view::View;

/// Time between two drawings.
const PERIOD: Duration = Duration::from_millis(100);

/// Runs a sweep under the eyes of the user, who can end it after any point.
pub fn run(plan: &Plan, store: &mut Store, machine: Machine<'_>, console: &Console) -> Result<Ended, Failure> {
    let curves = Curves::new(plan.points.iter().map(Point::row));
    if stderr().is_terminal() {
        drawn(plan, store, machine, curves, console)
    } else {
        logged(plan, store, machine, &curves)
    }
}

/// How the sweep itself ended.
pub type Ended = Result<Progress, SweepError>;

fn logged(plan: &Plan, store: &mut Store, machine: Machine<'_>, curves: &Curves) -> Result<Ended, Failure> {
    let end = signals::asked_to_end()?;
    Ok(hafnia_sweep::run(plan, store, machine, &mut |progress, row| {
        if let Some(row) = row {
            let line = curves::line(&curves.name(row), row);
            // A reader that has seen enough does not end the sweep.
            _ = writeln!(stderr(), "{}/{} {line}", progress.done, progress.total);
        }
        signals::flow(&end)
    }))
}

fn drawn(
    plan: &Plan,
    store: &mut Store,
    machine: Machine<'_>,
    curves: Curves,
    console: &Console,
) -> Result<Ended, Failure> {
    let end = signals::told()?;
    let view = View::new(curves, store.points(plan).len(), store.known_rows());
    let screen = Screen::open().map_err(lost)?;
    let (news, inbox) = channel();
    let end = &*end;
    std::thread::scope(|scope| {
        let painter = scope.spawn(move || {
            let painted = paint(screen, view, &inbox, end, console);
            // Nobody sees the sweep any more.
            painted.inspect_err(|_| end.store(true, Ordering::SeqCst))
        });
        let result = compute(plan, store, machine, news, end);
        painter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(lost)?;
        Ok(result)
    })
}

/// What the sweep tells the painter. The end of the channel is the end of the sweep.
enum News {
    Point(Progress, Option<Box<Row>>),
    Notice(String),
}

fn compute(plan: &Plan, store: &mut Store, machine: Machine<'_>, news: Sender<News>, end: &AtomicBool) -> Ended {
    // A painter that is gone has told why.
    let builder = Builder::new().notice(|notice| _ = news.send(News::Notice(notice.to_string())));
    hafnia_sweep::run(plan, store, Machine { builder: &builder, ..machine }, &mut |progress, row| {
        _ = news.send(News::Point(progress, row.cloned().map(Box::new)));
        signals::flow(end)
    })
}

/// Draws until the sweep ends.
fn paint(
    mut screen: Screen,
    mut view: View,
    inbox: &Receiver<News>,
    end: &AtomicBool,
    console: &Console,
) -> std::io::Result<()> {
    let start = Instant::now();
    loop {
        let ended = loop {
            match inbox.try_recv() {
                Ok(News::Point(progress, row)) => view.add(progress, row.as_deref()),
                Ok(News::Notice(notice)) => view.tell(notice),
                Err(error) => break error == TryRecvError::Disconnected,
            }
        };
        view.stopping = end.load(Ordering::SeqCst);
        screen.draw(|frame| view.draw(frame, start.elapsed()))?;
        if ended {
            return Ok(());
        }
        let asked = screen.wait(PERIOD)?;
        if asked + usize::from(view.stopping) >= 2 {
            drop(screen);
            let help = "go on with `--resume`; the rows of finished points stay";
            console.failure(&Failure::new("stopped within a point", help));
            std::process::exit(2);
        }
        if asked > 0 {
            end.store(true, Ordering::SeqCst);
        }
    }
}

fn lost(error: std::io::Error) -> Failure {
    let help = "run the sweep without `--watch`; if rows are there, with `--resume`";
    Failure::new(format!("cannot draw on the terminal: {error}"), help)
}
