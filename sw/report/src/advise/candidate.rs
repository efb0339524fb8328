//! A setup, what it costs, and whether it is one to take.

use std::cmp::Ordering;

use hafnia_config::fault::Verify;
use hafnia_config::price::{Engines, Record};
use serde::Serialize;

use super::reason::{Reason, reasons};
use super::{Evidence, Measured, Wanted};
use crate::price::area;
use crate::setup::{Remedies, Setup};
use crate::{Cost, Price};

/// A setup against what is wanted.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// What tells it from the others of its question.
    pub label: String,
    /// Whether it meets what is wanted.
    pub meets: bool,
    /// Why it does not.
    pub reasons: Vec<Reason>,
    /// What it is.
    #[serde(flatten)]
    pub setup: Setup,
    /// The most pulses of a cell with write-verify; none without.
    pub max_pulses: Option<u32>,
    /// Clock cycles from one scrubbed word of weights to the next; none without scrubbing.
    pub scrub_period: Option<u32>,
    /// What its rows say; none where it was not swept at the rate asked for, or above.
    pub evidence: Option<Evidence>,
    /// What it costs, with the engines of write-verify where it verifies, and a scrubber and its reads where it scrubs.
    pub price: Price,
}

impl Candidate {
    /// Weighs a setup. Hardware that can verify is priced with its engines only where it does.
    pub(super) fn new(
        one: &Measured<'_>,
        label: String,
        price: Price,
        record: &Record,
        evidence: Option<Evidence>,
        wanted: &Wanted,
    ) -> Self {
        let setup = one.curve.setup.clone();
        let Remedies { verify, scrub_period } = setup.faults().1;
        let max_pulses = verify.map(|Verify { max_pulses, .. }| max_pulses);
        let engines = Engines::of(verify.is_some(), scrub_period.is_some());
        let area = setup.hardware().and_then(|hw| area(&hw, engines, record));
        let words: u64 = one.rows.iter().filter_map(|(_, row)| row.scrubbed_words).sum();
        let images: u64 = one.rows.iter().map(|(_, row)| row.images).sum();
        let price = Price { area, ..price }.reading_more(words as f64 / images as f64);
        let reasons = reasons(&one.curve, evidence.as_ref(), &price, wanted);
        Self { label, meets: reasons.is_empty(), reasons, setup, max_pulses, scrub_period, evidence, price }
    }

    /// What meets what is wanted goes first; then what is cheaper, then what takes less LUT4, then what programs with fewer
    /// pulses, then what loses less. What is not known goes last.
    pub(super) fn order(&self, other: &Self, by: &Cost) -> Ordering {
        let or_last = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
        let keys = |of: &Self| {
            let evidence = of.evidence.as_ref();
            let pulses = evidence.and_then(|evidence| Some(evidence.programming.as_ref()?.pulses_per_cell));
            let loss = evidence.and_then(|evidence| evidence.loss);
            [
                f64::from(u8::from(!of.meets)),
                or_last(by.of(&of.price)),
                or_last(Cost::Lut4.of(&of.price)),
                pulses.unwrap_or(0.0),
                or_last(loss),
            ]
        };
        let orders = keys(self).into_iter().zip(keys(other)).map(|(a, b)| a.total_cmp(&b));
        orders.fold(Ordering::Equal, Ordering::then)
    }
}
