//! Runs tools with their output kept, and jobs side by side.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use crate::Error;
use crate::error::LogPath;

/// How many lines of a tool's output an error shows.
const SHOWN_LINES: usize = 20;

/// Runs a command to its end and returns its output, stdout first. A failure becomes an error with the output in it.
pub(crate) fn run(command: &mut Command, how_to_get: &'static str, folder: Option<&Path>) -> Result<String, Error> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::ToolMissing { tool: tool.clone(), how_to_get },
        _ => Error::io("run", Path::new(&tool), source),
    })?;
    let text = text_of(&output);
    if output.status.success() { Ok(text) } else { Err(failure(tool, &text, &output, folder)) }
}

fn text_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

fn failure(tool: String, text: &str, output: &Output, folder: Option<&Path>) -> Error {
    if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
        return Error::DiskFull { path: folder.unwrap_or(Path::new(".")).to_path_buf() };
    }
    let mut message: String = text.lines().take(SHOWN_LINES).map(|line| format!("  {line}\n")).collect();
    if message.is_empty() {
        message = format!("  it printed nothing; {}\n", output.status);
    }
    message.pop();
    Error::ToolFailed { tool, message, log: LogPath(folder.and_then(|folder| save_log(text, folder))) }
}

/// Keeps the output beside the cache entry, as `<entry>.log`: the folder being built is removed after a failure.
fn save_log(text: &str, folder: &Path) -> Option<PathBuf> {
    let log = folder.with_extension("log");
    std::fs::write(&log, text).is_ok().then_some(log)
}

/// A piece of work for [`side_by_side`].
pub(crate) type Job<'a, T> = Box<dyn FnOnce() -> Result<T, Error> + Send + 'a>;

/// Does the jobs on up to `workers` threads and returns their results in order; the first error stops the jobs not begun.
pub(crate) fn side_by_side<T: Send>(workers: usize, jobs: Vec<Job<'_, T>>) -> Result<Vec<T>, Error> {
    let count = jobs.len();
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let results = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, count.max(1)) {
            scope.spawn(|| {
                while let Some((index, job)) = next(&queue) {
                    let result = job();
                    if result.is_err() {
                        while next(&queue).is_some() {}
                    }
                    results.lock().expect("no job panics while it stores a result").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no job panics while it stores a result");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn next<I: Iterator>(queue: &Mutex<I>) -> Option<I::Item> {
    queue.lock().expect("taking the next job does not panic").next()
}
