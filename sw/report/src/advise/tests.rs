//! Advice on rows that the tests write.

use hafnia_config::accel::ProtectionConfig;
use hafnia_config::price::{Cells, Measured, variants};
use hafnia_config::protect::Code;
use hafnia_config::{AccelConfig, device, presets};

use super::*;

const SECDED: Code = Code::Secded { data_bits: 64 };

/// A row of a thousand images on `8x8` with a code.
fn row(code: Code, ber_requested: f64, seed: u64, correct: u64) -> Row {
    let config = presets::find("8x8").expect("a preset").protected(code);
    Row {
        model: "net".to_owned(),
        model_sha256: "ab".to_owned(),
        config_hash: config.hash(),
        preset: config.name,
        engine: "golden".to_owned(),
        data: "digits".to_owned(),
        sites: "weights".to_owned(),
        protection: code.to_string(),
        images: 1000,
        top1: correct as f64 / 1000.0,
        p01_requested: ber_requested,
        p10_requested: ber_requested,
        cells_weights: 8_000_000,
        cells_at_risk: 8_000_000,
        cycles: 1_000_000,
        bit_mask: 255,
        layer_mask: 511,
        ber_requested,
        seed,
        correct,
        ..Row::default()
    }
}

/// The clean row, and two seeds at each rate.
fn rows(code: Code, rates: &[(f64, [u64; 2])]) -> Vec<Row> {
    let noisy =
        rates.iter().flat_map(|&(ber, correct)| [1, 2].map(|seed| row(code, ber, seed, correct[seed as usize - 1])));
    std::iter::once(row(code, 0.0, 1, 900)).chain(noisy).collect()
}

fn wanted(ber: f64, loss: f64) -> Wanted {
    Wanted { ber, device: None, loss, by: Cost::Overhead, limits: vec![], only: Only::default() }
}

fn limited(cost: Cost, at_most: f64) -> Wanted {
    Wanted { limits: vec![Limit { cost, at_most }], ..wanted(1e-3, 5.0) }
}

fn under(device: &str, wanted: Wanted) -> Wanted {
    Wanted { device: Some(device::find(device).expect("a device")), ..wanted }
}

fn source(folder: &str, first_held: std::ops::Range<usize>) -> Source {
    let (version, plan, sweep) = ("1".to_owned(), serde_json::Value::Null, String::new());
    let (folder, rows) = (folder.into(), first_held.len());
    Source { folder, rows, first_held, points: Some(9), missing: Some(0), difference: None, version, plan, sweep }
}

fn try_advice(rows: &[Row], wanted: Wanted) -> Result<Advice, ReportError> {
    Advice::of(vec![source("one", 0..rows.len())], rows, wanted, &Record::built_in())
}

fn advice(rows: &[Row], wanted: Wanted) -> Advice {
    try_advice(rows, wanted).expect("the rows hold a question")
}

/// Advice on rows of one question with one setup.
fn only(rows: &[Row], wanted: Wanted) -> Candidate {
    let mut answers = advice(rows, wanted).answers;
    assert_eq!((answers.len(), answers[0].setups.len()), (1, 1));
    answers.remove(0).setups.remove(0)
}

fn labels(answer: &Answer) -> Vec<(&str, bool)> {
    answer.setups.iter().map(|setup| (&*setup.label, setup.meets)).collect()
}

#[test]
fn what_meets_the_target_is_listed_cheapest_first_and_then_the_rest() {
    let good = |code| rows(code, &[(1e-3, [898, 899])]);
    let rows: Vec<_> =
        [good(Code::Tmr), rows(Code::None, &[(1e-3, [700, 700])]), good(Code::Parity), good(SECDED)].concat();
    let found = advice(&rows, wanted(1e-3, 5.0));
    // Parity and SECDED store as many cells, so what they are built of decides.
    let luts = |of: &Candidate| Cost::Lut4.of(&of.price).expect("a recorded area");
    let [first, second, ..] = &*found.answers[0].setups else { panic!("four setups") };
    assert!(luts(first) < luts(second));
    let mut cheapest = [&*first.label, &*second.label];
    cheapest.sort_unstable();
    assert_eq!(cheapest, ["protection parity", "protection secded-72-64"]);
    let dearer = [("protection tmr", true), ("protection none", false)];
    assert_eq!((&labels(&found.answers[0])[2..], found.met), (&dearer[..], true));
    let by_ff = advice(&rows, Wanted { by: Cost::Ff, ..wanted(1e-3, 5.0) });
    assert_eq!(by_ff.answers[0].setups[0].label, "protection parity");
    assert!(!advice(&rows, wanted(1e-3, 0.1)).met);
}

