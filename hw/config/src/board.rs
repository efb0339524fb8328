//! FPGA boards, `board.toml`, and what a build for one of them is. Pins are in `constraints/`, `docs/boards.md` leads through a
//! board from its box to the first figure.

mod pll;
mod record;

pub use pll::Pll;
pub use record::BuildRecord;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accel::Elaborated;

/// A board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name, such as `ulx3s-85f`.
    pub name: String,
    /// Maker's name.
    pub title: String,
    /// The FPGA.
    pub device: Device,
    /// Its package, as nextpnr names it.
    pub package: String,
    /// Its speed grade.
    pub speed_grade: u32,
    /// The oscillator in kHz.
    pub oscillator_khz: u32,
    /// The accelerator's clock in kHz, unless a build says otherwise.
    pub clock_khz: u32,
    /// Rate of the line in bits per second, unless a build says otherwise.
    pub baud: u32,
    /// Preset of the array that fits.
    pub preset: String,
    /// Name of the file of pins in `constraints/`, without `.lpf`.
    pub constraints: String,
    /// The lights.
    pub lights: Lights,
    /// Whether there is a pin that is held high while the design runs, for the sake of what else is on the board.
    #[serde(default)]
    pub held_high: bool,
    /// How openFPGALoader reaches it.
    pub loader: Loader,
}

/// An FPGA of the ECP5 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// 24,288 LUT4; the die of the 25F.
    #[serde(rename = "LFE5U-12F")]
    Lfe5u12f,
    /// 24,288 LUT4.
    #[serde(rename = "LFE5U-25F")]
    Lfe5u25f,
    /// 43,848 LUT4.
    #[serde(rename = "LFE5U-45F")]
    Lfe5u45f,
    /// 83,640 LUT4.
    #[serde(rename = "LFE5U-85F")]
    Lfe5u85f,
    /// 43,848 LUT4, with transceivers.
    #[serde(rename = "LFE5UM5G-45F")]
    Lfe5um5g45f,
    /// 83,640 LUT4, with transceivers.
    #[serde(rename = "LFE5UM5G-85F")]
    Lfe5um5g85f,
}

impl Device {
    /// Returns the option by which nextpnr-ecp5 knows it, without dashes.
    pub const fn nextpnr(self) -> &'static str {
        match self {
            Self::Lfe5u12f => "12k",
            Self::Lfe5u25f => "25k",
            Self::Lfe5u45f => "45k",
            Self::Lfe5u85f => "85k",
            Self::Lfe5um5g45f => "um5g-45k",
            Self::Lfe5um5g85f => "um5g-85k",
        }
    }

    /// Returns its number of block RAMs of 18 Kibit (DP16KD), as nextpnr counts them: on the 12F those of its die.
    pub const fn block_rams(self) -> u64 {
        match self {
            Self::Lfe5u12f | Self::Lfe5u25f => 56,
            Self::Lfe5u45f | Self::Lfe5um5g45f => 108,
            Self::Lfe5u85f | Self::Lfe5um5g85f => 208,
        }
    }

    /// Returns its number of multipliers (MULT18X18D), as nextpnr counts them.
    pub const fn multipliers(self) -> u64 {
        match self {
            Self::Lfe5u12f | Self::Lfe5u25f => 28,
            Self::Lfe5u45f | Self::Lfe5um5g45f => 72,
            Self::Lfe5u85f | Self::Lfe5um5g85f => 156,
        }
    }

    /// Returns its rows of tiles of logic (PLC2) by nextpnr's numbers, from 2 on; the others are of block RAMs and multipliers. Source: the
    /// data base of Project Trellis.
    pub fn logic_rows(self) -> impl Iterator<Item = u32> {
        let (last, others) = match self {
            Self::Lfe5u12f | Self::Lfe5u25f => (49, &[13, 25, 37, 49][..]),
            Self::Lfe5u45f | Self::Lfe5um5g45f => (70, &[10, 22, 34, 46, 58, 70][..]),
            Self::Lfe5u85f | Self::Lfe5um5g85f => (94, &[10, 22, 34, 46, 58, 70, 82, 94][..]),
        };
        (2..=last).filter(|row| !others.contains(row))
    }

    /// Returns the columns of tiles of logic, the same in each row.
    pub const fn logic_columns(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::Lfe5u12f | Self::Lfe5u25f => 2..=70,
            Self::Lfe5u45f | Self::Lfe5um5g45f => 2..=88,
            Self::Lfe5u85f | Self::Lfe5um5g85f => 2..=124,
        }
    }

    /// Returns its number of LUT4: eight in a tile.
    pub fn luts(self) -> u64 {
        8 * (self.logic_rows().count() * self.logic_columns().count()) as u64
    }

    /// Returns the word that its configuration port answers IDCODE with (Lattice FPGA-TN-02039, table 26).
    pub const fn idcode(self) -> u32 {
        match self {
            Self::Lfe5u12f => 0x2111_1043,
            Self::Lfe5u25f => 0x4111_1043,
            Self::Lfe5u45f => 0x4111_2043,
            Self::Lfe5u85f => 0x4111_3043,
            Self::Lfe5um5g45f => 0x8111_2043,
            Self::Lfe5um5g85f => 0x8111_3043,
        }
    }
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// The lights of a board that Hafnia uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lights {
    /// Whether there is one for errors beside the one that blinks.
    pub error: bool,
    /// Whether they are lit by a low level.
    pub active_low: bool,
}

