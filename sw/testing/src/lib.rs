//! What the tests of several crates share: data at hand, skips that are counted, a terminal.

mod terminal;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use terminal::{Shown, on_terminal};

/// Returns the folder that holds CIFAR-10 (`data`) and the trained networks (`models`): `$HAFNIA_SHARED`, or `../shared`
/// beside the workspace. Where that is not there, the test is skipped.
///
/// # Panics
/// If `$HAFNIA_SHARED` is set to a folder without them.
pub fn shared() -> Option<PathBuf> {
    let whole = |folder: &Path| folder.join("models").is_dir() && folder.join("data").is_dir();
    if let Some(named) = std::env::var_os("HAFNIA_SHARED").map(PathBuf::from) {
        assert!(whole(&named), "HAFNIA_SHARED is {}, which has no `data` and `models`", named.display());
        return Some(named);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if whole(&beside) {
        return Some(beside);
    }
    skip("no CIFAR-10 and no trained networks in ../shared; set HAFNIA_SHARED to a folder with `data` and `models`");
    None
}

/// Tells that the test of this thread is skipped, and why: on stderr, which cargo hides, and in `$HAFNIA_SKIPS`, which
/// `scripts/test` counts and shows.
///
/// # Panics
/// If `$HAFNIA_SKIPS` cannot be written.
pub fn skip(reason: &str) {
    let line = format!("SKIPPED {}: {reason}", std::thread::current().name().unwrap_or("a test"));
    eprintln!("{line}");
    if let Some(list) = std::env::var_os("HAFNIA_SKIPS") {
        let file = OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("HAFNIA_SKIPS can be written");
    }
}
