//! Commands on a pseudo-terminal, that of util-linux's `script`.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

/// The orders that take the alternate screen, and leave it.
const TAKE: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// What a command did with its terminal.
#[derive(Debug)]
pub struct Shown {
    /// The alternate screen as it was when it was left, 24 lines of 80 columns.
    pub drawn: String,
    /// What followed on the screen that stays. The last line is `exit CODE, restored`, or `exit CODE, changed` if the
    /// terminal has other settings than before.
    pub after: String,
}

/// Runs a line of bash on a terminal of 80 x 24 and types `keys` once the alternate screen is taken. Where there is no
/// `script`, the test is skipped.
///
/// # Panics
/// If the alternate screen is not taken and left once, or what comes is no text.
pub fn on_terminal(line: &str, keys: &str) -> Option<Shown> {
    let size = "stty rows 24 cols 80; before=$(stty -g)";
    let end = "code=$?; [ \"$before\" = \"$(stty -g)\" ] && echo exit $code, restored || echo exit $code, changed";
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{size}; {line}; {end}"), "/dev/null"]).env("SHELL", "/bin/bash");
    let Ok(mut script) = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
        crate::skip("`script` is not installed; it comes with util-linux, package bsdutils");
        return None;
    };
    let mut keyboard = script.stdin.take().expect("it is a pipe");
    let mut screen = script.stdout.take().expect("it is a pipe");
    let (mut received, mut keys, mut chunk) = (Vec::new(), Some(keys), [0; 4096]);
    while let Ok(count @ 1..) = screen.read(&mut chunk) {
        received.extend_from_slice(&chunk[..count]);
        if received.windows(TAKE.len()).any(|bytes| bytes == TAKE.as_bytes())
            && let Some(keys) = keys.take()
        {
            keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
        }
    }
    script.wait().expect("it ends");
    let received = String::from_utf8(received).expect("a terminal receives text");
    let count = |order| received.matches(order).count();
    assert_eq!((count(TAKE), count(LEAVE)), (1, 1), "{received}");
    let (drawn, after) = received.split_once(LEAVE).expect("it is there");
    let mut terminal = vt100::Parser::default(); // 80 x 24
    terminal.process(drawn.as_bytes());
    Some(Shown { drawn: terminal.screen().contents(), after: after.to_owned() })
}
