//! Write-verify against its plain model, and against what it must come to.

use hafnia_config::accel::ProtectionConfig;
use hafnia_config::fault::{AtRisk, CellFaults, Noise, Rates, Site, Verify};
use hafnia_config::programmed::Programmed;
use hafnia_config::protect::Code;
use hafnia_config::{Elaborated, presets};

use super::writes::Writes;
use crate::cells;

const LANES: u32 = 20_000;

fn hardware(code: Code) -> Elaborated {
    let mut config = presets::find("8x8-faults").unwrap();
    config.protection = ProtectionConfig { write_verify: true, ..ProtectionConfig::of(code, 8) };
    config.validate().unwrap()
}

fn noise(hw: &Elaborated, read: f64, cells: CellFaults) -> Noise {
    Noise { cells, ..hw.noise(read, AtRisk::PARAMETERS).unwrap() }
}

fn faults(write: Rates, max_pulses: u32, noisy: bool) -> CellFaults {
    CellFaults { write, verify: Some(Verify { max_pulses, noisy }), device_seed: Some(5), ..CellFaults::default() }
}

/// Programs many words of random cells: cells written, cells left wrong, and the counts.
fn program(hw: &Elaborated, noise: &Noise, check: bool) -> (f64, f64, Programmed) {
    let (writes, plain) = (Writes::new(hw, noise, 1).unwrap(), cells::Writes::new(noise, 1).unwrap());
    let port = hw.port(Site::Weights);
    let (mut wrong, mut sum) = (0, Programmed::default());
    for address in 0..LANES {
        let wanted = |lane: usize| {
            let word = u128::from(address)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .rotate_left(17 * lane as u32);
            word & (u128::MAX >> (128 - port.cells))
        };
        let (mut left, mut counts) = (vec![0; port.lanes as usize], Programmed::default());
        writes.verified(Site::Weights, 0, [address, 0], |lane, program| {
            let (cells, of_lane) = program(wanted(lane));
            left[lane] = cells;
            counts += of_lane;
        });
        wrong += left.iter().map(|cells| u64::from(cells.count_ones())).sum::<u64>();
        sum += counts;
        if check {
            let mut want = (vec![0u128; port.lanes as usize], Programmed::default());
            for (lane, cell) in (0..port.lanes).flat_map(|lane| (0..port.cells).map(move |cell| (lane, cell))) {
                let bit = wanted(lane as usize) >> cell & 1 == 1;
                let (held, pulses, right) =
                    plain.programmed(hw, Site::Weights, [address, 0], lane * port.cells + cell, bit);
                want.0[lane as usize] |= u128::from(held != bit) << cell;
                want.1.repeated += u64::from(pulses) - 1;
                want.1.give_ups += u64::from(!right);
            }
            assert_eq!((left, counts), want, "{:?}, word {address}", noise.cells);
        }
    }
    let cells = f64::from(LANES) * f64::from(port.lanes * port.cells);
    (cells, wrong as f64, sum)
}

/// Every cell of every word, with stuck cells, and rates up to 1.
#[test]
fn all_cells_of_a_lane_are_programmed_as_one_by_one() {
    for code in [Code::None, Code::Secded { data_bits: 16 }, Code::Tmr] {
        let hw = hardware(code);
        for (write, max_pulses, noisy, read) in
            [((0.3, 0.01), 3, false, 0.1), ((0.02, 0.4), 5, true, 0.05), ((1.0, 0.5), 2, true, 0.5)]
        {
            let write = Rates { p01: write.0, p10: write.1 };
            let cells = CellFaults { stuck: [0.01, 0.02], ..faults(write, max_pulses, noisy) };
            let few = Noise { at_risk: AtRisk { layers: 1, ..AtRisk::PARAMETERS }, ..noise(&hw, read, cells) };
            program(&hw, &few, true);
        }
    }
}

/// Asserts that a count of `n` draws of probability `p` is within 4 sigma.
fn assert_share(what: &str, count: f64, n: f64, p: f64) {
    let sigma = (n * p * (1.0 - p)).sqrt().max(1.0);
    assert!((count - n * p).abs() < 4.0 * sigma, "{what}: {count}, expected {} +- {sigma}", n * p);
}

/// With a noiseless verify and a pulse that succeeds with probability q: mean pulses 1 / q, share given up (1 - q)^N.
#[test]
fn pulses_and_give_ups_follow_the_closed_forms() {
    let hw = hardware(Code::None);
    for p in [1e-3, 1e-2, 0.1, 0.3] {
        for max_pulses in [1, 2, 4, 30] {
            let (cells, wrong, counts) = program(&hw, &noise(&hw, 0.0, faults(p.into(), max_pulses, false)), false);
            let what = format!("p {p}, {max_pulses} pulses");
            let never = p.powi(max_pulses as i32);
            assert_share(&what, counts.give_ups as f64, cells, never);
            assert_eq!(counts.give_ups as f64, wrong, "{what}: what is read right is right");
            // Pulses of a cell: geometric, cut off at N; 1 / q for many.
            let mean = (1.0 - never) / (1.0 - p);
            let pulses = (cells + counts.repeated as f64) / cells;
            let sigma = (p / (1.0 - p).powi(2) / cells).sqrt();
            assert!((pulses - mean).abs() < 4.0 * sigma, "{what}: {pulses} pulses a cell, expected {mean}");
        }
    }
}

/// With a verify that reads a cell wrong with probability r, a wrong cell passes with r, and a right one gets another pulse with r.
#[test]
fn a_noisy_verify_follows_its_markov_chain() {
    let hw = hardware(Code::None);
    for (p, r) in [(0.1, 1e-2), (1e-2, 0.1), (0.3, 0.3)] {
        for max_pulses in [1, 2, 5] {
            let (cells, wrong, counts) = program(&hw, &noise(&hw, r, faults(p.into(), max_pulses, true)), false);
            let (again, passed_wrong) = (p * (1.0 - r) + (1.0 - p) * r, p * r);
            let share = |n: u32| again.powi(n as i32);
            let passed: f64 = (0..max_pulses).map(share).sum::<f64>() * passed_wrong;
            // Given up, and wrong after the last pulse.
            let given_up = share(max_pulses);
            let left = passed + share(max_pulses - 1) * p * (1.0 - r);
            let what = format!("p {p}, r {r}, {max_pulses} pulses");
            assert_share(&what, counts.give_ups as f64, cells, given_up);
            assert_share(&what, wrong, cells, left);
            let repeated: f64 = (1..max_pulses).map(share).sum();
            let mean = counts.repeated as f64 / cells;
            let sigma = (again / (1.0 - again).powi(2) / cells).sqrt();
            assert!((mean - repeated).abs() < 4.0 * sigma, "{what}: {mean} repeated, expected {repeated}");
        }
    }
}
