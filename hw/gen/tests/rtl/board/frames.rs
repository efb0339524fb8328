//! Deframer and framer against coders written here, from the constants of the link alone.

use super::started;
use crate::common::{Bench, rng};
use hafnia_config::link::{Command, ESCAPE, ESCAPE_XOR, FCS_BYTES, FLAG, FRAME_WORDS, REQUEST_HEAD};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Any byte, those that are escaped more often than their share.
fn byte(rng: &mut ChaCha8Rng) -> u8 {
    match rng.random_range(0..8) {
        0 => FLAG,
        1 => ESCAPE,
        2 => [FLAG ^ ESCAPE_XOR, ESCAPE ^ ESCAPE_XOR, 0, 0xff][rng.random_range(0..4)],
        _ => rng.random(),
    }
}

/// The body and its FCS, escaped, without flags.
fn escaped(body: &[u8]) -> Vec<u8> {
    let fcs = crc32fast::hash(body).to_le_bytes();
    let two = |&byte: &u8| if byte == FLAG || byte == ESCAPE { vec![ESCAPE, byte ^ ESCAPE_XOR] } else { vec![byte] };
    body.iter().chain(&fcs).flat_map(two).collect()
}

/// A request as the deframer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    number: u8,
    command: u8,
    last_word: u8,
    address: u32,
    /// Those that a write brings.
    words: Vec<u32>,
}

impl Request {
    /// Of any command and length.
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let command = *[Command::Hello, Command::Read, Command::Write, Command::Write].choose(rng).expect("four") as u8;
        let last_word = *[0, FRAME_WORDS as u8 - 1, rng.random_range(0..FRAME_WORDS as u8)].choose(rng).expect("three");
        let words = if command == Command::Write as u8 { u32::from(last_word) + 1 } else { 0 };
        Self {
            number: byte(rng),
            command,
            last_word,
            address: u32::from_le_bytes([byte(rng), byte(rng), byte(rng), 0]),
            words: (0..words).map(|_| u32::from_le_bytes([byte(rng), byte(rng), byte(rng), byte(rng)])).collect(),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = vec![self.number, self.command, self.last_word];
        body.extend(&self.address.to_le_bytes()[..3]);
        body.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
        body
    }

    /// The request in a whole frame without flags, if it is one.
    fn of(frame: &[(u8, bool)]) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut raw = frame.iter();
        while let Some(&(byte, damaged)) = raw.next() {
            let (byte, damaged) = match byte {
                ESCAPE => {
                    raw.next().filter(|next| next.0 != ESCAPE).map(|next| (next.0 ^ ESCAPE_XOR, damaged || next.1))?
                }
                byte => (byte, damaged),
            };
            if damaged {
                return None;
            }
            bytes.push(byte);
        }
        let (body, fcs) = bytes.split_at_checked(bytes.len().checked_sub(FCS_BYTES)?)?;
        let (head, words) = body.split_at_checked(REQUEST_HEAD)?;
        let &[number, command, last_word, a, b, c] = head else { panic!("a head has six bytes") };
        let write = command == Command::Write as u8;
        let known = write || command == Command::Hello as u8 || command == Command::Read as u8;
        let wanted = if write { 4 * (usize::from(last_word) + 1) } else { 0 };
        let whole = known && u32::from(last_word) < FRAME_WORDS && words.len() == wanted;
        let words = words.chunks(4).map(|word| word.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte)));
        let request =
            Self { number, command, last_word, address: u32::from_le_bytes([a, b, c, 0]), words: words.collect() };
        (whole && crc32fast::hash(body).to_le_bytes() == fcs).then_some(request)
    }
}

/// A deframer and the frame that came to it so far.
struct Deframer {
    bench: Bench,
    frame: Vec<(u8, bool)>,
    requests: u32,
    bad: u32,
}

impl Deframer {
    fn new() -> Self {
        Self { bench: started(40_000, 5_000_000, "deframer", &[]), frame: Vec::new(), requests: 0, bad: 0 }
    }

    /// Offers a byte until it is taken, and compares what follows from it.
    fn offer(&mut self, byte: u8, damaged: bool, rng: &mut ChaCha8Rng) {
        let bench = &mut self.bench;
        while rng.random_bool(0.1) {
            bench.set("valid_i", 0);
            bench.set("data_i", FLAG.into());
            assert_eq!(bench.get("take_o"), 0);
            bench.step();
            assert_eq!((bench.get("request_o"), bench.get("bad_o")), (0, 0));
        }
        bench.set("valid_i", 1);
        bench.set("data_i", byte.into());
        bench.set("damaged_i", damaged.into());
        assert_eq!(bench.get("take_o"), 1);
        bench.step();
        if byte != FLAG {
            self.frame.push((byte, damaged));
            assert_eq!((bench.get("request_o"), bench.get("bad_o")), (0, 0));
            return;
        }
        let frame = std::mem::take(&mut self.frame);
        let empty = frame.is_empty() && !damaged;
        let want = if damaged { None } else { Request::of(&frame) };
        let told = (bench.get("request_o") == 1, bench.get("bad_o") == 1);
        assert_eq!(told, (want.is_some(), want.is_none() && !empty), "{want:?} of {frame:02x?}");
        self.bad += u32::from(told.1);
        match want {
            Some(want) => self.check(&want, rng),
            None => bench.set("valid_i", 0),
        }
    }

