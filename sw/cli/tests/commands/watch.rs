//! `sweep --watch`: curves on a terminal, a log in a pipe, and an end when the user asks for it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{command, folder, hafnia, model, text};
use hafnia_testing::{Shown, on_terminal};

/// Writes a sweep of `rates` rates and two seeds.
fn sweep(folder: &Path, rates: u32) -> PathBuf {
    let path = folder.join("sweep.toml");
    let rates: Vec<String> = (1..=rates).map(|i| format!("{i}e-4")).collect();
    let fixed = format!("models = [\"{}\"]\ndata = \"digits\"\nimages = [0, 40]\nseeds = [1, 2]\n", model());
    fs::write(&path, format!("{fixed}ber = [{}]\n", rates.join(", "))).expect("the folder is ours");
    path
}

/// The command as a line of bash.
fn line(sweep: &Path, output: &Path) -> String {
    format!("'{}' sweep '{}' -o '{}' --watch", env!("CARGO_BIN_EXE_hafnia"), text(sweep), text(output))
}

fn rows(folder: &Path) -> usize {
    fs::read_to_string(folder.join("rows.csv")).expect("there are rows").lines().count() - 1
}

#[test]
fn curves_are_drawn_and_the_summary_follows_on_the_terminal_as_it_was() {
    let folder = folder();
    let line = line(&sweep(folder.path(), 3), &folder.path().join("out"));
    let Some(Shown { drawn, after }) = on_terminal(&line, "") else { return };
    let phrases =
        ["6/6 points 0:", " a vgg-a8-digits 8x8", "mean top-1", "1e-4", "50 %", "ber 3e-4 seed 2: ", "q: stop"];
    for phrase in phrases {
        assert!(drawn.contains(phrase), "no {phrase:?}:\n{drawn}");
    }
    assert!(drawn.contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "no line:\n{drawn}");
    assert!(after.contains("6 rows in ") && after.contains("exit 0, restored"), "{after}");
}

/// A limit on the size of files stands for a disk that fills up.
#[test]
fn an_error_is_told_on_the_terminal_as_it_was() {
    let folder = folder();
    let (file, output) = (sweep(folder.path(), 10), folder.path().join("out"));
    let line = format!("trap '' XFSZ; (ulimit -f 2; {})", line(&file, &output));
    let Some(Shown { drawn, after }) = on_terminal(&line, "") else { return };
    assert!(drawn.contains("/20 points") && after.contains("untouched"), "{drawn}\n{after}");
    assert!(after.contains("exit 2, restored") && rows(&output) > 0, "{after}");
}

#[test]
fn q_and_ctrl_c_end_the_sweep_after_a_point_and_a_second_one_at_once() {
    for (keys, phrase) in [("q", "stopped after"), ("\x03", "stopped after"), ("qq", "stopped within a point")] {
        let folder = folder();
        let (file, output) = (sweep(folder.path(), 2000), folder.path().join("out"));
        let Some(Shown { after, .. }) = on_terminal(&line(&file, &output), keys) else { return };
        assert!(after.contains(phrase) && after.contains("--resume"), "{after}");
        assert!(after.contains("exit 2, restored") && rows(&output) < 4000, "{after}");
    }
}

#[test]
fn into_a_pipe_goes_a_line_for_each_point_that_is_computed_now() {
    let folder = folder();
    let (file, output) = (sweep(folder.path(), 2), folder.path().join("out"));
    let watch = ["sweep", text(&file), "-o", text(&output), "--watch", "--resume"];
    let first = hafnia(&watch);
    let log = String::from_utf8(first.stderr).expect("a log is text");
    let table = fs::read_to_string(output.join("rows.csv")).expect("there are rows");
    let table: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let at = |name: &str| table[0].iter().position(|column| *column == name).expect("a column");
    let lines = table[1..].iter().enumerate().map(|(i, row)| {
        let top1: f64 = row[at("top1")].parse().expect("a number");
        let ber: f64 = row[at("ber_requested")].parse().expect("a number");
        let seed = row[at("seed")];
        format!("{}/4 vgg-a8-digits 8x8 ber {ber:e} seed {seed}: {:.1} %\n", i + 1, 100.0 * top1)
    });
    assert_eq!(log, lines.collect::<String>());
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("4 rows in "));
    let second = hafnia(&watch);
    assert!(second.status.success() && second.stderr.is_empty());
}

#[test]
fn an_interrupt_ends_a_logged_sweep_after_a_point() {
    let folder = folder();
    let (file, output) = (sweep(folder.path(), 2000), folder.path().join("out"));
    let mut command = command(&["sweep", text(&file), "-o", text(&output), "--watch"]);
    let mut sweep = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command was built");
    let mut log = BufReader::new(sweep.stderr.take().expect("it is a pipe")).lines().map(|line| line.expect("text"));
    assert!(log.next().expect("a line").starts_with("1/4000 "));
    let kill = Command::new("kill").args(["-INT", &sweep.id().to_string()]).status();
    assert!(kill.expect("there is kill").success());
    let rest: Vec<_> = log.collect();
    assert_eq!(sweep.wait().expect("it ends").code(), Some(2));
    let points = rest.iter().filter(|line| line.contains("/4000 ")).count() + 1;
    let told = format!("stopped after {points} of 4000 points");
    assert!(rest.iter().any(|line| line.contains(&told)), "{rest:?}");
    assert_eq!(rows(&output), points);
}

#[test]
fn a_signal_ends_a_sweep_that_nobody_watches_after_a_point() {
    let folder = folder();
    let (file, output) = (sweep(folder.path(), 2000), folder.path().join("out"));
    let mut command = command(&["sweep", text(&file), "-o", text(&output)]);
    let sweep = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command was built");
    while fs::read_to_string(output.join("rows.csv")).map_or(0, |rows| rows.lines().count()) < 3 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = Command::new("kill").args(["-TERM", &sweep.id().to_string()]).status();
    assert!(kill.expect("there is kill").success());
    let ended = sweep.wait_with_output().expect("it ends");
    let message = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("stopped after {} of 4000 points", rows(&output))), "{message}");
}
