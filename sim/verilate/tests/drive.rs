//! Ports, bus bursts, runs and flips on the toy.

mod common;

use common::{WIDTH, fast, model, started, toy};
use hafnia_verilate::{Builder, Design, Dut, Error, FlipEvent, Port, Trace, Unknowns, Variant};

/// Words that differ from one another and from their neighbours.
fn pattern(count: usize) -> Vec<u32> {
    (0..count as u32).map(|index| index.wrapping_mul(0x9e37_79b9) ^ 0x5a5a_0000).collect()
}

fn read(dut: &mut Dut, address: u32) -> u32 {
    let mut word = [0];
    dut.burst_read(address, &mut word, true).expect("the address exists");
    word[0]
}

#[test]
fn burst_reads_back_what_it_wrote() {
    let mut dut = fast();
    let words = pattern(16);
    dut.burst_write(0, &words, true).unwrap();
    let mut back = vec![0; 16];
    dut.burst_read(0, &mut back, true).unwrap();
    assert_eq!(back, words);
}

#[test]
fn burst_takes_one_cycle_per_word_and_one_more_for_the_last_acknowledge() {
    let mut dut = fast();
    let before = dut.cycle();
    dut.burst_write(0, &pattern(16), true).unwrap();
    assert_eq!(dut.cycle() - before, 17);
}

#[test]
fn stalls_delay_a_burst_and_change_nothing_else() {
    let mut dut = fast();
    dut.burst_write(0x13, &[0b0000_0110], true).unwrap();
    let (words, before) = (pattern(16), dut.cycle());
    dut.burst_write(0, &words, true).unwrap();
    assert!(dut.cycle() - before > 40, "three cycles of four are stalled");
    let mut back = vec![0; 16];
    dut.burst_read(0, &mut back, true).unwrap();
    assert_eq!(back, words);
}

#[test]
fn burst_without_increment_stays_at_its_address() {
    let mut dut = fast();
    dut.burst_write(0x11, &[1, 10, 100, 1000], false).unwrap();
    let mut sums = [0; 3];
    dut.burst_read(0x11, &mut sums, false).unwrap();
    assert_eq!(sums, [1111, 1112, 1113]);
}

#[test]
fn bus_error_names_the_first_failing_address() {
    let mut dut = fast();
    let error = dut.burst_write(0x16, &[0; 8], true).unwrap_err();
    assert!(matches!(error, Error::Bus { address: 0x18, access: "write", .. }), "{error}");
    assert!(error.to_string().contains("0x000018"), "{error}");
    dut.burst_write(3, &[42], true).unwrap();
    assert_eq!(read(&mut dut, 3), 42, "the bus works again after an error");
}

#[test]
fn bus_that_never_answers_ends_in_an_error() {
    let mut dut = fast();
    dut.set_bus_timeout(100);
    let before = dut.cycle();
    let error = dut.burst_read(0x10, &mut [0; 4], true).unwrap_err();
    assert!(matches!(error, Error::BusTimeout { address: 0x13, access: "read", waited: 100, .. }), "{error}");
    assert!(dut.cycle() - before < 110);
    dut.burst_write(3, &[42], true).unwrap();
}

#[test]
fn burst_past_the_address_space_is_refused() {
    let error = fast().burst_write(0xff_ffff, &[0; 2], true).unwrap_err();
    assert!(matches!(error, Error::BusRange { address: 0xff_ffff, words: 2, bits: 24 }), "{error}");
}

#[test]
fn run_counts_busy_cycles_and_stops_when_busy_falls() {
    let mut dut = fast();
    dut.burst_write(0x10, &[1000], true).unwrap();
    let outcome = dut.run(u64::MAX, &[]).unwrap();
    // The acknowledge comes one cycle after the write, and that cycle is busy already.
    assert_eq!((outcome.cycles, outcome.still_busy), (999, false));
    assert_eq!(dut.peek("busy_o").unwrap(), [0]);
}

#[test]
fn run_gives_up_at_its_limit_and_can_go_on() {
    let mut dut = fast();
    dut.burst_write(0x10, &[1000], true).unwrap();
    let first = dut.run(400, &[]).unwrap();
    assert_eq!((first.cycles, first.still_busy), (400, true));
    let rest = dut.run(10_000, &[]).unwrap();
    assert_eq!((rest.cycles, rest.still_busy), (599, false));
}

#[test]
fn run_of_an_idle_design_ends() {
    let mut dut = fast();
    let before = dut.cycle();
    assert_eq!(dut.run(1_000_000, &[]).unwrap().cycles, 0);
    assert!(dut.cycle() - before < 10);
}

#[test]
fn stream_is_taken_once_each_in_order_through_back_pressure() {
    for width in [32, 40, 64, 128] {
        let mut dut = started(&model(width, Trace::None, Unknowns::Fast));
        let piece = width.div_ceil(32) as usize;
        let mut stream = pattern(100 * piece);
        stream.iter_mut().skip(piece - 1).step_by(piece).for_each(|top| *top &= u32::MAX >> ((32 - width % 32) % 32));
        dut.burst_write(0x10, &[1000], true).unwrap();
        let outcome = dut.run(10_000, &stream).unwrap();
        assert_eq!(outcome.stream_words_taken, 100, "width {width}");
        assert_eq!(read(&mut dut, 0x16), 100);
        assert_eq!(read(&mut dut, 0x17), stream.iter().step_by(piece).fold(0, |sum, word| sum ^ word));
    }
}

