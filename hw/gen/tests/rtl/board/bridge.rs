//! The bridge against the rules of the link, with a slave that stalls, answers late and refuses.

use std::collections::VecDeque;

use super::started;
use crate::common::{Bench, rng};
use hafnia_config::link::{ANSWER, BUS_PATIENCE_BITS, Command, FRAME_WORDS, REFUSED, REPEATS, status};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Cycles of the accelerator's reset behind a hello.
const RESET_CYCLES: u32 = 15;

/// A request, with its words even if it is no write.
#[derive(Clone, Debug)]
struct Request {
    number: u8,
    command: Command,
    last_word: u8,
    address: u32,
    words: Vec<u32>,
}

impl Request {
    fn random(number: u8, rng: &mut ChaCha8Rng) -> Self {
        let command = if rng.random_bool(0.5) { Command::Read } else { Command::Write };
        // Full frames now and then.
        let longest = if rng.random_bool(0.05) { FRAME_WORDS as u8 } else { 5 };
        let last_word = *[0, longest - 1, rng.random_range(0..longest)].choose(rng).expect("three");
        let words = (0..FRAME_WORDS).map(|_| rng.random()).collect();
        Self { number, command, last_word, address: rng.random_range(0..1 << 24), words }
    }

    fn hello(number: u8, rng: &mut ChaCha8Rng) -> Self {
        Self { command: Command::Hello, ..Self::random(number, rng) }
    }
}

/// An access on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    write: bool,
    address: u32,
    /// What is written.
    data: Option<u32>,
}

/// What the slave does with an access.
#[derive(Clone, Copy, Debug)]
struct Reply {
    /// Cycles before it takes it, and from then to the answer.
    stall: u32,
    latency: u32,
    refuses: bool,
    /// What is read.
    data: u32,
}

/// What comes of a request.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    answer: Vec<u8>,
    accesses: Vec<Access>,
    repeats: u32,
    out_of_turn: u32,
    reset_cycles: u32,
}

impl Outcome {
    fn status(&self) -> u8 {
        self.answer[self.answer.len() - 2]
    }
}

/// The rules: what a bridge does with each request.
#[derive(Default)]
struct Rules {
    /// The number of the next request of the session, if one is open.
    next: Option<u8>,
    /// The number in refusals. Without a session it is any.
    last_next: u8,
    refused_before: bool,
}

impl Rules {
    /// The outcome, given what the slave will reply to the accesses.
    fn outcome(&mut self, request: &Request, replies: &[Reply]) -> Outcome {
        let back = self.next.map(|next| next.wrapping_sub(request.number));
        let (mut words, mut refused, mut outcome) = (Vec::new(), None, Outcome::default());
        let (mut number, mut answer, mut last_word) =
            (request.number, ANSWER | request.command as u8, request.last_word);
        let carried_out = match (request.command, back) {
            (Command::Hello, _) => {
                *self = Self { next: Some(number.wrapping_add(1)), ..Self::default() };
                last_word = FRAME_WORDS as u8 - 1;
                outcome.reset_cycles = RESET_CYCLES;
                false
            }
            (_, Some(0)) => {
                self.next = Some(number.wrapping_add(1));
                true
            }
            (command, Some(1..=REPEATS)) => {
                outcome.repeats = 1;
                command == Command::Read
            }
            _ => {
                (number, answer) = (self.next.unwrap_or(self.last_next), REFUSED);
                outcome.out_of_turn = 1;
                false
            }
        };
        for word in 0..=request.last_word {
            let write = request.command == Command::Write;
            // The first word that is refused is the last one that is written.
            if !carried_out || (write && refused.is_some()) {
                break;
            }
            let Reply { refuses, data, .. } = replies[usize::from(word)];
            let address = request.address.wrapping_add(word.into()) & 0xff_ffff;
            outcome.accesses.push(Access { write, address, data: write.then(|| request.words[usize::from(word)]) });
            if refuses {
                refused = refused.or(Some(word));
            }
            if !write {
                words.extend(if refuses { 0 } else { data }.to_le_bytes());
            }
        }
        self.refused_before |= refused.is_some();
        self.last_next = self.next.unwrap_or(self.last_next);
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        let status = bit(refused.is_some(), status::REFUSED)
            | bit(self.refused_before, status::REFUSED_BEFORE)
            | bit(self.next.is_none(), status::CLOSED);
        outcome.answer =
            [number, answer, last_word].into_iter().chain(words).chain([status, refused.unwrap_or(0)]).collect();
        outcome
    }
}

