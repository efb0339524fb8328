//! What carries bytes to a board and back.

use std::io::{ErrorKind, Read, Result, Write};
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort};

/// A line of bytes.
pub trait Line {
    /// Sends bytes.
    ///
    /// # Errors
    /// If the line is gone.
    fn send(&mut self, bytes: &[u8]) -> Result<()>;

    /// Waits for bytes, appends them to `received` and returns whether there were any before the line had been quiet for so long
    /// that nothing is under way any more.
    ///
    /// # Errors
    /// If the line is gone.
    fn receive(&mut self, received: &mut Vec<u8>) -> Result<bool>;
}

/// A line that somebody else keeps.
impl<L: Line> Line for &mut L {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        (**self).send(bytes)
    }

    fn receive(&mut self, received: &mut Vec<u8>) -> Result<bool> {
        (**self).receive(received)
    }
}

/// A serial port of this machine.
pub struct Port {
    port: Box<dyn SerialPort>,
}

/// How long an answer may take: the board's patience with its bus, the bytes of the requests before it, and the time that a USB
/// bridge holds bytes back.
const QUIET: Duration = Duration::from_millis(500);

impl Port {
    /// Opens a port at a rate in bits per second: 8 data bits, no parity, one stop bit.
    ///
    /// # Errors
    /// If there is no such port, it is in use, or may not be opened.
    pub fn open(path: &str, baud: u32) -> serialport::Result<Self> {
        let port = serialport::new(path, baud).timeout(QUIET).open()?;
        port.clear(ClearBuffer::All)?;
        Ok(Self { port })
    }

    /// Waits so long for an answer, as a slowly simulated board needs.
    ///
    /// # Errors
    /// If the port is gone.
    pub fn waiting(mut self, quiet: Duration) -> serialport::Result<Self> {
        self.port.set_timeout(quiet)?;
        Ok(self)
    }
}

impl Line for Port {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.port.write_all(bytes)
    }

    fn receive(&mut self, received: &mut Vec<u8>) -> Result<bool> {
        let mut buffer = [0; 4096];
        match self.port.read(&mut buffer) {
            // A port that is gone reads as one that has ended.
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                received.extend(&buffer[..count]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}
