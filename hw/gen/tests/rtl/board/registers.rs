//! The board's registers against their list.

use super::{reset, started, with_build};
use crate::common::{Bench, array, rng};
use hafnia_config::board;
use hafnia_config::link::{BOARD_VALUE, BoardRegister};
use hafnia_gen::generate_board;
use rand::Rng;

/// The registers that count, in the order of their events.
const COUNTS: [BoardRegister; 6] = [
    BoardRegister::FramingErrors,
    BoardRegister::Breaks,
    BoardRegister::Overruns,
    BoardRegister::BadFrames,
    BoardRegister::OutOfTurn,
    BoardRegister::Repeats,
];

/// Where a count stays.
const MOST: u32 = 0xffff;

const CLOCK_KHZ: u32 = 40_000;
const BAUD: u32 = 3_000_000;

/// Asks for an offset and returns the word, or nothing if it is refused.
fn access(bench: &mut Bench, offset: u32, write: bool) -> Option<u32> {
    bench.set("stb_i", 1);
    bench.set("we_i", write.into());
    bench.set("offset_i", offset.into());
    bench.step();
    bench.set("stb_i", 0);
    let answer = match (bench.get("ack_o"), bench.get("err_o")) {
        (1, 0) => Some(bench.get("dat_o") as u32),
        (0, 1) => None,
        both => panic!("offset {offset}: {both:?}"),
    };
    bench.step();
    assert_eq!((bench.get("ack_o"), bench.get("err_o")), (0, 0), "one answer");
    answer
}

fn read(bench: &mut Bench, register: BoardRegister) -> u32 {
    access(bench, register as u32, false).unwrap_or_else(|| panic!("{register:?} is refused"))
}

#[test]
fn registers_give_what_the_board_is_and_what_was_counted() {
    let mut bench = started(CLOCK_KHZ, BAUD, "board_registers", &[]);
    let mut rng = rng(75);
    let constants = [
        (BoardRegister::Board, BOARD_VALUE),
        (BoardRegister::Name, board::find("ulx3s-85f").expect("a board").hash()),
        (BoardRegister::ClockKhz, CLOCK_KHZ),
        (BoardRegister::Baud, BAUD),
    ];
    let mut counted = [0; COUNTS.len()];
    assert_eq!(read(&mut bench, BoardRegister::CyclesLow), 0);
    // One count more or less often than another, so that none can stand for another.
    // The access took two cycles.
    for cycle in 2..3_000 {
        let events: Vec<bool> = (0..COUNTS.len()).map(|n| rng.random_bool(0.1 + 0.1 * n as f64)).collect();
        let bits = events.iter().rev().fold(0, |bits, &event| bits << 1 | u64::from(event));
        let register = BoardRegister::ALL[rng.random_range(0..BoardRegister::ALL.len())].0;
        let (asks, write) = (rng.random_bool(0.5), rng.random_bool(0.3));
        bench.set("events_i", bits);
        bench.set("stb_i", asks.into());
        bench.set("we_i", write.into());
        bench.set("offset_i", register as u64);
        bench.step();
        let answer = (bench.get("ack_o") == 1, bench.get("err_o") == 1);
        assert_eq!(answer, (asks && !write, asks && write), "{register:?}");
        if answer.0 {
            let constant = constants.iter().find(|known| known.0 == register).map(|known| known.1);
            let count = COUNTS.iter().position(|&count| count == register).map(|place| counted[place]);
            let want = match register {
                BoardRegister::CyclesLow => cycle,
                // Little time has gone.
                BoardRegister::CyclesHigh => 0,
                _ => constant.or(count).expect("every register is one of these"),
            };
            assert_eq!(bench.get("dat_o") as u32, want, "{register:?}");
        }
        counted.iter_mut().zip(events).for_each(|(count, event)| *count += u32::from(event));
    }
    assert!(counted.iter().all(|&count| count > 100), "{counted:?}");
}

#[test]
fn counts_stop_at_their_end_and_start_anew() {
    let mut bench = started(CLOCK_KHZ, BAUD, "board_registers", &[]);
    // One by one, the others staying where they are.
    for (n, register) in COUNTS.into_iter().enumerate() {
        bench.set("events_i", 1 << n);
        bench.steps(u64::from(MOST) - 1);
        bench.set("events_i", 0);
        assert_eq!(read(&mut bench, register), MOST - 1, "{register:?}");
        bench.set("events_i", 1 << n);
        bench.steps(3);
        bench.set("events_i", 0);
        let counts = COUNTS.map(|register| read(&mut bench, register));
        let want: Vec<u32> = (0..COUNTS.len()).map(|place| if place <= n { MOST } else { 0 }).collect();
        assert_eq!(counts, *want);
    }
    reset(&mut bench);
    assert_eq!(COUNTS.map(|register| read(&mut bench, register)), [0; COUNTS.len()]);
    assert!(read(&mut bench, BoardRegister::CyclesLow) < 20);
}

#[test]
fn writes_and_unknown_offsets_are_refused() {
    let mut bench = started(CLOCK_KHZ, BAUD, "board_registers", &[]);
    let known = BoardRegister::ALL.len() as u32;
    // Every bit of an offset counts.
    let beyond = (known..64).chain((6..20).flat_map(|bit| (0..known).map(move |offset| 1 << bit | offset)));
    for offset in beyond {
        assert_eq!(access(&mut bench, offset, false), None, "offset {offset:#x}");
        assert_eq!(access(&mut bench, offset, true), None, "offset {offset:#x}");
    }
    for offset in 0..known {
        assert_eq!(access(&mut bench, offset, true), None, "offset {offset}");
        assert!(access(&mut bench, offset, false).is_some(), "offset {offset}");
    }
}

/// A copy that starts to count shortly before bit 32.
#[test]
fn the_upper_half_of_the_cycles_is_that_of_the_lower_half_read_before() {
    const START: u64 = 0x5_ffff_ff00;
    let mut bench = with_build(&array(2, 2, 1), CLOCK_KHZ, BAUD, |build| {
        let mut board = generate_board(build);
        let zero = "cycles <= 64'd0;";
        assert_eq!(board.verilog.matches(zero).count(), 1);
        board.verilog = board.verilog.replace(zero, &format!("cycles <= 64'h{START:x};"));
        Bench::of_board(&board, "board_registers")
    });
    reset(&mut bench);
    let mut carried = 0;
    for cycle in 0..200 {
        // Two cycles for each access.
        let now = START + 4 * cycle;
        assert_eq!(read(&mut bench, BoardRegister::CyclesLow), now as u32);
        assert_eq!(read(&mut bench, BoardRegister::CyclesHigh), (now >> 32) as u32, "of {now:#x}");
        carried += u32::from(now >> 32 == 6);
    }
    // Bit 32 changes between the reads of the two halves, and the half that was read first tells which.
    bench.set("rst_i", 1);
    bench.step();
    bench.set("rst_i", 0);
    bench.steps(255);
    assert_eq!(read(&mut bench, BoardRegister::CyclesLow), u32::MAX);
    bench.steps(10);
    // No other access changes what is held.
    assert!(access(&mut bench, BoardRegister::CyclesLow as u32, true).is_none());
    assert_eq!(read(&mut bench, BoardRegister::CyclesHigh), 5);
    assert_eq!(read(&mut bench, BoardRegister::CyclesLow), 15);
    assert_eq!(read(&mut bench, BoardRegister::CyclesHigh), 6);
    assert!(carried > 100, "{carried}");
}