/// A bridge with the frame's words behind it, and a slave.
struct Bridge {
    bench: Bench,
    /// Places of the words that were asked for in the last two cycles.
    places: VecDeque<usize>,
}

impl Bridge {
    fn new() -> Self {
        let mut bridge = Self { bench: started(40_000, 5_000_000, "bridge", &[]), places: VecDeque::from([0; 2]) };
        assert_eq!(bridge.bench.get("hold_o"), 0);
        bridge
    }

    fn offer(&mut self, request: &Request) {
        let bench = &mut self.bench;
        assert_eq!((bench.get("hold_o"), bench.get("valid_o"), bench.get("cyc_o")), (0, 0, 0), "at rest");
        bench.set("number_i", request.number.into());
        bench.set("command_i", request.command as u64);
        bench.set("last_word_i", request.last_word.into());
        bench.set("address_i", request.address.into());
        bench.set("request_i", 1);
        bench.step();
        bench.set("request_i", 0);
    }

    /// Has the request carried out, the framer taking a byte in a cycle this often, and waits for the end of a reset.
    fn carry_out(&mut self, request: &Request, replies: &[Reply], takes: f64, rng: &mut ChaCha8Rng) -> Outcome {
        self.offer(request);
        let mut outcome = Outcome::default();
        // The access that is offered, for how long; and the one that was taken, and since when.
        let (mut offered, mut taken): (Option<(Access, u32)>, Option<u32>) = (None, None);
        loop {
            let bench = &mut self.bench;
            // Deframer: the word of two cycles before.
            let place = bench.get("word_place_o") as usize;
            self.places.push_back(place);
            bench.set("word_i", request.words[self.places.pop_front().expect("two places")].into());
            // Slave. Without an answer anything may be on its wires.
            let index = outcome.accesses.len();
            let reply = replies[index.saturating_sub(usize::from(taken.is_some())).min(replies.len() - 1)];
            let answers = taken == Some(reply.latency);
            let (cyc, stb) = (bench.get("cyc_o") == 1, bench.get("stb_o") == 1);
            assert!(
                cyc == (stb || taken.is_some()),
                "a cycle is open while an access is offered or waits for its answer"
            );
            let stalls = stb && offered.is_none_or(|(_, cycles)| cycles < reply.stall) && reply.stall > 0;
            bench.set("stall_i", if stb { stalls } else { rng.random() }.into());
            bench.set("ack_i", (answers && !reply.refuses).into());
            bench.set("err_i", (answers && reply.refuses).into());
            bench.set("dat_i", if answers { reply.data } else { rng.random() }.into());
            if stb {
                assert!(taken.is_none(), "one access at a time");
                let write = bench.get("we_o") == 1;
                let data = write.then(|| bench.get("dat_o") as u32);
                let access = Access { write, address: bench.get("adr_o") as u32, data };
                assert!(offered.is_none_or(|(before, _)| before == access), "an access changed while it was stalled");
                offered = Some((access, offered.map_or(1, |(_, cycles)| cycles + 1)));
                if !stalls {
                    outcome.accesses.push(access);
                    (offered, taken) = (None, Some(0));
                }
            } else {
                assert!(offered.is_none(), "an access was withdrawn");
                taken = if answers { None } else { taken.map(|cycles| cycles + 1) };
            }
            // Framer.
            let ready = rng.random_bool(takes);
            bench.set("ready_i", ready.into());
            let sends = bench.get("valid_o") == 1 && ready;
            let last = sends && bench.get("last_o") == 1;
            if sends {
                outcome.answer.push(bench.get("data_o") as u8);
            }
            outcome.repeats += bench.get("repeat_o") as u32;
            outcome.out_of_turn += bench.get("out_of_turn_o") as u32;
            outcome.reset_cycles += bench.get("reset_o") as u32;
            assert_eq!(bench.get("hold_o"), 1, "until the answer has gone");
            bench.step();
            if last {
                break;
            }
        }
        for _ in 0..20 {
            outcome.reset_cycles += self.bench.get("reset_o") as u32;
            self.bench.step();
        }
        outcome
    }
}

