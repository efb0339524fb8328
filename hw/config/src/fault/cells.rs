//! Faults of the cells themselves, which depend on the device and not on the read: stuck cells (F4), traps (F2) and write
//! errors (F3). Eqs. (11) to (17) of `docs/fault-model.md`.

use serde::{Deserialize, Serialize};

use super::{Kind, Kinds, Rates};

/// Faults of the cells of a device. In files a table of [`CellKeys`], in flags and rows the same joined by commas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CellKeys", into = "CellKeys")]
pub struct CellFaults {
    /// Names the device: which of its cells are stuck or trapped, and what each pulse does. The run seed where none is given.
    pub device_seed: Option<u64>,
    /// Fractions of the cells that are stuck at 0 and at 1.
    pub stuck: [f64; 2],
    /// Cells with a trap.
    pub telegraph: Telegraph,
    /// Probabilities that a pulse leaves a cell wrong: one that is to hold 0, and one that is to hold 1.
    pub write: Rates,
    /// Whether words of weights and biases are verified after each pulse.
    pub verify: Option<Verify>,
    /// Clock cycles of a running layer from one scrubbed word of weights to the next; none without scrubbing.
    pub scrub_period: Option<u32>,
}

/// The least and the largest period of a scrubber: a word is done with before the next is due.
pub const SCRUB_PERIODS: (u32, u32) = (64, (1 << 20) - 1);

/// Write-verify: after a pulse the word is read back, and cells that are read wrong get another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verify {
    /// The most pulses that a cell gets, 1 to 255.
    pub max_pulses: u32,
    /// Whether the word is read back with the read noise of the run.
    pub noisy: bool,
}

impl Verify {
    /// Returns the thresholds with which a cell that gives 0, and one that gives 1, is read wrong; `rates` are those of the read
    /// noise.
    pub fn thresholds(&self, rates: Rates) -> [u32; 2] {
        if self.noisy { [rates.p01, rates.p10].map(threshold) } else { [0; 2] }
    }
}

/// Random telegraph noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telegraph {
    /// Fraction of the cells that have a trap.
    pub fraction: f64,
    /// Mean time for which a trap is empty, in reads: read groups of a layer.
    pub capture_reads: f64,
    /// Mean time for which a trap holds a charge, in the same.
    pub emission_reads: f64,
    /// Probability that a cell which holds 0 is read as 1 while its trap holds a charge.
    pub probability: f64,
}

/// No trap; the times are of no effect.
impl Default for Telegraph {
    fn default() -> Self {
        Self { fraction: 0.0, capture_reads: 1.0, emission_reads: 1.0, probability: 1.0 }
    }
}

impl Telegraph {
    /// Returns the share of the time for which a trap holds a charge.
    pub fn share(&self) -> f64 {
        1.0 / (1.0 + self.capture_reads / self.emission_reads)
    }
}

/// Faults of cells that cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CellFaultError {
    /// It is no fraction.
    #[error("{0} is outside [0, 1]; write a fraction such as 1e-3")]
    NoFraction(f64),
    /// Stuck and trapped cells are more than all.
    #[error("stuck cells and cells with a trap are {0} of all together; make that 1 or less")]
    TooMany(f64),
    /// A mean time that is none.
    #[error("a mean time of {0} reads cannot be; write a number above 0, such as 100")]
    NoTime(f64),
    /// A rate that 32 bits do not resolve.
    #[error(
        "{0:e} is too low: a draw has 32 bits and would miss it by more than 1%; the least is 1.2e-8, or 0 for none"
    )]
    TooLow(f64),
    /// A number of pulses that cannot be.
    #[error("{0} pulses cannot be; write 1 to 255, or leave the key out for writes that are not verified")]
    Pulses(u32),
    /// A period that cannot be.
    #[error("a period of {0} cycles cannot be; write {least} to {most}, or leave the key out for no scrubbing", least = SCRUB_PERIODS.0, most = SCRUB_PERIODS.1)]
    Period(u32),
}