#[test]
fn the_evidence_is_of_the_smallest_swept_rate_that_is_not_below() {
    let rows = rows(Code::None, &[(1e-4, [899, 899]), (1e-3, [800, 800]), (1e-2, [100, 100])]);
    let at = |ber| {
        let setup = only(&rows, wanted(ber, 1.0));
        (setup.evidence.as_ref().map(|evidence| evidence.ber), setup.meets)
    };
    assert_eq!([at(1e-5), at(1e-4)], [(Some(1e-4), true); 2]);
    // Nearer to 1e-4, between which and 1e-3 nothing is known.
    assert_eq!([at(1.1e-4), at(1e-3)], [(Some(1e-3), false); 2]);
    assert_eq!(at(2e-3), (Some(1e-2), false));
}

#[test]
fn nothing_is_told_of_rates_above_the_highest() {
    let setup = only(&rows(Code::None, &[(1e-3, [900, 900])]), wanted(2e-3, 100.0));
    assert!(setup.evidence.is_none() && !setup.meets);
    assert_eq!(setup.reasons, [Reason::NotMeasured { ber: 2e-3, highest: 1e-3 }]);
    let text = setup.reasons[0].to_string();
    assert!(text.contains("highest swept is 1e-3") && text.contains("sweep 2e-3"), "{text}");
}

#[test]
fn loss_goes_down_to_the_lower_end_of_the_interval() {
    // By hand: the mean loses 1 point; t(0.975, 1) = 12.706, standard error 0.01, so the lower end is 12.706 points below.
    let rows = rows(Code::None, &[(1e-3, [900, 880])]);
    let loss = |most| {
        let setup = only(&rows, wanted(1e-3, most));
        (setup.evidence.as_ref().and_then(|evidence| evidence.loss).expect("two seeds"), setup.meets)
    };
    assert!((loss(5.0).0 - 13.706).abs() < 1e-3, "{:?}", loss(5.0));
    assert_eq!([2.0, 13.7, 13.8].map(|most| loss(most).1), [false, false, true]);
}

#[test]
fn a_loss_of_just_the_target_is_met() {
    let rows = rows(Code::None, &[(1e-3, [890, 890])]);
    assert_eq!([1.0, 0.999].map(|loss| only(&rows, wanted(1e-3, loss)).meets), [true, false]);
}

#[test]
fn one_seed_is_no_evidence_unless_nothing_random_enters() {
    let clean = row(Code::None, 0.0, 1, 900);
    let noisy = [clean.clone(), row(Code::None, 1e-3, 1, 900)];
    let setup = only(&noisy, wanted(1e-3, 100.0));
    assert_eq!((setup.meets, setup.reasons), (false, vec![Reason::OneSeed { ber: 1e-3, top1: 0.9 }]));
    assert!(only(&noisy, wanted(0.0, 0.0)).meets);
    let faulty = |cells: &str| {
        let faulty = Row { cells: cells.to_owned(), ..row(Code::None, 0.0, 1, 890) };
        only(&[clean.clone(), faulty], wanted(0.0, 2.0)).meets
    };
    assert!(faulty("device_seed=3,p10_per_write=0.01"));
    assert!(!faulty("p10_per_write=0.01"));
    let trap =
        "telegraph_fraction=0.01,telegraph_capture_reads=9.0,telegraph_emission_reads=9.0,telegraph_p01_per_read=1.0";
    assert!(!faulty(&format!("device_seed=3,{trap}")));
}

#[test]
fn budgets_are_kept() {
    let rows = rows(SECDED, &[(1e-3, [899, 899])]);
    let price = only(&rows, wanted(1e-3, 5.0)).price;
    for cost in [Cost::Lut4, Cost::Ff, Cost::Dp16kd, Cost::Overhead, Cost::Cycles] {
        let value = cost.of(&price).expect("8x8 is recorded");
        assert!(only(&rows, limited(cost.clone(), value)).meets, "{cost:?}");
        let at_most = 0.99 * value;
        let over = only(&rows, limited(cost.clone(), at_most));
        assert_eq!((over.meets, over.reasons), (false, vec![Reason::OverBudget { cost, value, at_most }]));
    }
    // 8,000 cells of data an image and 12.5% more, at 1 pJ.
    let energy = |at_most| {
        let cost = Cost::Energy("intel22-isscc19".to_owned());
        only(&rows, under("intel22-isscc19", limited(cost, at_most))).meets
    };
    assert_eq!([8.9, 9.0].map(energy), [false, true]);
}