fn replies(rng: &mut ChaCha8Rng) -> Vec<Reply> {
    let (longest, refusals) =
        (*[0, 3, 30].choose(rng).expect("three"), *[0.0, 0.0, 0.02, 0.4].choose(rng).expect("four"));
    let mut one = |_| Reply {
        stall: rng.random_range(0..=longest),
        latency: rng.random_range(0..=longest),
        refuses: rng.random_bool(refusals),
        data: rng.random(),
    };
    (0..FRAME_WORDS).map(&mut one).collect()
}

/// Numbers in turn, repeated, out of turn, and anything before a session: some hundred requests of three sessions, so that the
/// numbers wrap in each.
#[test]
fn bridge_follows_the_rules_of_the_link() {
    let mut bridge = Bridge::new();
    let mut rules = Rules::default();
    let mut rng = rng(71);
    // A refusal before the first session names any number.
    for number in [0, 7, 255] {
        let (request, replies) = (Request::random(number, &mut rng), replies(&mut rng));
        let got = bridge.carry_out(&request, &replies, 1.0, &mut rng);
        rules.last_next = got.answer[0];
        assert_eq!(got, rules.outcome(&request, &replies));
        assert_eq!(got.answer[3], status::CLOSED);
    }
    let (mut repeats, mut refusals, mut writes_repeated) = (0, 0, 0);
    for session in 0..3 {
        let first = rng.random();
        for n in 0..400 {
            let request = match (n, rules.next) {
                (0, _) | (_, None) => Request::hello(first, &mut rng),
                (_, Some(next)) => match rng.random_range(0..10) {
                    // The ends of both ranges, and anything.
                    0 => Request::random(next.wrapping_sub(rng.random_range(1..=REPEATS)), &mut rng),
                    1 => Request::random(
                        next.wrapping_sub(*[1, REPEATS, REPEATS + 1].choose(&mut rng).expect("three")),
                        &mut rng,
                    ),
                    2 => Request::random(rng.random(), &mut rng),
                    3 => Request::random(next.wrapping_add(1), &mut rng),
                    _ => Request::random(next, &mut rng),
                },
            };
            let replies = replies(&mut rng);
            let want = rules.outcome(&request, &replies);
            let takes = *[1.0, 0.3].choose(&mut rng).expect("two");
            let got = bridge.carry_out(&request, &replies, takes, &mut rng);
            assert_eq!(got, want, "session {session}, request {n}: {request:x?}");
            let refused = want.status() & status::REFUSED != 0;
            assert_eq!(bridge.bench.get("refused_o") == 1, refused, "session {session}, request {n}");
            repeats += want.repeats;
            refusals += want.out_of_turn;
            writes_repeated += u32::from(want.repeats == 1 && request.command == Command::Write);
        }
    }
    assert!(repeats > 100 && refusals > 100 && writes_repeated > 50, "{repeats}, {refusals}, {writes_repeated}");
}

/// Behind a reset no session is open, and nothing was refused.
#[test]
fn bridge_forgets_its_session_at_reset() {
    let mut bridge = Bridge::new();
    let mut rng = rng(72);
    let refusing: Vec<Reply> = replies(&mut rng).into_iter().map(|reply| Reply { refuses: true, ..reply }).collect();
    for _ in 0..2 {
        bridge.carry_out(&Request::hello(9, &mut rng), &refusing, 1.0, &mut rng);
        let got = bridge.carry_out(&Request::random(10, &mut rng), &refusing, 1.0, &mut rng);
        assert_eq!(got.status(), status::REFUSED | status::REFUSED_BEFORE);
        // In the middle of a read.
        bridge.offer(&Request { command: Command::Read, ..Request::random(11, &mut rng) });
        bridge.bench.set("ready_i", 1);
        bridge.bench.steps(5);
        bridge.bench.set("rst_i", 1);
        bridge.bench.step();
        bridge.bench.set("rst_i", 0);
        let got = bridge.carry_out(&Request::random(11, &mut rng), &refusing, 1.0, &mut rng);
        assert_eq!((got.answer[1], got.answer[3], got.accesses), (REFUSED, status::CLOSED, vec![]));
    }
}

/// How the bus lets a bridge down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// It stalls for ever.
    Stalls,
    /// It takes the access and does not answer.
    Takes,
    /// It answers in the last cycle in which it may.
    AnswersInTime,
    /// It refuses in the last cycle in which it may.
    RefusesInTime,
}