impl CellFaults {
    /// Checks all numbers.
    ///
    /// # Errors
    /// The field at fault, and why.
    pub fn check(&self) -> Result<(), (&'static str, CellFaultError)> {
        let Self { stuck: [zeros, ones], telegraph, write, .. } = *self;
        for (field, p) in [
            ("stuck_at_0_fraction", zeros),
            ("stuck_at_1_fraction", ones),
            ("telegraph_fraction", telegraph.fraction),
            ("telegraph_p01_per_read", telegraph.probability),
            ("p01_per_write", write.p01),
            ("p10_per_write", write.p10),
        ] {
            if !(0.0..=1.0).contains(&p) {
                return Err((field, CellFaultError::NoFraction(p)));
            }
            if p > 0.0 && p * TWO_TO_32 < 50.0 {
                return Err((field, CellFaultError::TooLow(p)));
            }
        }
        for (field, reads) in [
            ("telegraph_capture_reads", telegraph.capture_reads),
            ("telegraph_emission_reads", telegraph.emission_reads),
        ] {
            if !(reads.is_finite() && reads > 0.0) {
                return Err((field, CellFaultError::NoTime(reads)));
            }
        }
        if telegraph.share() * TWO_TO_32 < 50.0 {
            return Err(("telegraph_emission_reads", CellFaultError::TooLow(telegraph.share())));
        }
        if let Some(Verify { max_pulses, .. }) = self.verify
            && !(1..=255).contains(&max_pulses)
        {
            return Err(("max_pulses", CellFaultError::Pulses(max_pulses)));
        }
        if let Some(period) = self.scrub_period
            && !(SCRUB_PERIODS.0..=SCRUB_PERIODS.1).contains(&period)
        {
            return Err(("scrub_period", CellFaultError::Period(period)));
        }
        let all = zeros + ones + telegraph.fraction;
        if all > 1.0 { Err(("telegraph_fraction", CellFaultError::TooMany(all))) } else { Ok(()) }
    }

    /// Returns the kinds of fault that there are.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let stuck = self.stuck.iter().any(|&fraction| fraction > 0.0);
        let kinds = [
            (Kind::Stuck, stuck),
            (Kind::Telegraph, self.telegraph.fraction > 0.0),
            (Kind::Write, self.write.higher() > 0.0),
        ];
        kinds.into_iter().filter(|(_, is)| *is).map(|(kind, _)| kind)
    }

    /// Whether reads meet them: cells are stuck or have a trap.
    pub fn at_reads(&self) -> bool {
        Kinds::from(self.kinds().collect::<Vec<_>>()).of_cells()
    }

    /// Returns the share of the cells that are stuck or have a trap.
    pub fn share(&self) -> f64 {
        self.stuck.iter().sum::<f64>() + self.telegraph.fraction
    }

    /// Returns the device seed of a run.
    pub fn device_seed(&self, run_seed: u64) -> u64 {
        self.device_seed.unwrap_or(run_seed)
    }

    /// Returns the same with the device seed of a run, where there is any fault.
    pub fn of_run(&self, run_seed: u64) -> Self {
        let device_seed = self.kinds().next().map(|_| self.device_seed(run_seed));
        Self { device_seed, ..*self }
    }

    /// Returns the thresholds of the draws, Eqs. (13) to (16).
    pub fn thresholds(&self) -> CellThresholds {
        let Self { stuck: [zeros, ones], telegraph, write, .. } = *self;
        let Telegraph { fraction, capture_reads, emission_reads, probability } = telegraph;
        CellThresholds {
            stuck_0: threshold(zeros),
            stuck_1: threshold(zeros + ones),
            trapped: threshold(zeros + ones + fraction),
            captured: threshold(telegraph.share()),
            read_wrong: threshold(probability),
            written_01: threshold(write.p01),
            written_10: threshold(write.p10),
            refresh: threshold(-(-1.0 / capture_reads - 1.0 / emission_reads).exp_m1()),
        }
    }
}

/// The keys of [`CellFaults`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CellKeys {
    /// Names the device; the run seed where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_seed: Option<u64>,
    /// Fraction of cells stuck at 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_at_0_fraction: Option<f64>,
    /// Fraction of cells stuck at 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_at_1_fraction: Option<f64>,
    /// Fraction of cells with a trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegraph_fraction: Option<f64>,
    /// Mean time for which a trap is empty, in reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegraph_capture_reads: Option<f64>,
    /// Mean time for which it holds a charge, in reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegraph_emission_reads: Option<f64>,
    /// Probability that a 0 is read as 1 while it does; 1 where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegraph_p01_per_read: Option<f64>,
    /// Probability that a pulse leaves a cell at 1 that is to hold 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p01_per_write: Option<f64>,
    /// Probability that a pulse leaves a cell at 0 that is to hold 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p10_per_write: Option<f64>,
    /// The most pulses of a cell, with write-verify; without it each cell gets one, and is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pulses: Option<u32>,
    /// Whether it is verified with read noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noisy_verify: Option<bool>,
    /// Clock cycles from one scrubbed word of weights to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrub_period: Option<u32>,
}

impl TryFrom<CellKeys> for CellFaults {
    type Error = String;

