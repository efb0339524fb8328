//! `sweep`: rows, resuming after kills and full disks, refusals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::{
    command, folder, json, limited, model, refused, rows, stdout, text, unprivileged, write_sweep as write,
};

/// Writes a sweep of `points` rates on the digits, two seeds each, and returns its path.
fn sweep(folder: &Path, points: u32) -> PathBuf {
    let rates: Vec<String> = (1..=points).map(|i| format!("{i}e-4")).collect();
    write(folder, &format!("ber = [{}]\nseeds = [1, 2]\n", rates.join(", ")))
}

fn column(rows: &str, name: &str) -> Vec<String> {
    let at = rows.lines().next().and_then(|header| header.split(',').position(|field| field == name));
    let at = at.unwrap_or_else(|| panic!("no column {name}"));
    rows.lines().skip(1).map(|row| row.split(',').nth(at).expect("every row has every column").to_owned()).collect()
}

#[test]
fn rows_equal_those_of_run_and_do_not_depend_on_the_jobs() {
    let folder = folder();
    let file = write(folder.path(), "ber = [0, 1e-3, 1e-2]\nseeds = [5, 6]\npresets = [\"4x4\", \"8x8\"]\n");
    let mut all = Vec::new();
    for jobs in ["1", "3"] {
        let output = folder.path().join(jobs);
        let result = json(&["sweep", text(&file), "-o", text(&output), "--jobs", jobs], 0);
        // Rate 0 takes one seed.
        assert_eq!((&result["rows"], &result["points"]), (&10.into(), &10.into()));
        all.push(rows(&output));
    }
    assert_eq!(all[0], all[1]);
    let at = column(&all[0], "seed").iter().rposition(|seed| seed == "6").expect("a seed of the sweep");
    let flags = ["--data", "digits", "--images", "3:40", "--ber", "1e-2", "--seed", "6"];
    let row = json(&[&["run", "--engine", "golden", "--model", &model()], &flags[..]].concat(), 0);
    for (column_name, value) in
        [("correct", &row["correct"]), ("flips", &row["flips"]), ("cycles", &row["cycles"]["total"])]
    {
        assert_eq!(column(&all[0], column_name)[at], value.to_string(), "{column_name}");
    }
    let documentation = include_str!("../../../../docs/sweeps.md");
    for name in all[0].lines().next().expect("a header").split(',') {
        assert!(documentation.contains(&format!("`{name}`")), "docs/sweeps.md does not describe `{name}`");
    }
}