/// How openFPGALoader reaches a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// Its options that name the board or the cable.
    pub options: Vec<String>,
    /// USB vendor and product of what it opens, hexadecimal.
    pub usb: String,
    /// Whether the board can be written for good alone.
    #[serde(default)]
    pub permanent: bool,
    /// What else to look at when it is not found.
    pub hint: Option<String>,
}

/// Why there is no such build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// No board has this name.
    #[error("no board `{name}`; there are: {known}")]
    Unknown {
        /// Name asked for.
        name: String,
        /// Names that exist.
        known: String,
    },
    /// The device has too few multipliers.
    #[error("`{config}` takes {needed} multipliers or more, and the {device} of `{board}` has {available}")]
    Size {
        /// Board.
        board: String,
        /// Its device.
        device: Device,
        /// Name of the configuration.
        config: String,
        /// Multipliers that its array takes.
        needed: u64,
        /// Those of the device.
        available: u64,
    },
    /// The PLL cannot make the clock.
    #[error(
        "a clock of {} MHz cannot be made from the {} MHz of `{board}` within 0.1%; nearest: {} MHz",
        mhz(*clock_khz), mhz(*oscillator_khz), mhz(*nearest_khz)
    )]
    Clock {
        /// Board.
        board: String,
        /// Its oscillator.
        oscillator_khz: u32,
        /// Clock asked for.
        clock_khz: u32,
        /// What can be made.
        nearest_khz: u32,
    },
    /// The clock is too slow for the line.
    #[error(
        "a line of {baud} bit/s needs a clock of {SLOWEST_BIT} cycles a bit, {} MHz or more; the clock is {} MHz",
        mhz(*needed_khz), mhz(*clock_khz)
    )]
    Baud {
        /// Rate asked for.
        baud: u32,
        /// Least clock for it.
        needed_khz: u32,
        /// Clock asked for.
        clock_khz: u32,
    },
}

/// Returns the MHz of a clock in kHz, to be shown.
pub fn mhz(khz: u32) -> f64 {
    f64::from(khz) / 1000.0
}

/// Least cycles of a bit on the line.
const SLOWEST_BIT: u32 = 6;

/// Returns every board.
pub fn all() -> Vec<Board> {
    #[derive(Deserialize)]
    struct Table {
        board: Vec<Board>,
    }
    toml::from_str::<Table>(include_str!("board.toml")).expect("a test reads board.toml").board
}

/// Returns the board of this name.
///
/// # Errors
/// [`BoardError::Unknown`], with the names that exist.
pub fn find(name: &str) -> Result<Board, BoardError> {
    all().into_iter().find(|board| board.name == name).ok_or_else(|| BoardError::Unknown {
        name: name.to_owned(),
        known: all().into_iter().map(|board| board.name).collect::<Vec<_>>().join(", "),
    })
}

