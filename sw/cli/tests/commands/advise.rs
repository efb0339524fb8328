//! `advise`: the cheapest protections of a sweep that meet a target.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{assert_documented, folder, json, refused, stdout, text, write_sweep};

/// Sweeps 40 digits over `grid` and returns the folder.
fn swept(folder: &Path, grid: &str) -> PathBuf {
    let rows = folder.join("rows");
    json(&["sweep", text(&write_sweep(folder, grid)), "-o", text(&rows)], 0);
    rows
}

const CODES: &str = "protection = [\"none\", \"secded-72-64\"]\nber = [0, 1e-3]\nseeds = [1, 2, 3]\n";

#[test]
fn a_code_that_keeps_the_loss_is_found_with_its_evidence() {
    let folder = folder();
    let rows = swept(folder.path(), CODES);
    let advise = ["advise", text(&rows), "--device", "intel22-isscc19", "--loss", "10"];
    let advice = json(&advise, 0);
    assert_documented(&advice);
    let setups = advice["answers"][0]["setups"].as_array().expect("a list");
    let found: Vec<_> = setups.iter().map(|setup| (setup["label"].as_str(), setup["meets"].as_bool())).collect();
    let expected = [(Some("protection secded-72-64"), Some(true)), (Some("protection none"), Some(false))];
    assert_eq!(found, expected);
    let evidence = &setups[0]["evidence"];
    assert_eq!((evidence["ber"].as_f64(), &evidence["seeds"]), (Some(1e-3), &serde_json::json!([1, 2, 3])));
    let number = |value: &Value| value.as_f64().expect("a number");
    let loss = 100.0 * (number(&advice["answers"][0]["clean"]) - number(&evidence["low"]));
    assert!((number(&evidence["loss"]) - loss).abs() < 1e-9 && loss <= 10.0);
    assert_eq!(setups[1]["reasons"][0]["kind"], "loss");

    let table = stdout(&advise, 0);
    let question = "At most 10 points of top-1 lost at a bit-error rate of 1e-5, that of intel22-isscc19 (target before ECC), \
                    10.1109/ISSCC.2019.8662393; cheapest first by nJ of reads an image";
    assert!(table.starts_with(question), "{table}");
    for phrase in [
        "digits 3 to 42, weights and biases at risk",
        "clean top-1",
        "nJ read",
        "12.5%",
        "do not meet it\n  protection none\n    may lose",
        "rate 1e-3, 3 seeds (1 to 3), 40 images each, 0 of 120 audited on the simulated RTL, in ",
        "energy of decoders is not modelled",
    ] {
        assert!(table.contains(phrase), "no {phrase}:\n{table}");
    }
}

#[test]
fn what_nothing_meets_ends_with_1_and_says_why() {
    let folder = folder();
    let rows = swept(folder.path(), CODES);
    let advise = |more: &[&str]| -> String {
        let object = json(&[&["advise", text(&rows)], more].concat(), 1);
        assert_documented(&object);
        assert_eq!(object["met"], false);
        stdout(&[&["advise", text(&rows)], more].concat(), 1)
    };
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["--ber", "1e-3", "--loss", "0", "--max-overhead", "0"],
            &["Nothing meets it", "may lose", "at rate 1e-3", "12.5%, at most 0.0%"],
        ),
        (&["--ber", "0.02", "--loss", "100"], &["not measured at this rate", "highest swept is 1e-3", "sweep 2e-2"]),
        (&["--ber", "1e-3", "--loss", "100", "--max-dp16kd", "100"], &["over budget", "190, at most 100"]),
        (
            &["--ber", "1e-3", "--device", "mlc4-iedm19", "--loss", "100", "--max-nj", "1e9"],
            &["unknown, nJ of reads", "published no read energy", "these did: intel22-isscc19"],
        ),
        (&["--ber", "1e-3", "--loss", "100", "--max-cycles", "1"], &["clock cycles an image: 46,", "at most 1.00"]),
    ];
    for (arguments, phrases) in cases {
        let message = advise(arguments);
        for phrase in phrases {
            assert!(message.contains(phrase), "{arguments:?} does not say {phrase:?}:\n{message}");
        }
    }
}

