//! Parameters of the injector: generator constants, thresholds and keys. The draws themselves are stated twice elsewhere,
//! in `hw/gen` and in `sw/golden`; `docs/fault-model.md` holds the equations.

/// Cycles from the injector's input to its output.
pub const INJECTOR_LATENCY: u32 = 2;

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

/// A bit-error rate that cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// It is no probability.
    #[error("bit-error rate {0} is outside [0, 1]; write a probability such as 1e-4")]
    NoProbability(f64),
    /// The thresholds of 32 bits would miss it by more than 1%.
    #[error(
        "bit-error rate {rate:e} is too low for codewords of {cells} cells: the thresholds have 32 bits and would miss \
         it by more than 1%; the least is {least:.1e}, or 0 for none"
    )]
    TooLow {
        /// The rate asked for.
        rate: f64,
        /// Cells of a codeword.
        cells: u32,
        /// The least rate.
        least: f64,
    },
    /// The configuration has no injector.
    #[error(
        "configuration `{0}` leaves the injector out, so it cannot flip bits; set `injector.weights = true`, or use a \
         bit-error rate of 0"
    )]
    NoInjector(String),
}

/// Which cells are at risk. Draws are made for all cells alike; those of others are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// Bits of each byte, as a mask.
    pub bits: u8,
    /// Layers, as a mask: bit `l` is layer `l`. From layer 32 on all are at risk.
    pub layers: u32,
}

impl AtRisk {
    /// Every cell.
    pub const ALL: Self = Self { bits: u8::MAX, layers: u32::MAX };

    /// Returns what is at risk in a network of `count` layers: bits of each byte, as a mask, in all layers or in those
    /// listed.
    ///
    /// # Errors
    /// [`AtRiskError`] if nothing is left, or a layer does not exist.
    pub fn new(bits: u8, layers: Option<&[u32]>, count: usize) -> Result<Self, AtRiskError> {
        if bits == 0 {
            return Err(AtRiskError::NoBit);
        }
        let Some(list) = layers else { return Ok(Self { bits, layers: u32::MAX }) };
        if let Some(&layer) = list.iter().find(|&&layer| layer as usize >= count.min(32)) {
            return Err(AtRiskError::NoSuchLayer { layer, last: count.min(32) - 1 });
        }
        match list.iter().fold(0, |mask, layer| mask | 1 << layer) {
            0 => Err(AtRiskError::NoLayer),
            layers => Ok(Self { bits, layers }),
        }
    }

    /// Returns the layers at risk of a network of `count`, as a mask.
    pub const fn layers_of(&self, count: usize) -> u32 {
        if count >= 32 { self.layers } else { self.layers & ((1 << count) - 1) }
    }

    /// Returns the bits of a byte that are at risk in `layer`, as a mask.
    pub const fn bits_in(&self, layer: u32) -> u8 {
        if layer > 31 || self.layers >> layer & 1 == 1 { self.bits } else { 0 }
    }
}

/// Noise of the weight memory: what is at risk, and the thresholds of one codeword's draws. A draw `u` succeeds when
/// `u <= threshold`, so a threshold register holds T - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noise {
    /// What is at risk.
    pub at_risk: AtRisk,
    /// Whether anything is injected. False at p = 0.
    pub enable: bool,
    /// First level: the word has a candidate flip.
    pub word: u32,
    /// Second level, one entry per size of [`node_sizes`].
    pub nodes: Vec<NodeThresholds>,
}

/// Cells at risk that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AtRiskError {
    /// No bit.
    #[error("no bit of a byte is at risk; write a mask from 0x01 to 0xff, or a bit-error rate of 0 for no noise")]
    NoBit,
    /// No layer.
    #[error("no layer is at risk; list at least one, or leave the list out for all")]
    NoLayer,
    /// A layer that the network does not have.
    #[error("there is no layer {layer}; this network has layers 0 to {last} to choose from")]
    NoSuchLayer {
        /// The layer.
        layer: u32,
        /// The last one.
        last: usize,
    },
}

/// Thresholds of a node that is known to hold at least one flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeThresholds {
    /// `u <= both`: both halves hold a flip.
    pub both: u32,
    /// `both < u <= left`: the lower half alone. Above: the upper half alone.
    pub left: u32,
}

