//! What the driver does, the same over every transport: a fake that computes nothing, the bus of the simulated accelerator with
//! and without its weight-stream port, and a board at a serial port, through the pins of its line.

use std::collections::HashMap;

use hafnia_config::accel::AccelConfig;
use hafnia_config::flip::Flip;
use hafnia_config::regs::{Region, registers};
use hafnia_cosim::{compare, design};
use hafnia_driver::transport::fake::FakeTransport;
use hafnia_driver::transport::serial::SerialTransport;
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{Accel, BatchRun, Depth, DriverError, Transport};
use hafnia_verilate::{Effort, Variant};

use super::{Bench, SEED};
use crate::common::{builder, config};

/// A link to hardware with which something is wrong.
struct Tampered<'a> {
    link: &'a mut dyn Transport,
    /// Addresses of the registers that are meddled with.
    addresses: HashMap<String, u32>,
    /// A register by name, and what it reads as.
    says: Option<(&'static str, u32)>,
    /// Starts are lost.
    deaf: bool,
    /// Streamed weights are lost.
    starved: bool,
    /// Programs that were started.
    starts: usize,
}

impl Transport for Tampered<'_> {
    fn feeds_weight_stream(&self) -> bool {
        self.link.feeds_weight_stream()
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        let start = address == self.addresses["START"];
        self.starts += usize::from(start);
        let lost = start && self.deaf || address == Region::Weights.base() && self.starved;
        if lost { Ok(()) } else { self.link.write(address, words) }
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        self.link.read(address, words)?;
        match self.says {
            Some((register, value)) if address == self.addresses[register] => words[0] = value,
            _ => (),
        }
        Ok(())
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        self.link.finish(if self.starved { &[] } else { stream }, max_cycles)
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        self.link.take_flips()
    }

    fn cycle(&self) -> Option<u64> {
        self.link.cycle()
    }
}

/// What is done to a link, and what the driver says then.
type Case = (fn(&mut Tampered<'_>), &'static str);

/// With weights that are resident. A start can be lost only before the first program has run.
const RESIDENT: [Case; 4] = [
    (|link| link.deaf = true, "layer 0: the layer program did not run to its end: idle, and 0 of "),
    (|link| link.says = Some(("ID", 1)), "register ID reads 0x00000001"),
    (|link| link.says = Some(("VERSION", 1)), "register map 0x00000001"),
    (|link| link.says = Some(("CONFIG_HASH", 1)), "configuration 0x00000001, not from `test_4x4`"),
];

/// With weights that stream in, for which a program can be kept waiting.
const STREAMED: [Case; 1] =
    [(|link| link.starved = true, "layer 0: the layer program did not run to its end: busy after ")];

fn benches() -> [(Bench, &'static [Case]); 2] {
    let resident = config(4, 4, 4);
    let mut streamed = resident.clone();
    streamed.memory.weight_words = 64;
    let bench = |config: AccelConfig| Bench::new(config.validate().unwrap());
    let benches = [(bench(resident), &RESIDENT[..]), (bench(streamed), &STREAMED[..])];
    assert_eq!(benches.each_ref().map(|(bench, _)| bench.schedule.resident), [true, false]);
    benches
}

/// Opens one session after the other over the same link: those that end with an error, and after each one that is left alone,
/// of which `right` is told what it gave.
fn sessions(bench: &Bench, cases: &[Case], link: &mut dyn Transport, right: &dyn Fn(&BatchRun)) {
    let mut session = |tamper: fn(&mut Tampered<'_>)| {
        let registers = registers(&bench.hw).into_iter();
        let addresses = registers.map(|r| (r.name, Region::Registers.base() + r.offset)).collect();
        let mut link = Tampered { link, addresses, says: None, deaf: false, starved: false, starts: 0 };
        tamper(&mut link);
        let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule)?;
        accel.set_noise(bench.noise.clone(), SEED)?;
        let run = accel.batch(0, &bench.images, Depth::EveryLayer)?;
        Ok::<_, DriverError>((run, accel.link().starts))
    };
    for (tamper, told) in cases {
        let error = session(*tamper).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        let (run, starts) = session(|_| ()).unwrap_or_else(|error| panic!("after {told}: {error}"));
        // To be read out one by one.
        assert_eq!(starts, bench.network.layers.len());
        right(&run);
    }
}

#[test]
fn sessions_over_a_fake() {
    for (bench, cases) in benches() {
        sessions(&bench, cases, &mut FakeTransport::new(&bench.hw), &|run| {
            assert_eq!(run.outputs.len(), bench.network.layers.len());
        });
    }
}

#[test]
fn sessions_over_the_bus() {
    let variant = Variant { effort: Effort::Quick, ..Variant::default() };
    for (bench, cases) in benches() {
        let model = builder().build(&design(&bench.hw), variant).unwrap_or_else(|error| panic!("{error}"));
        for weight_stream in [true, false] {
            let mut link = SimTransport { weight_stream, ..SimTransport::new(model.dut().unwrap()).unwrap() };
            sessions(&bench, cases, &mut link, &|run| {
                let run = BatchRun { flips: Vec::new(), ..run.clone() };
                assert_eq!(compare(&run, &bench.want, !weight_stream), None);
            });
        }
    }
}

#[test]
fn sessions_at_the_port_of_a_board() {
    for (bench, cases) in benches() {
        bench.at_a_terminal(|port| {
            let mut link = SerialTransport::open(port, &bench.hw).unwrap();
            let late = !bench.schedule.resident;
            sessions(&bench, cases, &mut link, &|run| assert_eq!(compare(run, &bench.want, late), None));
        });
    }
}
