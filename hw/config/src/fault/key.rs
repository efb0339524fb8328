//! Where a stream of draws starts.

use super::Site;
use super::cell_hash::EPOCH_CLASSES;
use super::generator::live_seed;

/// Returns the seeding generator's start for one (run seed, site, layer, read group), Eqs. (8) and (9) of
/// `docs/fault-model.md`: two outputs of SplitMix64 from a state mixed of them. Each word is a [`live_seed`].
pub fn stream_key(seed: u64, site: Site, layer: u32, group: u32) -> [u32; 4] {
    words(state(seed, site as u64, layer, group)).map(live_seed)
}

/// Returns the key of what is fixed for a device: which cells are stuck or have a trap, and what each pulse does.
pub fn device_key(device_seed: u64) -> [u32; 4] {
    words(state(device_seed, DEVICE, 0, 0))
}

/// Returns the key of what traps do in a run.
pub fn telegraph_key(run_seed: u64) -> [u32; 4] {
    words(state(run_seed, TELEGRAPH, 0, 0))
}

/// Returns the draws, one for each class, of whether the traps of `layer` are drawn anew before the read `read`.
pub(super) fn refresh_draws(run_seed: u64, layer: u32, read: u32) -> [u32; EPOCH_CLASSES] {
    let state = state(run_seed, REFRESH, layer, read);
    std::array::from_fn(|class| (output(state, class as u64 + 1) >> 32) as u32)
}

/// Returns the constant of two cells of a word: an output of SplitMix64 from state 0.
pub(super) fn cell_constant(pair: u32) -> u64 {
    output(0, u64::from(pair) + 1)
}

/// What a state is for, beside the sites of read noise.
const REFRESH: u64 = 3;
const DEVICE: u64 = 4;
const TELEGRAPH: u64 = 5;

fn state(seed: u64, domain: u64, layer: u32, read: u32) -> u64 {
    mix(seed.wrapping_add(WEYL)) ^ (domain << 40 | u64::from(layer) << 32 | u64::from(read))
}

fn words(state: u64) -> [u32; 4] {
    let (first, second) = (output(state, 1), output(state, 2));
    [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32]
}

/// Output number `n` of SplitMix64, the first being 1.
const fn output(state: u64, n: u64) -> u64 {
    mix(state.wrapping_add(WEYL.wrapping_mul(n)))
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

    /// The published first outputs of SplitMix64 from seed 0.
    #[test]
    fn mix_gives_the_published_splitmix64_outputs() {
        assert_eq!(mix(WEYL), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(WEYL.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn every_site_layer_and_group_has_a_key_of_its_own() {
        let places = Site::ALL.into_iter().flat_map(|site| (0..40).map(move |layer| (site, layer)));
        let keys = places.flat_map(|(site, layer)| (0..50).map(move |group| stream_key(3, site, layer, group)));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
