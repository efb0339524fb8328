//! What is run: hardware, network, schedule, noise and seed.

use hafnia_config::Elaborated;
use hafnia_config::fault::Noise;
use hafnia_config::schedule::Schedule;
use hafnia_golden::network::Network;

/// One point of an experiment. Engine, images and number of jobs do not belong to it: they change no result.
pub struct Plan<'a> {
    /// The configuration.
    pub hw: &'a Elaborated,
    /// The network.
    pub network: &'a Network,
    /// Its schedule on the configuration.
    pub schedule: &'a Schedule,
    /// The noise.
    pub noise: Noise,
    /// The run seed.
    pub seed: u64,
}
