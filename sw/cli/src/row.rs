//! One result row, as `run` and `verify` print it. `docs/json.md` describes the fields.

use std::collections::BTreeMap;

use hafnia_config::Elaborated;
use hafnia_config::fault::{CellFaults, Noise, Rates, Site};
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::LayerCounters;
use hafnia_config::scrub::Scrubbed;
use hafnia_cosim::{Plan, Totals};
use serde::Serialize;

use crate::setup::Setup;

#[derive(Serialize)]
pub struct Row {
    pub engine: &'static str,
    pub model: String,
    pub model_sha256: String,
    pub config_hash: String,
    pub preset: String,
    pub data: &'static str,
    pub images: Range,
    pub batch: u32,
    pub read_groups: Vec<u32>,
    pub top1: f64,
    pub correct: u64,
    pub ber_requested: f64,
    pub rates_requested: Rates,
    pub rates_measured: Measured,
    pub writes_measured: Measured,
    pub ber_measured: f64,
    pub ber_interval: (f64, f64),
    pub layer_mask: u32,
    pub flips: u64,
    pub cells_at_risk: u64,
    pub sites: BTreeMap<&'static str, SiteRow>,
    pub seed: u64,
    /// With the device seed that was taken, where there is any fault of cells.
    pub cells: CellFaults,
    pub draws: &'static str,
    pub protection: String,
    pub counters: BTreeMap<&'static str, u64>,
    /// With a code, units read wrong without any being detected, which the golden model alone knows.
    pub silent: Option<BTreeMap<&'static str, u64>>,
    /// With write-verify, what programming each memory of parameters took.
    pub programmed: Option<BTreeMap<&'static str, ProgrammedRow>>,
    /// With a scrubber, what scrubbing took.
    pub scrubbed: Option<Scrubbed>,
    pub cycles: Cycles,
    pub seconds: f64,
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
}

/// Rates of both directions; none where what was read is not known.
#[derive(Serialize)]
pub struct Measured {
    pub p01: Option<f64>,
    pub p10: Option<f64>,
}

/// What programming a memory took.
#[derive(Serialize)]
pub struct ProgrammedRow {
    /// Cells that were written, each with one pulse or more.
    pub cells: u64,
    #[serde(flatten)]
    pub counts: Programmed,
}

impl ProgrammedRow {
    fn new(hw: &Elaborated, site: Site, counts: Programmed) -> Self {
        Self { cells: counts.words * u64::from(hw.written_cells(site)), counts }
    }
}

/// What was read of one memory.
#[derive(Serialize)]
pub struct SiteRow {
    pub bit_mask: u8,
    pub cells_at_risk: u64,
    pub flips: u64,
    pub flips_01: [u64; 8],
    pub flips_10: [u64; 8],
    /// Check cells that held 0 and 1; null without a code.
    pub flips_check: Option<[u64; 2]>,
}

#[derive(Serialize)]
pub struct Range {
    pub first: u32,
    pub count: u64,
}

#[derive(Serialize)]
pub struct Cycles {
    pub total: u64,
    pub per_layer: Vec<u64>,
}

/// What `verify` adds.
#[derive(Default, Serialize)]
pub struct Comparison {
    pub equal: bool,
    pub values_compared: u64,
    pub difference: Option<String>,
    pub replay: Option<String>,
    pub wave: Option<String>,
}

