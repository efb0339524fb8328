//! Whole reports of folders that the tests write.

use std::path::Path;

use hafnia_config::presets;
use hafnia_config::price::{Record, variants};
use hafnia_config::protect::Code;
use hafnia_sweep::Row;

use super::*;
use crate::format::count;

/// Rows of two presets, three rates, two seeds; a network whose name must be escaped.
fn rows() -> Vec<Row> {
    let grid = [(0.0, 1, 90), (1e-3, 1, 80), (1e-3, 2, 70), (1e-2, 1, 20), (1e-2, 2, 10)];
    let row = |preset: &str, (ber_requested, seed, correct): (f64, u64, u64)| Row {
        model: "<net> & \"co\"".to_owned(),
        model_sha256: "ab".to_owned(),
        preset: preset.to_owned(),
        config_hash: presets::find(preset).expect("a preset").hash(),
        engine: "golden".to_owned(),
        data: "digits".to_owned(),
        protection: "none".to_owned(),
        images: 100,
        top1: correct as f64 / 100.0,
        flips: (1e6 * ber_requested) as u64,
        cells_weights: 1_000_000,
        cells_at_risk: 1_000_000,
        cycles: if preset == "4x4" { 4000 } else { 1000 },
        bit_mask: 255,
        layer_mask: 511,
        ber_requested,
        seed,
        correct,
        ..Row::default()
    };
    ["4x4", "8x8"].iter().flat_map(|preset| grid.map(|point| row(preset, point))).collect()
}

fn source() -> Source {
    let plan = serde_json::json!({ "ber": [0.0, 1e-3, 1e-2], "version": "1" });
    let (folder, version) = ("</script>".into(), "1".to_owned());
    let sweep = "# <b>".to_owned();
    let (points, missing, difference) = (Some(10), Some(0), None);
    Source { folder, rows: 10, first_held: 0..10, points, missing, difference, version, plan, sweep }
}

fn report(rows: &[Row]) -> Report {
    let request = Request { folders: vec!["</script>".into()], output: "report.html".into(), svg: None, ber: vec![] };
    Report::of(request, vec![source()], rows).expect("the rows make a report")
}

#[test]
fn every_section_shows_what_its_rows_give() {
    let page = report(&rows()).html();
    let none = variants(&presets::find("8x8").expect("a preset"))[0].config.hash();
    let lut4 = count(Record::built_in().find(&none).expect("8x8 is recorded").cells.lut4);
    for phrase in [
        "id=\"plot-accuracy\"",
        "id=\"plot-price-lut4\"",
        "id=\"plot-price-cycles\"",
        "id=\"plot-price-energy-intel22-isscc19\"",
        "https://doi.org/10.1109/ISSCC.2019.8662393",
        "energy of decoders is not modelled",
        "not published",
        &*lut4,
        "Not audited:",
        "audit = 0.002",
        "layers = &quot;each&quot;",
    ] {
        assert!(page.contains(phrase), "no {phrase}");
    }
    assert_eq!((page.contains("Warning"), page.matches("<svg").count()), (false, 4));
}

#[test]
fn codes_name_their_curves_and_show_what_decoders_did() {
    let with_code = |code: Code| {
        rows().into_iter().filter(|row| row.preset == "8x8").map(move |row| {
            let config = presets::find(&row.preset).expect("a preset").protected(code);
            let counts = |of: u64| (code != Code::None).then_some(of);
            Row {
                config_hash: config.hash(),
                preset: config.name,
                protection: code.to_string(),
                flips_check_weights: counts(1000),
                corrected_weights: counts(1111),
                detected_weights: counts(0),
                ..row
            }
        })
    };
    let plain: Vec<_> = with_code(Code::None).collect();
    assert!(!report(&plain).html().contains("id=\"codes-table\""));
    let report = report(&plain.into_iter().chain(with_code(Code::Tmr)).collect::<Vec<_>>());
    let page = report.html();
    for phrase in
        ["8x8 · protection none", "8x8 · protection tmr", "id=\"codes-table\"", "<td>2,222</td>", "200.0%", "96 cells"]
    {
        assert!(page.contains(phrase), "no {phrase}");
    }
    assert!(!page.contains("not the preset of today"));
    let trade = report.trades.iter().find(|trade| trade.cost == Cost::Cycles).expect("two setups");
    let labels: Vec<_> = trade.series[0].points.iter().map(|point| &*point.label).collect();
    assert_eq!(labels, ["protection none", "protection tmr"]);
}

#[test]
fn names_of_others_are_escaped_and_nothing_is_loaded() {
    let page = report(&rows()).html();
    for foreign in ["<net>", "</script>'", "# <b>", "& \"co\""] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("&lt;net&gt; &amp; &quot;co&quot;"));
    for loaded in ["src=", "@import", "url(", "href=\"http:"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    assert_eq!(report(&rows()).html(), report(&rows()).html());
}

#[test]
fn the_price_front_is_the_cheaper_preset_where_accuracy_is_equal() {
    let report = report(&rows());
    let cycles = report.trades.iter().find(|trade| trade.cost == Cost::Cycles).expect("two setups");
    let found: Vec<_> =
        cycles.series.iter().map(|s| s.points.iter().map(|p| (&*p.label, p.front)).collect::<Vec<_>>()).collect();
    // 1e-3 loses 19% of the accuracy above chance, 1e-2 94%: the first is nearest to 10, 30 and 50%.
    assert_eq!(found, [[("8x8", true), ("4x4", false)]]);
}

#[test]
fn one_setup_and_one_seed_make_a_page_too() {
    let rows: Vec<_> = rows().into_iter().filter(|row| row.preset == "8x8" && row.seed == 1).collect();
    let page = report(&rows).html();
    assert!(page.contains("nothing to choose from") && page.contains("needs two seeds a rate"));
    let clean = report(&rows[..1]).html();
    assert!(clean.contains("There is no curve") && !clean.contains("<svg"));
}

#[test]
fn a_rate_of_no_row_is_refused_with_those_there_are() {
    let request = Request { folders: vec![], output: "r".into(), svg: None, ber: vec![0.5] };
    let error = Report::of(request, vec![source()], &rows()).expect_err("no row has it").to_string();
    assert!(error.contains("rate 5e-1") && error.contains("0, 1e-3, 1e-2"), "{error}");
}

#[test]
fn folders_that_are_no_sweeps_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let of = |folder: &Path| {
        let folders = vec![folder.to_owned()];
        Report::new(Request { folders, output: "r".into(), svg: None, ber: vec![] }).expect_err("no sweep").to_string()
    };
    let error = of(folder.path());
    assert!(error.contains("rows.csv") && error.contains("hafnia sweep FILE -o DIR"), "{error}");
}
