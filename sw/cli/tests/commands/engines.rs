//! `run`, `verify` and `generate` on the built-in digits: exit codes, results, flip logs, waveforms, replay.

use std::path::{Path, PathBuf};

use crate::common::{folder, hafnia, json, model, stdout, text};
use serde_json::Value;

fn run<'a>(engine: &'a str, model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", "--engine", engine, "--model", model, "--data", "digits"], more].concat()
}

#[test]
fn golden_and_sim_give_the_same_row_and_the_same_flip_log() {
    let (model, folder) = (model(), folder());
    let mut rows = Vec::new();
    let mut logs = Vec::new();
    for engine in ["golden", "sim"] {
        let log = folder.path().join(engine);
        let more = ["--images", "3:20", "--ber", "1e-3", "--seed", "7", "--flip-log", text(&log)];
        let mut row = json(&run(engine, &model, &more), 0);
        assert_eq!(row["engine"], engine);
        let object = row.as_object_mut().expect("a row is an object");
        object.remove("engine");
        object.remove("seconds");
        rows.push(row);
        logs.push(std::fs::read(log).expect("the log was written"));
    }
    assert_eq!(rows[0], rows[1]);
    assert!(logs[0] == logs[1], "the flip logs differ");
    let log = String::from_utf8(logs.remove(0)).expect("the log is text");
    let (header, lines) = log.split_once('\n').expect("the log has lines");
    assert_eq!(header, "site,layer,address,read_index,bit,before,after");
    assert_eq!(lines.lines().count() as u64, rows[0]["flips"].as_u64().expect("a count"));
    assert!(
        lines
            .lines()
            .all(|line| line.split(',').count() == 7 && (line.starts_with("weights,") || line.starts_with("biases,")))
    );
}

/// The sign bits of two layers: no other cell flips, on either engine, and the rate is that of the cells at risk.
#[test]
fn cells_at_risk_are_the_same_on_both_engines() {
    let (model, folder) = (model(), folder());
    let mut logs = Vec::new();
    for engine in ["golden", "sim"] {
        let log = folder.path().join(engine);
        let risk = ["--bits", "0x80", "--layers", "1,4"];
        let more = ["--images", "3:20", "--ber", "0.05", "--seed", "7", "--flip-log", text(&log)];
        let row = json(&run(engine, &model, &[&risk[..], &more[..]].concat()), 0);
        assert_eq!((&row["sites"]["weights"]["bit_mask"], &row["layer_mask"]), (&0x80.into(), &0b10010.into()));
        let rate = |name: &str| row[name].as_u64().expect("a count") as f64;
        let measured = row["flips"].as_u64().expect("a count") as f64 / rate("cells_at_risk");
        assert_eq!(row["ber_measured"].as_f64(), Some(measured));
        assert!((measured - 0.05).abs() < 0.005, "{measured}");
        logs.push(std::fs::read_to_string(log).expect("the log was written"));
    }
    assert!(logs[0] == logs[1], "the flip logs differ");
    for line in logs[0].lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        assert!(matches!(fields[1], "1" | "4") && fields[4].parse::<u32>().expect("a bit") % 8 == 7, "{line}");
    }
}

/// Writes the configuration of a 2x2 array, else preset 4x4, with these kinds of fault at every memory, and returns its path.
fn small_array(folder: &Path, kinds: &str) -> PathBuf {
    let config = folder.join("config.toml");
    let preset = stdout(&["presets", "4x4"], 0);
    let smaller = preset.replace("s = 4\n", "s = 2\n").replace("codeword = 4", "codeword = 2");
    let everywhere =
        smaller.replace("[\"read\"]", kinds).replace("activations = []", &format!("activations = {kinds}"));
    std::fs::write(&config, everywhere).expect("the folder is ours");
    config
}