#[test]
fn write_verify_is_a_protection_and_tells_its_pulses() {
    let folder = folder();
    let cells = "cells = [{}, { p10_per_write = 1e-2 }, { p10_per_write = 1e-2, max_pulses = 4 }]\n";
    let rows = swept(folder.path(), &format!("presets = [\"8x8-faults\"]\nber = [0]\nseeds = [1, 2, 3]\n{cells}"));
    let advise = ["advise", text(&rows), "--ber", "0", "--loss", "5", "--device", "16nm-finfet-iedm15"];
    let advice = json(&advise, 0);
    assert_documented(&advice);
    assert_eq!(advice["answers"].as_array().map(Vec::len), Some(1));
    let [verified, once] = [0, 1].map(|n| advice["answers"][0]["setups"][n].clone());
    assert_eq!((&verified["max_pulses"], &verified["meets"]), (&4.into(), &true.into()));
    assert_eq!((&once["max_pulses"], &once["meets"]), (&Value::Null, &false.into()));
    let pulses = verified["evidence"]["programming"]["pulses_per_cell"].as_f64().expect("it was programmed");
    let share = verified["evidence"]["programming"]["endurance_share"].as_f64().expect("it is published");
    assert!(pulses > 1.0 && pulses < 1.02 && (share / (pulses / 1e6) - 1.0).abs() < 1e-9, "{pulses} {share}");
    let table = stdout(&advise, 0);
    for phrase in
        ["write-verify up to 4 pulses", "pulses a cell", "of the endurance", "RESET 1 us", "no time of the whole"]
    {
        assert!(table.contains(phrase), "no {phrase}:\n{table}");
    }
    assert!(refused(&[&advise[..], &["--cells", "none"]].concat()).contains("p10_per_write=0.01"));
    assert_eq!(json(&[&advise[..], &["--cells", "p10_per_write=0.01"]].concat(), 0)["answers"], advice["answers"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = folder();
    let rows = swept(folder.path(), "ber = [1e-3]\nseeds = [1, 2]\n");
    let record = folder.path().join("record.toml");
    std::fs::write(&record, "[synthesis]\ntool = 7\n").expect("the folder is ours");
    let cases: [(&[&str], &[&str]); 18] = [
        (&["--ber", "1e-3"], &["--loss"]),
        (&["--ber", "1e-3", "--loss", "-1"], &["--loss", "'-1'", "points from 0 to 100"]),
        (&["--ber", "1e-3", "--loss", "101"], &["--loss", "'101'", "points from 0 to 100"]),
        (&["--ber", "1e-3", "--loss", "nan"], &["--loss", "'nan'", "points from 0 to 100"]),
        (&["--loss", "1"], &["--device"]),
        (&["--loss", "1", "--ber", "1.5"], &["--ber", "'1.5'", "[0, 1]", "1e-4"]),
        (&["--loss", "1", "--ber", "nan"], &["--ber", "'nan'", "[0, 1]"]),
        (&["--loss", "1", "--device", "intel22"], &["no device `intel22`", "intel22-isscc19"]),
        (
            &["--loss", "1", "--device", "tsmc40-asscc17"],
            &["--device tsmc40-asscc17", "published no bit-error rate", "mlc4-iedm19", "--ber P"],
        ),
        (&["--loss", "1", "--ber", "1e-3", "--max-lut4", "-5"], &["--max-lut4", "'-5'", "number from 0 up"]),
        (&["--loss", "1", "--ber", "1e-3", "--max-cycles", "nan"], &["--max-cycles", "'nan'", "number from 0 up"]),
        (&["--loss", "1", "--ber", "1e-3", "--max-nj", "5"], &["--device"]),
        (&["--loss", "1", "--ber", "1e-3", "--by", "energy"], &["--by energy", "none is given", "--by overhead"]),
        (
            &["--loss", "1", "--device", "mlc4-iedm19", "--by", "energy"],
            &["--by energy", "published no read energy", "intel22-isscc19"],
        ),
        (&["--loss", "1", "--ber", "1e-3", "--model", "other"], &["--model", "vgg-a8-digits, digits 3 to 42"]),
        (&["--loss", "1", "--ber", "1e-3", "--cells", "p10_per_write=0.1,max_pulses=4"], &["--cells", "max_pulses"]),
        (&["--loss", "1", "--ber", "1e-3", "--record", text(&record)], &["record.toml", "tool"]),
        // These rows have no rate 0.
        (&["--loss", "1", "--ber", "1e-3"], &["vgg-a8-digits, digits 3 to 42", "rate 0", "ber = [0]"]),
    ];
    for (arguments, phrases) in cases {
        let message = refused(&[&["advise", text(&rows)], arguments].concat());
        for phrase in phrases {
            assert!(message.contains(phrase), "{arguments:?} does not say {phrase:?}:\n{message}");
        }
    }
    let nowhere = refused(&["advise", text(folder.path()), "--loss", "1", "--ber", "1e-3"]);
    assert!(nowhere.contains("holds no `rows.csv`"), "{nowhere}");
    let header = crate::common::rows(&rows).lines().next().expect("a header").to_owned() + "\n";
    std::fs::write(rows.join("rows.csv"), header).expect("the folder is ours");
    assert!(refused(&["advise", text(&rows), "--loss", "1", "--ber", "1e-3"]).contains("no finished row"));
}
