//! Frames: requests to bytes, and bytes to answers. See [`hafnia_config::link`].

use hafnia_config::link::{
    ANSWER_HEAD, ANSWER_TAIL, Command, ESCAPE, ESCAPE_XOR, FCS_BYTES, FLAG, FRAME_WORDS, REQUEST_HEAD,
};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u8,
    /// What is asked for.
    pub command: Command,
    /// First word address.
    pub address: u32,
    /// Number of words, 1 to [`FRAME_WORDS`].
    pub count: u32,
    /// The words to write, as many; none of other commands.
    pub words: Vec<u32>,
}

impl Request {
    /// Returns the bytes of the line.
    pub fn encode(&self) -> Vec<u8> {
        let mut plain = Vec::with_capacity(REQUEST_HEAD + 4 * self.words.len() + FCS_BYTES);
        plain.extend([self.number, self.command as u8, (self.count - 1) as u8]);
        plain.extend(&self.address.to_le_bytes()[..3]);
        plain.extend(self.words.iter().flat_map(|word| word.to_le_bytes()));
        framed(plain)
    }
}

/// Returns `plain` with its FCS, escaped, between flags.
pub fn framed(mut plain: Vec<u8>) -> Vec<u8> {
    plain.extend(crc32fast::hash(&plain).to_le_bytes());
    let mut line = vec![FLAG];
    for byte in plain {
        match byte {
            FLAG | ESCAPE => line.extend([ESCAPE, byte ^ ESCAPE_XOR]),
            byte => line.push(byte),
        }
    }
    line.push(FLAG);
    line
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of the request, or of the one that is due.
    pub number: u8,
    /// What was done.
    pub answer: u8,
    /// Number of words asked for.
    pub count: u32,
    /// The words read.
    pub words: Vec<u32>,
    /// See [`hafnia_config::link::status`].
    pub status: u8,
    /// Place of the first word that the bus refused.
    pub place: u8,
}

/// The longest answer, FCS included.
const LONGEST: usize = ANSWER_HEAD + 4 * FRAME_WORDS as usize + ANSWER_TAIL + FCS_BYTES;

/// Finds whole frames in what comes over the line, whatever else is in it.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    escaped: bool,
    /// Frames that were damaged.
    pub damaged: u64,
}

impl Decoder {
    /// Takes a byte, and returns what is in the frame that ends with it, without its FCS.
    pub fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        match byte {
            FLAG => {
                let (bytes, cut) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.escaped));
                if bytes.is_empty() && !cut {
                    return None;
                }
                let plain = Some(bytes).filter(|_| !cut).and_then(checked);
                self.damaged += u64::from(plain.is_none());
                plain
            }
            ESCAPE => {
                self.escaped = true;
                None
            }
            byte => {
                let mask = if std::mem::take(&mut self.escaped) { ESCAPE_XOR } else { 0 };
                // What is longer is no frame, and need not be kept.
                if self.bytes.len() <= LONGEST {
                    self.bytes.push(byte ^ mask);
                }
                None
            }
        }
    }

    /// Takes a byte, and returns the answer that ends with it.
    pub fn answer(&mut self, byte: u8) -> Option<Answer> {
        let plain = self.push(byte)?;
        let answer = parse(&plain);
        self.damaged += u64::from(answer.is_none());
        answer
    }
}

/// Cuts off the FCS, if it is right.
fn checked(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let length = bytes.len().checked_sub(FCS_BYTES).filter(|_| bytes.len() <= LONGEST)?;
    let fcs = bytes.split_off(length);
    (crc32fast::hash(&bytes).to_le_bytes() == fcs[..]).then_some(bytes)
}

fn parse(plain: &[u8]) -> Option<Answer> {
    let (&[number, answer, last], rest) = plain.split_first_chunk::<ANSWER_HEAD>()?;
    let (words, &[status, place]) = rest.split_last_chunk::<ANSWER_TAIL>()?;
    let (words, left) = words.as_chunks::<4>();
    let words: Vec<u32> = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    left.is_empty().then_some(Answer { number, answer, count: u32::from(last) + 1, words, status, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|&byte| decoder.push(byte)).collect()
    }

    /// The FCS of nine digits, as every catalogue of CRCs lists it.
    #[test]
    fn the_fcs_is_the_crc_32_of_the_catalogues() {
        let line = framed(b"123456789".to_vec());
        assert_eq!(line[10..14], 0xcbf4_3926_u32.to_le_bytes());
        assert_eq!((line[0], line[14]), (FLAG, FLAG));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let mut decoder = Decoder::default();
        let line: Vec<u8> = [framed(vec![1, 2, 3, 4]), framed(vec![1, 0x82, 0, 0, 0])].concat();
        let answers: Vec<Answer> = line.iter().filter_map(|&byte| decoder.answer(byte)).collect();
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].count, decoder.damaged), (1, 1));
    }

    proptest! {
        #[test]
        fn frames_come_back_whatever_stands_between(
            plain in prop::collection::vec(any::<u8>(), 1..LONGEST - FCS_BYTES),
            noise in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let line = [framed(plain.clone()), noise, framed(plain.clone())].concat();
            let found = decode(&line);
            prop_assert_eq!(found.first(), Some(&plain));
            prop_assert_eq!(found.last(), Some(&plain));
        }

        /// Up to three wrong bits are always found, and so is any one burst of 32 bits.
        #[test]
        fn a_damaged_frame_is_never_taken(
            plain in prop::collection::vec(0u8..0x20, 4..64),
            at in any::<prop::sample::Index>(),
            mask in 1u8..=255,
        ) {
            let mut line = framed(plain.clone());
            let at = 1 + at.index(line.len() - 2);
            line[at] ^= mask;
            prop_assert!(decode(&line).iter().all(|found| *found != plain && found.len() < plain.len()));
        }
    }
}