/// Stuck cells, traps and write errors at every memory, beside read noise: the same flips on either engine, and again with
/// the device named.
#[test]
fn faults_of_cells_are_the_same_on_both_engines() {
    let (model, folder) = (model(), folder());
    let config = small_array(folder.path(), "[\"read\", \"telegraph\", \"write\", \"stuck\"]");
    let cells = "stuck_at_0_fraction=0.01,stuck_at_1_fraction=0.02,telegraph_fraction=0.05,telegraph_capture_reads=3,\
                 telegraph_emission_reads=2,telegraph_p01_per_read=0.5,p10_per_write=0.01";
    let mut logs = Vec::new();
    for (engine, cells) in
        [("golden", cells.to_owned()), ("sim", cells.to_owned()), ("golden", format!("{cells},device_seed=7"))]
    {
        let log = folder.path().join(engine);
        let more = ["--images", "3:9", "--ber", "1e-3", "--seed", "7", "--cells", &cells, "--flip-log", text(&log)];
        let sites = ["--sites", "weights,biases,activations", "--config", text(&config)];
        let row = json(&run(engine, &model, &[&sites[..], &more[..]].concat()), 0);
        assert_eq!((&row["cells"]["device_seed"], &row["cells"]["p10_per_write"]), (&7.into(), &0.01.into()));
        assert!(["weights", "biases", "activations"].iter().all(|site| row["sites"][site]["flips"].as_u64() > Some(0)));
        logs.push(std::fs::read_to_string(log).expect("the log was written"));
    }
    assert!(logs[0] == logs[1] && logs[0] == logs[2], "the flip logs differ");
}

#[test]
fn a_row_has_the_documented_fields() {
    let row = json(&run("golden", &model(), &["--images", "0:4"]), 0);
    let fields: Vec<&str> = row.as_object().expect("a row is an object").keys().map(String::as_str).collect();
    let documentation = include_str!("../../../../docs/json.md");
    for field in &fields {
        assert!(documentation.contains(&format!("`{field}`")), "docs/json.md does not describe `{field}`");
    }
    assert_eq!(
        (&row["ber_measured"], &row["draws"], &row["protection"]),
        (&0.0.into(), &"exact".into(), &"none".into())
    );
    assert_eq!(row["cycles"]["per_layer"].as_array().expect("a list").len(), 9);
}

#[test]
fn the_same_command_gives_the_same_bytes_whatever_the_jobs() {
    let model = model();
    let row = |jobs| {
        let mut row = json(&run("golden", &model, &["--images", "0:40", "--ber", "1e-2", "--jobs", jobs]), 0);
        row["seconds"] = Value::Null;
        row.to_string()
    };
    assert_eq!(row("1"), row("1"));
    assert_eq!(row("1"), row("3"));
}

#[test]
fn verify_is_equal_for_every_rate_and_seed_asked_for() {
    let result = json(&["verify", "--model", &model(), "--data", "digits", "--ber", "0,1e-2", "--seed", "1,2"], 0);
    assert_eq!(result["equal"], true);
    let rows = result["rows"].as_array().expect("a list");
    let points: Vec<_> = rows.iter().map(|r| (r["ber_requested"].as_f64(), r["seed"].as_u64())).collect();
    let wanted = [(0.0, 1), (0.0, 2), (1e-2, 1), (1e-2, 2)].map(|(p, seed)| (Some(p), Some(seed)));
    assert_eq!(points, wanted);
    assert!(rows.iter().all(|r| r["values_compared"].as_u64() > Some(10_000)));
}