    fn try_from(keys: CellKeys) -> Result<Self, String> {
        let telegraph = match (keys.telegraph_fraction, keys.telegraph_capture_reads, keys.telegraph_emission_reads) {
            (Some(fraction), Some(capture_reads), Some(emission_reads)) => {
                let probability = keys.telegraph_p01_per_read.unwrap_or(1.0);
                Telegraph { fraction, capture_reads, emission_reads, probability }
            }
            (None, None, None) if keys.telegraph_p01_per_read.is_none() => Telegraph::default(),
            _ => {
                return Err(
                    "`telegraph_fraction`, `telegraph_capture_reads` and `telegraph_emission_reads` go together; \
                            write all three, or leave out every key of telegraph noise"
                        .to_owned(),
                );
            }
        };
        if keys.device_seed == Some(0) {
            return Err("`device_seed`: 0 is what an unset seed looks like; write one from 1 up".to_owned());
        }
        let noisy = keys.noisy_verify.unwrap_or(false);
        if keys.max_pulses.is_none() && noisy {
            return Err("`noisy_verify` goes with `max_pulses`; write both, such as max_pulses = 8".to_owned());
        }
        let fraction = |key: Option<f64>| key.unwrap_or(0.0);
        let faults = Self {
            device_seed: keys.device_seed,
            stuck: [fraction(keys.stuck_at_0_fraction), fraction(keys.stuck_at_1_fraction)],
            telegraph,
            write: Rates { p01: fraction(keys.p01_per_write), p10: fraction(keys.p10_per_write) },
            verify: keys.max_pulses.map(|max_pulses| Verify { max_pulses, noisy }),
            scrub_period: keys.scrub_period,
        };
        faults.check().map_err(|(key, error)| format!("`{key}`: {error}"))?;
        // What says nothing is as if it were not there: results are told apart by what is.
        let telegraph = if telegraph.fraction > 0.0 { telegraph } else { Telegraph::default() };
        let device_seed = faults.kinds().next().and(faults.device_seed);
        Ok(Self { device_seed, telegraph, ..faults })
    }
}

impl From<CellFaults> for CellKeys {
    fn from(faults: CellFaults) -> Self {
        let CellFaults { device_seed, stuck, telegraph, write, verify, scrub_period } = faults;
        let some = |p: f64| (p != 0.0).then_some(p);
        let of_trap = |value: f64| (telegraph.fraction != 0.0).then_some(value);
        Self {
            device_seed,
            stuck_at_0_fraction: some(stuck[0]),
            stuck_at_1_fraction: some(stuck[1]),
            telegraph_fraction: some(telegraph.fraction),
            telegraph_capture_reads: of_trap(telegraph.capture_reads),
            telegraph_emission_reads: of_trap(telegraph.emission_reads),
            telegraph_p01_per_read: of_trap(telegraph.probability),
            p01_per_write: some(write.p01),
            p10_per_write: some(write.p10),
            max_pulses: verify.map(|verify| verify.max_pulses),
            noisy_verify: verify.and_then(|verify| verify.noisy.then_some(true)),
            scrub_period,
        }
    }
}

/// `key=value,...`; empty where there is no fault.
impl std::fmt::Display for CellFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = toml::to_string(self).expect("faults are plain data");
        f.write_str(&text.lines().map(|line| line.replace(" = ", "=")).collect::<Vec<_>>().join(","))
    }
}

impl std::str::FromStr for CellFaults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.split(',').map(str::trim).collect();
        toml::from_str(&lines.join("\n")).map_err(|error| {
            let message = error.message().trim_end();
            let line = error.span().map_or_else(String::new, |span| {
                let at = lines.join("\n")[..span.start].matches('\n').count();
                lines.get(at).filter(|_| !message.contains('`')).map_or_else(String::new, |line| format!("`{line}`: "))
            });
            format!("{line}{message}")
        })
    }
}

/// Thresholds of draws of cells: each holds for a draw that is [`below`] it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellThresholds {
    /// The cell is stuck at 0.
    pub stuck_0: u32,
    /// From the one before: the cell is stuck at 1.
    pub stuck_1: u32,
    /// From the one before: the cell has a trap.
    pub trapped: u32,
    /// The trap holds a charge.
    pub captured: u32,
    /// The read is wrong while the trap does.
    pub read_wrong: u32,
    /// A cell that is to hold 0 is left holding 1.
    pub written_01: u32,
    /// A cell that is to hold 1 is left holding 0.
    pub written_10: u32,
    /// The traps of a class are drawn anew before a read.
    pub refresh: u32,
}

/// Returns the threshold of a probability, Eq. (12): `round(p * 2^32)`; the highest means always.
pub fn threshold(p: f64) -> u32 {
    (p * TWO_TO_32).round().min(f64::from(u32::MAX)) as u32
}

/// Whether a draw is below a threshold.
pub const fn below(u: u32, threshold: u32) -> bool {
    u < threshold || threshold == u32::MAX
}

