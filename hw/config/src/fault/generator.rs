//! The generators: constants of their components. Each is stepped in `hw/gen` and in `sw/golden`.

/// One component of a combined Tausworthe generator: `b = ((z << q) ^ z) >> r; z = ((z & mask) << s) ^ b`.
///
/// A component with `k` state bits follows a primitive trinomial; `r = k - s`, `mask` keeps the upper `k` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tausworthe {
    /// State bits; the register is 32 bits and its lowest `32 - k` bits carry no state.
    pub k: u32,
    /// The trinomial is `x^k + x^q + 1`.
    pub q: u32,
    /// Positions of the sequence that one step advances.
    pub s: u32,
}

impl Tausworthe {
    /// Returns the right shift of the feedback.
    pub const fn r(self) -> u32 {
        self.k - self.s
    }

    /// Returns the mask of the bits that carry state.
    pub const fn mask(self) -> u32 {
        u32::MAX << (32 - self.k)
    }
}

/// The cell generators: taus88, period about 2^88, maximally equidistributed.
/// Source: P. L'Ecuyer, Math. Comp. 65 (1996) 203-213, figure 1.
pub const CELL_GENERATOR: [Tausworthe; 3] =
    [Tausworthe { k: 31, q: 13, s: 12 }, Tausworthe { k: 29, q: 2, s: 4 }, Tausworthe { k: 28, q: 3, s: 17 }];

/// The seeding generator: LFSR113, period about 2^113. Source: P. L'Ecuyer, Math. Comp. 68 (1999) 261-269, figure 1.
pub const SEED_GENERATOR: [Tausworthe; 4] = [
    Tausworthe { k: 31, q: 6, s: 18 },
    Tausworthe { k: 29, q: 2, s: 2 },
    Tausworthe { k: 28, q: 13, s: 7 },
    Tausworthe { k: 25, q: 3, s: 13 },
];

/// Bits of a seed word below its state bits: the shortest component has 25. A word whose other bits are all 0 would stop a
/// component, so [`SEED_FIX`] is set in it. Setting a bit in every word is no way out: three states that share a bit give
/// a first draw that never has it.
pub const SEED_LOW_BITS: u32 = 7;
/// Set in a seed word without state bits.
pub const SEED_FIX: u32 = 1 << 31;

/// Returns the seed word, or [`SEED_FIX`] with its low bits where it would stop a component.
pub const fn live_seed(word: u32) -> u32 {
    if word >> SEED_LOW_BITS == 0 { word | SEED_FIX } else { word }
}
