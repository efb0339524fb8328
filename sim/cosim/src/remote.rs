//! A board at a serial port, and the link to hardware of either kind.

use hafnia_config::Elaborated;
use hafnia_config::board::Board;
use hafnia_config::flip::Flip;
use hafnia_config::link::BoardRegister;
use hafnia_driver::transport::serial::{Port, SerialTransport};
use hafnia_driver::transport::sim::SimTransport;
use hafnia_driver::{DriverError, Transport};

use crate::CosimError;

/// A board at a serial port of this machine.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The port, such as `/dev/ttyUSB0`.
    pub port: String,
    /// Its rate in bits per second.
    pub baud: u32,
    /// What it must be.
    pub board: Board,
}

impl Remote {
    /// Opens a session with the board, which resets the accelerator in it.
    pub(crate) fn open(&self, hw: &Elaborated) -> Result<SerialTransport<Port>, CosimError> {
        let Self { port, baud, board } = self;
        let line = Port::open(port, *baud)
            .map_err(|source| CosimError::Port { port: port.clone(), reason: source.to_string() })?;
        let failed = |source| CosimError::Session { port: port.clone(), baud: *baud, source };
        let mut link = SerialTransport::open(line, hw).map_err(failed)?;
        let got = link.board_register(BoardRegister::Name).map_err(failed)?;
        if got != board.hash() {
            let known = hafnia_config::board::all().into_iter().find(|board| board.hash() == got);
            let got = known.map_or_else(|| format!("0x{got:08x}"), |board| board.name);
            return Err(CosimError::OtherBoard { port: port.clone(), got, want: board.name.clone() });
        }
        Ok(link)
    }
}

/// The link to simulated hardware or to a board.
pub(crate) enum Link {
    Simulated(SimTransport),
    Board(SerialTransport<Port>),
}

impl Link {
    fn transport(&mut self) -> &mut dyn Transport {
        match self {
            Self::Simulated(link) => link,
            Self::Board(link) => link,
        }
    }
}

impl Transport for Link {
    fn feeds_weight_stream(&self) -> bool {
        match self {
            Self::Simulated(link) => link.feeds_weight_stream(),
            Self::Board(link) => link.feeds_weight_stream(),
        }
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        self.transport().write(address, words)
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        self.transport().read(address, words)
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        self.transport().finish(stream, max_cycles)
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        self.transport().take_flips()
    }

    fn cycle(&self) -> Option<u64> {
        match self {
            Self::Simulated(link) => link.cycle(),
            Self::Board(link) => link.cycle(),
        }
    }
}
