//! The register map and the host's memory map: the only description of both. It generates the RTL bank, `registers.md`,
//! the manifest and the driver's constants.

use serde::{Deserialize, Serialize};

use crate::accel::Elaborated;
use crate::fault::{Kind, Noise, SCRUB_PERIODS, Site, Thresholds, device_key, node_sizes, telegraph_key};
use crate::program::{DESCRIPTOR_WORDS, FIELDS};
use crate::scrub::Scrubbed;

/// Value of the register ID: `HFN1`.
pub const ID_VALUE: u32 = 0x4846_4e31;
/// Value of the register VERSION: register map 3.2, major in the upper half.
pub const VERSION_VALUE: u32 = 0x0003_0002;

/// How the host may use a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Read only.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Read and write; holds its value.
    #[serde(rename = "rw")]
    ReadWrite,
    /// Writing 1 acts once; reads as 0.
    #[serde(rename = "w1")]
    Trigger,
}

/// One 32-bit register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// Name in capitals; in the RTL the same in lower case.
    pub name: String,
    /// Offset in 32-bit words from the start of the register region.
    pub offset: u32,
    /// Access.
    pub access: Access,
    /// Bits in use, from bit 0.
    pub bits: u32,
    /// Value after reset; the constant of a read-only register that never changes.
    pub reset: u32,
    /// What it does, with units.
    pub doc: String,
}

/// Returns the offset of the first threshold of the node of a place in [`Elaborated::node_sizes`]; codes can make more sizes than
/// have room side by side.
const fn node_offset(place: u32) -> u32 {
    if place < 16 { 32 + 2 * place } else { 184 + 2 * (place - 16) }
}

/// The thinning thresholds of a node, as registers name them, and what they are.
pub struct Shares([(&'static str, &'static str); 5]);

/// See [`crate::fault::Share`].
pub const SHARES: Shares = Shares([
    ("BOTH_BOTH", "both are candidates and both are kept"),
    ("BOTH_LOWER", "both are candidates and the lower one is kept"),
    ("BOTH_UPPER", "both are candidates and the upper one alone is kept, from the threshold before"),
    ("LOWER", "the lower one alone is a candidate and kept, from T of INJECT_BOTH"),
    ("UPPER", "the upper one alone is a candidate and kept, from T of INJECT_LEFT"),
]);

impl Shares {
    /// Returns the names of those that a node of `size` cells has: of three cells the lower half alone is a cell.
    pub fn parts(&self, size: u32) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().map(|(name, _)| name).filter(move |name| size == 2 || name.ends_with("LOWER"))
    }

    fn doc(&self, part: &str) -> &'static str {
        self.0.iter().find(|(name, _)| *name == part).map_or("", |(_, doc)| doc)
    }
}

/// Returns the register map of this configuration.
pub fn registers(hw: &Elaborated) -> Vec<Register> {
    let register = |name: &str, offset, access, bits, reset, doc: &str| Register {
        name: name.to_owned(),
        offset,
        access,
        bits,
        reset,
        doc: doc.to_owned(),
    };
    use Access::{ReadOnly, ReadWrite, Trigger};
    let mut list = vec![
        register("ID", 0, ReadOnly, 32, ID_VALUE, "Identifies the accelerator: `HFN1` in ASCII."),
        register("VERSION", 1, ReadOnly, 32, VERSION_VALUE, "Version of this map: major in bits 31:16, minor in 15:0."),
        register("CONFIG_HASH", 2, ReadOnly, 32, hw.config_hash, "First 32 bits of the SHA-256 of the configuration."),
        register("START", 3, Trigger, 1, 0, "Starts the layer program; ignored while it runs."),
        register("STATUS", 4, ReadOnly, 1, 0, "Bit 0: a layer program runs."),
        register("PROGRAM_FIRST", 5, ReadWrite, 8, 0, "Index of the first descriptor to run."),
        register("PROGRAM_COUNT", 6, ReadWrite, 8, 1, "Number of descriptors to run; 0 runs none."),
        register(
            "WEIGHT_STREAM",
            7,
            ReadWrite,
            1,
            0,
            "0: weights are resident, read from each descriptor's base. 1: the weight memory is a ring, filled by the stream port or the host and read once in order; writing 0 empties it.",
        ),
        register("WEIGHT_CLEAR", 8, Trigger, 1, 0, "Empties the ring of streamed weights."),
        register("WEIGHT_LEVEL", 9, ReadOnly, 20, 0, "Weight words in the ring, unread."),
        register("FINISHED", 10, ReadOnly, 8, 0, "Descriptors run to their end since the program was last started."),
        register(
            "STOP",
            28,
            Trigger,
            1,
            0,
            "Ends the layer program wherever it is: it runs no longer than the array takes to drain, and the descriptor does not count as finished. What the maps and accumulators then hold has no meaning; the ring of streamed weights keeps what was not read, see WEIGHT_CLEAR.",
        ),
    ];
    if hw.config.injector.sites().next().is_some() {
        list.extend(injector(hw, &register));
        list.extend(cells(hw, &register));
        if hw.config.injector.has(Kind::Directed) {
            list.extend(directed(&register));
        }
    }
    if hw.config.protection.write_verify {
        list.extend(write_verify(hw, &register));
    }
    if hw.config.protection.scrub {
        list.extend(scrub(hw, &register));
    }
    list
}