const TWO_TO_32: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_fractions() {
        let telegraph = Telegraph { fraction: 0.25, capture_reads: 30.0, emission_reads: 10.0, probability: 1.0 };
        let cells = CellFaults { stuck: [0.25, 0.5], telegraph, ..CellFaults::default() };
        let t = cells.thresholds();
        assert_eq!((t.stuck_0, t.stuck_1, t.trapped, t.captured), (1 << 30, 3 << 30, u32::MAX, 1 << 30));
        assert_eq!((t.written_01, t.read_wrong), (0, u32::MAX));
        assert!((f64::from(t.refresh) / TWO_TO_32 - (1.0 - (-4.0_f64 / 30.0).exp())).abs() < 1e-9);
        assert!(below(u32::MAX, u32::MAX) && !below(0, 0) && below(4, 5) && !below(5, 5));
        assert_eq!(cells.kinds().collect::<Vec<_>>(), [Kind::Stuck, Kind::Telegraph]);
        assert_eq!((cells.device_seed(7), CellFaults { device_seed: Some(3), ..cells }.device_seed(7)), (7, 3));
    }

    #[test]
    fn keys_are_read_from_flags_as_from_files_and_written_back() {
        let text = "device_seed=3,stuck_at_1_fraction=0.01,telegraph_fraction=0.02,telegraph_capture_reads=50,\
                    telegraph_emission_reads=5,p10_per_write=1e-3";
        let faults: CellFaults = text.parse().unwrap();
        assert_eq!((faults.device_seed, faults.stuck, faults.write.p10), (Some(3), [0.0, 0.01], 1e-3));
        assert_eq!((faults.telegraph.emission_reads, faults.telegraph.probability), (5.0, 1.0));
        assert_eq!(faults.to_string().parse(), Ok(faults));
        let verified: CellFaults = "p10_per_write=0.1,max_pulses=4,noisy_verify=true".parse().unwrap();
        assert_eq!(verified.verify, Some(Verify { max_pulses: 4, noisy: true }));
        assert_eq!(verified.to_string().parse(), Ok(verified));
        let nothing = "device_seed=3,telegraph_fraction=0,telegraph_capture_reads=5,telegraph_emission_reads=5";
        assert_eq!(nothing.parse(), Ok(CellFaults::default()));
        assert_eq!((CellFaults::default().to_string(), "".parse()), (String::new(), Ok(CellFaults::default())));
        for (text, phrases) in [
            ("stuck_at_0_fraction=1.5", ["`stuck_at_0_fraction`", "[0, 1]"]),
            ("stuck_at_0_fraction=x", ["`stuck_at_0_fraction=x`", "string"]),
            ("stuck=0.1", ["`stuck`", "`stuck_at_0_fraction`"]),
            ("telegraph_fraction=0.1", ["`telegraph_capture_reads`", "all three"]),
            (
                "telegraph_fraction=0.1,telegraph_capture_reads=0,telegraph_emission_reads=1",
                ["`telegraph_capture_reads`", "above 0"],
            ),
            ("telegraph_p01_per_read=0.1", ["`telegraph_fraction`", "all three"]),
            ("device_seed=0", ["`device_seed`", "from 1 up"]),
            (
                "telegraph_fraction=0.1,telegraph_capture_reads=1e10,telegraph_emission_reads=1",
                ["`telegraph_emission_reads`", "too low"],
            ),
            ("p01_per_write=nan", ["`p01_per_write`", "NaN"]),
            ("max_pulses=0", ["`max_pulses`: 0 pulses", "1 to 255"]),
            ("max_pulses=256", ["`max_pulses`", "1 to 255"]),
            ("noisy_verify=true", ["`noisy_verify`", "`max_pulses`"]),
            ("scrub_period=63", ["`scrub_period`: a period of 63 cycles", "64 to 1048575"]),
            ("scrub_period=1048576", ["`scrub_period`", "leave the key out"]),
        ] {
            let error = text.parse::<CellFaults>().unwrap_err();
            assert!(phrases.iter().all(|phrase| error.contains(phrase)), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_that_make_no_sense_name_their_field() {
        let with = |change: fn(&mut CellFaults)| {
            let mut cells = CellFaults::default();
            change(&mut cells);
            cells.check()
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|c| c.telegraph.capture_reads = 0.0).unwrap_err().0, "telegraph_capture_reads");
        assert_eq!(with(|c| c.telegraph.emission_reads = f64::NAN).unwrap_err().0, "telegraph_emission_reads");
        assert_eq!(with(|c| c.stuck = [0.5, 0.6]).unwrap_err().1, CellFaultError::TooMany(1.1));
        assert_eq!(with(|c| c.write.p10 = 2.0).unwrap_err(), ("p10_per_write", CellFaultError::NoFraction(2.0)));
        assert_eq!(with(|c| c.stuck[1] = 1e-9).unwrap_err().0, "stuck_at_1_fraction");
    }
}
