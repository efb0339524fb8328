//! The whole accelerator, driven at its pins by a host that means no good.

use crate::common::{Bench, array};
use hafnia_config::Elaborated;
use hafnia_config::regs::{Region, registers};

fn register(hw: &Elaborated, name: &str) -> u32 {
    registers(hw).iter().find(|r| r.name == name).expect("a register of the map").offset
}

/// Offers writes back to back, waits until each is accepted or `patience` cycles have passed, and tells how many were.
fn write(bench: &mut Bench, requests: &[(u32, u32)], patience: usize) -> usize {
    let mut done = 0;
    for _ in 0..patience {
        let Some(&(address, data)) = requests.get(done) else { break };
        for (port, value) in [("wb_cyc_i", 1), ("wb_stb_i", 1), ("wb_we_i", 1), ("wb_sel_i", 15)] {
            bench.set(port, value);
        }
        bench.set("wb_adr_i", address.into());
        bench.set("wb_dat_i", data.into());
        done += usize::from(bench.get("wb_stall_o") == 0);
        bench.step();
    }
    bench.set("wb_stb_i", 0);
    done
}

fn read(bench: &mut Bench, address: u32) -> u32 {
    for (port, value) in [("wb_cyc_i", 1), ("wb_stb_i", 1), ("wb_we_i", 0), ("wb_adr_i", address.into())] {
        bench.set(port, value);
    }
    bench.step();
    bench.set("wb_stb_i", 0);
    let mut left = 8;
    while bench.get("wb_ack_o") == 0 {
        bench.step();
        left -= 1;
        assert!(left > 0, "no answer from 0x{address:x}");
    }
    bench.get("wb_dat_o") as u32
}

/// Switching streaming off and on around a weight word must not slip that word past the stall: repeated, it would
/// overrun the ring.
#[test]
fn host_that_switches_streaming_cannot_overrun_the_ring() {
    let mut hw = array(2, 2, 1);
    hw.config.memory.weight_words = 64;
    let hw = hw.config.validate().expect("the configuration is legal");
    let mut bench = Bench::new(&hw, "hafnia_array_2x2");
    bench.set("rst_i", 1);
    (0..4).for_each(|_| bench.step());
    bench.set("rst_i", 0);
    let (stream, level) = (register(&hw, "WEIGHT_STREAM"), register(&hw, "WEIGHT_LEVEL"));
    let word = (Region::Weights.base(), 0x1234);
    assert_eq!(write(&mut bench, &[(stream, 1)], 10), 1);
    (0..6).for_each(|_| bench.step());
    let taken = write(&mut bench, &[word; 100], 200);
    (0..6).for_each(|_| bench.step());
    assert!((56..=64).contains(&taken), "{taken} words before the bus stalled");
    assert_eq!(read(&mut bench, level), taken as u32);
    for round in 0..20 {
        assert_eq!(write(&mut bench, &[(stream, 0), (stream, 1), word], 10), 3);
        (0..6).for_each(|_| bench.step());
        assert_eq!(read(&mut bench, level), 1, "round {round}");
    }
}
