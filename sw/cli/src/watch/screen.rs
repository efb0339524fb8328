//! The terminal at stderr while it is drawn on: taken once and given back however the command ends.

use std::io::{self, BufWriter, Stderr, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::{Frame, Terminal};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal that is given back when this is dropped, or when any thread panics.
pub struct Screen(Terminal<CrosstermBackend<BufWriter<Stderr>>>);

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It does not take orders; it is then as before.
    pub fn open() -> io::Result<Self> {
        // The message of a panic would be lost on a screen that vanishes.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let open = || {
            execute!(stderr(), EnterAlternateScreen)?;
            Terminal::new(CrosstermBackend::new(BufWriter::new(stderr())))
        };
        open().map(Self).inspect_err(|_| give_back())
    }

    /// Draws, as long as the terminal is ours.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if TAKEN.load(Ordering::SeqCst) { self.0.draw(draw).map(drop) } else { Ok(()) }
    }

    /// Waits this long and returns how often the user asked for the end.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn wait(&self, time: Duration) -> io::Result<usize> {
        let (end, mut asked) = (Instant::now() + time, 0);
        while event::poll(end.saturating_duration_since(Instant::now()))? {
            asked += usize::from(is_end(&event::read()?));
        }
        Ok(asked)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the user wants the sweep to end: q or Ctrl-C, which is a key like any other here.
fn is_end(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, .. }) = event else { return false };
    *code == KeyCode::Char('q') || (*code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL))
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // For a terminal that is gone nothing is left to do.
        let _ = execute!(stderr(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use hafnia_testing::on_terminal;

    use super::*;

    /// Set where the test runs again, on a terminal.
    const AGAIN: &str = "HAFNIA_TEST_ON_TERMINAL";

    #[test]
    fn a_panic_of_any_thread_gives_the_terminal_back_before_its_message() {
        if std::env::var_os(AGAIN).is_some() {
            let mut screen = Screen::open().unwrap();
            screen.draw(|frame| frame.render_widget("drawn before", frame.area())).unwrap();
            std::thread::spawn(|| panic!("the message")).join().unwrap_err();
            screen.draw(|frame| frame.render_widget("unseen", frame.area())).unwrap();
            std::process::exit(2);
        }
        let program = std::env::current_exe().unwrap();
        let name = std::thread::current().name().unwrap().to_owned();
        let line = format!("{AGAIN}=1 '{}' --exact {name} --nocapture", program.display());
        let Some(shown) = on_terminal(&line, "") else { return };
        assert_eq!(shown.drawn.trim_end(), "drawn before");
        assert!(shown.after.contains("the message") && shown.after.contains("exit 2, restored"), "{shown:?}");
        assert!(!shown.after.contains("unseen"), "{shown:?}");
    }
}
