//! Why a setup does not meet what is wanted.

use std::fmt;

use hafnia_config::device;
use hafnia_config::protect::bare_name;
use serde::Serialize;

use super::{Evidence, Limit, Wanted};
use crate::curve::Curve;
use crate::format::{percent, rate};
use crate::setup::Setup;
use crate::{Cost, Price};

/// Rounding of sums of doubles, in points: a loss of just the target counts.
const ROUNDING: f64 = 1e-9;

/// One reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// No rate from the one asked for up was swept.
    NotMeasured {
        /// The rate asked for.
        ber: f64,
        /// The highest that was swept.
        highest: f64,
    },
    /// One seed has no interval.
    OneSeed {
        /// The rate of the row.
        ber: f64,
        /// Its top-1.
        top1: f64,
    },
    /// More is lost.
    Loss {
        /// The rate of the rows.
        ber: f64,
        /// The rate asked for.
        asked: f64,
        /// Mean top-1.
        mean: f64,
        /// The lower end of its interval.
        low: f64,
        /// Points lost down to there.
        loss: f64,
    },
    /// More is paid.
    OverBudget {
        /// Of what.
        cost: Cost,
        /// How much.
        value: f64,
        /// The most that may be.
        at_most: f64,
    },
    /// What a budget is on is not known.
    Unknown {
        /// Of what.
        cost: Cost,
        /// Why, and what to do.
        why: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMeasured { ber, highest } => write!(
                f,
                "not measured at this rate: the highest swept is {}; sweep {} or a rate above to another folder, and name both",
                rate(*highest),
                rate(*ber)
            ),
            Self::OneSeed { ber, top1 } => write!(
                f,
                "one seed has no interval (top-1 {} at rate {}); sweep more seeds of it to another folder, and name both",
                percent(*top1),
                rate(*ber)
            ),
            Self::Loss { ber, asked, mean, low, loss } => {
                let (mean, low) = (percent(*mean), percent(*low));
                write!(f, "may lose {loss:.3} points at rate {}: top-1 {mean}, at least {low}", rate(*ber))?;
                let above = (ber > asked).then(|| rate(*asked));
                above.iter().try_for_each(|asked| write!(f, "; a sweep at {asked} itself may tell of less"))
            }
            Self::OverBudget { cost, value, at_most } => {
                write!(f, "over budget, {}: {}, at most {}", cost.told(), cost.shown(*value), cost.shown(*at_most))
            }
            Self::Unknown { cost, why } => write!(f, "unknown, {}: {why}", cost.told()),
        }
    }
}

/// Returns every reason that a setup has.
pub(super) fn reasons(curve: &Curve, evidence: Option<&Evidence>, price: &Price, wanted: &Wanted) -> Vec<Reason> {
    let limits = wanted.limits.iter().filter_map(|limit| budget(limit, &curve.setup, price));
    accuracy(curve, evidence, wanted).into_iter().chain(limits).collect()
}

fn accuracy(curve: &Curve, evidence: Option<&Evidence>, wanted: &Wanted) -> Option<Reason> {
    let highest = curve.points.last().expect("a setup has a row").ber;
    let Some(&Evidence { ber, mean, low, loss, .. }) = evidence else {
        return Some(Reason::NotMeasured { ber: wanted.ber, highest });
    };
    match low.zip(loss) {
        None => Some(Reason::OneSeed { ber, top1: mean }),
        Some((low, loss)) => {
            let reason = Reason::Loss { ber, asked: wanted.ber, mean, low, loss };
            (loss > wanted.loss + ROUNDING).then_some(reason)
        }
    }
}

fn budget(limit: &Limit, setup: &Setup, price: &Price) -> Option<Reason> {
    let (cost, at_most) = (limit.cost.clone(), limit.at_most);
    match cost.of(price) {
        Some(value) if value > at_most => Some(Reason::OverBudget { cost, value, at_most }),
        Some(_) => None,
        None => Some(Reason::Unknown { why: unknown(&cost, setup), cost }),
    }
}

/// Why a cost is not known, and what to do.
fn unknown(cost: &Cost, setup: &Setup) -> String {
    let Setup { preset, protection, .. } = setup;
    match cost {
        Cost::Energy(name) => {
            device::read_energy(name).expect_err("a price has what the device asked for publishes").to_string()
        }
        Cost::Cycles | Cost::Overhead => format!("{protection} is no code of this version"),
        Cost::Lut4 | Cost::Ff | Cost::Dp16kd if setup.hardware().is_some() => format!(
            "the array is not recorded; `hafnia price --preset {} --protect {protection} --measure --record FILE` measures it, \
             and `--record FILE` takes it from there",
            bare_name(preset, protection)
        ),
        Cost::Lut4 | Cost::Ff | Cost::Dp16kd => format!(
            "`{preset}` of these rows has another configuration than any preset of this version; sweep a preset of today, or \
             see the cells of an array of your own with `hafnia price --config FILE --measure`"
        ),
    }
}
