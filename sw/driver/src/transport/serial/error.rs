//! What can go wrong on a serial line.

use crate::DriverError;

/// An error of the line or of the board at its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerialError {
    /// The line is gone.
    #[error("the serial line failed: {0}; is the board still plugged in? The next run starts it anew")]
    Line(#[from] std::io::Error),
    /// Nothing answers.
    #[error(
        "the board did not answer a request for address 0x{address:06x} that was sent {tries} times ({damaged} damaged answers); \
         is it configured (`hafnia flash`), and is this its port, at its rate?"
    )]
    Silent {
        /// Word address.
        address: u32,
        /// How often it was sent.
        tries: u32,
        /// Frames that came and were damaged.
        damaged: u64,
    },
    /// The board has forgotten the session.
    #[error("the board was reset or configured again while it was in use; run the command again")]
    Closed,
    /// What answers is no board.
    #[error(
        "register BOARD reads 0x{got:08x}: what answers is no board of Hafnia, or one of another version; flash it again"
    )]
    NotABoard {
        /// Value read.
        got: u32,
    },
    /// The bus refused an access.
    #[error("the board's bus refused word address 0x{address:06x}")]
    Bus {
        /// Word address.
        address: u32,
    },
    /// The bus refused an access whose answer was lost.
    #[error("the board's bus refused a word that was written before address 0x{address:06x}")]
    BusBefore {
        /// Word address of the request that told so.
        address: u32,
    },
    /// The bus did not answer.
    #[error("the board's bus did not answer at word address 0x{address:06x}")]
    BusTimeout {
        /// Word address.
        address: u32,
    },
}

impl From<SerialError> for DriverError {
    fn from(error: SerialError) -> Self {
        Self::Transport(Box::new(error))
    }
}