/// Faults of the pool, a counter, a generator, the draws and the sequencer, as a user meets them: exit code 1, the
/// difference named, and a command that shows it again with a waveform of the cycles around it.
///
/// It takes longest, so that its name begins with the first letter: tests start in the order of their names.
#[test]
fn a_fault_in_the_verilog_ends_verify_with_1_and_a_command_that_replays_it() {
    let (model, folder) = (model(), folder());
    let config = small_array(folder.path(), "[\"read\"]");
    let generated = folder.path().join("everywhere");
    stdout(&["generate", "--config", text(&config), "-o", text(&generated)], 0);
    let sound = std::fs::read_to_string(generated.join("hafnia_4x4.v")).expect("it was generated");
    let (weights, biases, maps) =
        (Some("weight_port_0_index_o"), Some("bias_port_0_index_o"), Some("map_port_0_index_o"));
    for (line, instead, kind, marked) in [
        ("clamped > largest", "clamped < largest", "channel", Some("write_back_data_o")),
        ("{2'd0, weight_flips_i}", "{1'd0, weight_flips_i, 1'd0}", "counter `flips_weights`", None),
        ("a0 << 13", "a0 << 12", "flip ", weights),
        ("flips = flips & live_3 &", "flips = flips & live_3 & ~(live_3 >> 1) &", "flip ", weights),
        (
            "bias_port_0_seed_key_i = sequencer_bias_key_o",
            "bias_port_0_seed_key_i = sequencer_map_key_o",
            "biases",
            biases,
        ),
        (
            "map_port_0_seed_key_i = sequencer_map_key_o",
            "map_port_0_seed_key_i = sequencer_bias_key_o",
            "activations",
            maps,
        ),
        ("wire pass_end = pass_busy &", "wire pass_end = idle &", "did not run to its end: busy", None),
    ] {
        // The lanes of weights and of biases are modules of their own.
        assert!(sound.contains(line), "{line}");
        let faulty = folder.path().join("faulty.v");
        std::fs::write(&faulty, sound.replace(line, instead)).expect("the folder is ours");
        let flags = ["--model", &model, "--data", "digits", "--images", "3:4", "--ber", "1e-2", "--seed", "5"];
        let flags = [&flags[..], &["--config", text(&config), "--sites", "weights,biases,activations"]].concat();
        let result = json(&[&["verify", "--rtl", text(&faulty)][..], &flags].concat(), 1);
        let row = &result["rows"][0];
        assert_eq!((&result["equal"], &row["equal"]), (&false.into(), &false.into()));
        let difference = row["difference"].as_str().expect("it is described");
        assert!(difference.contains(kind) && difference.contains("seed 5"), "{difference}");

        let wave = row["wave"].as_str().expect("there is a waveform");
        std::fs::remove_file(wave).expect("the waveform was written");
        let replay = row["replay"].as_str().expect("there is a command");
        let words: Vec<&str> = replay.split(' ').skip(1).collect();
        let shown = stdout(&words, 1);
        assert!(shown.contains("differs"), "{replay}");
        assert_eq!(shown.lines().any(|line| line.starts_with('>')), marked.is_some(), "{shown}");
        assert!(marked.is_none_or(|signal| shown.contains(signal)), "{shown}");
        let vcd = std::fs::read_to_string(wave).expect("the replay wrote the waveform");
        assert!(vcd.contains("$enddefinitions") && vcd.contains("write_back_address_o"));
    }
}

#[test]
fn waveform_holds_the_window_asked_for_and_changes_no_result() {
    let (model, folder) = (model(), folder());
    let plain = json(&run("sim", &model, &["--images", "0:1", "--ber", "1e-3"]), 0);
    for name in ["w.vcd", "w.fst"] {
        let wave = folder.path().join(name);
        let more = ["--images", "0:1", "--ber", "1e-3", "--wave", text(&wave), "--wave-window", "5000:40"];
        let traced = json(&run("sim", &model, &more), 0);
        assert_eq!((&plain["correct"], &plain["counters"]), (&traced["correct"], &traced["counters"]));
        let bytes = std::fs::read(&wave).expect("the waveform was written");
        assert!(bytes.len() > 1000, "{name} has {} bytes", bytes.len());
        if name.ends_with("vcd") {
            let vcd = String::from_utf8(bytes).expect("a VCD file is text");
            let times: Vec<u64> = vcd.lines().filter_map(|line| line.strip_prefix('#')?.parse().ok()).collect();
            let (first, last) = (times[0], times[times.len() - 1]);
            assert!(last - first <= 400 && last - first > 300, "{first} to {last} ns");
        }
    }
}

#[test]
fn generate_writes_the_same_files_each_time() {
    let (one, two) = (folder(), folder());
    for folder in [&one, &two] {
        stdout(&["generate", "--preset", "4x4", "-o", text(folder.path())], 0);
    }
    let names = ["hafnia_4x4.v", "manifest.json", "registers.md", "hafnia_4x4.core", "config.toml"];
    for name in names {
        let read = |folder: &tempfile::TempDir| std::fs::read(folder.path().join(name)).expect("it was written");
        assert!(read(&one) == read(&two), "{name} differs");
    }
    assert_eq!(std::fs::read_dir(one.path()).expect("the folder is there").count(), names.len());
    let again = folder();
    let config = one.path().join("config.toml");
    stdout(&["generate", "--config", text(&config), "-o", text(again.path())], 0);
    let read = |folder: &tempfile::TempDir| std::fs::read(folder.path().join("hafnia_4x4.v")).expect("it was written");
    assert!(read(&one) == read(&again), "the configuration written is that of the preset");
}

#[test]
fn nothing_but_the_result_is_printed_when_no_terminal_listens() {
    let model = model();
    let output = hafnia(&run("golden", &model, &["--images", "0:40"]));
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("top-1"));
}