/// Cycles, counted from the one in which an access is offered first, after which the bus has not answered.
const PATIENCE: u64 = 1 << BUS_PATIENCE_BITS;

/// A request of three words whose second one waits as long as it may, and what its answer says.
fn waits(bench: &mut Bench, command: Command, silence: Silence) {
    const SOON: u32 = 0x8765_4321;
    const LATE: u32 = 0x1234_5678;
    bench.set("ready_i", 1);
    bench.set("stall_i", 0);
    let (mut answer, mut words) = (Vec::new(), 0);
    while bench.get("hold_o") == 1 {
        if bench.get("valid_o") == 1 {
            answer.push(bench.get("data_o") as u8);
        }
        if bench.get("stb_o") == 0 {
            bench.step();
            continue;
        }
        words += 1;
        if words == 2 {
            bench.set("stall_i", (silence == Silence::Stalls).into());
            bench.steps(PATIENCE - 1);
            assert_eq!(bench.get("cyc_o"), 1, "{silence:?}: the bus is held until then");
            if silence == Silence::Stalls {
                // The access is withdrawn one cycle before the bus is let go.
                assert_eq!(bench.get("stb_o"), 1);
                bench.step();
                assert_eq!((bench.get("stb_o"), bench.get("cyc_o")), (0, 1));
            }
            bench.set("stall_i", 0);
            bench.set("ack_i", (silence == Silence::AnswersInTime).into());
            bench.set("err_i", (silence == Silence::RefusesInTime).into());
            bench.set("dat_i", LATE.into());
        } else {
            bench.step();
            bench.set("ack_i", 1);
            bench.set("dat_i", SOON.into());
        }
        bench.step();
        bench.set("ack_i", 0);
        bench.set("err_i", 0);
        assert_eq!(bench.get("cyc_o"), 0, "{silence:?}");
    }
    let reads = command == Command::Read;
    let (data, status, want_words) = match silence {
        Silence::AnswersInTime => ([SOON, LATE, SOON], 0, 3),
        // A read goes on behind a refusal, and not behind a bus that does not answer.
        Silence::RefusesInTime => {
            ([SOON, 0, SOON], status::REFUSED | status::REFUSED_BEFORE, if reads { 3 } else { 2 })
        }
        Silence::Stalls | Silence::Takes => ([SOON, 0, 0], status::TIMEOUT | status::REFUSED_BEFORE, 2),
    };
    let data = if reads { data.map(u32::to_le_bytes).concat() } else { vec![] };
    let tail = [status, u8::from(status != 0)];
    assert_eq!(answer, [vec![1, ANSWER | command as u8, 2], data, tail.to_vec()].concat(), "{command:?}, {silence:?}");
    assert_eq!(words, want_words, "{command:?}, {silence:?}: accesses");
    assert_eq!(bench.get("refused_o") == 1, status != 0, "{command:?}, {silence:?}");
}

#[test]
fn bridge_gives_up_a_bus_that_does_not_answer() {
    let mut bridge = Bridge::new();
    let mut rng = rng(73);
    let prompt = [Reply { stall: 0, latency: 0, refuses: false, data: 5 }];
    for (silence, command) in [
        (Silence::Stalls, Command::Read),
        (Silence::Takes, Command::Write),
        (Silence::AnswersInTime, Command::Read),
        (Silence::AnswersInTime, Command::Write),
        (Silence::RefusesInTime, Command::Read),
        (Silence::RefusesInTime, Command::Write),
    ] {
        bridge.carry_out(&Request::hello(0, &mut rng), &prompt, 1.0, &mut rng);
        bridge.offer(&Request { command, last_word: 2, ..Request::random(1, &mut rng) });
        waits(&mut bridge.bench, command, silence);
        // What follows is carried out as ever.
        let next = Request { command: Command::Read, last_word: 0, ..Request::random(2, &mut rng) };
        let got = bridge.carry_out(&next, &prompt, 1.0, &mut rng);
        let before = if silence == Silence::AnswersInTime { 0 } else { status::REFUSED_BEFORE };
        assert_eq!(got.answer, [2, ANSWER | Command::Read as u8, 0, 5, 0, 0, 0, before, 0]);
    }
}