/// The registers of write-verify.
fn write_verify(hw: &Elaborated, register: &impl Fn(&str, u32, Access, u32, u32, &str) -> Register) -> Vec<Register> {
    use Access::{ReadOnly, ReadWrite, Trigger};
    let most = "The most pulses that a cell of weights and biases gets; 0: one, and what it left is not read back.";
    let mut list = vec![
        register("MAX_PULSES", 224, ReadWrite, 8, 0, most),
        register("PULSES_CLEAR", 225, Trigger, 1, 0, "Sets the counts of words, repeated pulses and give-ups to 0."),
    ];
    if hw.verify_is_noisy() {
        let noise = |from, to| {
            format!("Threshold T of equation (12) when a write is verified: a cell that gives {from} is read as {to}.")
        };
        list.push(register("VERIFY_01", 226, ReadWrite, 32, 0, &noise(0, 1)));
        list.push(register("VERIFY_10", 227, ReadWrite, 32, 0, &noise(1, 0)));
    }
    for site in Site::PROGRAMMED {
        let (name, offset) = (site.name().to_uppercase(), programmed_offset(site));
        for (n, (count, what)) in [
            ("WORDS_PROGRAMMED", "Words of {} that were programmed"),
            ("PULSES_REPEATED", "Pulses that cells of {} got after their first one"),
            ("GIVE_UPS", "Cells of {} that were read wrong after their last pulse"),
        ]
        .into_iter()
        .enumerate()
        {
            let doc = what.replace("{}", site.name()) + "; saturates at 2^32 - 1.";
            list.push(register(&format!("{count}_{name}"), offset + n as u32, ReadOnly, 32, 0, &doc));
        }
    }
    list
}

/// The registers of the scrubber.
fn scrub(hw: &Elaborated, register: &impl Fn(&str, u32, Access, u32, u32, &str) -> Register) -> Vec<Register> {
    use Access::{ReadOnly, ReadWrite, Trigger};
    let period = "Clock cycles of a running layer from one scrubbed word of weights to the next, 64 or more; 0: none is. The weights must be resident.";
    let end = "Address of the last weight word to scrub; after it comes address 0.";
    let restart =
        "Begins with address 0 and the first walk, as after programming; to be written while no layer program runs.";
    let mut list = vec![
        register("SCRUB_PERIOD", 245, ReadWrite, SCRUB_PERIOD_BITS, 0, period),
        register("SCRUB_LAST", 246, ReadWrite, hw.weight_address_bits, 0, end),
        register("SCRUB_RESTART", 247, Trigger, 1, 0, restart),
    ];
    let docs = [
        "Words of weights that were scrubbed",
        "Codewords of `secded`, weights of other codes, in which scrubbing found errors that the decoder corrects",
        "The same of errors that it detects and does not correct; they stay",
        "Pulses that scrubbing gave to cells",
    ];
    for (n, (name, what)) in (0..).zip(Scrubbed::NAMES.into_iter().zip(docs)) {
        let doc = format!("{what}; saturates at 2^32 - 1, and PULSES_CLEAR sets it to 0.");
        list.push(register(&format!("SCRUB_{}", name.to_uppercase()), SCRUB_COUNTS_OFFSET + n, ReadOnly, 32, 0, &doc));
    }
    list
}

