//! The Wishbone slave: every request against the memory map.

use std::collections::VecDeque;

use crate::common::{Bench, array, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::BUS_LATENCY;
use hafnia_config::program::DESCRIPTOR_WORDS;
use hafnia_config::regs::{LayerCounters, Region};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Host words of a region; the registers say themselves which of them exist.
fn region_words(hw: &Elaborated, region: Region) -> u32 {
    let memory = &hw.config.memory;
    match region {
        Region::Registers => 64,
        Region::Program => memory.program_descriptors * DESCRIPTOR_WORDS,
        Region::Weights => memory.weight_words * hw.weight_stride,
        Region::Parameters => memory.parameter_words * hw.column_stride * 2,
        Region::MapA | Region::MapB => memory.map_words * hw.map_stride,
        Region::Accumulators => memory.accumulator_words * hw.column_stride,
        Region::Counters => memory.program_descriptors * LayerCounters::STRIDE,
    }
}

/// The offsets of the registers of this test.
fn known(offset: u32) -> bool {
    offset < 64 && !offset.is_multiple_of(3)
}

/// What the memory `tag` holds at an address: any function that tells them apart.
fn content(tag: u32, address: u32, piece: u32) -> u32 {
    (address.wrapping_mul(0x9e37_79b9) ^ tag << 28 ^ piece << 24).wrapping_mul(0x85eb_ca6b) | 1
}

/// A request on the bus.
#[derive(Clone, Copy, Debug)]
struct Request {
    region: u32,
    offset: u32,
    write: bool,
    data: u32,
    select: u32,
}

impl Request {
    /// A request anywhere, most of them near the start or the end of a region.
    fn random(hw: &Elaborated, rng: &mut ChaCha8Rng) -> Self {
        // Regions 8 to 15 do not exist.
        let regions = if rng.random_bool(0.1) { 16 } else { 8 };
        let region = rng.random_range(0..regions);
        let words = Region::ALL.get(region as usize).map_or(64, |&r| region_words(hw, r));
        let offset = match rng.random_range(0..4) {
            0 => rng.random_range(0..1 << 20),
            1 => words - 4 + rng.random_range(0..8),
            2 => rng.random_range(0..64),
            _ => rng.random_range(0..words),
        };
        Self { region, offset, write: rng.random(), data: rng.random(), select: rng.random_range(0..16) }
    }

    fn drive(&self, bench: &mut Bench) {
        bench.set("adr_i", (self.region << 20 | self.offset).into());
        bench.set("we_i", self.write.into());
        bench.set("dat_i", self.data.into());
        bench.set("sel_i", self.select.into());
    }

    /// The region, if the address exists and is not the running program's.
    fn open(&self, hw: &Elaborated, busy: bool, stream: bool) -> Option<Region> {
        let region = *Region::ALL.get(self.region as usize)?;
        let exists = match region {
            Region::Registers => known(self.offset),
            region => self.offset < region_words(hw, region),
        };
        let free = !busy || region == Region::Registers || (stream && region == Region::Weights);
        (exists && free).then_some(region)
    }

    /// The word that a read must give.
    fn answer(&self, hw: &Elaborated, region: Region) -> u32 {
        let part = |stride: u32, parts: u32, tag: u32| {
            let (address, part) = (self.offset / stride, self.offset % stride);
            if part < parts { content(tag, address, part) } else { 0 }
        };
        // The last piece of a map word may have unused bytes.
        let piece = self.offset % hw.map_stride;
        let bytes = hw.rows.saturating_sub(4 * piece).min(4);
        let in_use = if bytes == 0 { 0 } else { u32::MAX >> (32 - 8 * bytes) };
        match region {
            Region::Registers => content(0, self.offset, 0),
            Region::MapA => part(hw.map_stride, hw.map_pieces, 1) & in_use,
            Region::MapB => part(hw.map_stride, hw.map_pieces, 2) & in_use,
            Region::Accumulators => part(hw.column_stride, hw.cols, 3),
            Region::Counters => content(4, self.offset, 0),
            Region::Program | Region::Weights | Region::Parameters => 0,
        }
    }
}

/// The slave, the memories behind it, and what it must do next.
struct Slave {
    bench: Bench,
    hw: Elaborated,
    /// Addresses of the last two cycles: map, accumulators, counters.
    addresses: VecDeque<[Option<u32>; 3]>,
    /// Offsets of the registers asked for in the last four.
    offsets: VecDeque<Option<u32>>,
    /// The pieces of a weight word.
    pieces: Vec<u32>,
}

impl Slave {
    /// Builds and resets a slave, and writes one weight word, so that all its pieces are known.
    fn new(hw: &Elaborated) -> Self {
        let mut bench = Bench::new(hw, "wishbone");
        bench.set("rst_i", 1);
        bench.step();
        bench.set("rst_i", 0);
        for cycles in 0..8 {
            assert_eq!((bench.get("ack_o"), bench.get("err_o")), (0, 0), "{cycles} cycles after reset");
            bench.step();
        }
        let pieces = vec![0; hw.weight_pieces as usize];
        let (addresses, offsets) = (VecDeque::from([[None; 3]; 3]), VecDeque::from([None; 4]));
        let mut slave = Self { bench, hw: hw.clone(), addresses, offsets, pieces };
        slave.bench.set("cyc_i", 1);
        slave.bench.set("stb_i", 1);
        for piece in 0..hw.weight_pieces {
            let region = Region::Weights.index();
            Request { region, offset: piece, write: true, data: 0, select: 15 }.drive(&mut slave.bench);
            slave.bench.step();
        }
        slave.bench.set("stb_i", 0);
        slave.bench.steps(BUS_LATENCY.into());
        slave
    }

    /// Gives the answers of the memories to the addresses of two cycles ago, of the maps three, and of the registers to the offset of four cycles
    /// ago; without one, anything.
    fn drive_memories(&mut self, rng: &mut ChaCha8Rng) {
        let offset = self.bench.get("register_offset_o") as u32;
        self.bench.set("known_i", known(offset).into());
        self.offsets.push_back(Some(offset));
        let register = self.offsets.pop_front().expect("it holds five cycles");
        let offset = self.bench.get("offset_o") as u32;
        let [map, column] = ["map_address_o", "column_address_o"].map(|port| self.bench.get(port) as u32);
        let [read_map, read_column, read_counter] =
            ["map_read_o", "accumulator_read_o", "counters_read_o"].map(|port| self.bench.get(port) == 1);
        let now = [read_map.then_some(map), read_column.then_some(column), read_counter.then_some(offset)];
        self.addresses.push_back(now);
        let [map, _, _] = self.addresses.pop_front().expect("it holds four cycles");
        let [_, column, counter] = self.addresses[0];
        let mut word =
            |tag, address: Option<u32>, piece| address.map_or_else(|| rng.random(), |a| content(tag, a, piece));
        self.bench.set("register_data_i", word(0, register, 0).into());
        self.bench.set("counters_i", word(4, counter, 0).into());
        for (port, tag) in [("map_a_i", 1), ("map_b_i", 2)] {
            let mut bytes: Vec<u8> =
                (0..self.hw.map_pieces).flat_map(|piece| word(tag, map, piece).to_le_bytes()).collect();
            bytes.truncate(self.hw.rows as usize);
            self.bench.set_bytes(port, &bytes);
        }
        let sums: Vec<u32> = (0..self.hw.cols).map(|c| word(3, column, c)).collect();
        self.bench.set_words("accumulators_i", &sums);
    }

    /// Compares the strobe of the registers, and what stands beside it, with the request that was accepted in the last cycle.
    fn check_register(&mut self, accepted: Option<Request>) {
        let register = Region::Registers.index();
        // The bank itself leaves alone what it does not know.
        let write = |r: Request| r.write && r.region == register && r.offset < 256;
        assert_eq!(self.bench.get("register_write_o") == 1, accepted.is_some_and(write), "{accepted:?}");
        if let Some(request) = accepted {
            assert_eq!(self.bench.get("register_offset_o"), u64::from(request.offset), "{request:?}");
            assert_eq!(self.bench.get("register_data_o"), u64::from(request.data), "{request:?}");
        }
    }

    /// Compares every other strobe, and what stands beside it, with the request that was judged in the last cycle.
    fn check_strobes(&mut self, request: Option<(Request, Region)>) {
        let write = |wanted| request.is_some_and(|(r, region)| r.write && region == wanted);
        let read = |wanted| request.is_some_and(|(r, region)| !r.write && region == wanted);
        let offset = request.map_or(0, |(r, _)| r.offset);
        let column = 1 << (offset / 2 % self.hw.column_stride) & ((1 << self.hw.cols) - 1);
        let piece = offset % self.hw.weight_stride;
        let commits = write(Region::Weights) && piece + 1 == self.hw.weight_pieces;
        let half = |odd: u32| if write(Region::Parameters) && offset % 2 == odd { column } else { 0 };
        for (port, want) in [
            ("program_write_o", u64::from(write(Region::Program))),
            ("weight_write_o", commits.into()),
            ("bias_write_o", half(0)),
            ("scale_write_o", half(1)),
            ("map_a_write_o", write(Region::MapA).into()),
            ("map_b_write_o", write(Region::MapB).into()),
            ("map_read_o", (read(Region::MapA) || read(Region::MapB)).into()),
            ("accumulator_read_o", read(Region::Accumulators).into()),
            ("counters_read_o", read(Region::Counters).into()),
        ] {
            assert_eq!(self.bench.get(port), want, "{port}, {request:?}");
        }
        if let Some((request, region)) = request {
            self.check_addresses(request, region, commits);
        }
    }

    fn check_addresses(&mut self, request: Request, region: Region, commits: bool) {
        let Request { offset, data, select, .. } = request;
        let hw = &self.hw;
        let mut check = |port: &str, want: u32| {
            assert_eq!(self.bench.get(port), u64::from(want), "{port}, {request:?}");
        };
        check("offset_o", offset);
        check("data_o", data);
        match region {
            Region::Weights if request.write => {
                if let Some(piece) = self.pieces.get_mut((offset % hw.weight_stride) as usize) {
                    *piece = data;
                }
                if commits {
                    check("weight_address_o", offset / hw.weight_stride);
                    let (cols, pieces) = (hw.cols as usize, self.pieces.iter());
                    let bytes: Vec<u8> = pieces.flat_map(|piece| piece.to_le_bytes()).take(cols).collect();
                    assert_eq!(self.bench.get_bytes("weight_data_o", cols), bytes, "{request:?}");
                }
            }
            Region::Parameters => check("column_address_o", offset / hw.column_stride / 2),
            Region::Accumulators => check("column_address_o", offset / hw.column_stride),
            Region::MapA | Region::MapB => {
                check("map_address_o", offset / hw.map_stride);
                check("map_lanes_o", (select << (4 * (offset % hw.map_stride))) & ((1 << hw.rows) - 1));
            }
            Region::Registers | Region::Program | Region::Weights | Region::Counters => {}
        }
    }
}

/// Arrays of one and of several pieces in each word.
fn configurations() -> [Elaborated; 3] {
    [array(3, 5, 2), array(16, 2, 2), array(6, 9, 8)]
}

/// Random requests with gaps, a program that comes and goes, and a ring that fills: each accepted request is answered once,
/// in order and in time, with `err` when its address does not exist or its memory is the program's.
#[test]
fn every_accepted_request_is_answered_once_in_order() {
    for hw in configurations() {
        let mut slave = Slave::new(&hw);
        let mut rng = rng(u64::from(hw.rows));
        // The request in its first cycle, in its second, and in its third with the region that was found open in the second.
        let (mut first, mut second, mut third) = (None, None, None);
        let mut answers = VecDeque::from([None; BUS_LATENCY as usize - 2]);
        let (mut busy, mut stream, mut errors, mut stalls) = (false, false, 0, 0);
        for cycle in 0..20_000 {
            if cycle % 16 == 0 {
                (busy, stream) = (rng.random(), rng.random());
            }
            let nearly_full = rng.random_bool(0.5);
            let (cyc, stb) = (rng.random_bool(0.9), rng.random_bool(0.8));
            let request = Request::random(&hw, &mut rng);
            request.drive(&mut slave.bench);
            for (port, value) in
                [("cyc_i", cyc), ("stb_i", stb), ("busy_i", busy), ("stream_i", stream), ("nearly_full_i", nearly_full)]
            {
                slave.bench.set(port, value.into());
            }
            slave.drive_memories(&mut rng);
            slave.check_register(first);
            slave
                .check_strobes(third.and_then(|(request, region): (Request, Option<Region>)| Some((request, region?))));
            let judged = second.map(|request: Request| (request, request.open(&hw, busy, stream)));
            let stall = stream && nearly_full && request.write && request.region == Region::Weights.index();
            assert_eq!(slave.bench.get("stall_o") == 1, stall, "cycle {cycle}, {request:?}");
            let answer = answers.pop_front().expect("requests are under way");
            check_answer(&mut slave.bench, &hw, answer);
            answers.push_back(judged);
            errors += u32::from(judged.is_some_and(|(_, region)| region.is_none()));
            stalls += u32::from(stall && cyc && stb);
            (third, second, first) = (judged, first, (cyc && stb && !stall).then_some(request));
            slave.bench.step();
        }
        assert!(errors > 1000 && stalls > 100, "{errors} errors, {stalls} stalls");
    }
}

/// Compares the answer of this cycle: the request with its region, which is none where it is refused.
fn check_answer(bench: &mut Bench, hw: &Elaborated, want: Option<(Request, Option<Region>)>) {
    let got = (bench.get("ack_o") == 1, bench.get("err_o") == 1);
    match want {
        None => assert_eq!(got, (false, false), "no request"),
        Some((request, None)) => assert_eq!(got, (false, true), "{request:?}"),
        Some((request, Some(region))) => {
            assert_eq!(got, (true, false), "{request:?}");
            if !request.write {
                assert_eq!(bench.get("dat_o") as u32, request.answer(hw, region), "{request:?}");
            }
        }
    }
}

#[test]
fn reset_drops_the_requests_under_way() {
    let hw = array(3, 5, 2);
    let mut slave = Slave::new(&hw);
    let region = Region::Program.index();
    for under_way in 1..=u64::from(BUS_LATENCY) + 1 {
        Request { region, offset: 1, write: true, data: 0, select: 15 }.drive(&mut slave.bench);
        slave.bench.set("stb_i", 1);
        slave.bench.steps(under_way);
        slave.bench.set("rst_i", 1);
        slave.bench.step();
        slave.bench.set("rst_i", 0);
        slave.bench.set("stb_i", 0);
        for cycle in 0..8 {
            let got = ["ack_o", "err_o", "program_write_o"].map(|port| slave.bench.get(port));
            assert_eq!(got, [0; 3], "{cycle} cycles after reset");
            slave.bench.step();
        }
    }
}
