//! `sweep --shard`: parts that run at once or one after another, on whatever deal, merge into the rows of an undivided sweep.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::{command, folder, json, refused, rows, text, write_sweep};
use serde_json::Value;

/// Seven points: rate 0 takes one seed.
const GRID: &str = "ber = [0, 1e-3, 1e-2]\nseeds = [1, 2, 3]\n";
const STOPPING: &str = "ber = [1e-4, 1e-3, 1e-2]\nseeds = [1, 2, 3, 4, 5, 6]\n[stop]\nwidth = 0.2\nat_least = 2\n";

/// A sweep, and the rows that it gives undivided.
struct Sweep {
    folder: tempfile::TempDir,
    file: PathBuf,
    rows: String,
    result: Value,
}

impl Sweep {
    fn new(grid: &str) -> Self {
        let folder = folder();
        let file = write_sweep(folder.path(), grid);
        let whole = folder.path().join("whole");
        let result = json(&["sweep", text(&file), "-o", text(&whole)], 0);
        Self { rows: rows(&whole), folder, file, result }
    }

    /// The folder that is computed in parts.
    fn parts(&self) -> PathBuf {
        self.folder.path().join("parts")
    }

    fn arguments<'a>(&'a self, parts: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        [&["sweep", text(&self.file), "-o", text(parts)], more].concat()
    }

    fn run(&self, more: &[&str]) -> Value {
        json(&self.arguments(&self.parts(), more), 0)
    }

    fn refused(&self, more: &[&str]) -> String {
        refused(&self.arguments(&self.parts(), more))
    }

    /// Merges, expects the rows of the undivided sweep, and returns how many were computed, found and merged.
    fn merged(&self) -> [u64; 3] {
        let result = self.run(&["--resume"]);
        assert_eq!(rows(&self.parts()), self.rows);
        assert_eq!((&result["rows"], &result["left_out"]), (&self.result["rows"], &self.result["left_out"]));
        counts(&result)
    }
}

fn counts(result: &Value) -> [u64; 3] {
    ["computed", "found", "merged"].map(|name| result[name].as_u64().expect("a count"))
}

fn shard_file(parts: &Path, name: &str) -> PathBuf {
    parts.join("shards").join(name)
}

#[test]
fn shards_that_run_at_once_merge_into_the_rows_of_an_undivided_sweep() {
    for (grid, most) in [(GRID, 7), (STOPPING, 18)] {
        let sweep = Sweep::new(grid);
        let parts = sweep.parts();
        let shards = ["1/3", "2/3", "3/3"];
        let start = |shard| command(&sweep.arguments(&parts, &["--shard", shard])).stdout(Stdio::null()).spawn();
        for mut child in shards.map(|shard| start(shard).expect("the command was built")) {
            assert!(child.wait().expect("it ends").success());
        }
        let found: u64 = shards
            .iter()
            .map(|shard| {
                let result = sweep.run(&["--shard", shard, "--resume"]);
                assert_eq!((counts(&result)[0], result["shard"].as_str()), (0, Some(*shard)));
                counts(&result)[1]
            })
            .sum();
        let all = sweep.result["rows"].as_u64().expect("a count");
        // The second sweep stops early.
        assert!(found == all && (grid == GRID) == (all == most), "{found} of {all}");
        for name in ["plan.json", "sweep.toml"] {
            let read = |folder: &str| fs::read(sweep.folder.path().join(folder).join(name)).expect("it is there");
            assert_eq!(read("whole"), read("parts"), "{name}");
        }
        assert!(sweep.refused(&[]).contains("--resume"), "rows of shards are rows");
        assert_eq!(sweep.merged(), [0, 0, all]);
        assert_eq!(sweep.merged(), [0, all, 0], "merging twice changes nothing");
    }
}

#[test]
fn shards_of_several_deals_and_a_half_finished_whole_share_their_rows() {
    let sweep = Sweep::new(GRID);
    let rows = |result: &Value| counts(result);
    // Points 0 to 6: part 1 of 2 has four of them; of its points 1/3 has 0, 3 and 6, two of which are there.
    assert_eq!(rows(&sweep.run(&["--shard", "1/2"])), [4, 0, 0]);
    assert_eq!(rows(&sweep.run(&["--shard", "1/3"])), [1, 2, 0]);
    // The first two rows of the whole: point 1 is in no shard.
    let two: String = sweep.rows.split_inclusive('\n').take(3).collect();
    fs::write(sweep.parts().join("rows.csv"), two).expect("the folder is ours");
    assert_eq!(rows(&sweep.run(&["--shard", "2/2"])), [1, 2, 0]);
    assert_eq!(sweep.merged(), [0, 2, 5]);
}

#[test]
fn what_no_shard_has_is_computed_by_the_merge() {
    for grid in [GRID, STOPPING] {
        let sweep = Sweep::new(grid);
        let of_shard = counts(&sweep.run(&["--shard", "2/3"]))[0];
        let all = sweep.result["rows"].as_u64().expect("a count");
        assert!(of_shard > 0);
        assert_eq!(sweep.merged(), [all - of_shard, 0, of_shard]);
    }
}