/// Bits of the register SCRUB_PERIOD.
pub const SCRUB_PERIOD_BITS: u32 = SCRUB_PERIODS.1.ilog2() + 1;

/// Offset of the first count of what scrubbing took, in the order of [`crate::scrub::Scrubbed`].
pub const SCRUB_COUNTS_OFFSET: u32 = 248;

/// Returns the offset of the first count of what programming a site took, in the order of [`crate::programmed::Programmed`].
pub const fn programmed_offset(site: Site) -> u32 {
    228 + 4 * site as u32
}

/// Bits of the register DIRECT_CELL, see [`direct_cell`].
pub const DIRECT_CELL_BITS: u32 = DIRECT_ONCE + 1;
/// Its lowest bit that tells the site.
pub const DIRECT_SITE: u32 = 16;
/// Its bit that tells whether the next access alone is meant.
pub const DIRECT_ONCE: u32 = 18;

/// Returns what DIRECT_CELL holds for the cell of this number.
pub const fn direct_cell(site: Site, cell: u16, once: bool) -> u32 {
    cell as u32 | (site as u32) << DIRECT_SITE | (once as u32) << DIRECT_ONCE
}

/// The registers of directed injection.
fn directed(register: &impl Fn(&str, u32, Access, u32, u32, &str) -> Register) -> Vec<Register> {
    use Access::{ReadOnly, ReadWrite, Trigger};
    vec![
        register(
            "DIRECT_ADDRESS",
            240,
            ReadWrite,
            32,
            0,
            "Address of the word of which a cell is to be read wrong, as equation (11) of `docs/fault-model.md` has it.",
        ),
        register(
            "DIRECT_CELL",
            241,
            ReadWrite,
            DIRECT_CELL_BITS,
            0,
            "Bits 15:0: number of the cell in its word, as a flip log has it; one that is not in use stays right. Bits 17:16: 0 weights, 1 biases, 2 activations. Bit 18: at the next access alone; 0: at each.",
        ),
        register("DIRECT_ARM", 242, Trigger, 1, 0, "From now on the cell is read wrong; sets DIRECT_HITS to 0."),
        register("DIRECT_DISARM", 243, Trigger, 1, 0, "From now on the cell is read as it is."),
        register(
            "DIRECT_HITS",
            244,
            ReadOnly,
            32,
            0,
            "Accesses to the word while it was armed, one if at the next alone; saturates at 2^32 - 1.",
        ),
    ]
}

/// The registers of faults of cells.
fn cells(hw: &Elaborated, register: &impl Fn(&str, u32, Access, u32, u32, &str) -> Register) -> Vec<Register> {
    let injector = &hw.config.injector;
    let device = "Key of what is fixed for a device, equation (11) of `docs/fault-model.md`.";
    let run = "Key of what traps do in a run.";
    let keys = (0..4).flat_map(|n| {
        [
            (format!("DEVICE_KEY_{n}"), 73 + n, injector.of_cells() || injector.has(Kind::Write), device),
            (format!("TELEGRAPH_KEY_{n}"), 77 + n, injector.has(Kind::Telegraph), run),
        ]
    });
    let thresholds = [
        ("STUCK_0", 64, injector.has(Kind::Stuck), "Threshold T of equation (13): cells below it are stuck at 0."),
        ("STUCK_1", 65, injector.has(Kind::Stuck), "Cells below this one and not below STUCK_0 are stuck at 1."),
        ("TRAPPED", 66, injector.has(Kind::Telegraph), "Cells below this one and not below STUCK_1 have a trap."),
        ("TRAP_CAPTURED", 67, injector.has(Kind::Telegraph), "Threshold T of equation (14): the trap holds a charge."),
        (
            "TRAP_READ",
            68,
            injector.has(Kind::Telegraph),
            "Threshold T of equation (15): a 0 is read as 1 while it does.",
        ),
        ("WRITE_01", 69, injector.has(Kind::Write), "Threshold T of equation (16): a cell written 0 holds 1."),
        ("WRITE_10", 70, injector.has(Kind::Write), "Threshold T of equation (16): a cell written 1 holds 0."),
        (
            "WRITE_EPOCH",
            71,
            injector.has(Kind::Write),
            "What names the host's writes from now on: the pulse for weights and biases, the batch for images.",
        ),
        (
            "WRITE_PLACE",
            72,
            injector.has(Kind::Write),
            "Bit 31: the layer of the host's next writes is at risk. Bits 30:0: place in the model's image of the next weight word of a stream over the bus.",
        ),
    ];
    let list = thresholds.map(|(name, offset, is, doc)| (name.to_owned(), offset, is, doc)).into_iter().chain(keys);
    let there = list.filter(|(_, _, is, _)| *is);
    there.map(|(name, offset, _, doc)| register(&name, offset, Access::ReadWrite, 32, 0, doc)).collect()
}

