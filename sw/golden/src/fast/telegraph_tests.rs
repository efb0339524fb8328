//! The law of telegraph noise: a trap is a Markov chain of two states in continuous time, which reads sample. Wrong laws are
//! refused by the same check.

use std::collections::HashSet;

use hafnia_config::Elaborated;
use hafnia_config::fault::cell_hash::{EPOCH_CLASSES, Purpose};
use hafnia_config::fault::{AtRisk, CellFaults, Kinds, Noise, Site, Telegraph, below};
use hafnia_config::presets;

use super::cells::SiteCells;
use crate::cells::{Reads, draw, hash, in_layer};
use crate::port::Stored;
use crate::read::Stream;

const LAYER: u32 = 3;
const READS: u32 = 4096;
const RUNS: u64 = 64;
const LAGS: usize = 32;

fn hardware() -> Elaborated {
    let mut config = presets::find("8x8").unwrap();
    config.injector.weights = Kinds::ALL;
    config.validate().unwrap()
}

fn noise(telegraph: Telegraph, device_seed: Option<u64>) -> Noise {
    let cells = CellFaults { telegraph, device_seed, ..CellFaults::default() };
    Noise { cells, ..hardware().noise(0.0, AtRisk::WEIGHTS).unwrap() }
}

fn telegraph(capture_reads: f64, emission_reads: f64) -> Telegraph {
    Telegraph { fraction: 0.25, capture_reads, emission_reads, probability: 1.0 }
}

/// A trapped cell of each class of words, as address and number in the word: traps of one class are drawn anew together, so
/// two of them would not be two samples.
fn one_trap_of_each_class(noise: &Noise) -> Vec<(u32, u32)> {
    let cells = SiteCells::new(&hardware(), Site::Weights, noise, 1).unwrap();
    let trap = |address| {
        let mut trapped = 0;
        cells.look(address, |_, faulty| trapped = faulty.trapped);
        (address, trapped.trailing_zeros())
    };
    (0..EPOCH_CLASSES as u32).map(trap).collect()
}

/// What traps of the model give, read after read, in many runs.
fn simulated(telegraph: Telegraph) -> Vec<Vec<bool>> {
    let noise = noise(telegraph, Some(9));
    let traps = one_trap_of_each_class(&noise);
    let mut chains = Vec::new();
    for seed in 0..RUNS {
        let mut cells = SiteCells::new(&hardware(), Site::Weights, &noise, seed).unwrap();
        let mut of_run = vec![Vec::new(); traps.len()];
        for group in 0..READS {
            let run = cells.run(Stream { seed, layer: LAYER, group });
            for (chain, &(address, cell)) in of_run.iter_mut().zip(&traps) {
                let charged = cells.charged(&run, address, 0, 1 << cell);
                chain.push(cells.misread(&run, address, 0, charged) != 0);
            }
        }
        chains.extend(of_run);
    }
    chains
}

fn within(what: &str, got: f64, want: f64, sigma: f64) -> Result<(), String> {
    let is = (got - want).abs() < 5.0 * sigma;
    if is { Ok(()) } else { Err(format!("{what}: {got:.4}, not {want:.4} within 5 of {sigma:.5}")) }
}

/// Checks chains, which do not depend on each other, against the law: share of the time that a charge is held, mean times of
/// both states, distribution of the times, autocorrelation.
fn check(chains: &[Vec<bool>], Telegraph { capture_reads, emission_reads, .. }: Telegraph) -> Result<(), String> {
    let share = emission_reads / (capture_reads + emission_reads);
    let rate = 1.0 / capture_reads + 1.0 / emission_reads;
    let n = chains.iter().map(Vec::len).sum::<usize>() as f64;
    let held = chains.iter().flatten().filter(|&&held| held).count() as f64 / n;
    let slow = (1.0 + (-rate).exp()) / (1.0 - (-rate).exp());
    within("share of charges", held, share, (share * (1.0 - share) * slow / n).sqrt())?;
    // A state is left between two reads with the same probability, however long it has lasted.
    let leaves = [share, 1.0 - share].map(|other| other * -(-rate).exp_m1());
    let mut measured = [0.0; 2];
    for state in [false, true] {
        let leave = leaves[usize::from(state)];
        // By reads for which the state has lasted: how often, and how often it ended there.
        let (mut lasted, mut ended) = (vec![0u32; READS as usize], vec![0u32; READS as usize]);
        for chain in chains {
            let mut age = 0;
            for pair in chain.windows(2) {
                if pair[0] == state {
                    lasted[age] += 1;
                    ended[age] += u32::from(pair[1] != state);
                    age += 1;
                }
                if pair[1] != state {
                    age = 0;
                }
            }
        }
        let (all, ends) = (f64::from(lasted.iter().sum::<u32>()), f64::from(ended.iter().sum::<u32>()));
        measured[usize::from(state)] = ends / all;
        within("probability to leave a state", ends / all, leave, (leave * (1.0 - leave) / all).sqrt())?;
        let ages = lasted.iter().zip(&ended).map(|(&lasted, &ended)| (f64::from(lasted), f64::from(ended)));
        let ages = ages.take_while(|(lasted, _)| lasted * leave > 25.0);
        let term = |(lasted, ended): (f64, f64)| (ended - lasted * leave).powi(2) / (lasted * leave * (1.0 - leave));
        let (chi_square, degrees) = ages.map(term).fold((0.0, 0.0), |(sum, count), term| (sum + term, count + 1.0));
        // Wilson and Hilferty: the cube root is nearly normal.
        let spread: f64 = 2.0 / (9.0 * degrees);
        let sigmas = ((chi_square / degrees).cbrt() - (1.0 - spread)) / spread.sqrt();
        if sigmas > 4.0 {
            return Err(format!("times in a state: chi-square {chi_square:.0} of {degrees} degrees"));
        }
    }
    // Mean times in continuous time, with what comes and goes between two reads.
    let total: f64 = measured.iter().sum();
    let times = [0, 1].map(|state| total / (measured[state] * -(-total).ln_1p()));
    for ((what, want), got) in [("capture", capture_reads), ("emission", emission_reads)].into_iter().zip(times) {
        if (got / want - 1.0).abs() > 0.02 {
            return Err(format!("mean time to {what}: {got:.2} reads, not {want:.2}"));
        }
    }
    for lag in 1..=LAGS {
        let centred = |held: bool| f64::from(u8::from(held)) - share;
        let product = |chain: &Vec<bool>| {
            let pairs = chain.iter().zip(&chain[lag..]).map(|(&one, &later)| centred(one) * centred(later));
            pairs.sum::<f64>() / ((chain.len() - lag) as f64 * share * (1.0 - share))
        };
        let of_chains: Vec<f64> = chains.iter().map(product).collect();
        let count = of_chains.len() as f64;
        let mean = of_chains.iter().sum::<f64>() / count;
        let variance = of_chains.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        within(&format!("autocorrelation at {lag}"), mean, (-rate * lag as f64).exp(), (variance / count).sqrt())?;
    }
    Ok(())
}

