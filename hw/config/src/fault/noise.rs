//! Thresholds of the draws, Eqs. (1) to (4) of `docs/fault-model.md`. A draw is a uniform 32-bit number `u`.

use serde::{Deserialize, Serialize};

use super::{AtRisk, CellFaults, Kind, RateError, Rates, Site};

/// Cycles from the input of the read noise's draws to their output: one for the word, and one for two levels of the tree, of which
/// the largest codeword has eight.
pub const INJECTOR_LATENCY: u32 = 5;
/// Cycles that faults of cells add to a read: their draws begin with the address.
pub const CELL_LATENCY: u32 = 1;
/// Cycles that write errors add to a write.
pub const WRITE_LATENCY: u32 = 3;

/// Noise of a run: what is at risk, and the thresholds of each site.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// What is at risk.
    pub at_risk: AtRisk,
    /// Rates asked for.
    pub rates: Rates,
    /// Whether reads draw noise. False where both rates are 0.
    pub enable: bool,
    /// Thresholds of the codewords of each site, in the order of [`Site::ALL`].
    pub thresholds: [Thresholds; 3],
    /// How the flips of read noise are drawn.
    pub draws: Draws,
    /// Faults of the cells.
    pub cells: CellFaults,
}

/// How the golden model draws flips. The law is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draws {
    /// As the hardware does, flip for flip.
    #[default]
    Exact,
    /// By skipping from candidate to candidate, at a cost in proportion to the flips; other flips.
    Statistical,
}

impl Draws {
    /// Returns its name, as in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Statistical => "statistical",
        }
    }
}

impl Noise {
    /// Returns the noise of these rates in the cells at risk. `cells` are those of a codeword of each site.
    ///
    /// # Errors
    /// [`RateError`] as [`Thresholds::new`].
    pub fn new(rates: Rates, at_risk: AtRisk, cells: [u32; 3]) -> Result<Self, RateError> {
        let [weights, biases, activations] = cells.map(|cells| Thresholds::new(rates, cells));
        let thresholds = [weights?, biases?, activations?];
        Ok(Self {
            at_risk,
            rates,
            enable: rates.higher() > 0.0,
            thresholds,
            draws: Draws::Exact,
            cells: CellFaults::default(),
        })
    }

    /// Returns the kinds of fault that there are.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.enable.then_some(Kind::Read).into_iter().chain(self.cells.kinds())
    }

    /// Returns the thresholds of a site.
    pub fn of(&self, site: Site) -> &Thresholds {
        &self.thresholds[site as usize]
    }

    /// Returns the bits of a byte in which reads of `site` in `layer` may flip, as a mask; with 0 nothing is drawn.
    pub fn bits_in(&self, site: Site, layer: u32) -> u8 {
        if self.enable { self.at_risk.bits_in(site, layer) } else { 0 }
    }
}

/// Thresholds of the draws of one codeword. Those of [`NodeThresholds`] and `word` succeed when `u <= threshold`, so a
/// register holds T - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Cells of the codeword.
    pub cells: u32,
    /// First level: the word has a candidate.
    pub word: u32,
    /// Second level, one entry per size of [`node_sizes`].
    pub nodes: Vec<NodeThresholds>,
    /// How candidates are thinned; none where both directions have one rate.
    pub keep: Option<Keep>,
}

/// Thresholds of a node that is known to hold at least one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeThresholds {
    /// `u <= both`: both halves hold a candidate.
    pub both: u32,
    /// `both < u <= left`: the lower half alone. Above: the upper half alone.
    pub left: u32,
}

/// Thinning: candidates that hold the value of the lower rate flip only where they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The stored value whose candidates are thinned.
    pub weak: bool,
    /// Shares kept at nodes of two cells.
    pub pair: Share,
    /// Shares kept at nodes of three cells, of which the lower half is a cell; the upper half's are not used.
    pub triple: Share,
}

/// The parts of a node's draws in which a cell is kept: each holds when `u < threshold`. Each is cut out of what one
/// of the node's outcomes takes, so that what is kept depends on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Both cells candidates, and both kept: from 0.
    pub both_both: u32,
    /// Both candidates, the lower kept: from 0.
    pub both_lower: u32,
    /// Both candidates, the upper alone kept: from `both_lower`.
    pub both_upper: u32,
    /// The lower alone a candidate, and kept: from `both + 1`.
    pub lower: u32,
    /// The upper alone a candidate, and kept: from `left + 1`.
    pub upper: u32,
}