/// The registers of read noise, and of cells at risk.
fn injector(hw: &Elaborated, register: &impl Fn(&str, u32, Access, u32, u32, &str) -> Register) -> Vec<Register> {
    use Access::ReadWrite;
    let mut list = vec![
        register("INJECT_ENABLE", 11, ReadWrite, 1, 0, "1: reads pass through the draws; 0: unchanged."),
        register(
            "INJECT_LAYERS",
            12,
            ReadWrite,
            32,
            u32::MAX,
            "Layers that are at risk, bit l for layer l; in others nothing is drawn. From layer 32 on all are.",
        ),
        register(
            "INJECT_WEAK",
            13,
            ReadWrite,
            2,
            0,
            "Candidates that are thinned: bit 0 for those that hold 0, bit 1 for those that hold 1.",
        ),
    ];
    for site in hw.config.injector.sites() {
        let (name, offset) = (site.name().to_uppercase(), 14 + 2 * site as u32);
        let mut bits = format!("Bits of each byte of the {site} that are at risk; with 0 nothing is drawn for them.");
        if hw.is_coded(site) {
            bits.push_str(" Bit 8: check cells are at risk too.");
        }
        list.push(register(&bits_register(site), offset, ReadWrite, hw.codeword(site).risk_bits(), 0, &bits));
        if hw.config.injector.at(site).has(Kind::Read) {
            let word =
                format!("Threshold of the first level for {site}: T - 1 of equation (1) in `docs/fault-model.md`.");
            list.push(register(&format!("INJECT_WORD_{name}"), offset + 1, ReadWrite, 32, 0, &word));
        }
    }
    let parts = [2, 3].into_iter().flat_map(|size| SHARES.parts(size).map(move |part| (size, part)));
    for (offset, (size, part)) in (20..).zip(parts).filter(|(_, (size, _))| hw.node_sizes.contains(size)) {
        let doc = format!("Threshold T of a node of {size} cells: {}.", SHARES.doc(part));
        list.push(register(&format!("INJECT_KEEP_{size}_{part}"), offset, ReadWrite, 32, 0, &doc));
    }
    list.push(register("FLIPS_CLEAR", 27, Access::Trigger, 1, 0, "Sets all FLIPS registers to 0."));
    for site in hw.config.injector.flip_sites() {
        for (n, (from, to)) in [(0, 1), (1, 0)].into_iter().enumerate() {
            for bit in 0..8 {
                let name = format!("FLIPS_{}_{from}{to}_{bit}", site.name().to_uppercase());
                let offset = flips_offset(site) + 8 * n as u32 + bit;
                let doc = format!(
                    "Bits {bit} of bytes of the {site} that held {from} and were read as {to}; saturates at 2^32 - 1."
                );
                list.push(register(&name, offset, Access::ReadOnly, 32, 0, &doc));
            }
            if hw.is_coded(site) {
                let name = format!("FLIPS_{}_{from}{to}_CHECK", site.name().to_uppercase());
                let doc =
                    format!("Check cells of the {site} that held {from} and were read as {to}; saturates at 2^32 - 1.");
                let offset = check_flips_offset(site) + n as u32;
                list.push(register(&name, offset, Access::ReadOnly, 32, 0, &doc));
            }
        }
    }
    for site in hw.config.injector.flip_sites() {
        let name = format!("FLIPS_{}_SIGNATURE", site.name().to_uppercase());
        let doc = format!("Signature of the flips of the {site}, equation (20) of `docs/fault-model.md`.");
        list.push(register(&name, signature_offset(site), Access::ReadOnly, 32, 0, &doc));
    }
    for (i, size) in hw.node_sizes.iter().enumerate() {
        let offset = node_offset(i as u32);
        let both = format!("Threshold T - 1 of a node of {size} cells: both halves hold a candidate.");
        let left = format!("Threshold T - 1 of a node of {size} cells: the lower half holds a candidate.");
        list.push(register(&format!("INJECT_BOTH_{size}"), offset, ReadWrite, 32, 0, &both));
        list.push(register(&format!("INJECT_LEFT_{size}"), offset + 1, ReadWrite, 32, 0, &left));
    }
    list
}

