//! The link between host and board: frames over a serial line, and the addresses that a board adds to those of its
//! accelerator. `docs/link.md` says the same in words.
//!
//! Frames are those of RFC 1662 (PPP in HDLC-like framing): between flags, with flags and escapes escaped, and at the end
//! the 32-bit FCS, which is the CRC-32 of IEEE 802.3 in transmission order.

/// Begins and ends a frame.
pub const FLAG: u8 = 0x7e;
/// Stands before an escaped byte.
pub const ESCAPE: u8 = 0x7d;
/// What an escaped byte is XORed with.
pub const ESCAPE_XOR: u8 = 0x20;
/// What the CRC register holds behind a whole frame and its FCS (RFC 1662, C.3).
pub const GOOD_FCS: u32 = 0xdebb_20e3;

/// Bytes of a request before its words: number, command, words less one, address (three bytes, lowest first).
pub const REQUEST_HEAD: usize = 6;
/// Bytes of an answer before its words: number, answer, words less one.
pub const ANSWER_HEAD: usize = 3;
/// Bytes of an answer behind its words: status, and the place of the first word that the bus refused.
pub const ANSWER_TAIL: usize = 2;
/// Bytes of the FCS.
pub const FCS_BYTES: usize = 4;
/// Most words of a frame. At an error rate of 1e-3 for each byte three of four such frames arrive.
pub const FRAME_WORDS: u32 = 64;
/// Bytes that a board takes while it is at work on a frame.
pub const FIFO_BYTES: u32 = 2048;
/// How many requests back a number is one that was carried out, and not one that is to come.
pub const REPEATS: u8 = 16;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a session: resets the accelerator; the next request has the number after this one's.
    Hello = 0,
    /// Reads words from consecutive addresses.
    Read = 1,
    /// Writes words to consecutive addresses.
    Write = 2,
}

/// Added to the command in the answer to a request that was carried out, now or before.
pub const ANSWER: u8 = 0x80;
/// Answer to a request that is not the next one; its number is that of the next one.
pub const REFUSED: u8 = 0xff;

/// Bits of an answer's status.
pub mod status {
    /// The bus refused a word of this request.
    pub const REFUSED: u8 = 1;
    /// The bus refused a word of a request of this session.
    pub const REFUSED_BEFORE: u8 = 2;
    /// The bus did not answer in time.
    pub const TIMEOUT: u8 = 4;
    /// No session is open: the board was configured or reset since.
    pub const CLOSED: u8 = 8;
}

/// Clock cycles after which a request to the bus counts as not answered. The weight stream may wait for the array, which takes a
/// word at least every pass; write-verify for 255 pulses.
pub const BUS_PATIENCE_BITS: u32 = 20;

/// First word address of the weight stream: any address of the region counts, its lowest bits are the piece of a transfer and the
/// last piece sends it.
pub const STREAM_BASE: u32 = 14 << 20;
/// First word address of the board's own registers.
pub const BOARD_BASE: u32 = 15 << 20;

/// Value of the register BOARD: `HFB1`.
pub const BOARD_VALUE: u32 = 0x4846_4231;

macro_rules! board_registers {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// The board's registers, in address order; all are read only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum BoardRegister {
            $(#[doc = $doc] $name,)*
        }

        impl BoardRegister {
            /// Every register with its meaning, in address order.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $doc),)*];
        }
    };
}

board_registers! {
    /// `HFB1` in ASCII.
    Board,
    /// First 32 bits of the SHA-256 of the board's name.
    Name,
    /// Clock of the accelerator in kHz.
    ClockKhz,
    /// Rate of the line in bits per second.
    Baud,
    /// Clock cycles since the session was opened, bits 31:0; reading it holds the upper half.
    CyclesLow,
    /// Bits 63:32 as they were when the lower half was read.
    CyclesHigh,
    /// Bytes whose stop bit was missing.
    FramingErrors,
    /// Breaks: the line was low for a whole byte and its stop bit.
    Breaks,
    /// Bytes that found no room.
    Overruns,
    /// Frames that were damaged.
    BadFrames,
    /// Requests that came out of turn.
    OutOfTurn,
    /// Requests that came again.
    Repeats,
}

impl BoardRegister {
    /// Returns the word address.
    pub const fn address(self) -> u32 {
        BOARD_BASE + self as u32
    }
}
