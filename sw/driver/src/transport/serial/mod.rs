//! A board at the end of a serial line.
//!
//! Requests are numbered and the board carries them out in turn, so several can be under way at once. What is lost or damaged is
//! sent again, from the first request that was not answered on, and unchanged: a number stands for the same words for ever.
//! Writes are posted: they are under way when [`Transport::write`] returns, and what became of them is known at the latest when
//! the next read returns. A read is never behind by one: it waits for its own words, so that a read which is repeated never
//! sees what was written after it.

mod error;
mod frame;
mod line;

use std::collections::VecDeque;

use hafnia_config::Elaborated;
use hafnia_config::flip::Flip;
use hafnia_config::link::{
    ANSWER, BOARD_VALUE, BoardRegister, Command, FIFO_BYTES, FLAG, FRAME_WORDS, REFUSED, REPEATS, STREAM_BASE, status,
};
use hafnia_config::regs::{Region, registers};

pub use error::SerialError;
pub use frame::{Answer, Decoder, Request, framed};
pub use line::{Line, Port};

use super::Transport;
use crate::{DriverError, pack};

/// How often a request is sent before the line counts as dead.
const TRIES: u32 = 24;
/// Bytes that may come without an answer among them before the line counts as dead: many times what a board may have to say.
const MOST_NOISE: usize = 1 << 18;
/// Bytes that may be under way to the board, so that a repetition of all of them finds room behind them.
const WINDOW_BYTES: usize = FIFO_BYTES as usize / 2;

/// A request that was sent and not answered.
struct Sent {
    request: Request,
    line: Vec<u8>,
}

/// How the line fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Requests.
    pub requests: u64,
    /// Requests that were sent again.
    pub repeated: u64,
    /// Frames from the board that were damaged.
    pub damaged: u64,
}

/// A link to a board.
pub struct SerialTransport<L> {
    line: L,
    decoder: Decoder,
    /// Number of the next request.
    next: u8,
    /// What is under way, oldest first.
    window: VecDeque<Sent>,
    /// Words of reads that were answered, oldest first.
    answered: VecDeque<Vec<u32>>,
    /// The window was sent again since something of it was answered.
    went_back: bool,
    /// The board has told that the bus refused something, and it was reported.
    refusal_known: bool,
    /// What the board said of a posted write.
    refusal: Option<SerialError>,
    counts: LineCounts,
    /// Words of a transfer of the weight stream, and the words from one to the next.
    transfer: (u32, u32),
    status_address: u32,
}

impl<L: Line> SerialTransport<L> {
    /// Opens a session with the board at the end of `line`, which resets the accelerator in it.
    ///
    /// # Errors
    /// If nothing answers, or what answers is no board of Hafnia.
    pub fn open(line: L, hw: &Elaborated) -> Result<Self, SerialError> {
        let pieces = hw.stream_bits().div_ceil(32);
        let registers = registers(hw);
        let status = registers.iter().find(|r| r.name == "STATUS").expect("every accelerator has it");
        let mut link = Self {
            line,
            decoder: Decoder::default(),
            next: 0,
            window: VecDeque::new(),
            answered: VecDeque::new(),
            went_back: false,
            refusal_known: false,
            refusal: None,
            counts: LineCounts::default(),
            transfer: (pieces, pieces.next_power_of_two()),
            status_address: Region::Registers.base() + status.offset,
        };
        // Ends what a session of before may have left half sent, and hears its last answers out.
        link.line.send(&[FLAG, FLAG])?;
        link.post(Command::Hello, 0, 1, Vec::new())?;
        link.flush()?;
        let [got] = link.words(BoardRegister::Board.address())?;
        if got != BOARD_VALUE {
            return Err(SerialError::NotABoard { got });
        }
        Ok(link)
    }

    /// Returns how the line fared since the session was opened.
    pub fn counts(&self) -> LineCounts {
        LineCounts { damaged: self.decoder.damaged, ..self.counts }
    }

    /// Returns the line.
    pub fn line(&mut self) -> &mut L {
        &mut self.line
    }