/// Returns the offset of the first of a site's 16 flip counts, in the order of [`crate::flip::FlipCounts`].
pub const fn flips_offset(site: Site) -> u32 {
    128 + 16 * site as u32
}

/// Returns the offset of the first of the two counts of flips of a site's check cells: of those that held 0, then 1.
pub const fn check_flips_offset(site: Site) -> u32 {
    176 + 2 * site as u32
}

/// Returns the offset of the signature of a site's flips.
pub const fn signature_offset(site: Site) -> u32 {
    182 + site as u32
}

/// Returns what the registers of faults hold for `noise` in a run, by name; those that the hardware does not have are not
/// among them.
pub fn noise_registers(hw: &Elaborated, noise: &Noise, run_seed: u64) -> Vec<(String, u32)> {
    let mut list =
        vec![("INJECT_ENABLE".to_owned(), noise.enable.into()), ("INJECT_LAYERS".to_owned(), noise.at_risk.layers)];
    let trees: Vec<_> = hw.config.injector.read_sites().map(|site| (site, noise.of(site))).collect();
    let keep = noise.thresholds[0].keep;
    list.push(("INJECT_WEAK".to_owned(), keep.map_or(0, |keep| 1 << u32::from(keep.weak))));
    for site in hw.config.injector.sites() {
        let bits = u32::from(noise.at_risk.bits[site as usize]);
        let checks = bits != 0 && noise.at_risk.checks && hw.is_coded(site);
        list.push((bits_register(site), bits | u32::from(checks) << 8));
    }
    for (site, thresholds) in &trees {
        list.push((format!("INJECT_WORD_{}", site.name().to_uppercase()), thresholds.word));
    }
    let cells = noise.cells.thresholds();
    let [verify_01, verify_10] = noise.cells.verify.map_or([0; 2], |verify| verify.thresholds(noise.rates));
    for (name, value) in [
        ("STUCK_0", cells.stuck_0),
        ("STUCK_1", cells.stuck_1),
        ("TRAPPED", cells.trapped),
        ("TRAP_CAPTURED", cells.captured),
        ("TRAP_READ", cells.read_wrong),
        ("WRITE_01", cells.written_01),
        ("WRITE_10", cells.written_10),
        ("VERIFY_01", verify_01),
        ("VERIFY_10", verify_10),
        ("MAX_PULSES", noise.cells.verify.map_or(0, |verify| verify.max_pulses)),
        ("SCRUB_PERIOD", noise.cells.scrub_period.unwrap_or(0)),
    ] {
        list.push((name.to_owned(), value));
    }
    let keys = [("DEVICE", device_key(noise.cells.device_seed(run_seed))), ("TELEGRAPH", telegraph_key(run_seed))];
    for (name, key) in keys {
        list.extend((0..).zip(key).map(|(n, word)| (format!("{name}_KEY_{n}"), word)));
    }
    for (size, share) in keep.iter().flat_map(|keep| [(2, keep.pair), (3, keep.triple)]) {
        let parts = SHARES.parts(size).zip(share.parts(size)).filter(|_| hw.node_sizes.contains(&size));
        list.extend(parts.map(|(part, value)| (format!("INJECT_KEEP_{size}_{part}"), value)));
    }
    for &size in &hw.node_sizes {
        let of = |thresholds: &Thresholds| {
            let place = node_sizes(thresholds.cells).iter().position(|&s| s == size)?;
            Some(thresholds.nodes[place])
        };
        let node = trees.iter().find_map(|(_, thresholds)| of(thresholds)).expect("a tree has the size");
        list.push((format!("INJECT_BOTH_{size}"), node.both));
        list.push((format!("INJECT_LEFT_{size}"), node.left));
    }
    let there = registers(hw);
    list.retain(|(name, _)| there.iter().any(|register| register.name == *name));
    list
}