impl Row {
    pub fn new(engine: &'static str, setup: &Setup, plan: &Plan<'_>, totals: &Totals, seconds: f64) -> Self {
        let Noise { at_risk, rates, cells, .. } = &plan.noise;
        let [p01, p10] = totals.directions_measured();
        let [written_01, written_10] = totals.writes_measured();
        let (flips, cells_at_risk) = totals.all();
        let is_coded = Site::PROGRAMMED.into_iter().any(|site| setup.hw.is_coded(site));
        let names = Site::PROGRAMMED.map(Site::name);
        let site = |site: Site| {
            let [flips_01, flips_10] = [false, true].map(|before| totals.flip_counts.of(site, before));
            let flips_check = setup.hw.is_coded(site).then(|| totals.flip_counts.checks[site as usize]);
            let (bit_mask, cells_at_risk) = (at_risk.bits[site as usize], totals.cells_at_risk[site as usize]);
            (
                site.name(),
                SiteRow { bit_mask, cells_at_risk, flips: totals.flips(site), flips_01, flips_10, flips_check },
            )
        };
        Self {
            engine,
            model: setup.model.network.name.clone(),
            model_sha256: setup.model.sha256.clone(),
            config_hash: setup.hw.config.hash(),
            preset: setup.hw.config.name.clone(),
            data: setup.data_name,
            images: Range { first: setup.first, count: totals.images },
            batch: setup.schedule.batch,
            read_groups: setup.schedule.layers.iter().map(|l| l.read_group).collect(),
            top1: totals.top1(),
            correct: totals.correct,
            ber_requested: rates.higher(),
            rates_requested: *rates,
            rates_measured: Measured { p01, p10 },
            writes_measured: Measured { p01: written_01, p10: written_10 },
            ber_measured: totals.ber_measured(),
            ber_interval: totals.ber_interval(),
            layer_mask: at_risk.layers_of(plan.schedule.layers.len()),
            flips,
            cells_at_risk,
            sites: at_risk.sites().map(site).collect(),
            seed: plan.seed,
            cells: cells.of_run(plan.seed),
            draws: plan.noise.draws.name(),
            protection: setup.hw.config.protection.code.to_string(),
            counters: LayerCounters::NAMES.into_iter().zip(totals.counters).collect(),
            silent: totals.silent.filter(|_| is_coded).map(|silent| names.into_iter().zip(silent).collect()),
            programmed: totals.programmed.map(|sites| {
                let site =
                    |(site, counts): (Site, Programmed)| (site.name(), ProgrammedRow::new(&setup.hw, site, counts));
                Site::PROGRAMMED.into_iter().zip(sites).map(site).collect()
            }),
            scrubbed: totals.scrubbed,
            cycles: Cycles { total: totals.counter("cycles"), per_layer: totals.layer_cycles.clone() },
            seconds,
            comparison: None,
        }
    }

    /// Returns the rates asked for, in words: one where both directions have the same.
    pub fn requested(&self) -> String {
        let Rates { p01, p10 } = self.rates_requested;
        if p01 == p10 { format!("{p01:e}") } else { format!("{p01:e}/{p10:e}") }
    }

    /// Returns a line that tells the faults of cells; empty where there are none.
    pub fn faults(&self) -> String {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "none".to_owned(), |rate| format!("{rate:.4e}"));
        let written = match self.writes_measured {
            Measured { p01: None, p10: None } => String::new(),
            Measured { p01, p10 } => format!("; written wrong {} of 0s, {} of 1s", rate(p01), rate(p10)),
        };
        let verified = self.programmed.iter().filter(|_| self.cells.verify.is_some()).flatten();
        let verified = verified.map(|(name, ProgrammedRow { cells, counts })| {
            let Programmed { repeated, give_ups, .. } = counts;
            format!("; {name} programmed with {} pulses for {cells} cells, {give_ups} given up", cells + repeated)
        });
        let scrubbed = self.scrubbed.filter(|_| self.cells.scrub_period.is_some()).map(|counts| {
            let Scrubbed { words, corrected, detected, pulses } = counts;
            format!("; {words} words scrubbed, {corrected} corrected, {detected} detected, {pulses} pulses")
        });
        let written = written + &verified.collect::<String>() + &scrubbed.unwrap_or_default();
        let cells = self.cells.to_string().replace(',', ", ");
        if cells.is_empty() { cells } else { format!("faults of cells {cells}{written}\n") }
    }

    /// Returns what is at risk, in words.
    pub fn at_risk(&self) -> String {
        let sites = self.sites.iter().map(|(name, site)| match site.bit_mask {
            u8::MAX => (*name).to_owned(),
            mask => format!("{name} in bits 0x{mask:02x}"),
        });
        sites.collect::<Vec<_>>().join(", ")
    }
}