#[test]
fn quantize_writes_the_committed_digits_model_again() {
    let Some(shared) = hafnia_testing::shared() else { return };
    let trained = shared.join("models/vgg-a8-digits");
    let folder = folder();
    let output = folder.path().join("model.safetensors");
    let (weights, meta) = (trained.join("weights.safetensors"), trained.join("model.json"));
    let flags = ["quantize", "--weights", text(&weights), "--meta", text(&meta), "--calibration", "digits", "-o"];
    let result = json(&[&flags[..], &[text(&output)]].concat(), 0);
    let written = std::fs::read(&output).expect("the model was written");
    assert!(written == std::fs::read(model()).expect("the committed model is there"));
    assert_eq!(result["meta"]["accuracy"]["int8_correct"], 356);
}

#[test]
fn bench_of_the_golden_model_runs_without_its_peer() {
    let result = json(&["bench", "golden", "--model", &model(), "--batch", "9", "--repeats", "2"], 0);
    assert!(result["golden_images_per_second"].as_f64() > Some(0.0), "{result}");
    assert_eq!((&result["peer"], &result["batch"]), (&Value::Null, &9.into()));
}

#[test]
fn bench_of_noise_runs_without_its_peer() {
    let flags = ["bench", "noise", "--model", &model(), "--data", "digits", "--images", "64", "--repeats", "2"];
    let result = json(&[&flags[..], &["--ber", "1e-3,1e-2"]].concat(), 0);
    let rows = result["rows"].as_array().expect("a list");
    let points: Vec<_> = rows.iter().map(|row| (row["ber"].as_f64(), row["images_a_read"].as_u64())).collect();
    let [low, high] = [1e-3, 1e-2].map(Some);
    assert_eq!(points, [(low, Some(1)), (low, Some(16)), (high, Some(1)), (high, Some(16))]);
    assert!(rows.iter().all(|row| row["golden_images_per_second"].as_f64() > Some(0.0)), "{result}");
    assert!(rows.iter().all(|row| row["peer"].is_null()) && result["peer"].is_null(), "{result}");
    let run = json(&run("golden", &model(), &["--images", "0:64"]), 0);
    assert_eq!(result["golden_top1"], run["top1"]);
}

#[test]
fn bench_of_faults_judges_both_exact_sources_and_a_control() {
    let result = json(&["bench", "faults", "--ber", "1e-2,1e-3", "--draws", "1e6"], 0);
    assert_eq!((&result["passed"], &result["lanes"], &result["cells"]), (&true.into(), &2.into(), &64.into()));
    let rows = result["rows"].as_array().expect("a list");
    let row = |row: &Value| (row["source"].clone(), row["ber"].as_f64(), row["passed"].clone(), row["control"].clone());
    let wanted = [("golden", 1e-2), ("golden", 1e-3), ("rtl", 1e-2), ("rtl", 1e-3), ("single-step", 1e-2)];
    let wanted = wanted.map(|(source, ber)| {
        let exact = source != "single-step";
        (source.into(), Some(ber), exact.into(), (!exact).into())
    });
    assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), wanted);
    for row in rows {
        let checks = row["checks"].as_array().expect("a list");
        let names: Vec<_> = checks.iter().filter_map(|check| check["statistic"].as_str()).collect();
        assert_eq!(names, ["hits", "gaps", "lags", "cells", "lanes", "neighbours", "starts"]);
        assert!(row["draws"].as_f64() >= Some(1e6) && checks.iter().all(|check| check["bound"].is_number()));
    }
    // Hardware of one lane has no pairs of lanes.
    let flags = ["bench", "faults", "--preset", "8x8", "--ber", "1e-2", "--draws", "1", "--sources", "golden"];
    let text = stdout(&flags, 0);
    assert!(text.contains("control single-step fails as it should") && !text.contains("lanes 0 and 1"), "{text}");
    assert!(text.ends_with("exact draws pass in all settings (1)\n"), "{text}");
}

#[test]
fn doctor_lists_every_tool_with_what_is_lost_without_it() {
    let result = json(&["doctor"], 0);
    let tools = result["tools"].as_array().expect("a list");
    for name in ["verilator", "g++", "z3", "yosys", "nextpnr-ecp5", "ecppack", "onnxruntime", "torch", "openFPGALoader"]
    {
        let tool = tools.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert!(tool["needed_for"].as_str().is_some_and(|text| !text.is_empty()));
    }
}
