//! The choice of a board, and of what is built for it.

use clap::builder::PossibleValuesParser;
use hafnia_config::Elaborated;
use hafnia_config::board::{self, Board, BoardError, Build};
use hafnia_cosim::Remote;

use crate::console::Failure;
use crate::hardware::HardwareArgs;

/// Rates of a line in bits per second. On a slower one the driver would not wait for an answer to end.
const BAUDS: std::ops::RangeInclusive<u32> = 9_600..=3_000_000;

/// Which board, and what is on it.
#[derive(clap::Args)]
pub struct BoardArgs {
    /// Board; `hafnia presets` lists them.
    #[arg(long, value_name = "NAME", value_parser = board_names())]
    pub board: String,
    #[command(flatten)]
    hardware: HardwareArgs,
    /// Clock of the accelerator in MHz; without it that of the board.
    #[arg(long, value_name = "MHZ", value_parser = mhz)]
    clock: Option<u32>,
    /// Rate of the serial line in bits per second; without it that of the board.
    #[arg(long, value_name = "N", value_parser = bauds)]
    pub baud: Option<u32>,
}

/// A board, and the serial port that it is at.
#[derive(clap::Args)]
pub struct PortArgs {
    /// Serial port of a board that runs in place of the simulated hardware, such as /dev/ttyUSB0; `hafnia flash` configures it.
    #[arg(long, value_name = "PORT", requires = "board")]
    pub port: Option<String>,
    /// The board at the port; without a port, whose accelerator is meant where none is named. `hafnia presets` lists them.
    #[arg(long, value_name = "NAME", value_parser = board_names())]
    pub board: Option<String>,
    /// Rate of the port in bits per second; without it that of the board.
    #[arg(long, value_name = "N", requires = "port", value_parser = bauds)]
    pub baud: Option<u32>,
}

impl PortArgs {
    /// Returns the board that is named, if one is.
    pub fn board(&self) -> Result<Option<Board>, Failure> {
        Ok(self.board.as_deref().map(board::find).transpose()?)
    }

    /// Returns the board at the port, if there is one.
    pub fn remote(&self) -> Result<Option<Remote>, Failure> {
        let (Some(port), Some(board)) = (self.port.clone(), self.board()?) else { return Ok(None) };
        Ok(Some(Remote { port, baud: self.baud.unwrap_or(board.baud), board }))
    }
}

/// Returns the names of boards, for a flag.
pub fn board_names() -> PossibleValuesParser {
    board::all().into_iter().map(|board| board.name).collect::<Vec<_>>().into()
}

/// Reads the rate of a line.
fn bauds(text: &str) -> Result<u32, String> {
    let wanted = || format!("write bits per second, {} to {}, such as 3000000", BAUDS.start(), BAUDS.end());
    text.parse().ok().filter(|rate| BAUDS.contains(rate)).ok_or_else(wanted)
}

/// Reads MHz, to the kHz.
pub fn mhz(text: &str) -> Result<u32, String> {
    let khz = text.parse::<f64>().ok().map(|mhz| (mhz * 1000.0).round());
    let wanted = "write the clock in MHz, 1 to 400, such as 50 or 62.5";
    khz.filter(|khz| (1e3..=4e5).contains(khz)).map(|khz| khz as u32).ok_or_else(|| wanted.to_owned())
}

/// The board and the accelerator that were chosen.
pub struct Chosen {
    pub board: Board,
    pub hw: Elaborated,
    clock_khz: Option<u32>,
    baud: Option<u32>,
}

impl BoardArgs {
    /// Returns the flags that choose the same accelerator.
    pub fn flags(&self, board: &Board) -> Vec<String> {
        self.hardware.on(Some(board)).flags()
    }

    /// Reads and checks the choice.
    pub fn resolve(&self) -> Result<Chosen, Failure> {
        let board = board::find(&self.board)?;
        let hw = self.hardware.on(Some(&board)).resolve()?;
        Ok(Chosen { board, hw, clock_khz: self.clock, baud: self.baud })
    }
}

impl Chosen {
    /// Returns what is built.
    pub fn build(&self) -> Result<Build<'_>, Failure> {
        planned(&self.board, &self.hw, self.clock_khz, self.baud)
    }
}

/// Returns the build of an accelerator for a board, at this clock in kHz and line rate or the board's own.
pub fn planned<'a>(
    board: &'a Board,
    hw: &'a Elaborated,
    clock_khz: Option<u32>,
    baud: Option<u32>,
) -> Result<Build<'a>, Failure> {
    Build::new(board, hw, clock_khz, baud).map_err(|error| {
        let help = match error {
            BoardError::Size { .. } => format!("take the board's own `--preset {}`, or a smaller array", board.preset),
            _ => "pass another `--clock` or `--baud`".to_owned(),
        };
        Failure::new(error.to_string(), help)
    })
}