#[test]
fn stream_longer_than_the_run_is_taken_in_part() {
    let mut dut = fast();
    dut.burst_write(0x10, &[41], true).unwrap();
    let outcome = dut.run(10_000, &pattern(200)).unwrap();
    assert_eq!(outcome.cycles, 40);
    assert_eq!(outcome.stream_words_taken, 30, "ready is low in one cycle of four");
    assert_eq!(read(&mut dut, 0x16), 30);
}

#[test]
fn stream_of_half_a_transfer_is_refused() {
    let error = fast().run(10, &[0; 3]).unwrap_err();
    assert!(matches!(error, Error::StreamLength { words: 3, piece: 2 }), "{error}");
}

#[test]
fn flips_arrive_whole_and_in_order() {
    for width in [32, 40, 64, 128] {
        let mut dut = started(&model(width, Trace::None, Unknowns::Fast));
        let piece = width.div_ceil(32) as usize;
        dut.burst_write(0x10, &[80], true).unwrap();
        dut.run(1000, &vec![0x55; 10 * piece]).unwrap();
        let flips = dut.take_flips();
        assert_eq!(flips.len(), 10, "one in eight cycles");
        let (first, last) = (&flips[0], &flips[9]);
        assert_eq!((first.layer, first.mask.len(), first.before.len()), (7, piece, piece));
        assert_eq!(last.cycle - first.cycle, 72);
        assert_eq!(u32::from(first.group as u16).wrapping_sub(last.group), 72);
        assert_eq!(last.address, 10, "transfers taken by then");
        assert_eq!(last.before, vec![0x55; piece]);
        assert_eq!(bit_of(&last.mask), width - 1 - last.group % 8);
        assert_eq!(dut.take_flips(), Vec::<FlipEvent>::new(), "taken once");
    }
}

/// The position of the only bit that is set.
fn bit_of(words: &[u32]) -> u32 {
    assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 1);
    let index = words.iter().position(|word| *word != 0).expect("one bit is set");
    32 * index as u32 + words[index].trailing_zeros()
}

#[test]
fn flips_are_not_recorded_when_switched_off() {
    let mut dut = fast();
    dut.record_flips(false);
    dut.burst_write(0x10, &[80], true).unwrap();
    dut.run(1000, &[]).unwrap();
    assert!(dut.take_flips().is_empty());
}

#[test]
fn bare_loop_does_the_same_work() {
    let stream = pattern(100);
    let (mut one, mut other) = (fast(), fast());
    one.burst_write(0x10, &[500], true).unwrap();
    let expected = one.run(10_000, &stream).unwrap();
    let bare = other.bare_run((0x10, 500), 10_000, &stream).unwrap();
    assert_eq!(bare.outcome, expected);
    assert_eq!(read(&mut one, 0x17), read(&mut other, 0x17));
    assert!(other.take_flips().is_empty(), "the bare loop records nothing");
}

#[test]
fn devices_start_with_the_inputs_of_their_model() {
    let model = model(WIDTH, Trace::None, Unknowns::Fast).with_input("ws_data_i", &[3, 4]);
    for _ in 0..2 {
        assert_eq!(started(&model).peek("ws_data_i").unwrap(), [3, 4]);
    }
    let wrong = model.with_input("busy_o", &[1]).dut();
    assert!(matches!(wrong, Err(Error::UnknownPort { direction: "input", .. })));
}

#[test]
fn ports_are_poked_and_peeked_by_name() {
    let mut dut = started(&model(128, Trace::None, Unknowns::Fast));
    dut.poke("ws_data_i", &[1, 2, 3, 4]).unwrap();
    assert_eq!(dut.peek("ws_data_i").unwrap(), [1, 2, 3, 4]);
    assert_eq!(dut.peek("ws_ready_o").unwrap(), [0]);
    assert!(matches!(dut.poke("busy_o", &[1]).unwrap_err(), Error::UnknownPort { direction: "input", .. }));
    assert!(matches!(dut.peek("nothing").unwrap_err(), Error::UnknownPort { .. }));
    assert!(matches!(dut.poke("wb_sel_i", &[16]).unwrap_err(), Error::PortValue { width_bits: 4, .. }));
    assert!(matches!(dut.poke("ws_data_i", &[0; 3]).unwrap_err(), Error::PortValue { words: 3, .. }));
}

#[test]
fn stop_in_the_verilog_is_an_error_and_not_the_end_of_the_process() {
    let error = fast().burst_write(0x14, &[1], true).unwrap_err();
    assert!(matches!(&error, Error::Model { message, .. } if message.contains("$stop")), "{error}");
}

