//! The draws of the read noise, judged by `hafnia_cosim::acceptance`, and what the suite says of draws that are bad.

use crate::common::{builder, config, preset};
use hafnia_config::Elaborated;
use hafnia_config::fault::Rates;
use hafnia_cosim::CosimError;
use hafnia_cosim::acceptance::{
    Check, GoldenDraws, Hit, RtlDraws, Shape, SingleStep, Source, Suite, Verdict, lane_design,
};
use hafnia_golden::read::Stream;
use hafnia_verilate::{Model, Unknowns, Variant};

const RATES: [f64; 7] = [0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
/// Of all tests together.
const SETTINGS: usize = 32;
const DRAWS: u64 = 100_000_000;

/// Two lanes of 64 cells.
fn hw() -> Elaborated {
    preset("16x16")
}

fn golden(rate: f64) -> GoldenDraws {
    GoldenDraws::new(&hw(), rate, false).expect("a rate")
}

fn judge(suite: Suite, source: &dyn Source) -> Verdict {
    suite.judge(source).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_passes(verdict: &Verdict) {
    assert!(verdict.draws >= DRAWS);
    let failed: Vec<&Check> = verdict.checks.iter().filter(|check| !check.passed()).collect();
    assert!(failed.is_empty(), "{} at {:e}: {failed:#?}", verdict.source, verdict.rate);
}

fn lane(hw: &Elaborated) -> Model {
    // Registers start at random values: no draw comes from one that seeding does not reach.
    let variant = Variant { unknowns: Unknowns::Randomise { seed: 1 }, ..Variant::default() };
    builder().build(&lane_design(hw), variant).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn golden_draws_are_independent_and_of_their_rate() {
    for rate in RATES {
        let verdict = judge(Suite::of_software(1, SETTINGS, DRAWS), &golden(rate));
        assert_passes(&verdict);
        let starts = verdict.checks.last().expect("there are checks");
        assert!(verdict.flips > 9000 && starts.looked_at > 1_000_000, "{rate:e}");
    }
}

#[test]
fn rtl_draws_are_independent_and_of_their_rate() {
    let hw = hw();
    let model = lane(&hw);
    for rate in RATES {
        let source = RtlDraws::new(&model, &hw, rate, false).expect("a rate");
        assert_passes(&judge(Suite::of_hardware(1, SETTINGS, DRAWS), &source));
    }
}

/// Smaller trees and more lanes: 16 of 8 cells, and 4 of 32.
#[test]
fn draws_of_other_codewords_are_independent_too() {
    for (cols, lane_weights) in [(16, 1), (16, 4)] {
        let hw = config(4, cols, lane_weights).validate().expect("the configuration is legal");
        for rate in [0.3, 1e-2, 1e-4] {
            let source = GoldenDraws::new(&hw, rate, false).expect("a rate");
            assert_passes(&judge(Suite::of_software(1, SETTINGS, DRAWS), &source));
        }
    }
}

/// Cells of the direction with the lower rate: candidates that are thinned.
#[test]
fn thinned_draws_are_independent_and_of_their_rate() {
    let hw = hw();
    let model = lane(&hw);
    for (p01, p10, stored) in [(0.5, 0.2, true), (0.03, 0.1, false), (1e-2, 2e-4, true)] {
        let rates = Rates { p01, p10 };
        let golden = GoldenDraws::new(&hw, rates, stored).expect("rates");
        assert_passes(&judge(Suite::of_software(1, SETTINGS, DRAWS), &golden));
        let rtl = RtlDraws::new(&model, &hw, rates, stored).expect("rates");
        assert_passes(&judge(Suite::of_hardware(1, SETTINGS, DRAWS), &rtl));
    }
}

/// Streams are judged side by side, and gaps chained from one to the next.
#[test]
fn threads_do_not_change_the_verdict() {
    let verdict = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        pool.install(|| judge(Suite::of_software(5, SETTINGS, DRAWS), &golden(1e-3)))
    };
    assert_eq!(verdict(1), verdict(3));
}

/// Both are chained and seeded alike, so what is judged is what the accelerator draws.
#[test]
fn rtl_lanes_and_golden_lanes_draw_the_same() {
    let hw = hw();
    let model = lane(&hw);
    let stream = Stream { seed: 3, layer: 2, group: 7 };
    for rate in [0.1, 1e-3] {
        let (rtl, golden) = (RtlDraws::new(&model, &hw, rate, false).expect("a rate"), golden(rate));
        let read = |source: &dyn Source| source.read(stream, 500).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read(&rtl), read(&golden), "p {rate}");
        let starts = |source: &dyn Source| source.starts(stream).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(starts(&rtl), starts(&golden));
    }
}

/// P(hit | hit) is 1/2 at every rate. At a rate of 1/2 that is right, and a single bit of an LFSR is a good one.
#[test]
fn an_lfsr_of_one_step_a_draw_fails() {
    for rate in [0.1, 1e-2, 1e-4] {
        let source = SingleStep { shape: golden(rate).shape(), rate };
        let failed = judge(Suite::of_software(1, SETTINGS, DRAWS / 10), &source).failed();
        assert!(failed.contains(&"lags") && failed.contains(&"gaps"), "p {rate}: {failed:?}");
    }
}

/// The golden model's draws with a fault.
struct Faulty {
    golden: GoldenDraws,
    /// From which stream a stream is drawn.
    stream: fn(Stream) -> Stream,
    /// What becomes of the masks of a lane; the masks of lane 0 come with them.
    masks: fn(usize, &mut [u128], &[u128]),
}

impl Source for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn shape(&self) -> Shape {
        self.golden.shape()
    }

    fn rate(&self) -> f64 {
        self.golden.rate()
    }

    fn read(&self, stream: Stream, words: u32) -> Result<Vec<Vec<Hit>>, CosimError> {
        let mut lanes: Vec<Vec<u128>> = Vec::new();
        for hits in self.golden.read((self.stream)(stream), words)? {
            let mut masks = vec![0; words as usize];
            hits.iter().for_each(|hit| masks[hit.word as usize] = hit.mask);
            let first = lanes.first().cloned().unwrap_or_default();
            (self.masks)(lanes.len(), &mut masks, &first);
            lanes.push(masks);
        }
        let hits = |masks: Vec<u128>| (0..).zip(masks).map(|(word, mask)| Hit { word, mask }).filter(|h| h.mask != 0);
        Ok(lanes.into_iter().map(|masks| hits(masks).collect()).collect())
    }

    fn starts(&self, stream: Stream) -> Result<Vec<u128>, CosimError> {
        self.golden.starts((self.stream)(stream))
    }
}