#[test]
fn times_in_both_states_share_and_autocorrelation_follow_the_law() {
    for (capture, emission) in [(30.0, 10.0), (4.0, 9.0), (0.8, 0.5)] {
        let telegraph = telegraph(capture, emission);
        check(&simulated(telegraph), telegraph).unwrap();
    }
}

/// A charge drawn anew for every read has the right share and no memory; one drawn anew every eighth read has the right mean
/// times, here, and another distribution of them; one that is never drawn anew stays; and other mean times are told apart.
#[test]
fn wrong_laws_are_refused() {
    let telegraph = telegraph(30.0, 10.0);
    let noise = noise(telegraph, Some(9));
    let captured = noise.cells.thresholds().captured;
    let traps = one_trap_of_each_class(&noise);
    let chains = |epoch: &dyn Fn(u32) -> u32| -> Vec<Vec<bool>> {
        let held = |seed: u64, (address, cell): (u32, u32), group: u32| {
            let key = hafnia_config::fault::telegraph_key(seed);
            let word = hash(key, Purpose::Charge, Site::Weights, address, in_layer(LAYER, epoch(group)));
            below(draw(word, cell), captured)
        };
        let of_run = |seed| traps.iter().map(move |&trap| (0..READS).map(|group| held(seed, trap, group)).collect());
        (0..RUNS).flat_map(of_run).collect()
    };
    let refused = |chains: &[Vec<bool>], why: &str| {
        let error = check(chains, telegraph).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused(&chains(&|group| group), "leave a state");
    refused(&chains(&|group| group / 8), "chi-square");
    assert!(check(&chains(&|_| 0), telegraph).is_err());
    refused(&simulated(Telegraph { capture_reads: 33.0, emission_reads: 11.0, ..telegraph }), "leave a state");
}

#[test]
fn only_cells_that_hold_0_are_read_wrong_and_with_the_probability_set() {
    let telegraph = Telegraph { probability: 0.3, fraction: 1.0, ..telegraph(1.0, 3.0) };
    let noise = noise(telegraph, None);
    let held = 0x00ff_aa55_0123_4567_u128;
    let lane = Stored { cells: held, in_use: u64::MAX.into() };
    let mut wrong = 0;
    for group in 0..8 {
        let reads = Reads::new(Site::Weights, Stream { seed: 5, layer: LAYER, group }, &noise).unwrap();
        for address in 0..2000 {
            let cells = reads.wrong(address, address, 0, lane);
            assert_eq!(cells & held, 0, "a cell that holds 1");
            wrong += cells.count_ones();
        }
    }
    let n = f64::from(16_000 * (64 - held.count_ones()));
    // Charges of one group and of the next are not independent: reads are, given them, so twice the deviation is ample.
    within("share of wrong reads", f64::from(wrong) / n, 0.75 * 0.3, 2.0 * (0.225 * 0.775 / n).sqrt()).unwrap();
}

#[test]
fn a_device_has_the_same_traps_in_every_run_and_another_has_others() {
    let traps = |device_seed, run_seed| -> HashSet<(u32, u32)> {
        let noise = noise(telegraph(30.0, 10.0), device_seed);
        let cells = SiteCells::new(&hardware(), Site::Weights, &noise, run_seed).unwrap();
        let mut found = HashSet::new();
        for address in 0..4000 {
            let all = |trapped: u128| (0..64).filter(move |cell| trapped >> cell & 1 == 1);
            cells.look(address, |_, faulty| found.extend(all(faulty.trapped).map(|cell| (address, cell))));
        }
        found
    };
    let [one, again, other] = [traps(Some(9), 1), traps(Some(9), 2), traps(Some(10), 1)];
    assert_eq!(one, again);
    assert_eq!(traps(None, 9), one, "the run seed names the device where nothing else does");
    let (n, both) = (256_000.0, one.intersection(&other).count() as f64);
    within("traps of a device", one.len() as f64 / n, 0.25, (0.25 * 0.75 / n).sqrt()).unwrap();
    within("traps of both devices", both / n, 0.0625, (0.0625 * 0.9375 / n).sqrt()).unwrap();
}
