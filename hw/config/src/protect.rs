//! Codes of the weight memory's codec slot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A code of the codec slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// Data only: what the injector gives reaches the PE.
    #[default]
    None,
}

impl Code {
    /// Returns the cells stored for `data_bits` of data.
    pub const fn codeword_bits(self, data_bits: u32) -> u32 {
        match self {
            Self::None => data_bits,
        }
    }

    /// Returns the cycles that the decoder adds to a read.
    pub const fn latency(self) -> u32 {
        match self {
            Self::None => 0,
        }
    }
}

/// The name used in TOML.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
        })
    }
}
