//! `sweep --slurm` on a real SLURM of one node, which `scripts/slurm-loopback` runs for each test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::common::{command, folder, json, rows, text, write_sweep};
use serde_json::Value;

/// Seven points: rate 0 takes one seed.
const GRID: &str = "ber = [0, 1e-3, 1e-2]\nseeds = [1, 2, 3]\n";
const STOPPING: &str = "ber = [1e-4, 1e-3, 1e-2]\nseeds = [1, 2, 3, 4, 5, 6]\n[stop]\nwidth = 0.2\nat_least = 2\n";

/// A running SLURM; gone when dropped.
struct Cluster {
    folder: tempfile::TempDir,
}

fn loopback(verb: &str, folder: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/slurm-loopback");
    Command::new(script).args([verb, text(folder)]).stdin(Stdio::null()).output().expect("there is a shell")
}

impl Cluster {
    /// Starts SLURM, or tells why it cannot run here.
    fn start() -> Option<Self> {
        // Its own target folder would be too long a path for a socket.
        let cluster = Self { folder: tempfile::tempdir().expect("there is room for temporary files") };
        let output = loopback("start", cluster.folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Some(cluster),
            Some(77) => {
                hafnia_testing::skip(said.trim());
                None
            }
            _ => panic!("{said}"),
        }
    }

    fn on(&self, mut command: Command) -> Command {
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command
    }