/// Killed at many moments, gone on with each time: the rows are those of a sweep that was left alone.
#[test]
fn a_sweep_that_is_killed_again_and_again_ends_with_the_same_rows() {
    let folder = folder();
    let file = sweep(folder.path(), 200);
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    json(&["sweep", text(&file), "-o", text(&whole)], 0);
    let mut kills = 0;
    for round in 0.. {
        let mut child = command(&["sweep", text(&file), "-o", text(&broken), "--resume"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the command was built");
        // Moments from before the first row to several rows on, no two alike.
        std::thread::sleep(Duration::from_millis(30 + 37 * round % 101));
        let before = child.try_wait().expect("it can be waited for");
        if let Some(status) = before {
            assert!(status.success());
            break;
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        kills += 1;
        let whole = rows(&whole);
        let finished = fs::read_to_string(broken.join("rows.csv")).unwrap_or_default();
        assert!(whole.starts_with(&finished), "rows were lost or damaged");
    }
    assert!(kills >= 3, "{kills} kills are too few");
    assert_eq!(rows(&whole), rows(&broken));
}

#[test]
fn a_cut_last_row_is_dropped_and_a_damaged_one_refused() {
    let folder = folder();
    let file = sweep(folder.path(), 3);
    let output = folder.path().join("out");
    json(&["sweep", text(&file), "-o", text(&output)], 0);
    let whole = rows(&output);
    let path = output.join("rows.csv");
    fs::write(&path, &whole[..whole.len() - 20]).expect("the folder is ours");
    let result = json(&["sweep", text(&file), "-o", text(&output), "--resume"], 0);
    assert_eq!((&result["found"], &result["computed"]), (&5.into(), &1.into()));
    assert_eq!(rows(&output), whole);

    fs::write(&path, whole.replacen("golden", "qolden", 1)).expect("the folder is ours");
    let message = refused(&["sweep", text(&file), "-o", text(&output), "--resume"]);
    assert!(message.contains("rows.csv, line 2") && message.contains("checksum"), "{message}");
}

#[test]
fn a_full_disk_keeps_the_rows_and_the_sweep_goes_on_later() {
    let folder = folder();
    let file = sweep(folder.path(), 10);
    let (whole, small) = (folder.path().join("whole"), folder.path().join("small"));
    json(&["sweep", text(&file), "-o", text(&whole)], 0);
    let output = limited(2, &["sweep", text(&file), "-o", text(&small)]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("rows.csv") && message.contains("untouched"), "{message}");
    assert!(rows(&small).ends_with('\n') && rows(&whole).starts_with(&rows(&small)));
    json(&["sweep", text(&file), "-o", text(&small), "--resume"], 0);
    assert_eq!(rows(&whole), rows(&small));
}

#[test]
fn a_read_only_folder_is_named_and_stays_as_it_was() {
    let folder = folder();
    let file = sweep(folder.path(), 2);
    let output = folder.path().join("out");
    json(&["sweep", text(&file), "-o", text(&output)], 0);
    let before = rows(&output);
    let whole = output.join("rows.csv");
    for (locked, into, named) in [(&output, output.join("new"), "new"), (&whole, output.clone(), "rows.csv")] {
        let permissions = |mode| fs::set_permissions(locked, fs::Permissions::from_mode(mode)).expect("it is ours");
        permissions(0o555);
        let refusal = unprivileged(&["sweep", text(&file), "-o", text(&into), "--resume"]);
        permissions(0o755);
        let message = String::from_utf8_lossy(&refusal.stderr).into_owned();
        assert_eq!(refusal.status.code(), Some(2), "{message}");
        assert!([named, "os error 13", "untouched"].iter().all(|part| message.contains(part)), "{message}");
        assert!(!output.join("new").exists() && rows(&output) == before);
    }
}

#[test]
fn what_cannot_be_had_is_told_by_file_and_key() {
    let folder = folder();
    for (key, lines) in [
        ("`presets`: no preset `8x9`", "presets = [\"8x9\"]\nber = [0]\nseeds = [1]\n"),
        ("`ber`: ", "ber = [2]\nseeds = [1]\n"),
        ("`ber`: ", "ber = [nan]\nseeds = [1]\n"),
        (
            "`protection`: secded-72-64 on 4x4: its codewords of 8 weights do not divide a weight word of 4",
            "presets = [\"8x8\", \"4x4\"]\nprotection = [\"parity\", \"secded-72-64\"]\nber = [0]\nseeds = [1]\n",
        ),
        ("`bits`: ", "bits = [0]\nber = [1e-3]\nseeds = [1]\n"),
        ("`layers`: ", "layers = [[9]]\nber = [1e-3]\nseeds = [1]\n"),
    ] {
        let file = write(folder.path(), lines);
        let message = refused(&["sweep", text(&file), "-o", text(&folder.path().join("out"))]);
        assert!(message.contains(&format!("sweep.toml: {key}")), "{message}");
        assert!(!folder.path().join("out").exists(), "{message}");
    }
    let file = write(folder.path(), "ber = [0]\nseeds = [1]\n");
    let whole = fs::read_to_string(&file).expect("it was written");
    for (key, changed) in [
        ("no code `ecc`; there are none, parity, secded-13-8", whole.clone() + "protection = [\"ecc\"]\n"),
        ("`protection` has \"tmr\" twice", whole.clone() + "protection = [\"tmr\", \"tmr\"]\n"),
        ("`images`: ", whole.replace("[3, 40]", "[3, 4000]")),
        ("`data`: ", whole.replace("\"digits\"", "\"cifar\"")),
        ("`models`: ", whole.replace("model.safetensors", "none.safetensors")),
    ] {
        fs::write(&file, changed).expect("the folder is ours");
        let message = refused(&["sweep", text(&file), "--list"]);
        assert!(message.contains(&format!("sweep.toml: {key}")), "{message}");
    }
}

#[test]
fn a_folder_of_another_plan_is_refused_by_what_differs() {
    let folder = folder();
    let file = sweep(folder.path(), 2);
    let output = folder.path().join("out");
    let out = text(&output);
    json(&["sweep", text(&file), "-o", out], 0);
    let before = rows(&output);
    assert!(refused(&["sweep", text(&file), "-o", out]).contains("--resume"));
    let file = write(folder.path(), "ber = [1e-4, 2e-4]\nseeds = [1, 3]\n");
    let message = refused(&["sweep", text(&file), "-o", text(&file)]);
    assert!(message.contains("sweep.toml is a file") && message.contains("need a folder"), "{message}");
    let file = write(folder.path(), "ber = [1e-4, 2e-4]\nseeds = [1, 2, 3]\n");
    let message = refused(&["sweep", text(&file), "-o", out, "--resume"]);
    assert!(message.contains("`seeds` was [1,2]") && message.contains("is [1,2,3] now"), "{message}");
    let file = write(folder.path(), "ber = [1e-4, 2e-4]\nseeds = [1, 3]\n");
    let message = refused(&["sweep", text(&file), "-o", out, "--resume"]);
    assert!(message.contains("`seeds.1` was 2") && message.contains("is 3 now"), "{message}");
    let file = write(folder.path(), "ber = [1e-4, 2e-4]\nseeds = [1, 2]\npresets = [\"4x4\"]\n");
    let message = refused(&["sweep", text(&file), "-o", out, "--resume"]);
    assert!(message.contains("config_hash"), "{message}");
    let file = write(folder.path(), "bre = [1e-4]\nseeds = [1]\n");
    assert!(refused(&["sweep", text(&file), "-o", out]).contains("did you mean `ber`"));
    assert_eq!(rows(&output), before);
}

#[test]
fn early_stopping_leaves_out_the_same_seeds_each_time_and_list_runs_nothing() {
    let folder = folder();
    let file =
        write(folder.path(), "ber = [1e-4, 1e-2]\nseeds = [1, 2, 3, 4, 5, 6]\n[stop]\nwidth = 0.2\nat_least = 2\n");
    let plan = json(&["sweep", text(&file), "--list"], 0);
    assert_eq!(plan["points"].as_array().map(Vec::len), Some(12));
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let result = json(&["sweep", text(&file), "-o", text(&one)], 0);
    let left_out = result["left_out"].as_u64().expect("a count");
    assert!(left_out > 0 && result["rows"].as_u64() == Some(12 - left_out), "{result}");
    json(&["sweep", text(&file), "-o", text(&two), "--jobs", "1"], 0);
    assert_eq!(rows(&one), rows(&two));
    let result = json(&["sweep", text(&file), "-o", text(&two), "--resume"], 0);
    assert_eq!(result["computed"], 0);
}

#[test]
fn simulated_hardware_gives_the_golden_rows() {
    let folder = folder();
    let file = write(folder.path(), "engines = [\"golden\", \"sim\"]\nber = [0, 1e-3]\nseeds = [1, 2]\n");
    let output = folder.path().join("out");
    json(&["sweep", text(&file), "-o", text(&output)], 0);
    let rows = rows(&output);
    assert_eq!(column(&rows, "engine"), ["golden", "golden", "golden", "sim", "sim", "sim"]);
    for name in ["correct", "ber_requested", "seed", "flips", "cycles", "macs"] {
        let values = column(&rows, name);
        assert_eq!(values[..3], values[3..], "{name}");
    }
}

/// Each on both engines; two shards merge to the rows of the whole.
#[test]
fn a_configuration_of_the_users_own_is_swept_beside_a_preset() {
    let folder = folder();
    let own = folder.path().join("own");
    json(&["generate", "--preset", "4x4", "-o", text(&own)], 0);
    let config = own.join("config.toml");
    let preset = fs::read_to_string(&config).expect("it was written");
    let grid = "presets = [\"4x4\"]\nconfigs = [\"own/config.toml\"]\nengines = [\"golden\", \"sim\"]\nber = [1e-3]\nseeds = [1]\n";
    let file = write(folder.path(), grid);
    let message = refused(&["sweep", text(&file), "--list"]);
    assert!(message.contains("config.toml: `name` is 4x4") && message.contains("one of its own"), "{message}");
    let wide = preset.replace("name = \"4x4\"", "name = \"wide\"").replace("cols = 4", "cols = 5");
    fs::write(&config, wide.replace("rows = 4", "rows = 40")).expect("the folder is ours");
    let message = refused(&["sweep", text(&file), "--list"]);
    assert!(message.contains("config.toml: `array.rows` is 40") && message.contains("configuration.md"), "{message}");
    fs::write(&config, wide).expect("the folder is ours");
    let coded = |codes: &str| write(folder.path(), &format!("{grid}protection = [{codes}]\n"));
    let listed = json(&["sweep", text(&coded("\"none\", \"parity\"")), "--list"], 0);
    let listed = listed["points"].as_array().expect("a list").iter().step_by(2);
    let listed: Vec<_> = listed.map(|point| format!("{} {}", point["preset"], point["protection"])).collect();
    let names = [("4x4", "none"), ("4x4-parity", "parity"), ("wide", "none"), ("wide-parity", "parity")];
    assert_eq!(listed, names.map(|(name, code)| format!("\"{name}\" \"{code}\"")));
    let message = refused(&["sweep", text(&coded("\"secded-22-16\"")), "--list"]);
    assert!(message.contains("`protection`: secded-22-16 on wide: ") && message.contains("(array.cols)"), "{message}");
    let file = write(folder.path(), grid);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    json(&["sweep", text(&file), "-o", text(&whole)], 0);
    for shard in [&["--shard", "1/2"][..], &["--shard", "2/2"], &["--resume"]] {
        json(&[&["sweep", text(&file), "-o", text(&parts)], shard].concat(), 0);
    }
    let rows_of_whole = rows(&whole);
    assert_eq!(rows_of_whole, rows(&parts));
    assert_eq!(column(&rows_of_whole, "preset"), ["4x4", "4x4", "wide", "wide"]);
    let flips = column(&rows_of_whole, "flips");
    assert!(flips[0] == flips[1] && flips[2] == flips[3] && flips[0] != flips[2], "{flips:?}");
}

/// Each on both engines, audited; two shards merge to the rows of the whole.
#[test]
fn protections_are_compared_and_rows_tell_what_decoders_did() {
    let folder = folder();
    let grid = "presets = [\"4x4\"]\nprotection = [\"none\", \"parity\"]\nengines = [\"golden\", \"sim\"]\nber = [1e-2]\nseeds = [1]\naudit = 0.1\n";
    let file = write(folder.path(), grid);
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    json(&["sweep", text(&file), "-o", text(&whole)], 0);
    for shard in [&["--shard", "1/2"][..], &["--shard", "2/2"], &["--resume"]] {
        json(&[&["sweep", text(&file), "-o", text(&parts)], shard].concat(), 0);
    }
    let rows = rows(&whole);
    assert_eq!(rows, crate::common::rows(&parts));
    assert_eq!(column(&rows, "preset"), ["4x4", "4x4", "4x4-parity", "4x4-parity"]);
    assert_eq!(column(&rows, "protection"), ["none", "none", "parity", "parity"]);
    assert!(column(&rows, "audited").iter().any(|images| images != "0"));
    // As `run` gives with the same code; what the hardware and rows without a code do not know is empty.
    let flags = ["--data", "digits", "--images", "3:40", "--ber", "1e-2", "--preset", "4x4", "--protect", "parity"];
    let row = json(&[&["run", "--engine", "golden", "--model", &model()], &flags[..]].concat(), 0);
    assert_eq!(column(&rows, "config_hash")[2], row["config_hash"].as_str().expect("a hash"));
    for site in ["weights", "biases"] {
        let of = |name: &str| column(&rows, &format!("{name}_{site}"));
        let checks: u64 =
            [0, 1].map(|held| row["sites"][site]["flips_check"][held].as_u64().expect("a count")).iter().sum();
        let [checks, silent, detected] =
            [checks.into(), row["silent"][site].clone(), row["counters"][format!("detected_{site}")].clone()]
                .map(|count: serde_json::Value| count.to_string());
        assert!(detected != "0" && checks != "0" && silent != "0", "{row}");
        assert_eq!(of("flips_check"), ["", "", &*checks, &*checks], "{site}");
        assert_eq!(of("silent"), ["", "", &*silent, ""], "{site}");
        assert_eq!(of("detected"), ["0", "0", &*detected, &*detected], "{site}");
        assert_eq!(of("corrected"), ["0", "0", "0", "0"], "{site}");
    }
    let report = json(&["report", text(&whole), "-o", text(&folder.path().join("page.html"))], 0);
    let curves = report["curves"].as_array().expect("a list");
    let silent = |curve: usize| &curves[curve]["points"][0]["weights"]["silent"];
    assert_eq!((curves.len(), silent(2), silent(3)), (4, &row["silent"]["weights"], &serde_json::Value::Null));
    // A sweep of one code more is another plan.
    let other = write(folder.path(), &grid.replace("\"parity\"]", "\"parity\", \"tmr\"]"));
    let message = refused(&["sweep", text(&other), "-o", text(&whole), "--resume"]);
    assert!(message.contains("`presets` was [") && message.contains("4x4-tmr"), "{message}");
}

/// Rate 0 once, then every bit alone and every layer alone; audited, so that the hardware has the same cells at risk.
#[test]
fn each_bit_and_each_layer_is_a_point_of_its_own() {
    let folder = folder();
    for (key, count) in [("bits", 8), ("layers", 9)] {
        let file = write(folder.path(), &format!("ber = [0, 0.02]\nseeds = [1]\naudit = 0.1\n{key} = \"each\"\n"));
        let output = folder.path().join(key);
        json(&["sweep", text(&file), "-o", text(&output)], 0);
        let rows = rows(&output);
        let (bits, layers) = (column(&rows, "bit_mask"), column(&rows, "layer_mask"));
        assert_eq!((bits.len(), &*bits[0], &*layers[0]), (1 + count, "255", "511"));
        let (many, one) = if key == "bits" { (&bits, &layers) } else { (&layers, &bits) };
        let mut masks: Vec<u32> = many[1..].iter().map(|mask| mask.parse().expect("a mask")).collect();
        masks.sort_unstable();
        assert_eq!(masks, (0..count).map(|i| 1 << i).collect::<Vec<_>>());
        assert!(one.iter().all(|mask| *mask == one[0]));
    }
}

#[test]
fn an_audit_counts_what_it_ran_again_and_changes_no_other_column() {
    let folder = folder();
    let grid = "ber = [0, 1e-3]\nseeds = [1, 2]\nbatch = 4\n";
    let run = |name: &str, more: &str, jobs: &str| {
        let (file, output) = (write(folder.path(), &format!("{grid}{more}")), folder.path().join(name));
        let result = json(&["sweep", text(&file), "-o", text(&output), "--jobs", jobs], 0);
        (result["audited"].as_u64().expect("a count"), rows(&output))
    };
    let (none, plain) = run("plain", "", "2");
    let (some, audited) = run("audited", "audit = 0.15\n", "2");
    // Images 3 to 42 lie in 11 batches: 5 of 33 are due, the first and the last of a point may be short.
    assert!(none == 0 && (14..=20).contains(&some), "{none} and {some} images");
    assert_eq!(column(&audited, "audited").iter().map(|n| n.parse::<u64>().expect("a number")).sum::<u64>(), some);
    assert_eq!(run("again", "audit = 0.15\n", "1").1, audited);
    let without = |rows: &str| {
        let of = |row: &str| row.split(',').rev().skip(3).collect::<Vec<_>>().join(",");
        rows.lines().map(of).collect::<Vec<_>>()
    };
    assert_eq!(without(&plain), without(&audited));
    assert_eq!(run("all", "audit = 1\n", "2").0, 120);
}

/// A fault of the injector does not show at rate 0: that row is written, audited. The next one is not.
#[test]
fn an_audit_that_differs_ends_the_sweep_with_the_command_that_shows_it() {
    let folder = folder();
    let generated = folder.path().join("rtl");
    json(&["generate", "--preset", "8x8", "--protect", "parity", "-o", text(&generated)], 0);
    let verilog = fs::read_to_string(generated.join("hafnia_8x8_parity.v")).expect("it was generated");
    let wrong = verilog.replace("((a0 << 13) ^ a0)", "((a0 << 12) ^ a0)");
    assert_ne!(wrong, verilog, "the generator has that line");
    fs::write(folder.path().join("wrong.v"), wrong).expect("the folder is ours");
    let file = write(
        folder.path(),
        "ber = [0, 1e-2]\nseeds = [7]\naudit = 0.1\nrtl = \"wrong.v\"\nprotection = [\"parity\"]\n",
    );
    let output = folder.path().join("out");
    let result = json(&["sweep", text(&file), "-o", text(&output)], 1);
    let said = result["difference"].as_str().expect("a sentence");
    assert!(said.contains("rate 1e-2, seed 7, images") && said.contains(": flip "), "{said}");
    assert_eq!(column(&rows(&output), "ber_requested"), ["0.0"]);
    let replay = result["replay"].as_str().expect("a command").to_owned();
    assert!(replay.contains("--preset 8x8 --protect parity"), "{replay}");
    let words: Vec<&str> = replay.split(' ').skip(1).collect();
    assert!(stdout(&words, 1).contains("differs"), "{replay}");

    // The folder remembers, and a report on it does not pass over it.
    let page = folder.path().join("page.html");
    let report = json(&["report", text(&output), "-o", text(&page)], 0);
    assert_eq!(report["audit"]["differing"], 1);
    let warning = report["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("differ") && warning.contains("rate 1e-2, seed 7, images"), "{warning}");
    assert!(fs::read_to_string(&page).expect("it was written").contains("The RTL and the golden model differ."));
}