    /// Reads a register of the board.
    ///
    /// # Errors
    /// If the line fails.
    pub fn board_register(&mut self, register: BoardRegister) -> Result<u32, SerialError> {
        let [word] = self.words(register.address())?;
        Ok(word)
    }

    /// Returns the clock cycles since the session was opened.
    ///
    /// # Errors
    /// If the line fails.
    pub fn cycles(&mut self) -> Result<u64, SerialError> {
        let [low, high] = self.words(BoardRegister::CyclesLow.address())?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn words<const N: usize>(&mut self, address: u32) -> Result<[u32; N], SerialError> {
        let mut words = [0; N];
        self.read_words(address, &mut words)?;
        Ok(words)
    }

    fn read_words(&mut self, address: u32, words: &mut [u32]) -> Result<(), SerialError> {
        for (place, part) in (address..).step_by(FRAME_WORDS as usize).zip(words.chunks(FRAME_WORDS as usize)) {
            let count = part.len() as u32;
            self.post(Command::Read, place, count, Vec::new())?;
        }
        let flushed = self.flush();
        // The last answers are those of this read; a read that ended with an error may have left others before them.
        let answered = std::mem::take(&mut self.answered);
        flushed?;
        let left = answered.len() - words.len().div_ceil(FRAME_WORDS as usize);
        for (word, read) in words.iter_mut().zip(answered.into_iter().skip(left).flatten()) {
            *word = read;
        }
        Ok(())
    }

    fn write_words(&mut self, address: u32, words: &[u32]) -> Result<(), SerialError> {
        for (place, part) in (address..).step_by(FRAME_WORDS as usize).zip(words.chunks(FRAME_WORDS as usize)) {
            self.post(Command::Write, place, part.len() as u32, part.to_vec())?;
        }
        Ok(())
    }

    /// Sends a request as soon as there is room for it.
    fn post(&mut self, command: Command, address: u32, count: u32, words: Vec<u32>) -> Result<(), SerialError> {
        let request = Request { number: self.next, command, address, count, words };
        let line = request.encode();
        let room = WINDOW_BYTES - line.len();
        while self.window.len() >= REPEATS.into()
            || self.window.iter().map(|sent| sent.line.len()).sum::<usize>() > room
        {
            self.progress()?;
        }
        self.line.send(&line)?;
        self.next = request.number.wrapping_add(1);
        self.counts.requests += 1;
        self.window.push_back(Sent { request, line });
        Ok(())
    }

    /// Waits until everything is answered.
    fn flush(&mut self) -> Result<(), SerialError> {
        while !self.window.is_empty() {
            self.progress()?;
        }
        self.refusal.take().map_or(Ok(()), Err)
    }

    /// Waits until a request is answered.
    fn progress(&mut self) -> Result<(), SerialError> {
        let before = self.window.len();
        let (mut tries, mut heard) = (1, 0);
        while self.window.len() == before {
            let mut received = Vec::new();
            if self.line.receive(&mut received)? && heard < MOST_NOISE {
                heard += received.len();
                for byte in received {
                    if let Some(answer) = self.decoder.answer(byte) {
                        self.take(answer)?;
                    }
                }
                continue;
            }
            if tries == TRIES || heard >= MOST_NOISE {
                let first = &self.window[0].request;
                return Err(SerialError::Silent { address: first.address, tries, damaged: self.decoder.damaged });
            }
            tries += 1;
            self.go_back()?;
        }
        Ok(())
    }

    /// Sends everything again that was not answered.
    fn go_back(&mut self) -> Result<(), SerialError> {
        self.went_back = true;
        self.counts.repeated += self.window.len() as u64;
        for sent in &self.window {
            self.line.send(&sent.line)?;
        }
        Ok(())
    }

    fn take(&mut self, answer: Answer) -> Result<(), SerialError> {
        if answer.answer == REFUSED {
            if answer.status & status::CLOSED != 0 {
                return Err(SerialError::Closed);
            }
            // What is behind the damaged request is refused too, request by request.
            return if self.went_back { Ok(()) } else { self.go_back() };
        }
        let is_of = |sent: &Sent| {
            let Request { number, command, count, .. } = sent.request;
            let count = if command == Command::Hello { FRAME_WORDS } else { count };
            let words = if command == Command::Read { count } else { 0 };
            (answer.number, answer.answer, answer.count) == (number, ANSWER | command as u8, count)
                && answer.words.len() == words as usize
        };
        let Some(place) = self.window.iter().position(is_of) else { return Ok(()) };
        // A write that is done was behind those before it. The words of a read that were lost must come again.
        if self.window.iter().take(place).any(|sent| sent.request.command == Command::Read) {
            return if self.went_back { Ok(()) } else { self.go_back() };
        }
        self.went_back = false;
        let sent = self.window.drain(..=place).next_back().expect("it was found");
        self.note(&sent.request, &answer);
        if sent.request.command == Command::Read {
            self.answered.push_back(answer.words);
        }
        Ok(())
    }

    /// Keeps what the board says of the bus, until the next [`SerialTransport::flush`].
    fn note(&mut self, request: &Request, answer: &Answer) {
        let address = request.address + u32::from(answer.place);
        let refusal = if answer.status & status::TIMEOUT != 0 {
            Some(SerialError::BusTimeout { address })
        } else if answer.status & status::REFUSED != 0 {
            Some(SerialError::Bus { address })
        } else if answer.status & status::REFUSED_BEFORE != 0 && !self.refusal_known {
            Some(SerialError::BusBefore { address })
        } else {
            None
        };
        self.refusal_known |= refusal.is_some();
        if self.refusal.is_none() {
            self.refusal = refusal;
        }
    }

    /// See [`Transport::finish`].
    fn wait(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, SerialError> {
        let (pieces, stride) = self.transfer;
        self.write_words(STREAM_BASE, &pack::spread(stream, pieces, stride))?;
        self.flush()?;
        // The line may be slower than the array, so the time for the last words counts from here.
        let begin = self.cycles()?;
        loop {
            let [busy] = self.words(self.status_address)?;
            if busy == 0 {
                return Ok(None);
            }
            let cycles = self.cycles()? - begin;
            if cycles > max_cycles {
                return Ok(Some(format!("busy after {cycles} cycles")));
            }
        }
    }
}

impl<L: Line> Transport for SerialTransport<L> {
    fn feeds_weight_stream(&self) -> bool {
        true
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        Ok(self.write_words(address, words)?)
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        Ok(self.read_words(address, words)?)
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        Ok(self.wait(stream, max_cycles)?)
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        Vec::new()
    }

    fn cycle(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hafnia_config::presets;

    /// A line at whose end nothing understands what is sent; it says `babble`, again and again.
    struct Deaf {
        babble: Vec<u8>,
    }

    impl Line for Deaf {
        fn send(&mut self, _bytes: &[u8]) -> std::io::Result<()> {
            Ok(())
        }

        fn receive(&mut self, received: &mut Vec<u8>) -> std::io::Result<bool> {
            received.extend(&self.babble);
            Ok(!self.babble.is_empty())
        }
    }

    #[test]
    fn a_line_without_a_board_is_an_error_in_the_end() {
        let hw = presets::find("4x4").unwrap().validate().unwrap();
        // The last is a refusal of the request that is under way.
        let refusal = framed(vec![0, REFUSED, 0, 0, 0]);
        for babble in [vec![], vec![0x55; 100], vec![FLAG; 7], framed(vec![1, 2, 3]), refusal] {
            let error = SerialTransport::open(Deaf { babble }, &hw).err().expect("nothing answers");
            assert!(error.to_string().contains("did not answer a request for address 0x000000"), "{error}");
        }
    }

    #[test]
    fn a_board_that_was_reset_is_told() {
        let hw = presets::find("4x4").unwrap().validate().unwrap();
        let babble = framed(vec![0, REFUSED, 0, status::CLOSED, 0]);
        let error = SerialTransport::open(Deaf { babble }, &hw).err().expect("it is closed");
        assert!(matches!(error, SerialError::Closed), "{error}");
    }
}