/// Returns the name of the register that holds a site's bits at risk.
pub fn bits_register(site: Site) -> String {
    format!("INJECT_BITS_{}", site.name().to_uppercase())
}

macro_rules! regions {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// A memory that the host reaches over the bus while no layer program runs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Region {
            $(#[doc = $doc] $name,)*
        }

        impl Region {
            /// Every region, in address order.
            pub const ALL: [Self; 8] = [$(Self::$name,)*];

            /// What it holds, in address order.
            const DOCS: [&'static str; 8] = [$($doc,)*];
        }
    };
}

regions! {
    /// The register bank; read and written at any time.
    Registers,
    /// Descriptors of the layer program; write only.
    Program,
    /// Weight words, `ceil(cols / 4)` host words each at the next power of two, column 0 in the lowest byte; write only, the last piece commits. In stream mode written while a program runs, to any address: the bus stalls while the ring is full.
    Weights,
    /// For each column of an output fold, columns at the next power of two: the bias, then `m` in bits 15:0 and `s` in bits 21:16; write only.
    Parameters,
    /// Feature-map memory A: one pixel of `rows` channels is `ceil(rows / 4)` host words at the next power of two; byte lanes count.
    MapA,
    /// Feature-map memory B, laid out the same.
    MapB,
    /// Accumulators: one word for each column, columns at the next power of two; read only.
    Accumulators,
    /// Counters of each descriptor; read only.
    Counters,
}

impl Region {
    /// Returns the first 32-bit word address of the region; regions are 2^20 words apart.
    pub const fn base(self) -> u32 {
        (self as u32) << REGION_SHIFT
    }

    /// Returns the number of the region, bits 23:20 of a word address.
    pub const fn index(self) -> u32 {
        self as u32
    }
}

