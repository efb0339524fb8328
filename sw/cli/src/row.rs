//! One result row, as `run` and `verify` print it. `docs/json.md` describes the fields.

use std::collections::BTreeMap;

use hafnia_config::regs::LayerCounters;
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
    pub ber_measured: f64,
    pub ber_interval: (f64, f64),
    pub bit_mask: u8,
    pub layer_mask: u32,
    pub cells_at_risk: u64,
    pub seed: u64,
    pub draws: &'static str,
    pub protection: String,
    pub counters: BTreeMap<&'static str, u64>,
    pub cycles: Cycles,
    pub seconds: f64,
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
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
    pub fn new(engine: &'static str, setup: &Setup, plan: &Plan<'_>, ber: f64, totals: &Totals, seconds: f64) -> Self {
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
            ber_requested: ber,
            ber_measured: totals.ber_measured(),
            ber_interval: totals.ber_interval(),
            bit_mask: plan.noise.at_risk.bits,
            layer_mask: plan.noise.at_risk.layers_of(plan.schedule.layers.len()),
            cells_at_risk: totals.cells_at_risk,
            seed: plan.seed,
            draws: "exact",
            protection: setup.hw.config.protection.code.to_string(),
            counters: LayerCounters::NAMES.into_iter().zip(totals.counters).collect(),
            cycles: Cycles { total: totals.counter("cycles"), per_layer: totals.layer_cycles.clone() },
            seconds,
            comparison: None,
        }
    }
}