    /// Runs a program of SLURM and returns what it prints.
    fn tell(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = self.on(Command::new(program));
        let output = command.args(arguments).output().expect("it is installed");
        assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn start_sweep(&self, sweep: &Sweep, more: &[&str]) -> Child {
        let mut command = self.on(command(&["sweep", "sweep.toml", "-o", &sweep.output, "--slurm", "--json"]));
        // A relative folder, and a data set named by the environment alone.
        command.args(more).current_dir(sweep.folder.path()).env("HAFNIA_DATA", "digits");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command was built")
    }

    fn sweep(&self, sweep: &Sweep, more: &[&str]) -> Value {
        result(self.start_sweep(sweep, more))
    }

    fn refused(&self, sweep: &Sweep, more: &[&str]) -> String {
        message(&self.start_sweep(sweep, more).wait_with_output().expect("it ends"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        loopback("stop", self.folder.path());
    }
}

fn result(child: Child) -> Value {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the output is JSON")
}

fn message(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    message.replace(['│', '×', '├', '╰', '─', '▶'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sweep, and the rows that it gives on one machine.
struct Sweep {
    folder: tempfile::TempDir,
    output: String,
    rows: String,
}

impl Sweep {
    fn new(grid: &str, output: &str) -> Self {
        let folder = folder();
        let file = write_sweep(folder.path(), grid);
        let whole = folder.path().join("whole");
        json(&["sweep", text(&file), "-o", text(&whole)], 0);
        let without_data = fs::read_to_string(&file).expect("it is there").replace("data = \"digits\"\n", "");
        fs::write(&file, without_data).expect("the folder is ours");
        Self { rows: rows(&whole), folder, output: output.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.output)
    }

    /// Names of the logs.
    fn logs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("slurm")).expect("it is there");
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

#[test]
fn an_array_gives_the_rows_of_one_machine_whatever_the_folder_is_called() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(GRID, "it's 100%j here");
    let options = ["--sbatch=--export=NONE", "--sbatch", "--time=10", "--tasks", "3"];
    let done = cluster.sweep(&sweep, &options);
    assert_eq!(
        (&done["computed"], &done["merged"], &done["arrays"]),
        (&0.into(), &7.into(), &vec![1].into()),
        "{done}"
    );
    assert_eq!(rows(&sweep.path()), sweep.rows);
    assert_eq!(sweep.logs(), ["1_1.log", "1_2.log", "1_3.log"]);
    assert!(cluster.refused(&sweep, &[]).contains("--resume"));
    let again = cluster.sweep(&sweep, &["--resume", "--no-wait"]);
    assert_eq!((&again["job"], &again["tasks"]), (&Value::Null, &0.into()), "nothing was missing");
}

#[test]
fn a_killed_task_is_submitted_again_and_computes_what_is_missing() {
    let Some(cluster) = Cluster::start() else { return };
    let rates: Vec<String> = (1..=300).map(|i| format!("{i}e-4")).collect();
    let sweep = Sweep::new(&format!("ber = [{}]\nseeds = [1]\n", rates.join(", ")), "out");
    let mut running = cluster.start_sweep(&sweep, &["--tasks", "2"]);
    let file = sweep.path().join("shards/1-of-2.csv");
    while fs::read_to_string(&file).unwrap_or_default().lines().count() < 5 {
        assert_eq!(running.try_wait().expect("it can be waited for"), None, "it ended early");
        sleep(Duration::from_millis(5));
    }
    cluster.tell("scancel", &["--signal=KILL", "--full", "1_1"]);
    let done = result(running);
    assert_eq!((done["arrays"].as_array().map(Vec::len), &done["merged"]), (Some(2), &300.into()), "{done}");
    let second = format!("{}_1.log", done["arrays"][1]);
    assert_eq!(sweep.logs(), ["1_1.log", "1_2.log", &second]);
    let log = fs::read_to_string(sweep.path().join("slurm").join(second)).expect("it is there");
    let found = log.split(", ").find_map(|part| part.strip_suffix(" found")).and_then(|n| n.parse::<u32>().ok());
    assert!(found.is_some_and(|found| (4..150).contains(&found)), "{log}");
    assert_eq!(rows(&sweep.path()), sweep.rows);
}

#[test]
fn tasks_that_fail_again_are_told_with_their_log_and_the_rest_stays() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(GRID, "out");
    let shards = sweep.path().join("shards");
    fs::create_dir_all(&shards).expect("the folder is ours");
    let locked = File::create(shards.join("1-of-2.csv")).expect("the folder is ours");
    locked.try_lock().expect("nobody has it");
    let said = cluster.refused(&sweep, &["--tasks", "2"]);
    for part in ["shards 1/2 are incomplete", "added no row", "another sweep is writing to", "--slurm --resume"] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    drop(locked);
    let said = cluster.refused(&sweep, &["--resume", "--sbatch=--nonsense"]);
    assert!(said.contains("sbatch") && said.contains("unrecognized option '--nonsense'"), "{said}");
    let done = cluster.sweep(&sweep, &["--resume", "--tasks", "2"]);
    assert_eq!(done["merged"], 7);
    let log = sweep.logs().pop().expect("there are logs");
    let log = fs::read_to_string(sweep.path().join("slurm").join(log)).expect("it is there");
    assert!(log.contains("4 computed now, 0 found"), "only the lost shard ran again: {log}");
    assert_eq!(rows(&sweep.path()), sweep.rows);
}

#[test]
fn no_wait_returns_after_submission_and_a_later_run_waits_for_the_array_and_merges() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(STOPPING, "out");
    let submitted = cluster.sweep(&sweep, &["--no-wait", "--sbatch=--hold"]);
    // Never more tasks than there is to deal, with early stopping cells.
    assert_eq!((&submitted["job"], &submitted["tasks"]), (&1.into(), &3.into()));
    let command = submitted["command"].as_str().expect("a command");
    assert!(command.starts_with("hafnia sweep sweep.toml -o out --slurm --resume"), "{command}");
    let said = cluster.refused(&sweep, &["--no-wait", "--resume"]);
    assert!(said.contains("in SLURM's queue"), "{said}");
    let waiting = cluster.start_sweep(&sweep, &["--resume"]);
    cluster.tell("scontrol", &["release", "1"]);
    let done = result(waiting);
    let all = sweep.rows.lines().count() - 1;
    assert_eq!((&done["arrays"], &done["merged"]), (&Value::Array(Vec::new()), &all.into()), "no second array");
    assert_eq!(rows(&sweep.path()), sweep.rows);
}

#[test]
fn without_slurm_the_error_says_so_and_the_rows_stay() {
    let sweep = Sweep::new(GRID, "out");
    let file = sweep.folder.path().join("sweep.toml");
    let output = sweep.path();
    let arguments = ["sweep", text(&file), "-o", text(&output)];
    let run = |more: &[&str]| {
        let mut command = command(&[&arguments, more].concat());
        command.env("HAFNIA_DATA", "digits").env("PATH", sweep.folder.path()).output().expect("the command was built")
    };
    assert!(run(&["--shard", "1/2"]).status.success());
    let shard = || fs::read(sweep.path().join("shards/1-of-2.csv")).expect("it is there");
    let before = shard();
    let said = message(&run(&["--slurm", "--resume"]));
    for part in ["cannot run `squeue`", "must be on the PATH", "--shard I/N", "untouched"] {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    assert_eq!(shard(), before);
    assert!(run(&["--resume"]).status.success());
    assert_eq!(rows(&sweep.path()), sweep.rows);
}