impl Noise {
    /// Returns noise of bit-error rate `p` in every cell for codewords of `codeword_bits` cells, Eqs. (1) and (2) of
    /// `docs/fault-model.md`.
    ///
    /// # Errors
    /// [`RateError`] if `p` is not a probability, or lower than the thresholds resolve.
    pub fn new(p: f64, codeword_bits: u32) -> Result<Self, RateError> {
        if !(0.0..=1.0).contains(&p) {
            return Err(RateError::NoProbability(p));
        }
        // A threshold is rounded to half a step: to 1% of 50.
        let least = 50.0 / (TWO_TO_32 * f64::from(codeword_bits));
        if p > 0.0 && p < least {
            return Err(RateError::TooLow { rate: p, cells: codeword_bits, least });
        }
        let any = |cells: u32| -(f64::from(cells) * (-p).ln_1p()).exp_m1();
        let word = scaled(any(codeword_bits));
        let enable = p > 0.0;
        let nodes = node_sizes(codeword_bits)
            .into_iter()
            .map(|size| {
                let (lower, upper) = halves(size);
                let left = if enable { any(lower) / any(size) } else { 0.0 };
                NodeThresholds { both: minus_one(scaled(left * any(upper))), left: minus_one(scaled(left)) }
            })
            .collect();
        Ok(Self { at_risk: AtRisk::ALL, enable, word: minus_one(word), nodes })
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

/// Returns the distinct sizes, largest first, of the nodes of more than one cell in the tree over `codeword_bits` cells.
pub fn node_sizes(codeword_bits: u32) -> Vec<u32> {
    let mut sizes = vec![codeword_bits];
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

/// Returns the seeding generator's start for one (run seed, layer, read group), Eqs. (6) and (7) of
/// `docs/fault-model.md`:
/// two outputs of SplitMix64 from a state mixed of the three. Each word is a [`live_seed`].
pub fn stream_key(seed: u64, layer: u32, group: u32) -> [u32; 4] {
    let state = mix(seed.wrapping_add(WEYL)) ^ (u64::from(layer) << 32 | u64::from(group));
    let first = mix(state.wrapping_add(WEYL));
    let second = mix(state.wrapping_add(WEYL.wrapping_mul(2)));
    [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32].map(live_seed)
}

const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_word_that_would_stop_a_component_is_changed_and_no_other() {
        assert_eq!([0, 127, 128, 1 << 31].map(live_seed), [1 << 31, 127 | 1 << 31, 128, 1 << 31]);
        assert!(
            CELL_GENERATOR
                .iter()
                .chain(&SEED_GENERATOR)
                .all(|c| c.mask() >> SEED_LOW_BITS << SEED_LOW_BITS == u32::MAX << SEED_LOW_BITS)
        );
    }

    /// The published first outputs of SplitMix64 from seed 0.
    #[test]
    fn mix_gives_the_published_splitmix64_outputs() {
        assert_eq!(mix(WEYL), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(WEYL.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn cells_at_risk_are_those_of_the_lists() {
        let some = AtRisk::new(0x81, Some(&[0, 3, 3]), 9).unwrap();
        assert_eq!([0, 1, 3, 32].map(|layer| some.bits_in(layer)), [0x81, 0, 0x81, 0x81]);
        assert_eq!((some.layers_of(9), AtRisk::ALL.layers_of(9), AtRisk::ALL.layers_of(40)), (0b1001, 0x1ff, u32::MAX));
        assert_eq!(AtRisk::new(0xff, None, 9), Ok(AtRisk::ALL));
        for (bits, layers, phrase) in [(0, None, "0x01"), (1, Some(&[][..]), "at least one"), (1, Some(&[9]), "0 to 8")]
        {
            let error = AtRisk::new(bits, layers, 9).unwrap_err().to_string();
            assert!(error.contains(phrase), "{error}");
        }
    }

    #[test]
    fn a_rate_of_one_flips_always_and_zero_never() {
        let always = Noise::new(1.0, 64).unwrap();
        assert!(always.enable && always.word == u32::MAX && always.nodes.iter().all(|n| n.both == u32::MAX));
        assert!(!Noise::new(0.0, 64).unwrap().enable);
    }

    #[test]
    fn rates_that_are_no_probability_are_refused() {
        for p in [-1e-9, 1.5, f64::NAN, f64::INFINITY] {
            assert!(Noise::new(p, 64).is_err(), "{p}");
        }
    }

    #[test]
    fn rates_below_the_resolution_of_the_thresholds_are_refused() {
        let error = Noise::new(1e-12, 64).unwrap_err().to_string();
        assert!(error.contains("1e-12") && error.contains("the least is 1.8e-10"), "{error}");
        let rate = f64::from(Noise::new(2e-10, 64).unwrap().word + 1) / TWO_TO_32;
        assert!((rate / (64.0 * 2e-10) - 1.0).abs() < 0.01, "{rate}");
    }

    /// The tree gives each cell the rate p: P(cell) is the product of the conditional rates on the way to it.
    #[test]
    fn every_cell_of_the_tree_flips_at_the_requested_rate() {
        for n in [8, 13, 22, 32, 39, 64, 72] {
            for p in [0.5, 1e-1, 1e-3, 1e-6] {
                let noise = Noise::new(p, n).unwrap();
                let sizes = node_sizes(n);
                // Half a step of the first threshold, relative to the rate it stands for, and a margin for the others.
                let tolerance = 1e-6 + 1.0 / (8_589_934_592.0 * p * f64::from(n));
                let rate = |t: u32| (f64::from(t) + 1.0) / 4_294_967_296.0;
                let mut stack = vec![(n, rate(noise.word))];
                while let Some((size, reach)) = stack.pop() {
                    if size == 1 {
                        assert!((reach / p - 1.0).abs() < tolerance, "n {n}, p {p}: {reach}");
                        continue;
                    }
                    let node = noise.nodes[sizes.iter().position(|&s| s == size).unwrap()];
                    let (lower, upper) = halves(size);
                    stack.push((lower, reach * rate(node.left)));
                    stack.push((upper, reach * (1.0 - rate(node.left) + rate(node.both))));
                }
            }
        }
    }
}