/// Bits of a word address below the region number.
pub const REGION_SHIFT: u32 = 20;
/// Bits of a word address.
pub const ADDRESS_BITS: u32 = 24;

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident,)*) => {
        /// The counters written for each descriptor when it ends, in this order. All saturate at `2^32 - 1`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct LayerCounters {
            $(#[doc = $doc] pub $name: u32,)*
        }

        impl LayerCounters {
            /// Names in address order.
            pub const NAMES: [&'static str; Self::COUNT] = [$(stringify!($name),)*];
            /// What each counts, in address order.
            const DOCS: [&'static str; Self::COUNT] = [$($doc,)*];

            /// Returns the counters in address order.
            pub const fn values(&self) -> [u32; Self::COUNT] {
                [$(self.$name,)*]
            }

            /// Takes the counters in address order.
            pub const fn from_words([$($name,)*]: [u32; Self::COUNT]) -> Self {
                Self { $($name,)* }
            }
        }
    };
}

counters! {
    /// Clock cycles from the end of the descriptor's fetch to its last write.
    cycles,
    /// Useful multiply-accumulates: PEs that hold a weight of the layer, summed over pixel cycles.
    macs,
    /// Cycles in which no pixel entered the array because the next tile's weights were not loaded.
    stall_weights,
    /// Weight words read.
    words_read,
    /// Cells of weights read: bits of real weights in those words.
    cells_weights,
    /// Cells of biases read.
    cells_biases,
    /// Cells of activations read: bits of real channels; padding is not read.
    cells_activations,
    /// Cells of weights, and in codewords check cells, that were read wrong.
    flips_weights,
    /// Cells of biases, and their check cells, that were read wrong.
    flips_biases,
    /// Bits of activations that were read wrong.
    flips_activations,
    /// Codewords of weights (with parity or copies: weights) in which the decoder corrected errors, or check cells; 0 without a code.
    corrected_weights,
    /// Codewords of weights (with parity: weights) in which it detected errors that it did not correct.
    detected_weights,
    /// Biases that were corrected, or whose check cells were.
    corrected_biases,
    /// Biases whose errors were detected and not corrected.
    detected_biases,
}

impl LayerCounters {
    /// Number of counters.
    pub const COUNT: usize = 14;
    /// Host words of one descriptor's counters.
    pub const STRIDE: u32 = 16;

    /// Returns the cells of a site that were read.
    pub const fn cells(&self, site: Site) -> u32 {
        [self.cells_weights, self.cells_biases, self.cells_activations][site as usize]
    }

    /// Returns the bits of a site that were read wrong.
    pub const fn flips(&self, site: Site) -> u32 {
        [self.flips_weights, self.flips_biases, self.flips_activations][site as usize]
    }
}

/// Returns `registers.md`.
pub fn markdown(hw: &Elaborated) -> String {
    let mut text = format!(
        "# Registers and memory map of `{}`\n\nAll addresses count 32-bit words. Generated from the register description; do not edit.\n\n\
         ## Regions\n\nWhile a layer program runs the memories are its own: an access is answered with an error.\n\n\
         | region | first word address | holds |\n|---|---|---|\n",
        hw.config.name
    );
    for (region, doc) in Region::ALL.into_iter().zip(Region::DOCS) {
        text.push_str(&format!("| {region:?} | 0x{:06x} | {} |\n", region.base(), doc.trim()));
    }
    text.push_str("\n## Registers\n\n| offset | name | access | bits | reset | meaning |\n|---|---|---|---|---|---|\n");
    for r in registers(hw) {
        let access = match r.access {
            Access::ReadOnly => "ro",
            Access::ReadWrite => "rw",
            Access::Trigger => "w1",
        };
        text.push_str(&format!(
            "| {} | {} | {access} | {} | 0x{:x} | {} |\n",
            r.offset, r.name, r.bits, r.reset, r.doc
        ));
    }
    text.push_str(&format!(
        "\n## Counters of one descriptor\n\nDescriptor d has its counters at word {} d of the region.\n\n| word | name | counts |\n|---|---|---|\n",
        LayerCounters::STRIDE
    ));
    for (i, (name, doc)) in LayerCounters::NAMES.iter().zip(LayerCounters::DOCS).enumerate() {
        text.push_str(&format!("| {i} | {name} | {} |\n", doc.trim()));
    }
    text.push_str(&format!(
        "\n## Descriptor of the layer program\n\n{DESCRIPTOR_WORDS} words each: one run of one layer over the images of one read group.\n\n\
         | word | bits | field | meaning |\n|---|---|---|---|\n"
    ));
    for (name, f, doc) in FIELDS {
        text.push_str(&format!("| {} | {}:{} | {name} | {} |\n", f.word, f.low + f.bits - 1, f.low, doc.trim()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn no_two_registers_share_an_offset_or_a_name() {
        for preset in presets::all() {
            let list = registers(&preset.validate().unwrap());
            for (i, a) in list.iter().enumerate() {
                assert!(list[i + 1..].iter().all(|b| a.offset != b.offset && a.name != b.name), "{}", a.name);
            }
        }
    }

    /// The copy for readers: `hafnia generate --config configs/8x8-scrub.toml -o DIR` writes it again.
    #[test]
    fn documented_registers_are_those_of_8x8_with_everything() {
        let config = presets::examples().remove(0);
        let hw = config.validate().unwrap();
        assert!(markdown(&hw) == include_str!("../../../docs/registers.md"), "docs/registers.md is out of date");
    }

    #[test]
    fn every_memory_fits_its_region() {
        for preset in presets::all() {
            let hw = preset.validate().unwrap();
            let memory = hw.config.memory;
            for words in [
                memory.weight_words * hw.weight_stride,
                memory.map_words * hw.map_stride,
                memory.accumulator_words * hw.column_stride,
                memory.parameter_words * hw.column_stride * 2,
            ] {
                assert!(words <= 1 << REGION_SHIFT, "{}", hw.config.name);
            }
        }
    }
}