#[test]
fn devices_are_independent_and_move_between_threads() {
    let model = model(WIDTH, Trace::None, Unknowns::Fast);
    let threads: Vec<_> = (0..4u32)
        .map(|index| {
            let mut dut = started(&model);
            std::thread::spawn(move || {
                dut.burst_write(0x10, &[1000 + index], true).unwrap();
                dut.run(1_000_000, &[]).unwrap().cycles
            })
        })
        .collect();
    let cycles: Vec<u64> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(cycles, [999, 1000, 1001, 1002]);
}

#[test]
fn registers_that_nothing_wrote_differ_between_seeds_only() {
    let value = |seed| read(&mut started(&model(WIDTH, Trace::None, Unknowns::Randomise { seed })), 0x15);
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
    assert_eq!(read(&mut fast(), 0x15), 0);
}

#[test]
fn inputs_start_at_zero_where_registers_start_at_random() {
    for seed in 1..=8 {
        let mut dut = model(WIDTH, Trace::None, Unknowns::Randomise { seed }).dut().unwrap();
        for port in dut.ports().to_vec().into_iter().filter(|port| port.input) {
            assert_eq!(dut.peek(&port.name).unwrap(), vec![0; port.words()], "{}, seed {seed}", port.name);
        }
    }
}

#[test]
fn small_design_without_a_bus_is_stepped_by_its_ports() {
    let verilog = "module adder(input wire [7:0] a_i, input wire [7:0] b_i, output wire [8:0] sum_o);\n\
                   assign sum_o = {1'b0, a_i} + {1'b0, b_i};\nendmodule\n";
    let ports = vec![Port::input("a_i", 8), Port::input("b_i", 8), Port::output("sum_o", 9)];
    let design = Design { top: "adder".into(), verilog: verilog.into(), ports, waivers: vec!["DECLFILENAME".into()] };
    let model = Builder::new().folder(common::shared_folder()).build(&design, Variant::default()).unwrap();
    let mut dut = model.dut().unwrap();
    dut.poke("a_i", &[200]).unwrap();
    dut.poke("b_i", &[100]).unwrap();
    assert_eq!(dut.peek("sum_o").unwrap(), [300]);
    assert!(matches!(dut.run(1, &[]).unwrap_err(), Error::NoInterface { .. }));
    assert!(matches!(dut.burst_write(0, &[0], true).unwrap_err(), Error::NoInterface { .. }));
}

#[test]
fn bytes_go_through_a_line_that_comes_back() {
    let verilog = "module line(input wire clk_i, input wire uart_rx_i, input wire cut_i, output wire uart_tx_o);\n\
                   reg [2:0] late = 3'b111;\nalways @(posedge clk_i) late <= {late[1:0], uart_rx_i & ~cut_i};\n\
                   assign uart_tx_o = late[2];\nendmodule\n";
    let ports = [Port::input("clk_i", 1), Port::input("uart_rx_i", 1), Port::input("cut_i", 1)];
    let ports = ports.into_iter().chain([Port::output("uart_tx_o", 1)]).collect();
    let design = Design { top: "line".into(), verilog: verilog.into(), ports, waivers: vec!["DECLFILENAME".into()] };
    let model = Builder::new().folder(common::shared_folder()).build(&design, Variant::default()).unwrap();
    let bytes: Vec<u8> = (0..=255).collect();
    for bit_cycles in [2.0, 8.0, 40.0 / 3.0] {
        let mut dut = model.dut().unwrap();
        // The line rests before the first byte.
        assert!(dut.line(10, bit_cycles, &[]).unwrap().is_empty());
        let frame = (10.0 * bit_cycles) as u64;
        let mut received = dut.line(100 * frame, bit_cycles, &bytes).unwrap();
        assert!((156..=157).contains(&dut.line_waiting()), "{} wait", dut.line_waiting());
        received.extend(dut.line(160 * frame, bit_cycles, &[]).unwrap());
        assert_eq!((received, dut.line_waiting()), (bytes.clone(), 0), "{bit_cycles}");
    }
    let mut dut = model.dut().unwrap();
    dut.poke("cut_i", &[1]).unwrap();
    let error = dut.line(200, 8.0, &[]).unwrap_err().to_string();
    assert!(error.contains("has no stop bit"), "{error}");
    assert!(matches!(fast().line(1, 8.0, &[]).unwrap_err(), Error::NoInterface { .. }));
}

#[test]
fn port_list_that_does_not_fit_is_refused() {
    let refused = |change: fn(&mut Design)| {
        let mut design = toy(WIDTH);
        change(&mut design);
        Builder::new().folder(common::shared_folder()).build(&design, Variant::default()).unwrap_err().to_string()
    };
    assert!(refused(|design| design.ports.retain(|port| port.name != "wb_ack_o")).contains("`wb_ack_o` is missing"));
    assert!(refused(|design| design.ports[6].width_bits = 16).contains("`wb_dat_i` has 16 bits"));
    assert!(refused(|design| design.ports.push(Port::input("clk_i", 1))).contains("listed twice"));
    assert!(refused(|design| design.ports[5].width_bits = 20).contains("the Verilog has"));
    assert!(refused(|design| design.ports[0].name = "clk i".into()).contains("cannot be a port"));
}
