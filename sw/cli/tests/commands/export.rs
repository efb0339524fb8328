//! `export`: rows of sweeps for other programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{folder, json, model, refused, text};

/// Runs a small sweep into `folder/name` and returns that folder.
fn sweep(folder: &Path, name: &str, seeds: &str) -> PathBuf {
    let (file, output) = (folder.join("sweep.toml"), folder.join(name));
    let fixed = format!("models = [\"{}\"]\ndata = \"digits\"\nimages = [0, 20]\n", model());
    fs::write(&file, fixed + "ber = [0, 1e-3, 1e-1]\nseeds = " + seeds).expect("the folder is ours");
    json(&["sweep", text(&file), "-o", text(&output)], 0);
    output
}

/// The lines of `rows.csv` without the checksums.
fn lines(folder: &Path) -> Vec<String> {
    let rows = fs::read_to_string(folder.join("rows.csv")).expect("there are rows");
    rows.lines().map(|line| line.rsplit_once(',').expect("there is a checksum").0.to_owned()).collect()
}

#[test]
fn rows_of_several_folders_follow_one_another_and_the_bytes_are_the_same_each_time() {
    let folder = folder();
    let (a, b) = (sweep(folder.path(), "a", "[1, 2]"), sweep(folder.path(), "b", "[3]"));
    let (csv, parquet) = (folder.path().join("rows.csv"), folder.path().join("rows.parquet"));
    let result = json(&["export", text(&a), text(&b), "--csv", text(&csv)], 0);
    assert_eq!(result["rows"], 8);
    for field in result.as_object().expect("an object").keys() {
        assert!(
            include_str!("../../../../docs/json.md").contains(&format!("`{field}")),
            "docs/json.md lacks `{field}`"
        );
    }
    let joined: Vec<_> = lines(&a).into_iter().chain(lines(&b).into_iter().skip(1)).collect();
    assert_eq!(fs::read_to_string(&csv).expect("it was written").lines().collect::<Vec<_>>(), joined);

    let export = || {
        json(&["export", text(&a), text(&b), "--parquet", text(&parquet)], 0);
        fs::read(&parquet).expect("it was written")
    };
    assert!(export() == export());
}

#[test]
fn an_export_that_would_lose_or_repeat_rows_is_refused() {
    let folder = folder();
    let a = sweep(folder.path(), "a", "[1]");
    for name in ["rows.csv", "plan.json", "sweep.toml"] {
        let (input, before) = (a.join(name), fs::read(a.join(name)).expect("it is there"));
        for format in ["--csv", "--parquet"] {
            let message = refused(&["export", text(&a), format, text(&input)]);
            assert!(message.contains(name) && message.contains("a file of its own"), "{message}");
        }
        assert!(fs::read(&input).expect("it is there") == before);
    }
    let output = folder.path().join("out.parquet");
    let again = folder.path().join("./a");
    let message = refused(&["export", text(&a), text(&again), "--parquet", text(&output)]);
    assert!(message.contains("named twice"), "{message}");
    fs::write(a.join("rows.csv"), lines(&a).join("\n")).expect("the folder is ours");
    let message = refused(&["export", text(&a), "--parquet", text(&output)]);
    assert!(message.contains("rows.csv, line 1"), "{message}");
    assert!(!output.exists());
}

/// DuckDB reads the Parquet file and `rows.csv` on its own and finds no difference of a name or a value.
#[test]
fn duckdb_reads_the_rows_that_the_folder_holds() {
    let python = hafnia_verilate::build_folder().join("peers/bin/python");
    if !Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|run| run.status.success()) {
        return hafnia_testing::skip("DuckDB is not installed: scripts/setup --peers");
    }
    let folder = folder();
    let a = sweep(folder.path(), "a", "[1, 9223372036854775807]");
    let parquet = folder.path().join("rows.parquet");
    json(&["export", text(&a), "--parquet", text(&parquet)], 0);
    let script = "import duckdb, sys\n\
        p, c = f\"from '{sys.argv[1]}'\", f\"from (from '{sys.argv[2]}' select * exclude crc32)\"\n\
        names = lambda t: [name for name, *_ in duckdb.sql('describe ' + t).fetchall()]\n\
        print(len(duckdb.sql(p).fetchall()), names(p) == names(c), duckdb.sql(f'({p}) except ({c})').fetchall())\n\
        print([type for name, type, *_ in duckdb.sql('describe ' + p).fetchall() if name in sys.argv[3:]])";
    let columns = ["model", "ber_requested", "seed", "bit_mask", "layer_mask"];
    let run = Command::new(&python).args(["-c", script]).arg(&parquet).arg(a.join("rows.csv")).args(columns).output();
    let run = run.expect("Python is there");
    let found = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert_eq!(found, "5 True []\n['VARCHAR', 'DOUBLE', 'UBIGINT', 'UTINYINT', 'UINTEGER']\n");
}
