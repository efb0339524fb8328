//! Waveform windows, read back.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use common::{WIDTH, fast, model, started};
use hafnia_verilate::{Dut, Error, Trace, Unknowns, Variant};
use vcd::{Command, Value};

/// The value of a signal of the toy at every time in the file.
fn changes(path: &Path, signal: &str) -> BTreeMap<u64, u64> {
    let mut reader = vcd::Parser::new(BufReader::new(File::open(path).unwrap()));
    let header = reader.parse_header().unwrap();
    assert_eq!(header.timescale, Some((1, vcd::TimescaleUnit::NS)));
    let code = header.find_var(&["top", "toy", signal]).unwrap_or_else(|| panic!("no {signal} in the trace")).code;
    let (mut time, mut found) = (0, BTreeMap::new());
    for command in reader {
        match command.unwrap() {
            Command::Timestamp(now) => time = now,
            Command::ChangeVector(id, bits) if id == code => {
                found.insert(time, bits.iter().fold(0, |sum, bit| 2 * sum + u64::from(bit == Value::V1)));
            }
            Command::ChangeScalar(id, bit) if id == code => {
                found.insert(time, u64::from(bit == Value::V1));
            }
            _ => {}
        }
    }
    found
}

fn traced(trace: Trace) -> Dut {
    started(&model(WIDTH, trace, Unknowns::Fast))
}

#[test]
fn vcd_holds_the_cycles_of_its_window_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("window.vcd");
    let mut dut = traced(Trace::Vcd);
    dut.trace_start(&path, 100, 110).unwrap();
    dut.burst_write(0x10, &[500], true).unwrap();
    let first_busy = dut.cycle() - 1;
    dut.run(1000, &[]).unwrap();
    dut.trace_stop().unwrap();
    let clock = changes(&path, "clk_i");
    let expected: BTreeMap<u64, u64> = (100..110).flat_map(|cycle| [(10 * cycle, 1), (10 * cycle + 5, 0)]).collect();
    assert_eq!(clock, expected);
    let remaining = changes(&path, "remaining");
    let wanted: Vec<u64> = (100..110).map(|cycle| 500 - (cycle - first_busy)).collect();
    assert_eq!(remaining.into_values().collect::<Vec<_>>(), wanted);
}

#[test]
fn flip_event_is_in_the_trace_at_its_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flips.vcd");
    let mut dut = traced(Trace::Vcd);
    dut.trace_start(&path, 0, u64::MAX).unwrap();
    dut.burst_write(0x10, &[64], true).unwrap();
    dut.run(1000, &[]).unwrap();
    dut.trace_stop().unwrap();
    let valid = changes(&path, "flip_valid_o");
    let flips = dut.take_flips();
    assert_eq!(flips.len(), 8);
    for flip in flips {
        let (_, value) = valid.range(..=10 * flip.cycle + 5).next_back().unwrap();
        assert_eq!(*value, 1, "cycle {}", flip.cycle);
    }
}

#[test]
fn second_window_of_the_same_device_is_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut dut = traced(Trace::Vcd);
    for name in ["one.vcd", "two.vcd"] {
        let path = folder.path().join(name);
        let from = dut.cycle();
        dut.trace_start(&path, from, from + 4).unwrap();
        dut.step(20).unwrap();
        assert_eq!(changes(&path, "clk_i").first_key_value(), Some((&(10 * from), &1)), "closed at its window's end");
    }
}

#[test]
fn fst_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("window.fst");
    let mut dut = traced(Trace::Fst);
    dut.trace_start(&path, 10, 50).unwrap();
    dut.step(100).unwrap();
    dut.trace_stop().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 300, "{} bytes", bytes.len());
    let number = |offset: usize| u64::from_be_bytes(bytes[offset..offset + 8].try_into().unwrap());
    assert_eq!(bytes[0], 0, "an FST file begins with its header block");
    assert_eq!((number(1), number(9), number(17)), (329, 100, 495), "length of the header, start and end time");
}

#[test]
fn tracing_changes_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let work = |dut: &mut Dut| {
        dut.burst_write(0x10, &[200], true).unwrap();
        (dut.run(1000, &[7; 60]).unwrap(), dut.take_flips())
    };
    let expected = work(&mut fast());
    for (trace, name) in [(Trace::Vcd, "same.vcd"), (Trace::Fst, "same.fst")] {
        let mut dut = traced(trace);
        dut.trace_start(&folder.path().join(name), 0, u64::MAX).unwrap();
        assert_eq!(work(&mut dut), expected);
    }
}

#[test]
fn trace_of_the_wrong_format_or_to_no_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let vcd = folder.path().join("x.vcd");
    assert!(matches!(fast().trace_start(&vcd, 0, 1).unwrap_err(), Error::TraceVariant { .. }));
    let fst = folder.path().join("x.fst");
    assert_eq!(Variant::tracing(&fst).trace, Trace::Fst);
    assert!(matches!(traced(Trace::Vcd).trace_start(&fst, 0, 1).unwrap_err(), Error::TraceVariant { .. }));
    let nowhere = folder.path().join("missing/x.vcd");
    assert!(matches!(traced(Trace::Vcd).trace_start(&nowhere, 0, 1).unwrap_err(), Error::Waveform { .. }));
}
