//! `price`: what each code costs, from the record.

use hafnia_config::presets;
use hafnia_config::price::{overhead, variants};
use hafnia_config::protect::Code;

use crate::common::{command, folder, json, model, refused, stdout, text};

#[test]
fn overhead_latency_and_differences_are_those_of_the_hardware() {
    for name in ["4x4", "8x8"] {
        let object = json(&["price", "--preset", name], 0);
        let codes = object["codes"].as_array().expect("a list");
        let variants = variants(&presets::find(name).expect("a preset"));
        assert_eq!(codes.len(), variants.len());
        for (row, hw) in codes.iter().zip(&variants) {
            let code = hw.config.protection.code;
            assert_eq!(row["protection"], code.to_string());
            assert_eq!(row["overhead"], overhead(code));
            assert_eq!(row["latency_cycles"], hw.weight_latency - variants[0].weight_latency);
            let [here, none] = [row, &codes[0]].map(|row| row["cells"]["lut4"].as_i64().expect("recorded"));
            assert_eq!(row["over_none"]["lut4"].as_i64(), (code != Code::None).then_some(here - none));
        }
    }
}

#[test]
fn the_table_tells_what_it_is_of_and_what_it_leaves_out() {
    let table = stdout(&["price", "--preset", "8x8"], 0);
    for phrase in
        ["array 8 x 8", "secded-72-64", "12.5%", "yosys 0.70", "LFE5U-85F speed grade 6", "larger than LFE5U-85F"]
    {
        assert!(table.contains(phrase), "no {phrase}:\n{table}");
    }
    assert!(table.contains("without injectors") && table.contains("energy of decoders is not modelled"), "{table}");
    assert!(!table.contains("Not recorded"), "{table}");
    // The same array, whatever is injected.
    let codes = |preset: &str| json(&["price", "--preset", preset], 0)["codes"].clone();
    let (plain, verified) = (codes("8x8"), codes("8x8-faults"));
    let (plain, verified) = (plain.as_array().expect("a list"), verified.as_array().expect("a list"));
    assert_eq!(plain[..], verified[..plain.len()]);
    let table = stdout(&["price", "--preset", "8x8-faults", "--protect", "secded-72-64"], 0);
    assert!(table.contains("secded-72-64 + write-verify"), "{table}");
}

#[test]
fn reads_of_a_model_are_priced_under_published_energies_alone() {
    let model = model();
    let run = ["price", "--preset", "8x8", "--model", &model, "--batch", "1", "--protect", "secded-72-64"];
    let object = json(&run, 0);
    let [none, secded] = [0, 1].map(|n| object["codes"][n].clone());
    // A batch of one reads every weight once.
    assert_eq!(none["cells_read"].as_f64(), none["weight_cells"].as_f64());
    let energy = |row: &serde_json::Value, device: &str| {
        let energies = row["energy"].as_array().expect("a list").iter();
        energies.filter(|e| e["device"] == device).map(|e| e["nj"].clone()).next()
    };
    let nj = |row| energy(row, "intel22-isscc19").and_then(|nj| nj.as_f64()).expect("it is published");
    assert_eq!(nj(&none), none["cells_read"].as_f64().expect("a number") / 1000.0);
    assert!((nj(&secded) / nj(&none) - 1.125).abs() < 1e-3);
    assert_eq!(energy(&none, "16nm-finfet-iedm15"), Some(serde_json::Value::Null));
    let table = stdout(&[&run[..], &["--device", "16nm-finfet-iedm15"]].concat(), 0);
    for phrase in ["10.1109/IEDM.2015.7409670", "not published", "SET 50 ns, RESET 1 us", "1e6 cycles", "weight words"]
    {
        assert!(table.contains(phrase), "no {phrase}:\n{table}");
    }
}

#[test]
fn an_array_that_is_not_recorded_says_how_to_measure_it() {
    let folder = folder();
    let file = folder.path().join("mine.toml");
    let preset = stdout(&["presets", "4x4"], 0).replace("map_words = 4096", "map_words = 2048");
    std::fs::write(&file, preset).expect("the folder is ours");
    let table = stdout(&["price", "--config", text(&file)], 0);
    assert!(table.contains("Not recorded: none, parity") && table.contains("--measure"), "{table}");
    let object = json(&["price", "--config", text(&file)], 0);
    assert_eq!(object["codes"][1]["cells"], serde_json::Value::Null);
    assert_eq!(object["codes"][1]["overhead"], 0.125);
}

#[test]
fn the_object_is_documented() {
    let documentation = include_str!("../../../../docs/json.md");
    let row = documentation.lines().find(|line| line.starts_with("| `price` |")).expect("there is a row");
    let object = json(&["price", "--model", &model()], 0);
    let keys = |value: &serde_json::Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    for part in [&object, &object["codes"][0], &object["model"], &object["synthesis"], &object["routing"]] {
        for key in keys(part) {
            assert!(row.contains(&format!("`{key}`")) || row.contains(&format!("`{key}[]`")), "no `{key}`");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (model, folder) = (model(), folder());
    let record = folder.path().join("record.toml");
    std::fs::write(&record, "[synthesis]\ntool = 7\n").expect("the folder is ours");
    let small = folder.path().join("small.toml");
    let preset = stdout(&["presets", "4x4"], 0).replace("map_words = 4096", "map_words = 512");
    std::fs::write(&small, preset).expect("the folder is ours");
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--preset", "9x9"], &["9x9", "4x4, 8x4, 8x8"]),
        (&["--device", "intel22"], &["no device `intel22`", "intel22-isscc19"]),
        (&["--preset", "4x4", "--protect", "secded-72-64"], &["secded-72-64", "`4x4`", "its codes are none, parity"]),
        (&["--model", "nowhere.safetensors"], &["nowhere.safetensors"]),
        (&["--config", text(&small), "--model", &model], &["model.safetensors", "layer 0", "`memory.map_words`"]),
        (&["--batch", "3", "--model", &model], &["batch of 3", "power of two"]),
        (&["--route"], &["--measure"]),
        (&["--record", text(&record)], &["record.toml", "tool", "--measure --record FILE"]),
    ];
    for (arguments, phrases) in cases {
        let message = refused(&[&["price"], arguments].concat());
        for phrase in phrases {
            assert!(message.contains(phrase), "{arguments:?} does not say {phrase:?}:\n{message}");
        }
    }
}

#[test]
fn missing_yosys_is_named_with_what_to_run() {
    let empty = folder();
    let mut command = command(&["price", "--preset", "4x4", "--measure"]);
    let output = command.env("HAFNIA_BUILD", empty.path()).env("PATH", empty.path()).output();
    let output = output.expect("the command was built");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("yosys was not found") && message.contains("scripts/setup --ecp5"), "{message}");
}
