//! `presets`: accelerators and memory devices by name.

use crate::common::{folder, json, refused, stdout, text};

#[test]
fn the_list_has_every_preset_and_each_device_beside_its_doi() {
    let list = stdout(&["presets"], 0);
    for name in ["4x4", "8x4", "8x8", "16x16"] {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{name} is missing:\n{list}");
    }
    let devices = json(&["presets"], 0)["devices"].as_array().expect("a list").clone();
    for device in &devices {
        let [name, source] = ["name", "source"].map(|key| device[key].as_str().expect("a text"));
        let beside =
            list.lines().any(|line| line.split_once(' ').is_some_and(|(n, s)| n == name && s.trim() == source));
        assert!(beside, "{name} is not beside {source}:\n{list}");
    }
    assert_eq!(devices.len(), list.matches("  not published  ").count());
}

#[test]
fn an_accelerator_is_shown_as_a_configuration_file_that_is_read_back() {
    let folder = folder();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, stdout(&["presets", "8x4"], 0)).expect("the folder is ours");
    let hash = |arguments: &[&str]| {
        let output = folder.path().join("out");
        json(&[arguments, &["-o", text(&output)]].concat(), 0)["config_hash"].clone()
    };
    let own = hash(&["generate", "--config", text(&file)]);
    assert_eq!(own, hash(&["generate", "--preset", "8x4"]));
    assert_eq!(own, json(&["presets", "8x4"], 0)["accelerators"][0]["config_hash"]);
}

#[test]
fn a_device_is_shown_with_every_figure_published_or_not() {
    let expected = "\
tsmc40-asscc17      10.1109/ASSCC.2017.8240203
  read time         10 ns
  read energy       not published
  write pulse       not published
  write energy      not published
  raw BER           not published
  capacity          1.4 Mbit
  resistance        HRS 100 kohm, LRS 10 kohm
  endurance         1e6 cycles
";
    assert_eq!(stdout(&["presets", "tsmc40-asscc17"], 0), expected);
    let object = json(&["presets", "tsmc40-asscc17"], 0);
    let device = &object["devices"][0];
    assert_eq!((&object["accelerators"], &device["doi"]), (&[(); 0][..].into(), &device["source"]));
    assert_eq!((&device["lrs_ohm"], &device["raw_ber"]), (&10e3.into(), &serde_json::Value::Null));
    assert_eq!(json(&["presets", "nvsim-default"], 0)["devices"][0]["doi"], serde_json::Value::Null);
}

#[test]
fn the_object_is_documented() {
    let documentation = include_str!("../../../../docs/json.md");
    let object = json(&["presets"], 0);
    let row = documentation.lines().find(|line| line.starts_with("| `presets` |")).expect("there is a row");
    for key in object["devices"][0].as_object().expect("an object").keys() {
        assert!(row.contains(&format!("`{key}`")), "docs/json.md does not describe `{key}`");
    }
    for key in object.as_object().expect("an object").keys() {
        assert!(row.contains(&format!("`{key}[]`")), "docs/json.md does not describe `{key}`");
    }
}

#[test]
fn an_unknown_name_is_told_the_names() {
    let message = refused(&["presets", "9x9"]);
    for name in ["9x9", "4x4", "16x16", "intel22-isscc19", "nvsim-default"] {
        assert!(message.contains(name), "{message}");
    }
}