#[test]
fn a_budget_on_what_is_not_known_is_not_met() {
    let unknown = |rows: &[Row], wanted: Wanted, phrase: &str| {
        let setup = only(rows, wanted);
        let [Reason::Unknown { why, .. }] = &*setup.reasons else { panic!("{:?}", setup.reasons) };
        assert!(!setup.meets && why.contains(phrase), "{why}");
    };
    let plain = rows(Code::None, &[(1e-3, [899, 899])]);
    let other: Vec<_> = plain.iter().map(|row| Row { config_hash: "0".repeat(64), ..row.clone() }).collect();
    for cost in [Cost::Lut4, Cost::Ff, Cost::Dp16kd] {
        unknown(&other, limited(cost, 1e9), "another configuration than any preset of this version");
    }
    let config = presets::find("8x4").expect("a preset").protected(Code::Parity);
    let wide = |row: &Row| Row { config_hash: config.hash(), preset: config.name.clone(), ..row.clone() };
    let wide: Vec<_> = rows(Code::Parity, &[(1e-3, [899, 899])]).iter().map(wide).collect();
    unknown(&wide, limited(Cost::Lut4, 1e9), "hafnia price --preset 8x4 --protect parity --measure");
    let later: Vec<_> = plain.iter().map(|row| Row { protection: "later".to_owned(), ..row.clone() }).collect();
    unknown(&later, limited(Cost::Overhead, 1e9), "no code of this version");
    let energy = Cost::Energy("16nm-finfet-iedm15".to_owned());
    unknown(&plain, under("16nm-finfet-iedm15", limited(energy, 1e9)), "these did: intel22-isscc19");
}

/// Rows with write errors, verified or not.
fn programmed(max_pulses: Option<u32>, repeated: u64, correct: u64) -> Vec<Row> {
    let verify = max_pulses.map_or_else(String::new, |pulses| format!(",max_pulses={pulses}"));
    let of = |seed| Row {
        cells: format!("p10_per_write=0.01{verify}"),
        programmed_weights: Some(900),
        programmed_biases: Some(100),
        repeated_weights: Some(repeated),
        repeated_biases: Some(0),
        give_ups_weights: Some(2),
        give_ups_biases: Some(1),
        ..row(Code::None, 1e-3, seed, correct)
    };
    vec![row(Code::None, 0.0, 1, 900), of(1), of(2)]
}

#[test]
fn write_verify_is_compared_and_what_it_takes_is_told() {
    let rows = [programmed(None, 0, 100), programmed(Some(4), 20, 899), programmed(Some(8), 10, 899)].concat();
    let found = advice(&rows, under("16nm-finfet-iedm15", wanted(1e-3, 5.0)));
    assert_eq!((found.answers.len(), &*found.answers[0].question.faults), (1, "p10_per_write=0.01"));
    // Of two that cost the same the one with fewer pulses.
    let expected =
        [("write-verify up to 8 pulses", true), ("write-verify up to 4 pulses", true), ("no write-verify", false)];
    assert_eq!(labels(&found.answers[0]), expected);
    let evidence = found.answers[0].setups[1].evidence.as_ref().expect("it was swept");
    let programming = evidence.programming.as_ref().expect("rows tell it");
    assert_eq!((programming.cells, programming.repeated, programming.give_ups), (2000, 40, 6));
    assert_eq!((programming.pulses_per_cell, programming.endurance_share), (1.02, Some(1.02 / 1e6)));
}

#[test]
fn engines_are_priced_where_writes_are_verified() {
    let on_faults = |rows: Vec<Row>| {
        let config = presets::find("8x8-faults").expect("a preset");
        let (preset, hash) = (config.name.clone(), config.hash());
        rows.into_iter()
            .map(move |row| Row { preset: preset.clone(), config_hash: hash.clone(), ..row })
            .collect::<Vec<_>>()
    };
    let rows = [on_faults(programmed(None, 0, 899)), on_faults(programmed(Some(4), 20, 899))].concat();
    let lut4 = |record: &Record| {
        let found = Advice::of(vec![source("one", 0..rows.len())], &rows, limited(Cost::Lut4, 1e5), record);
        let found = found.expect("there is a question").answers.remove(0);
        let setups = found.setups.into_iter();
        setups.map(|setup| (setup.label, setup.meets, setup.price.area.map(|area| area.lut4))).collect::<Vec<_>>()
    };
    let mut record = Record::built_in();
    let plain = variants(&presets::find("8x8").expect("a preset")).remove(0).config;
    let cells = record.find(&plain.hash()).expect("8x8 is recorded").cells;
    let protection = ProtectionConfig { write_verify: true, ..plain.protection };
    let verified = AccelConfig { protection, ..plain }.hash();
    record.array.retain(|measured| measured.config_hash != verified);
    let once = ("no write-verify".to_owned(), true, Some(cells.lut4));
    let label = "write-verify up to 4 pulses".to_owned();
    assert_eq!(lut4(&record), [once.clone(), (label.clone(), false, None)]);
    let with_engines = Cells { lut4: cells.lut4 + 1000, ..cells };
    let measured = Measured { config_hash: verified, cells: with_engines, ..record.array[0].clone() };
    record.array.push(measured);
    assert_eq!(lut4(&record), [once, (label, true, Some(with_engines.lut4))]);
}

