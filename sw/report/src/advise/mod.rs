//! Which setups keep the loss of a network below a target at a device's bit-error rate, cheapest first, and the rows that
//! say so. `docs/advise.md` has the rules.

mod candidate;
mod evidence;
mod question;
mod reason;

use std::path::PathBuf;

use hafnia_config::device::Device;
use hafnia_config::price::Record;
use hafnia_sweep::Row;
use serde::Serialize;

use crate::curve::{Curve, curve};
use crate::price::prices;
use crate::setup::{Setup, grouped, short_labels};
use crate::{Cost, ReportError, Source, source};

pub use candidate::Candidate;
pub use evidence::{Evidence, Programming};
pub use question::{Only, Question};
pub use reason::Reason;

/// What is asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Wanted {
    /// Bit-error rate of the cells.
    pub ber: f64,
    /// Whose read energy, pulses and endurance are taken.
    pub device: Option<Device>,
    /// The most points of top-1 that may be lost.
    pub loss: f64,
    /// What is to be cheap.
    pub by: Cost,
    /// The most that may be paid.
    pub limits: Vec<Limit>,
    /// The questions to answer.
    #[serde(skip)]
    pub only: Only,
}

/// The most that may be paid of one cost.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// What is paid.
    pub cost: Cost,
    /// The most of it.
    pub at_most: f64,
}

/// What rows say to that.
#[derive(Debug, Serialize)]
pub struct Advice {
    /// What was asked for.
    pub wanted: Wanted,
    /// Whether every question has a setup that meets it.
    pub met: bool,
    /// What is to be seen before the figures.
    pub warnings: Vec<String>,
    /// The folders.
    pub sources: Vec<Source>,
    /// One for each question that the rows hold, in their order.
    pub answers: Vec<Answer>,
}

/// The setups of one question.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What they share.
    #[serde(flatten)]
    pub question: Question,
    /// Top-1 at rate 0 without faults of cells.
    pub clean: f64,
    /// Those that meet what is wanted, cheapest first; then the others.
    pub setups: Vec<Candidate>,
}

/// A setup with its rows and their places among all rows.
struct Measured<'a> {
    curve: Curve,
    rows: Vec<(usize, &'a Row)>,
}

impl Advice {
    /// Reads the folders and weighs every setup; the cells of the ECP5 are those of `record`.
    ///
    /// # Errors
    /// A folder that is not that of a sweep, two results of one point, rows that hold no question that is asked, or none at
    /// rate 0 to compare with.
    pub fn new(folders: &[PathBuf], wanted: Wanted, record: &Record) -> Result<Self, ReportError> {
        let (sources, rows) = source::read(folders)?;
        Self::of(sources, &rows, wanted, record)
    }

    fn of(sources: Vec<Source>, rows: &[Row], wanted: Wanted, record: &Record) -> Result<Self, ReportError> {
        let measured = measured(rows);
        let prices = prices(rows, wanted.device.as_slice(), record);
        let whole = measured.iter().filter(|one| is_candidate(one, &measured));
        let questions = grouped(whole, |one| Question::of(&one.curve.setup));
        let known: Vec<Question> = questions.iter().map(|(question, _)| question.clone()).collect();
        if known.is_empty() {
            return Err(ReportError::NoQuestion);
        }
        let asked: Vec<_> = questions.into_iter().filter(|(question, _)| wanted.only.has(question)).collect();
        if asked.is_empty() {
            let known = known.iter().map(Question::to_string).collect::<Vec<_>>().join("; ");
            return Err(ReportError::NotAsked { known });
        }
        let answer = |(question, setups): (Question, Vec<&Measured<'_>>)| {
            let clean = question.clean(measured.iter().map(|one| &one.curve));
            let clean = clean.ok_or_else(|| ReportError::NoClean { network: question.network() })?;
            let labels = short_labels(&setups.iter().map(|one| &one.curve.setup).collect::<Vec<_>>());
            let candidate = |(one, label): (&Measured<'_>, String)| {
                let price = prices.iter().find(|price| price.is_of(&one.curve.setup)).expect("every row is priced");
                Candidate::new(one, label, price.clone(), record, Evidence::of(one, clean, &wanted, &sources), &wanted)
            };
            let mut setups: Vec<_> = setups.into_iter().zip(labels).map(candidate).collect();
            setups.sort_by(|a, b| a.order(b, &wanted.by));
            Ok(Answer { question, clean, setups })
        };
        let answers = asked.into_iter().map(answer).collect::<Result<Vec<_>, ReportError>>()?;
        let met = answers.iter().all(|answer| answer.setups.iter().any(|setup| setup.meets));
        Ok(Self { met, warnings: source::warnings(&sources), sources, wanted, answers })
    }
}

/// Returns every setup with its rows, in their order.
fn measured(rows: &[Row]) -> Vec<Measured<'_>> {
    let groups = grouped(rows.iter().enumerate(), |(_, row)| Setup::of(row));
    let curve = |setup, rows: &[(usize, &Row)]| curve(setup, &rows.iter().map(|&(_, row)| row).collect::<Vec<_>>());
    groups.into_iter().map(|(setup, rows)| Measured { curve: curve(setup, &rows), rows }).collect()
}

/// Whether a setup is one to choose: all of a byte's bits or a network's layers may fail, and it has noise. One of rate 0
/// alone is there for what it tells of others, but where cells are faulty and no other stands for it.
fn is_candidate(one: &Measured<'_>, all: &[Measured<'_>]) -> bool {
    let setup = &one.curve.setup;
    let is_noisy = |one: &Measured<'_>| !one.curve.noisy().is_empty();
    let stands_for =
        |other: &&Measured<'_>| is_noisy(other) && other.curve.setup.without_noise() == setup.without_noise();
    let is_faulty = || !setup.faults().0.is_empty() && !all.iter().any(|other| stands_for(&other));
    !setup.is_part() && (is_noisy(one) || is_faulty())
}

#[cfg(test)]
mod tests;