impl Board {
    /// Returns its file of pins.
    ///
    /// # Panics
    /// Never: a test asks every board for its pins.
    pub fn pins(&self) -> &'static str {
        match &*self.constraints {
            "colorlight-i5" => include_str!("../../../constraints/colorlight-i5.lpf"),
            "colorlight-i9" => include_str!("../../../constraints/colorlight-i9.lpf"),
            "ecpix5" => include_str!("../../../constraints/ecpix5.lpf"),
            "orangecrab" => include_str!("../../../constraints/orangecrab.lpf"),
            "ulx3s" => include_str!("../../../constraints/ulx3s.lpf"),
            other => panic!("no constraints/{other}.lpf"),
        }
    }

    /// Returns the highest clock in kHz that its PLL makes and that is not above `limit_mhz`.
    pub fn clock_within(&self, limit_mhz: f64) -> u32 {
        Pll::fastest(self.oscillator_khz, (limit_mhz * 1000.0) as u32)
    }

    /// Returns the first 32 bits of the SHA-256 of the name.
    pub fn hash(&self) -> u32 {
        let digest = Sha256::digest(self.name.as_bytes());
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// An accelerator on a board: what the generator makes a top of.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The board.
    pub board: &'a Board,
    /// The accelerator.
    pub hw: &'a Elaborated,
    /// Its clock in kHz.
    pub clock_khz: u32,
    /// Rate of the line in bits per second.
    pub baud: u32,
    /// What makes the clock.
    pub pll: Pll,
}

impl<'a> Build<'a> {
    /// Returns the build with this clock and line rate, or the board's own.
    ///
    /// # Errors
    /// [`BoardError::Size`] if the array is too large, [`BoardError::Clock`] and [`BoardError::Baud`] if they cannot be.
    pub fn new(
        board: &'a Board,
        hw: &'a Elaborated,
        clock_khz: Option<u32>,
        baud: Option<u32>,
    ) -> Result<Self, BoardError> {
        let (needed, available) = (hw.multipliers(), board.device.multipliers());
        if needed > available {
            let (device, config) = (board.device, hw.config.name.clone());
            return Err(BoardError::Size { board: board.name.clone(), device, config, needed, available });
        }
        let (asked, baud) = (clock_khz.unwrap_or(board.clock_khz), baud.unwrap_or(board.baud));
        let pll = Pll::nearest(board.oscillator_khz, asked);
        let clock_khz = pll.clock_khz(board.oscillator_khz);
        if clock_khz.abs_diff(asked) > asked / 1000 {
            let (board, oscillator_khz) = (board.name.clone(), board.oscillator_khz);
            return Err(BoardError::Clock { board, oscillator_khz, clock_khz: asked, nearest_khz: clock_khz });
        }
        let needed_khz = (baud.saturating_mul(SLOWEST_BIT)).div_ceil(1000);
        if clock_khz < needed_khz {
            return Err(BoardError::Baud { baud, needed_khz, clock_khz });
        }
        Ok(Self { board, hw, clock_khz, baud, pll })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    /// The figures of the family's data sheet, FPGA-DS-02012.
    #[test]
    fn tiles_have_the_luts_of_the_data_sheet() {
        let devices = [Device::Lfe5u12f, Device::Lfe5u25f, Device::Lfe5um5g45f, Device::Lfe5u85f];
        assert_eq!(devices.map(Device::luts), [24_288, 24_288, 43_848, 83_640]);
    }

    #[test]
    fn every_board_can_be_built_with_its_own_preset() {
        let boards = all();
        for (n, board) in boards.iter().enumerate() {
            let hw = presets::find(&board.preset).unwrap().validate().unwrap();
            Build::new(board, &hw, None, None).unwrap();
            for limit in 40..130 {
                Build::new(board, &hw, Some(board.clock_within(f64::from(limit))), None).unwrap();
            }
            assert!(board.pins().contains("uart_rx_i"));
            assert!(boards[..n].iter().all(|other| other.name != board.name && other.hash() != board.hash()));
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let hw = presets::find("4x4").unwrap().validate().unwrap();
        let board = find("ulx3s-85f").unwrap();
        let error = |clock, baud| Build::new(&board, &hw, Some(clock), Some(baud)).unwrap_err().to_string();
        assert!(error(1_000_000, 115_200).contains("nearest: 800 MHz"), "{}", error(1_000_000, 115_200));
        assert!(error(10_000, 3_000_000).contains("18 MHz or more"), "{}", error(10_000, 3_000_000));
        let large = presets::find("12x12-85f").unwrap().validate().unwrap();
        let small = find("colorlight-i5").unwrap();
        let refused = Build::new(&small, &large, None, None).unwrap_err().to_string();
        assert!(refused.contains("144 multipliers or more") && refused.contains("has 28"), "{refused}");
        assert!(find("icestick").unwrap_err().to_string().contains("ulx3s-85f"));
    }
}