impl Thresholds {
    /// Returns the thresholds of codewords of `cells` cells.
    ///
    /// # Errors
    /// [`RateError`] if a rate is not a probability, or lower than the thresholds resolve.
    pub fn new(rates: impl Into<Rates>, cells: u32) -> Result<Self, RateError> {
        let rates = rates.into();
        for p in [rates.p01, rates.p10] {
            if !(0.0..=1.0).contains(&p) {
                return Err(RateError::NoProbability(p));
            }
        }
        let (p, lower) = (rates.higher(), rates.lower());
        // A threshold is rounded to half a step: to 1% of 50.
        let least = 50.0 / (TWO_TO_32 * f64::from(cells));
        if p > 0.0 && p < least {
            return Err(RateError::TooLow { rate: p, cells, least });
        }
        // An outcome of a node of two cells takes about half of all draws, and what is kept of it is rounded as well.
        let least = p * 100.0 / TWO_TO_32;
        if lower > 0.0 && lower < least {
            return Err(RateError::TooUneven { lower, higher: p, least });
        }
        let any = |cells: u32| -(f64::from(cells) * (-p).ln_1p()).exp_m1();
        let node = |size| {
            let (lower, upper) = halves(size);
            let left = if p > 0.0 { any(lower) / any(size) } else { 0.0 };
            NodeThresholds { both: minus_one(scaled(left * any(upper))), left: minus_one(scaled(left)) }
        };
        let share = lower / p;
        let keep = (!rates.is_even()).then(|| Keep {
            weak: rates.p10 < rates.p01,
            pair: Share::of(node(2), share),
            triple: Share::of(node(3), share),
        });
        let nodes = node_sizes(cells).into_iter().map(node).collect();
        Ok(Self { cells, word: minus_one(scaled(any(cells))), nodes, keep })
    }
}

impl Share {
    /// Returns the thresholds that a node of `size` cells has, in the order of the registers.
    pub fn parts(&self, size: u32) -> Vec<u32> {
        match size {
            2 => vec![self.both_both, self.both_lower, self.both_upper, self.lower, self.upper],
            _ => vec![self.both_lower, self.lower],
        }
    }

    /// Cuts the share `r` out of each outcome of a node, Eq. (4).
    fn of(node: NodeThresholds, r: f64) -> Self {
        let (both, left) = (f64::from(node.both) + 1.0, f64::from(node.left) + 1.0);
        // Rounding may reach 2^32 where r is next to 1.
        let at = |u: f64| u.round().min(f64::from(u32::MAX)) as u32;
        Self {
            both_both: at(r * r * both),
            both_lower: at(r * both),
            both_upper: at(r * both + r * (1.0 - r) * both),
            lower: at(both + r * (left - both)),
            upper: at(left + r * (TWO_TO_32 - left)),
        }
    }
}

const TWO_TO_32: f64 = 4_294_967_296.0;

/// `round(p * 2^32)`, in `0..=2^32`.
fn scaled(p: f64) -> u64 {
    (p * TWO_TO_32).round() as u64
}

/// A threshold register holds `T - 1`; a conditional rate below 2^-33 is taken as 2^-32.
fn minus_one(t: u64) -> u32 {
    (t.max(1) - 1) as u32
}

/// Returns how a node of `size` cells splits: cells of its lower and of its upper half.
pub const fn halves(size: u32) -> (u32, u32) {
    (size / 2, size - size / 2)
}

/// Returns the distinct sizes, largest first, of the nodes of more than one cell in the tree over `cells` cells.
pub fn node_sizes(cells: u32) -> Vec<u32> {
    let mut sizes = vec![cells];
    let mut i = 0;
    while i < sizes.len() {
        let (lower, upper) = halves(sizes[i]);
        for size in [upper, lower] {
            if size > 1 && !sizes.contains(&size) {
                sizes.push(size);
            }
        }
        i += 1;
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes
}
