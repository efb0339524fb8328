//! Write errors: what a pulse leaves of a word, and what goes beside it.

use std::collections::VecDeque;

use crate::common::noise::cells;
use crate::common::{Bench, array, rng};
use hafnia_config::accel::InjectorConfig;
use hafnia_config::fault::cell_hash::Purpose;
use hafnia_config::fault::{AtRisk, CellFaults, Kind, Kinds, Noise, Rates, Site, WRITE_LATENCY, below, device_key};
use hafnia_golden::cells::{draw, hash};
use rand::Rng;

/// Every cell of random words at random places and epochs, against the draws of the golden model; at rates up to 1.
#[test]
fn pulses_leave_wrong_what_the_golden_model_leaves_wrong() {
    let mut config = array(3, 5, 2).config;
    let kinds = Kinds::from(vec![Kind::Write]);
    config.injector = InjectorConfig { weights: Kinds::NONE, biases: kinds, activations: Kinds::NONE };
    let hw = config.validate().expect("the configuration is legal");
    let mut bench = Bench::new(&hw, "write_faults");
    let mut rng = rng(1);
    for (write, bits) in [((0.0, 0.0), 0xff), ((0.3, 0.01), 0xff), ((0.02, 0.4), 0x81), ((1.0, 0.5), 0xf0)] {
        let write = Rates { p01: write.0, p10: write.1 };
        let faults = CellFaults { device_seed: Some(6), write, ..CellFaults::default() };
        let noise = hw.noise(0.0, AtRisk::PARAMETERS).expect("no noise is always there");
        bench.set_words("cells_i", &cells(&hw, &Noise { cells: faults, ..noise }, 1));
        bench.set("bits_i", bits);
        let thresholds = faults.thresholds();
        let mut under_way = VecDeque::new();
        for cycle in 0..2000 {
            let (word, address, epoch): (u32, u32, u32) = (rng.random(), rng.random(), rng.random_range(0..3));
            let (at_risk, beside) = (rng.random_bool(0.8), rng.random_range(0..1 << (1 + hw.bias_address_bits)));
            let drawn = hash(device_key(6), Purpose::Write, Site::Biases, address, epoch);
            let is_wrong = |cell: u32| {
                let threshold = if word >> cell & 1 == 1 { thresholds.written_10 } else { thresholds.written_01 };
                at_risk && bits >> (cell % 8) & 1 == 1_u64 && below(draw(drawn, cell), threshold)
            };
            let wrong = (0..32).filter(|&cell| is_wrong(cell)).fold(0, |wrong, cell| wrong | 1 << cell);
            for (port, value) in [
                ("data_i", word.into()),
                ("address_i", address.into()),
                ("epoch_i", epoch.into()),
                ("at_risk_i", at_risk.into()),
                ("beside_i", beside),
            ] {
                bench.set(port, value);
            }
            under_way.push_back((u64::from(word ^ wrong), beside));
            bench.step();
            if under_way.len() as u32 == WRITE_LATENCY {
                let want = under_way.pop_front().expect("it is not empty");
                assert_eq!((bench.get("data_o"), bench.get("beside_o")), want, "{write:?}, cycle {cycle}");
            }
        }
    }
}
