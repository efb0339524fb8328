//! Memories in which cells fail, and how they fail.

use serde::{Deserialize, Serialize};

/// A memory whose cells may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// int8 weights.
    Weights,
    /// i32 biases.
    Biases,
    /// int8 activations in the feature-map memories.
    Activations,
}

impl Site {
    /// All of them, in the order of a flip log.
    pub const ALL: [Self; 3] = [Self::Weights, Self::Biases, Self::Activations];
    /// Those of parameters, which the host programs.
    pub const PROGRAMMED: [Self; 2] = [Self::Weights, Self::Biases];

    /// Returns its name, as in files and flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Biases => "biases",
            Self::Activations => "activations",
        }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Site {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|site| site.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no site `{name}`; there are {names}")
        })
    }
}

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// F1: a read of a cell gives the other value, and leaves the cell as it is.
    Read,
    /// F2: a trap in the cell makes a stored 0 be read as 1, at some times.
    Telegraph,
    /// F3: a pulse leaves a cell wrong, until the next one.
    Write,
    /// F4: a cell holds one value for ever.
    Stuck,
    /// A cell that the host names is read wrong, for bring-up and tests.
    Directed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Telegraph, Self::Write, Self::Stuck, Self::Directed];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Telegraph => "telegraph",
            Self::Write => "write",
            Self::Stuck => "stuck",
            Self::Directed => "directed",
        })
    }
}

/// A set of [`Kind`]s, in files a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Kind>", into = "Vec<Kind>")]
pub struct Kinds(u8);

impl Kinds {
    /// None.
    pub const NONE: Self = Self(0);
    /// Read noise alone.
    pub const READ: Self = Self(1 << Kind::Read as u8);
    /// All of them.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether `kind` is one of them.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }

    /// Whether cells may be stuck or have a trap.
    pub const fn of_cells(self) -> bool {
        self.has(Kind::Telegraph) || self.has(Kind::Stuck)
    }

    /// Whether reads may be wrong.
    pub const fn at_reads(self) -> bool {
        self.has(Kind::Read) || self.has(Kind::Directed) || self.of_cells()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Vec<Kind>> for Kinds {
    fn from(list: Vec<Kind>) -> Self {
        Self(list.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

impl From<Kinds> for Vec<Kind> {
    fn from(set: Kinds) -> Self {
        Kind::ALL.into_iter().filter(|&kind| set.has(kind)).collect()
    }
}
