//! The way into the weight stream: the host's pieces and a memory's transfers against an integer reference.

use super::{reset, started, with_build};
use crate::common::{Bench, array, rng};
use hafnia_gen::generate_board;
use rand::Rng;

/// Little-endian words of a transfer, its last one cut to the bits there are.
fn cut(words: &[u32], bits: u32) -> Vec<u32> {
    let wide = |n: usize| (bits - 32 * n as u32).min(32);
    words.iter().enumerate().map(|(n, word)| word & (u32::MAX >> (32 - wide(n)))).collect()
}

/// A transfer of 16 bits (one piece that is not full), 40 and 96 bits. Every input is driven every cycle, a memory's
/// transfers more or less often; what comes out is what the host put together and what the memory gave, each once.
#[test]
fn stream_passes_every_transfer_once_and_a_memory_first() {
    for (cols, memory_valid, ready) in [(2, 0.2, 0.7), (5, 0.5, 0.6), (12, 0.3, 0.5)] {
        let hw = array(2, cols, 1);
        let bits = hw.stream_bits();
        let pieces = bits.div_ceil(32) as usize;
        assert_eq!(bits, 8 * cols);
        let mut bench: Bench =
            with_build(&hw, 40_000, 5_000_000, |build| Bench::of_board(&generate_board(build), "stream"));
        reset(&mut bench);
        let mut rng = rng(74);
        let addresses = pieces.next_power_of_two().max(2) as u32;
        // The pieces as they were written last, and the transfer that waits.
        let mut held: Vec<Option<u32>> = vec![None; pieces];
        let mut waiting: Option<Vec<u32>> = None;
        // What must be answered in this cycle, and what is asked for until it is taken: write, address, data.
        let mut answer = (0, 0);
        let mut asked: Option<(bool, u32, u32)> = None;
        let (mut from_host, mut from_memory, mut stalled, mut refused) = (0, 0, 0, 0);
        for cycle in 0..8_000_u32 {
            let known = held.iter().all(Option::is_some);
            asked = asked.or_else(|| {
                let address = rng.random_range(0..addresses);
                // At first every piece, in order.
                let first = held.iter().position(Option::is_none).map_or(address, |piece| piece as u32);
                (rng.random_bool(0.7)).then(|| (!known || rng.random_bool(0.9), first, rng.random()))
            });
            let (write, address, data) = asked.unwrap_or((rng.random(), rng.random_range(0..addresses), rng.random()));
            bench.set("stb_i", asked.is_some().into());
            bench.set("we_i", write.into());
            bench.set("adr_i", address.into());
            bench.set("dat_i", data.into());
            let memory: Vec<u32> = cut(&(0..pieces).map(|_| rng.random()).collect::<Vec<_>>(), bits);
            let (offers, takes) = (rng.random_bool(memory_valid), rng.random_bool(ready));
            bench.set("memory_valid_i", offers.into());
            bench.set_words("memory_data_i", &memory);
            bench.set("ready_i", takes.into());

            assert_eq!((bench.get("ack_o"), bench.get("err_o")), answer, "cycle {cycle}");
            assert_eq!(bench.get("stall_o") == 1, waiting.is_some(), "cycle {cycle}");
            assert_eq!(bench.get("memory_ready_o") == 1, takes, "cycle {cycle}");
            let out = if offers { Some(&memory) } else { waiting.as_ref() };
            assert_eq!(bench.get("valid_o") == 1, out.is_some(), "cycle {cycle}");
            if let Some(out) = out {
                assert_eq!(&bench.get_words("data_o"), out, "cycle {cycle}");
            }
            let taken = asked.is_some() && waiting.is_none();
            stalled += u32::from(asked.is_some() && !taken);
            from_memory += u32::from(offers && takes);
            if takes && !offers && waiting.take().is_some() {
                from_host += 1;
            }
            answer = ((taken && write).into(), (taken && !write).into());
            refused += answer.1;
            if taken {
                asked = None;
                // A transfer of one piece is sent by any address; beyond the last piece there is none.
                let piece = if pieces == 1 { 0 } else { address as usize };
                if write && piece < pieces {
                    held[piece] = Some(data);
                    if piece == pieces - 1 {
                        let words: Option<Vec<u32>> = held.iter().copied().collect();
                        waiting = Some(cut(&words.expect("every piece was written before the last"), bits));
                    }
                }
            }
            bench.step();
        }
        assert!(from_host > 500 && refused > 100, "{bits} bits: {from_host}, {refused}");
        assert!(from_memory > 300 && stalled > 300, "{bits} bits: {from_memory}, {stalled}");
    }
}

/// Behind a reset nothing waits.
#[test]
fn stream_forgets_a_transfer_at_reset() {
    let mut bench = started(40_000, 5_000_000, "stream", &[]);
    bench.set("stb_i", 1);
    bench.set("we_i", 1);
    bench.step();
    assert_eq!(["valid_o", "stall_o", "ack_o"].map(|port| bench.get(port)), [1, 1, 1]);
    bench.set("rst_i", 1);
    bench.step();
    bench.set("rst_i", 0);
    assert_eq!(["valid_o", "stall_o", "ack_o", "err_o"].map(|port| bench.get(port)), [0; 4]);
}
