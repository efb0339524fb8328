//! The register bank against the register description.

use std::collections::VecDeque;

use crate::common::{Bench, array, injecting, noise, rng, with_nodes_of_three_cells};
use hafnia_config::Elaborated;
use hafnia_config::fault::{Kinds, Site};
use hafnia_config::regs::{Access, Register, registers};
use rand::Rng;

/// A mask of the register's bits.
fn bits(register: &Register) -> u32 {
    u32::MAX >> (32 - register.bits)
}

/// The bank with what its registers must hold.
struct Bank {
    bench: Bench,
    hw: Elaborated,
    list: Vec<Register>,
    /// Value of each register of the list.
    values: Vec<u32>,
    /// Descriptors ended since the last start.
    finished: u32,
    /// The access of the last cycle, which acts in this one.
    acting: Option<(u32, Option<u32>)>,
    /// The trigger that it fires.
    fired: Option<String>,
    /// Flip counts beside this cycle's access, by site.
    flips: [[u32; 17]; 3],
    /// What the reads of the last cycles must give.
    under_way: VecDeque<u32>,
}

impl Bank {
    /// Builds and resets a bank.
    fn new(hw: &Elaborated) -> Self {
        let list = registers(hw);
        let values = list.iter().map(|r| r.reset).collect();
        let bench = Bench::new(hw, "register_bank");
        let (hw, flips) = (hw.clone(), [[0; 17]; 3]);
        let mut bank =
            Self { bench, hw, list, values, finished: 0, acting: None, fired: None, flips, under_way: VecDeque::new() };
        bank.reset();
        bank
    }

    /// Resets the bank while every register is written.
    fn reset(&mut self) {
        self.bench.set("rst_i", 1);
        self.bench.set("write_i", 1);
        self.bench.set("data_i", u32::MAX.into());
        for n in 0..self.list.len() {
            self.bench.set("offset_i", self.list[n].offset.into());
            self.bench.step();
            let fired = ["start_o", "weight_clear_o", "flips_clear_o"].map(|port| self.bench.get(port));
            assert_eq!(fired, [0; 3], "reset fires no trigger");
        }
        self.bench.set("rst_i", 0);
        self.values = self.list.iter().map(|r| r.reset).collect();
        (self.fired, self.finished) = (None, 0);
        self.acting = self.list.last().map(|r| (r.offset, None));
        self.under_way.clear();
    }

    fn value(&self, name: &str) -> u32 {
        self.list.iter().position(|r| r.name == name).map_or(0, |n| self.values[n])
    }

    /// Compares every output with the registers' values.
    fn check_outputs(&mut self) {
        for (port, name) in [
            ("program_first_o", "PROGRAM_FIRST"),
            ("program_count_o", "PROGRAM_COUNT"),
            ("weight_stream_o", "WEIGHT_STREAM"),
            ("inject_enable_o", "INJECT_ENABLE"),
            ("inject_layers_o", "INJECT_LAYERS"),
        ] {
            assert_eq!(self.bench.get(port) as u32, self.value(name), "{port}");
        }
        for (port, name) in [
            ("start_o", "START"),
            ("stop_o", "STOP"),
            ("weight_clear_o", "WEIGHT_CLEAR"),
            ("flips_clear_o", "FLIPS_CLEAR"),
        ] {
            assert_eq!(self.bench.get(port) == 1, self.fired.as_deref() == Some(name), "{port}");
        }
        Site::ALL.into_iter().for_each(|site| self.check_noise(site));
        let cells: Vec<u32> = noise::CELLS.into_iter().map(|name| self.value(name)).collect();
        assert_eq!(self.bench.get_words("cells_o"), cells);
        for (port, name) in [("write_epoch_o", "WRITE_EPOCH"), ("write_place_o", "WRITE_PLACE")] {
            assert_eq!(self.bench.get(port) as u32, self.value(name), "{port}");
        }
    }

    /// Compares the bus of a site with the registers that it joins; it is 0 where the site is left out.
    fn check_noise(&mut self, site: Site) {
        let injects = self.hw.config.injector.read_sites().any(|with| with == site);
        let register = |field: &str| match field {
            "WORD" => format!("INJECT_WORD_{}", site.name().to_uppercase()),
            _ => format!("INJECT_{field}"),
        };
        let fields = noise::fields(self.hw.port(site).cells).into_iter();
        let fields = fields.map(|(field, width)| (if injects { self.value(&register(&field)) } else { 0 }, width));
        let want = noise::joined(fields.collect::<Vec<_>>());
        assert_eq!(self.bench.get_words(&format!("noise_{site}_o")), want, "{site}");
        let bits = self.value(&format!("INJECT_BITS_{}", site.name().to_uppercase()));
        assert_eq!(self.bench.get(&format!("bits_{site}_o")), u64::from(bits), "{site}");
    }

