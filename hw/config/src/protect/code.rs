//! The codes by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Code {
    /// Data alone.
    #[default]
    None,
    /// A parity bit for each weight or bias; one that does not agree makes it 0.
    Parity,
    /// Hsiao's code over 8, 16, 32 or 64 bits of data: corrects one error of a codeword and detects two.
    Secded {
        /// Bits of data.
        data_bits: u32,
    },
    /// Three copies of each bit; the majority is read.
    Tmr,
    /// The same of the upper bits of each weight or bias alone.
    MsbTmr {
        /// Bits that have three copies.
        bits: u32,
    },
}

impl Code {
    /// Returns every code, one of each number of bits of the last.
    pub fn all() -> impl Iterator<Item = Self> {
        let secded = [8, 16, 32, 64].map(|data_bits| Self::Secded { data_bits });
        let msb_tmr = (1..8).map(|bits| Self::MsbTmr { bits });
        [Self::None, Self::Parity].into_iter().chain(secded).chain([Self::Tmr]).chain(msb_tmr)
    }

    /// Returns the code of the biases where nothing else is said: of the same kind.
    pub const fn for_biases(self) -> Self {
        match self {
            Self::Secded { .. } => Self::Secded { data_bits: 32 },
            code => code,
        }
    }

    /// Whether what its decoder gives may be right where a cell is wrong.
    pub const fn corrects(self) -> bool {
        !matches!(self, Self::None | Self::Parity)
    }

    /// Returns the cycles that the decoder adds to a read.
    pub const fn latency(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Parity | Self::Tmr | Self::MsbTmr { .. } => 1,
            Self::Secded { .. } => 2,
        }
    }

    /// Returns the check bits of a codeword of Hsiao's code.
    pub(super) const fn secded_checks(data_bits: u32) -> u32 {
        // The first number of checks with so many columns of odd weight above 1.
        match data_bits {
            8 => 5,
            16 => 6,
            32 => 7,
            _ => 8,
        }
    }
}

/// The name used in TOML and flags.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("none"),
            Self::Parity => f.write_str("parity"),
            Self::Secded { data_bits } => {
                write!(f, "secded-{}-{data_bits}", data_bits + Self::secded_checks(data_bits))
            }
            Self::Tmr => f.write_str("tmr"),
            Self::MsbTmr { bits } => write!(f, "msb-tmr-{bits}"),
        }
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::all().find(|code| code.to_string() == name).ok_or_else(|| {
            let names: Vec<String> =
                Self::all().filter(|code| !matches!(code, Self::MsbTmr { .. })).map(String::from).collect();
            format!("no code `{name}`; there are {}, msb-tmr-K for K from 1 to 7", names.join(", "))
        })
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

/// What a decoder gives for a codeword whose errors it detects and cannot correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDetected {
    /// The data as read.
    #[default]
    Pass,
    /// 0.
    Zero,
}

impl OnDetected {
    /// Whether it is what is done where nothing else is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for code in Code::all() {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        let message = "secded".parse::<Code>().unwrap_err();
        assert!(message.contains("no code `secded`") && message.contains("secded-72-64, tmr, msb-tmr-K"), "{message}");
    }
}
