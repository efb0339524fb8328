//! Runs the `hafnia` command.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The committed digits model.
pub fn model() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/vgg-a8-digits/model.safetensors");
    path.to_str().expect("the path is text").to_owned()
}

/// The command with a build folder of the tests' own and without the user's settings.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hafnia"));
    command.args(arguments).env("HAFNIA_BUILD", build()).env_remove("HAFNIA_DATA").env("NO_COLOR", "1");
    command
}

/// The build folder of these tests.
pub fn build() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("build")
}

/// Runs it.
pub fn hafnia(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command was built")
}

/// Runs it, expects this exit code, and returns its standard output.
pub fn stdout(arguments: &[&str], code: i32) -> String {
    let output = hafnia(arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    out.into_owned()
}

/// Runs it with `--json`, expects this exit code, and returns the object.
pub fn json(arguments: &[&str], code: i32) -> Value {
    let text = stdout(&[arguments, &["--json"]].concat(), code);
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).expect("the output is JSON")
}

/// Asserts that `docs/json.md` names every key of an object and of all objects in it.
pub fn assert_documented(value: &Value) {
    let documentation = include_str!("../../../../../docs/json.md");
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let forms = [format!("`{key}`"), format!("`{key}[]`")];
            assert!(forms.iter().any(|form| documentation.contains(form)), "docs/json.md does not describe `{key}`");
            assert_documented(value);
        }),
        Value::Array(values) => values.iter().for_each(assert_documented),
        _ => {}
    }
}

/// A fresh folder.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder can be written")
}

/// Makes a program of these lines of the shell, which answers at once when it is asked for its version.
pub fn program(path: &Path, script: &str) {
    let version = "case \"$1\" in -V|--[vV]ersion) exit 0;; esac";
    std::fs::write(path, format!("#!/bin/sh\n{version}\n{script}\n")).expect("the folder is ours");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("the file is ours");
}

/// Writes a sweep of 40 digits over `grid`, and returns its path.
pub fn write_sweep(folder: &Path, grid: &str) -> PathBuf {
    let path = folder.join("sweep.toml");
    let fixed = format!("models = [\"{}\"]\ndata = \"digits\"\nimages = [3, 40]\n", model());
    std::fs::write(&path, fixed + grid).expect("the folder is ours");
    path
}

/// The rows of a sweep.
pub fn rows(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("rows.csv")).expect("there are rows")
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are text")
}

/// Runs the command in vain and returns what it said, on one line.
pub fn refused(arguments: &[&str]) -> String {
    let output = hafnia(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed a result");
    // The report is broken into lines to fit a terminal.
    message.replace(['│', '×', '├', '╰', '─', '▶'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Runs the command with files of at most so many KiB.
pub fn limited(kib: u32, arguments: &[&str]) -> Output {
    under(&format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\""), arguments)
}

/// Runs the command as a user to whom permissions apply, even if this is root.
pub fn unprivileged(arguments: &[&str]) -> Output {
    let root = "exec setpriv --bounding-set=-dac_override,-dac_read_search \"$0\" \"$@\"";
    under(&format!("[ $EUID = 0 ] && {root}; exec \"$0\" \"$@\""), arguments)
}

/// Runs the command from a line of the shell.
fn under(script: &str, arguments: &[&str]) -> Output {
    let command = command(arguments);
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.output().expect("there is a shell")
}
