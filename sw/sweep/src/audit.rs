//! The audit: some batches of each point are run again on the simulated hardware beside the golden model, every layer, flip
//! and counter compared, and must give what the row was made of.

use std::ops::Range;

use hafnia_config::fault::{Site, stream_key};
use hafnia_cosim::{BatchReport, CosimError, Engine, Hardware, Ifmaps, Plan, run_batches};

/// A batch on which two engines differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Numbers of the images of the batch.
    pub images: Range<u32>,
    /// What differs.
    pub what: String,
}

/// Chooses the batches of point `number` of a plan to audit, such that `share` of all batches of the points so far is
/// reached. Which ones depends on the number alone: spread evenly from a place that the number scatters.
pub fn choose(number: usize, share: f64, batches: &[Range<u32>]) -> Vec<Range<u32>> {
    let due = |points: usize| (points as f64 * share * batches.len() as f64).ceil() as usize;
    let count = due(number + 1) - due(number);
    let start = stream_key(0, Site::Weights, number as u32, 0)[0] as usize;
    let mut chosen: Vec<_> = (0..count).map(|i| (start + i * batches.len() / count) % batches.len()).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|i| batches[i].clone()).collect()
}

/// Runs `batches` on `hardware` and the golden model and compares the two, and both with `found`, the reports of the same
/// batches. Returns the number of images audited, or the first difference.
///
/// # Errors
/// If the hardware cannot be run.
pub fn audit(
    plan: &Plan<'_>,
    hardware: &Hardware,
    ifmaps: Ifmaps<'_>,
    batches: &[Range<u32>],
    found: &[BatchReport],
    jobs: usize,
) -> Result<Result<u64, Divergence>, CosimError> {
    let (mut images, mut divergence) = (0, None);
    let mut found = found.iter();
    run_batches(plan, Engine::Both(hardware.into()), ifmaps, batches, jobs, &mut |batch| {
        let row = found.next().expect("a report for each batch");
        let what = match &batch.difference {
            Some(found) => Some(found.difference.to_string()),
            None if row.logits != batch.logits => {
                Some("the row was made of other logits than both engines give".into())
            }
            None if row.counters != batch.counters => {
                Some("the row was made of other counters than both engines give".into())
            }
            None if row.scrubbed != batch.scrubbed => {
                Some("the row was made of other counts of scrubbing than both engines give".into())
            }
            None => None,
        };
        images += u64::from(batch.images);
        divergence = what.map(|what| Divergence { images: batch.first..batch.first + batch.images, what });
        divergence.is_none()
    })?;
    Ok(divergence.map_or(Ok(images), Err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_reached_and_no_batch_chosen_twice() {
        let batches: Vec<_> = (0..25).map(|i| 8 * i..8 * (i + 1)).collect();
        for (share, points) in [(0.002, 221), (0.1, 7), (0.5, 3), (1.0, 2)] {
            let mut count = 0;
            for point in 0..points {
                let chosen = choose(point, share, &batches);
                assert!(chosen.windows(2).all(|pair| pair[0].start < pair[1].start), "{chosen:?}");
                assert_eq!(chosen, choose(point, share, &batches));
                count += chosen.len();
            }
            assert_eq!(count, (share * 25.0 * points as f64).ceil() as usize, "share {share}");
        }
        assert!((0..9).all(|point| choose(point, 0.0, &batches).is_empty()));
        assert_eq!(choose(0, 1e-6, &batches).len(), 1, "the first point is never left out");
    }
}