#[test]
fn setups_are_compared_with_their_like_alone() {
    let plain = rows(Code::None, &[(1e-3, [899, 899])]);
    let changed = |change: fn(&mut Row)| {
        let noisy = plain.iter().filter(|row| row.ber_requested > 0.0).cloned();
        noisy
            .map(|mut row| {
                change(&mut row);
                row
            })
            .collect::<Vec<_>>()
    };
    let others: [fn(&mut Row); 4] = [
        |row| row.sites = "weights+biases".to_owned(),
        |row| row.cells = "stuck_at_1_fraction=0.01".to_owned(),
        |row| row.bit_mask = 0xf0,
        |row| row.p01_requested = 0.0,
    ];
    let rows: Vec<_> = [plain.clone()].into_iter().chain(others.map(changed)).flatten().collect();
    let found = advice(&rows, wanted(1e-3, 5.0));
    assert_eq!(found.answers.iter().map(|answer| answer.setups.len()).collect::<Vec<_>>(), [1; 5]);
    assert!(found.answers.iter().all(|answer| answer.clean == 0.9));
    let questions: Vec<_> = found.answers.iter().map(|answer| answer.question.to_string()).collect();
    assert_eq!(questions[0], "net, digits 0 to 999, weights at risk in layers 0 to 8, no faults of cells");
    for (question, phrase) in questions[1..].iter().zip(["weights and biases", "stuck_at_1", "bits 0xf0", "1 to 0"]) {
        assert!(question.contains(phrase), "{question}");
    }
    let chosen = |only: Only| try_advice(&rows, Wanted { only, ..wanted(1e-3, 5.0) });
    let faults = || Only { faults: Some("stuck_at_1_fraction=0.01".to_owned()), ..Only::default() };
    let found = chosen(faults()).expect("one question has them");
    assert_eq!((found.answers.len(), &*found.answers[0].question.faults), (1, "stuck_at_1_fraction=0.01"));
    let error = chosen(Only { model: Some("other".to_owned()), ..faults() }).expect_err("no row has it").to_string();
    assert!(error.contains("--model") && error.contains(&questions[0]) && error.contains(&questions[1]), "{error}");
}

#[test]
fn every_question_must_be_met() {
    let biases = |row: Row| Row { sites: "biases".to_owned(), ..row };
    let bad = rows(Code::None, &[(1e-3, [100, 100])]).into_iter().map(biases);
    let both: Vec<_> = rows(Code::None, &[(1e-3, [899, 899])]).into_iter().chain(bad).collect();
    assert!(!advice(&both, wanted(1e-3, 5.0)).met);
    let weights = Only { sites: Some("weights".to_owned()), ..Only::default() };
    assert!(advice(&both, Wanted { only: weights, ..wanted(1e-3, 5.0) }).met);
}

#[test]
fn rows_of_rate_0_and_of_single_bits_are_no_setups() {
    let clean = Row { sites: "weights+biases".to_owned(), ..row(Code::None, 0.0, 1, 900) };
    let bit = Row { bit_mask: 0x80, ..row(Code::None, 1e-3, 1, 800) };
    let noisy = [1, 2].map(|seed| row(Code::None, 1e-3, seed, 899));
    let rows = [vec![clean.clone(), bit.clone()], noisy.to_vec()].concat();
    assert_eq!(only(&rows, wanted(1e-3, 5.0)).setup.sites, "weights");
    let error = try_advice(&[clean, bit], wanted(1e-3, 5.0)).expect_err("there is no setup").to_string();
    assert!(error.contains("rate 0") && error.contains("sweep rates above 0"), "{error}");
}

#[test]
fn without_clean_top1_of_the_same_images_nothing_is_told() {
    let mut rows = rows(Code::None, &[(1e-3, [899, 899])]);
    rows[0].first = 7;
    let error = try_advice(&rows, wanted(1e-3, 5.0)).expect_err("rate 0 is of other images").to_string();
    assert!(error.contains("net, digits 0 to 999") && error.contains("ber = [0]"), "{error}");
}

#[test]
fn evidence_names_its_seeds_its_audit_and_its_folders() {
    let mut rows = rows(Code::None, &[(1e-4, [899, 899]), (1e-3, [899, 899])]);
    rows[3].audited = 8;
    let sources = vec![source("one", 0..4), source("two", 4..5), source("three", 5..5)];
    let found = Advice::of(sources, &rows, wanted(1e-3, 5.0), &Record::built_in()).expect("there is a question");
    let evidence = found.answers[0].setups[0].evidence.as_ref().expect("it was swept");
    assert_eq!((&*evidence.seeds, evidence.audited), (&[1, 2][..], 8));
    assert_eq!(evidence.folders, ["one", "two"].map(PathBuf::from));
}