/// An eighth of the words are those `length` before them, with every flip `by` cells higher.
fn repeat(masks: &mut [u128], length: usize, by: u32) {
    for part in masks.chunks_exact_mut(8 * length) {
        let (first, rest) = part.split_at_mut(length);
        rest.iter_mut().zip(first).for_each(|(mask, first)| *mask = (*first as u64).rotate_left(by).into());
    }
}

/// Negative controls of each statistic: it finds its fault, and no other finds it first.
#[test]
fn every_statistic_finds_what_it_is_for() {
    type Stated = (&'static str, &'static [&'static str], fn(Stream) -> Stream, fn(usize, &mut [u128], &[u128]));
    let faults: [Stated; 9] = [
        ("none", &[], |s| s, |_, _, _| ()),
        (
            "a cell that a tenth of its reads cannot flip",
            &["hits"],
            |s| s,
            |lane, masks, _| {
                masks.iter_mut().skip(3).step_by(10).filter(|_| lane == 1).for_each(|mask| *mask &= !(1 << 7));
            },
        ),
        ("draws come again after 100 words", &["gaps"], |s| s, |_, masks, _| repeat(masks, 100, 0)),
        ("draws come again after 64 words, in the next cells", &["lags"], |s| s, |_, masks, _| repeat(masks, 64, 1)),
        (
            "a cell follows its neighbour in one word of four",
            &["cells"],
            |s| s,
            |_, masks, _| {
                masks.iter_mut().step_by(4).for_each(|mask| *mask = *mask & !2 | (*mask & 1) << 1);
            },
        ),
        (
            "a lane follows the first in one word of eight",
            &["lanes"],
            |s| s,
            |_, masks, first| {
                masks.iter_mut().zip(first).step_by(8).for_each(|(mask, first)| *mask = *first);
            },
        ),
        (
            "layers 0 and 1 share streams",
            &["neighbours", "starts"],
            |s| Stream { layer: s.layer & !u32::from(s.layer == 1), ..s },
            |_, _, _| (),
        ),
        (
            "groups 0 and 1 share streams",
            &["neighbours", "starts"],
            |s| Stream { group: s.group & !u32::from(s.group == 1), ..s },
            |_, _, _| (),
        ),
        (
            "seeds share the streams of layer 0",
            &["neighbours", "starts"],
            |s| if s.layer == 0 { Stream { seed: 1, ..s } } else { s },
            |_, _, _| (),
        ),
    ];
    for (name, finders, stream, masks) in faults {
        let source = Faulty { golden: golden(1e-2), stream, masks };
        let verdict = judge(Suite::of_software(1, SETTINGS, DRAWS), &source);
        assert_eq!(verdict.failed(), finders, "{name}: {:#?}", verdict.checks);
    }
}