    /// The request stands at the outputs while it is carried out, however long, and the next byte waits.
    fn check(&mut self, want: &Request, rng: &mut ChaCha8Rng) {
        self.requests += 1;
        let bench = &mut self.bench;
        bench.set("data_i", byte(rng).into());
        assert_eq!(bench.get("take_o"), 0, "in the cycle of a request");
        bench.step();
        bench.set("hold_i", 1);
        let mut places: Vec<usize> = (0..want.words.len()).collect();
        places.extend((0..want.words.len().min(4)).map(|_| rng.random_range(0..want.words.len())));
        // Word by word, two cycles behind its place.
        for cycle in 0..places.len() + 2 {
            if let Some(&place) = places.get(cycle) {
                bench.set("word_place_i", place as u64);
            }
            let fields = ["number_o", "command_o", "last_word_o", "address_o", "take_o", "request_o", "bad_o"];
            let fields = fields.map(|port| bench.get(port) as u32);
            let Request { number, command, last_word, address, .. } = *want;
            assert_eq!(fields, [number.into(), command.into(), last_word.into(), address, 0, 0, 0], "{want:?}");
            if let Some(&place) = cycle.checked_sub(2).and_then(|cycle| places.get(cycle)) {
                assert_eq!(bench.get("word_o"), u64::from(want.words[place]), "word {place} of {want:?}");
            }
            bench.step();
        }
        bench.set("hold_i", 0);
        bench.set("valid_i", 0);
    }

    /// Offers a frame and the flag behind it.
    fn frame(&mut self, bytes: &[u8], rng: &mut ChaCha8Rng) {
        bytes.iter().for_each(|&byte| self.offer(byte, false, rng));
        self.offer(FLAG, false, rng);
    }
}

#[test]
fn deframer_gives_every_whole_request() {
    let mut deframer = Deframer::new();
    let mut rng = rng(65);
    for n in 1..=300 {
        // One flag between two frames is enough, and more do no harm.
        while rng.random_bool(0.3) {
            deframer.offer(FLAG, false, &mut rng);
        }
        deframer.frame(&escaped(&Request::random(&mut rng).body()), &mut rng);
        assert_eq!((deframer.requests, deframer.bad), (n, 0));
    }
}

/// Frames with a right FCS that are no requests: wrong lengths, too many words, unknown commands, and frames longer than any
/// counter of them.
#[test]
fn deframer_refuses_what_is_no_request() {
    let mut deframer = Deframer::new();
    let mut rng = rng(66);
    let refuse = |deframer: &mut Deframer, body: &[u8], rng: &mut ChaCha8Rng| {
        let before = (deframer.requests, deframer.bad);
        deframer.frame(&escaped(body), rng);
        assert_eq!((deframer.requests, deframer.bad), (before.0, before.1 + 1), "{body:02x?}");
        // The frame behind it is none the worse for it.
        deframer.frame(&escaped(&Request::random(rng).body()), rng);
        assert_eq!((deframer.requests, deframer.bad), (before.0 + 1, before.1 + 1));
    };
    for _ in 0..100 {
        let body = Request::random(&mut rng).body();
        let mut wrong = body.clone();
        match rng.random_range(0..4) {
            // A read or a hello brings no words, a write as many as it says.
            0 => wrong.extend((0..4 * rng.random_range(1..4)).map(|_| byte(&mut rng))),
            1 => wrong.truncate(wrong.len() - rng.random_range(1..=body.len())),
            2 => wrong[1] = rng.random_range(3..=255),
            _ => wrong[2] = wrong[2].wrapping_add(FRAME_WORDS as u8 * rng.random_range(1..4)),
        }
        refuse(&mut deframer, &wrong, &mut rng);
    }
    for wraps in [256, 512, 1024, 2048] {
        for request in [Command::Hello, Command::Read] {
            let mut body = Request { command: request as u8, words: vec![], ..Request::random(&mut rng) }.body();
            body.extend((0..wraps).map(|_| byte(&mut rng)));
            refuse(&mut deframer, &body, &mut rng);
        }
        let words = vec![0x7d7e_5e5d; FRAME_WORDS as usize + wraps / 4];
        let body = Request {
            command: Command::Write as u8,
            last_word: FRAME_WORDS as u8 - 1,
            words,
            ..Request::random(&mut rng)
        };
        refuse(&mut deframer, &body.body(), &mut rng);
    }
}

