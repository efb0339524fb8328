//! When the traps of telegraph noise are drawn anew, Eq. (17) of `docs/fault-model.md`: computed by the host, like the keys.
//!
//! A trap that switches with rates `1 / capture` and `1 / emission` is one that is drawn anew, from what it is in the long
//! run, with the sum of both rates: the law is the same at any times.

use std::collections::HashMap;

use super::cell_hash::EPOCH_CLASSES;
use super::cells::below;
use super::key::refresh_draws;

/// The reads at which traps were drawn anew last, for each layer and class; what was found is kept for later reads.
#[derive(Clone, Debug)]
pub struct Epochs {
    seed: u64,
    refresh: u32,
    last: HashMap<u32, (u32, [u16; EPOCH_CLASSES])>,
}

impl Epochs {
    /// Returns the times of a run; `refresh` is the threshold of that name.
    pub fn new(run_seed: u64, refresh: u32) -> Self {
        Self { seed: run_seed, refresh, last: HashMap::new() }
    }

    /// Returns, for each class, the last read group up to `group` before which its traps in `layer` were drawn anew; 0 where
    /// none was, which stands for the start.
    pub fn of(&mut self, layer: u32, group: u16) -> [u16; EPOCH_CLASSES] {
        let (seed, refresh) = (self.seed, self.refresh);
        let (until, epochs) = self.last.entry(layer).or_insert((0, [0; EPOCH_CLASSES]));
        if *until > group.into() {
            (*until, *epochs) = (0, [0; EPOCH_CLASSES]);
        }
        for read in *until + 1..=group.into() {
            let draws = refresh_draws(seed, layer, read);
            let anew = epochs.iter_mut().zip(draws).filter(|(_, u)| below(*u, refresh));
            anew.for_each(|(epoch, _)| *epoch = read as u16);
        }
        *until = group.into();
        *epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{CellFaults, Telegraph};

    #[test]
    fn epochs_do_not_depend_on_what_was_asked_before() {
        let telegraph = Telegraph { capture_reads: 20.0, emission_reads: 5.0, ..Telegraph::default() };
        let refresh = CellFaults { telegraph, ..CellFaults::default() }.thresholds().refresh;
        let mut forward = Epochs::new(3, refresh);
        let all: Vec<_> = (0..200).map(|group| forward.of(2, group)).collect();
        let mut backward = Epochs::new(3, refresh);
        assert!((0..200).rev().all(|group| backward.of(2, group) == all[group as usize]));
        assert_ne!(forward.of(1, 199), all[199]);
        assert_eq!(all[0], [0; EPOCH_CLASSES]);
        // One in 1 - exp(-1/20 - 1/5) = 0.221 reads, 16 classes: 708 of 3184, 24 the standard deviation.
        let anew = |pair: &[[u16; EPOCH_CLASSES]]| pair[0].iter().zip(pair[1]).filter(|(a, b)| **a != *b).count();
        let count: usize = all.windows(2).map(anew).sum();
        assert!((590..830).contains(&count), "{count}");
        assert_eq!(Epochs::new(3, u32::MAX).of(0, 65_535), [65_535; EPOCH_CLASSES]);
    }
}