    /// The input that a flip count or a signature is read from, if `name` is one: `FLIPS_<site>_<before><after>_<bit>`,
    /// `FLIPS_<site>_SIGNATURE`.
    fn flip_count(&self, name: &str) -> Option<u32> {
        let (site, rest) = name.strip_prefix("FLIPS_")?.split_once('_')?;
        let site: Site = site.to_lowercase().parse().expect("a site");
        let Some((direction, bit)) = rest.split_once('_') else { return Some(self.flips[site as usize][16]) };
        let bit: usize = bit.parse().expect("a bit");
        Some(self.flips[site as usize][bit + if direction == "10" { 8 } else { 0 }])
    }

    /// One access, which acts in the next cycle; the value read is that of then, and compared four cycles after its offset.
    fn access(&mut self, offset: u32, write: Option<u32>, status: u32, level: u32, end: bool) {
        self.bench.set("offset_i", offset.into());
        self.bench.set("write_i", write.is_some().into());
        self.bench.set("data_i", write.unwrap_or(0).into());
        self.bench.set("status_i", status.into());
        self.bench.set("weight_level_i", level.into());
        self.bench.set("descriptor_end_i", end.into());
        for (site, counts) in Site::ALL.into_iter().zip(&self.flips) {
            self.bench.set_words(&format!("flips_{site}_i"), counts);
        }
        let known = self.list.iter().any(|r| r.offset == offset);
        assert_eq!(self.bench.get("known_o") == 1, known, "offset {offset}");
        let (offset, write) = self.acting.replace((offset, write)).unwrap_or((0, None));
        let found = self.list.iter().position(|r| r.offset == offset);
        self.under_way.push_back(found.map_or(0, |n| match self.list[n].name.as_str() {
            "STATUS" => status,
            "WEIGHT_LEVEL" => level,
            "FINISHED" => self.finished,
            name => self.flip_count(name).unwrap_or(self.values[n]),
        }));
        self.bench.step();
        self.fired = None;
        if let (Some(n), Some(data)) = (found, write) {
            let register = &self.list[n];
            match register.access {
                Access::ReadOnly => {}
                Access::ReadWrite => self.values[n] = data & bits(register),
                Access::Trigger => self.fired = (data & 1 == 1).then(|| register.name.clone()),
            }
        }
        let started = status == 0 && self.fired.as_deref() == Some("START");
        self.finished = if started { 0 } else { (self.finished + u32::from(end)) % 256 };
        if self.under_way.len() == 3 {
            let want = self.under_way.pop_front();
            assert_eq!(Some(self.bench.get("data_o") as u32), want, "two cycles before offset {offset}");
        }
        self.check_outputs();
    }
}

/// Few and many registers of read noise, those of each site alone, and none; and those of faults of cells.
fn configurations() -> Vec<Elaborated> {
    let mut faulty = array(3, 5, 2).config;
    faulty.injector.biases = Kinds::ALL;
    let mut list = vec![array(3, 5, 2), injecting(&array(2, 16, 8), &Site::ALL), with_nodes_of_three_cells()];
    list.push(faulty.validate().expect("the configuration is legal"));
    list.extend([vec![Site::Weights], vec![Site::Biases], vec![]].map(|sites| injecting(&array(3, 5, 2), &sites)));
    list
}

#[test]
fn registers_start_at_their_reset_values() {
    for hw in configurations() {
        let mut bank = Bank::new(&hw);
        // The second reset follows writes of every register.
        for _ in 0..2 {
            for offset in 0..256 {
                bank.access(offset, None, 0, 0, true);
            }
            for offset in 0..256 {
                bank.access(offset, Some(0xa5a5_a5a5 ^ offset), 0, 0, false);
            }
            bank.reset();
        }
    }
}

/// Every offset is written and read in random order: registers hold what was written to them and nothing else does, a
/// trigger fires for one cycle.
#[test]
fn registers_hold_what_is_written_to_them_alone() {
    for hw in configurations() {
        let mut bank = Bank::new(&hw);
        let mut rng = rng(1);
        for _ in 0..5000 {
            let n = rng.random_range(0..bank.list.len());
            let offset = if rng.random_bool(0.9) { bank.list[n].offset } else { rng.random_range(0..256) };
            let write = rng.random_bool(0.5).then(|| rng.random());
            let (status, level) = (rng.random_range(0..2), rng.random_range(0..1 << 20));
            bank.flips = rng.random();
            bank.access(offset, write, status, level, rng.random_bool(0.3));
        }
    }
}