/// A sender may escape more than it must, but not so that a flag or an escape comes of it.
#[test]
fn deframer_takes_escapes_that_need_not_be() {
    let mut deframer = Deframer::new();
    let mut rng = rng(70);
    let every_byte = |rng: &mut ChaCha8Rng| -> Vec<u8> {
        let body = Request::random(rng).body();
        let fcs = crc32fast::hash(&body).to_le_bytes();
        body.iter().chain(&fcs).map(|byte| byte ^ ESCAPE_XOR).collect()
    };
    let free =
        std::iter::repeat_with(|| every_byte(&mut rng)).filter(|all| !all.contains(&FLAG) && !all.contains(&ESCAPE));
    let frames: Vec<Vec<u8>> = free.take(5).collect();
    for frame in frames {
        let frame: Vec<u8> = frame.into_iter().flat_map(|byte| [ESCAPE, byte]).collect();
        deframer.frame(&frame, &mut rng);
    }
    assert_eq!((deframer.requests, deframer.bad), (5, 0));
}

/// Bytes that are changed, marked, lost, doubled or made up, in and between frames.
#[test]
fn deframer_takes_nothing_that_was_damaged() {
    let mut deframer = Deframer::new();
    let mut rng = rng(67);
    for _ in 0..800 {
        let mut bytes: Vec<(u8, bool)> =
            escaped(&Request::random(&mut rng).body()).into_iter().map(|byte| (byte, false)).collect();
        bytes.push((FLAG, false));
        for _ in 0..rng.random_range(0..3) {
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..7) {
                0 => bytes[at].0 ^= 1 << rng.random_range(0..8),
                1 => bytes[at].1 = true,
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, bytes[at]),
                4 => bytes.insert(at, (byte(&mut rng), rng.random_bool(0.5))),
                5 => bytes.insert(at, (ESCAPE, false)),
                _ => bytes.splice(at..at, (0..rng.random_range(0..40)).map(|_| (byte(&mut rng), false))).for_each(drop),
            }
            bytes.push((FLAG, rng.random_bool(0.1)));
        }
        bytes.into_iter().for_each(|(byte, damaged)| deframer.offer(byte, damaged, &mut rng));
    }
    assert!(deframer.requests > 250 && deframer.bad > 250, "{} and {}", deframer.requests, deframer.bad);
}

#[test]
fn deframer_forgets_a_frame_at_reset() {
    let mut deframer = Deframer::new();
    let mut rng = rng(68);
    for start in [&[1, 2, 3][..], &[1, ESCAPE], &[ESCAPE, ESCAPE]] {
        start.iter().for_each(|&byte| deframer.offer(byte, false, &mut rng));
        deframer.bench.set("valid_i", 0);
        deframer.bench.set("rst_i", 1);
        deframer.bench.step();
        deframer.bench.set("rst_i", 0);
        deframer.frame.clear();
        let before = deframer.requests;
        deframer.frame(&escaped(&Request::random(&mut rng).body()), &mut rng);
        assert_eq!((deframer.requests, deframer.bad), (before + 1, 0));
    }
}

#[test]
fn framer_makes_frames_of_answers() {
    let mut bench = started(40_000, 5_000_000, "framer", &[]);
    let mut rng = rng(69);
    let mut special_fcs = 0;
    for n in 0..400 {
        let length = *[1, 5, 261, rng.random_range(1..30)].get(n % 4).expect("four lengths");
        let body: Vec<u8> = (0..length).map(|_| byte(&mut rng)).collect();
        special_fcs +=
            u32::from(crc32fast::hash(&body).to_le_bytes().iter().any(|&byte| byte == FLAG || byte == ESCAPE));
        let want: Vec<u8> = [vec![FLAG], escaped(&body), vec![FLAG]].concat();
        let (offers, takes) = *[(1.0, 1.0), (0.3, 1.0), (1.0, 0.2), (0.5, 0.5)].choose(&mut rng).expect("four");
        let (mut taken, mut sent, mut shown) = (0, Vec::new(), None);
        let mut offered = false;
        while sent.len() < want.len() {
            // A byte stays offered until it is taken.
            offered = taken < body.len() && (offered || rng.random_bool(offers));
            bench.set("valid_i", offered.into());
            bench.set("data_i", if offered { body[taken] } else { byte(&mut rng) }.into());
            bench.set("last_i", if offered { taken + 1 == body.len() } else { rng.random() }.into());
            let taking = rng.random_bool(takes);
            bench.set("ready_i", taking.into());
            let out = (bench.get("valid_o") == 1).then(|| bench.get("data_o") as u8);
            assert!(shown.is_none() || shown == out, "{shown:02x?} became {out:02x?}");
            let went = out.filter(|_| taking);
            shown = if went.is_some() { None } else { out };
            sent.extend(went);
            let ready = bench.get("ready_o") == 1;
            taken += usize::from(offered && ready);
            offered &= !ready;
            bench.step();
            assert!(want.starts_with(&sent), "{sent:02x?} of {body:02x?}");
        }
        assert_eq!(taken, body.len());
        // Nothing follows of itself.
        bench.set("valid_i", 0);
        bench.set("ready_i", 1);
        for _ in 0..rng.random_range(0..4) {
            assert_eq!(bench.get("valid_o"), 0);
            bench.step();
        }
    }
    assert!(special_fcs > 5, "{special_fcs}");
}