#[test]
fn a_killed_shard_goes_on_where_it_was() {
    let rates: Vec<String> = (1..=100).map(|i| format!("{i}e-4")).collect();
    let sweep = Sweep::new(&format!("ber = [{}]\nseeds = [1, 2]\n", rates.join(", ")));
    let (parts, shard) = (sweep.parts(), ["--shard", "1/2", "--resume"]);
    let mut child =
        command(&sweep.arguments(&parts, &shard)).stdout(Stdio::null()).spawn().expect("the command was built");
    let lines = || fs::read_to_string(shard_file(&parts, "1-of-2.csv")).unwrap_or_default().lines().count();
    while lines() < 5 && child.try_wait().expect("it can be waited for").is_none() {}
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    // A line without its end is no row.
    let whole =
        fs::read_to_string(shard_file(&parts, "1-of-2.csv")).expect("it is there").matches('\n').count() as u64 - 1;
    assert!((4..100).contains(&whole), "{whole}");
    assert_eq!(counts(&sweep.run(&shard)), [100 - whole, whole, 0]);
    assert_eq!(sweep.merged(), [100, 0, 100]);
}

#[test]
fn a_cut_last_row_of_a_shard_is_dropped_and_damage_or_contradiction_is_refused_by_file() {
    let sweep = Sweep::new(GRID);
    let (path, copy) = (shard_file(&sweep.parts(), "2-of-3.csv"), shard_file(&sweep.parts(), "2-of-4.csv"));
    sweep.run(&["--shard", "2/3"]);
    let whole = fs::read_to_string(&path).expect("it is there");
    assert_eq!(whole.lines().count(), 3);
    let put = |path: &Path, text: &str| fs::write(path, text).expect("the folder is ours");
    let cut = &whole[..whole.len() - 20];
    put(&path, cut);
    assert_eq!(counts(&sweep.run(&["--shard", "2/3", "--resume"])), [1, 1, 0]);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), whole);

    put(&path, &whole.replacen("golden", "qolden", 1));
    for arguments in [&["--resume"][..], &["--shard", "2/3", "--resume"], &["--shard", "1/3"]] {
        let message = sweep.refused(arguments);
        assert!(message.contains("2-of-3.csv, line 2") && message.contains("checksum"), "{message}");
    }

    put(&path, &whole);
    let fields = whole.lines().nth(1).and_then(|line| line.rsplit_once(',')).expect("a row").0;
    let row = |fields: String| format!("{fields},{:08x}\n", crc32fast::hash(fields.as_bytes()));
    let header = whole.lines().next().expect("a header");
    put(&copy, &format!("{header}\n{}", row(fields.replacen(",40,", ",41,", 1))));
    let message = sweep.refused(&["--resume"]);
    assert!(["2-of-3.csv", "2-of-4.csv", "rate 0.001, seed 1"].iter().all(|part| message.contains(part)), "{message}");

    put(&copy, &format!("{header}\n{}", row(fields.replacen(",0.001,1,", ",0.001,9,", 1))));
    let message = sweep.refused(&["--resume"]);
    assert!(message.contains("2-of-4.csv, line 2") && message.contains("seed 9"), "{message}");
    fs::remove_file(copy).expect("the folder is ours");

    put(&path, cut);
    assert_eq!(sweep.merged(), [6, 0, 1]);
}

#[test]
fn one_process_writes_to_a_file_and_other_parts_may_run() {
    let sweep = Sweep::new(GRID);
    sweep.run(&["--shard", "1/2"]);
    let lock = |path: PathBuf| {
        let file = File::options().append(true).create(true).open(path).expect("the folder is ours");
        file.try_lock().expect("nobody has it");
        file
    };
    let shard = lock(shard_file(&sweep.parts(), "1-of-2.csv"));
    assert!(sweep.refused(&["--shard", "1/2", "--resume"]).contains("another sweep is writing to"));
    let whole = lock(sweep.parts().join("rows.csv"));
    assert!(sweep.refused(&["--resume"]).contains("another sweep is writing to"));
    assert_eq!(counts(&sweep.run(&["--shard", "2/2"]))[0], 3);
    drop(whole);
    assert_eq!(sweep.merged(), [0, 0, 7]);
    drop(shard);
}

#[test]
fn wrong_shards_and_foreign_folders_are_refused() {
    let sweep = Sweep::new(GRID);
    for wrong in ["0/2", "3/2", "2", "1/0", "-1/2", "1/2/3", "a/b", "1/4294967296"] {
        let message = sweep.refused(&[&format!("--shard={wrong}")]);
        assert!(message.contains("write I/N with I from 1 to N"), "{message}");
    }
    assert!(!sweep.parts().exists());
    sweep.run(&["--shard", "1/2"]);
    assert!(sweep.refused(&["--shard", "1/2"]).contains("--resume"));
    write_sweep(sweep.folder.path(), &GRID.replace('3', "4"));
    for arguments in [&["--shard", "2/2"][..], &["--resume"]] {
        let message = sweep.refused(arguments);
        assert!(message.contains("`ber.1` was 0.001"), "{message}");
    }
}
