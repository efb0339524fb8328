//! The read port of a memory: faults of cells, read noise and the record of flips, at every site.

use std::collections::VecDeque;

use crate::common::golden::GoldenPort;
use crate::common::noise::cells;
use crate::common::records::Records;
use crate::common::{Bench, array, injecting, rng, with_nodes_of_three_cells};
use hafnia_config::Elaborated;
use hafnia_config::accel::InjectorConfig;
use hafnia_config::fault::{AtRisk, CellFaults, Epochs, Kind, Kinds, Noise, Rates, Site, Telegraph, stream_key};
use hafnia_golden::injector::Tree;
use hafnia_golden::read::Stream;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

fn reset(bench: &mut Bench) {
    bench.set("rst_i", 1);
    for _ in 0..10 {
        assert_eq!(bench.get("record_valid_o"), 0, "nothing is a flip during reset");
        bench.step();
    }
    bench.set("rst_i", 0);
}

/// A port under test.
struct Port<'a> {
    bench: Bench,
    hw: &'a Elaborated,
    site: Site,
    /// Bytes of data in a word.
    bytes: usize,
    rng: ChaCha8Rng,
}

impl<'a> Port<'a> {
    fn new(hw: &'a Elaborated, site: Site) -> Self {
        let bytes = match site {
            Site::Weights => hw.cols,
            Site::Biases => 4,
            Site::Activations => hw.rows,
        };
        let mut bench = Bench::new(hw, &format!("read_port_{site}"));
        reset(&mut bench);
        Self { bench, hw, site, bytes: bytes as usize, rng: rng(u64::from(hw.rows)) }
    }

    /// Drives what stays as it is for the run of a layer.
    fn set_up(&mut self, noise: &Noise, stream: Stream) {
        let (bench, Stream { seed, layer, group }) = (&mut self.bench, stream);
        let at_risk = noise.at_risk;
        let bits = at_risk.bits[self.site as usize];
        bench.set_noise(noise.of(self.site), bits);
        bench.set("enable_i", u64::from(noise.bits_in(self.site, layer) != 0));
        bench.set("at_risk_i", at_risk.has_layer(layer).into());
        bench.set_words("cells_i", &cells(self.hw, noise, seed));
        bench.set("layer_i", layer.into());
        bench.set("group_i", group.into());
        let epochs = Epochs::new(seed, noise.cells.thresholds().refresh).of(layer, group as u16);
        bench.set_bytes("epochs_i", &epochs.map(u16::to_le_bytes).concat());
        bench.set("issue_i", 0);
        bench.seed(self.hw.seed_words(self.site), stream_key(seed, self.site, layer, group));
        bench.set("clear_i", 1);
        bench.step();
        bench.set("clear_i", 0);
    }

    /// Runs a descriptor of random words at random places: most cycles read one, the others are gaps, for which nothing is
    /// drawn or counted. The bytes in use change as they do from one fold to the next.
    fn run(&mut self, noise: &Noise, stream: Stream) -> u64 {
        let tree = Tree::new(noise.of(self.site));
        let mut golden = GoldenPort::new(self.hw, self.site, stream, noise, &tree);
        self.set_up(noise, stream);
        let bytes = self.bytes;
        let mut records = Records::new(&mut self.bench, self.site, stream);
        let (mut leaving, mut arriving) = (VecDeque::new(), VecDeque::new());
        let mut in_use = bytes;
        let before = self.hw.memory_latency(self.site);
        let latency = before + self.hw.injector_latency;
        for cycle in 0..1000 + latency + 4 {
            let issue = cycle < 1000 && self.rng.random_bool(0.8);
            if self.rng.random_bool(0.02) {
                in_use = self.rng.random_range(1..=bytes);
            }
            let word: Vec<u8> = (0..bytes).map(|_| self.rng.random()).collect();
            // Few places, so that many are read again.
            let address = self.rng.random_range(0..100);
            self.bench.set("issue_i", issue.into());
            self.bench.set("address_i", address.into());
            self.bench.set("live_i", (1 << in_use) - 1);
            arriving.push_back(if issue { golden.read(address, &word, in_use) } else { word.clone() });
            leaving.push_back(word);
            if leaving.len() as u32 > before {
                let word = leaving.pop_front().expect("it is not empty");
                self.bench.set_bytes("code_i", &self.padded(&word));
            }
            self.bench.step();
            if arriving.len() as u32 == latency {
                let want = arriving.pop_front().expect("it is not empty");
                assert_eq!(self.bench.get_bytes("code_o", bytes), want, "{stream:?}, cycle {cycle}");
            }
            records.look(&mut self.bench, &golden.stored);
        }
        records.assert_equal(&mut self.bench, &golden.flips);
        golden.flips.len() as u64
    }

    /// A word filled up to whole codewords.
    fn padded(&self, word: &[u8]) -> Vec<u8> {
        let port = self.hw.port(self.site);
        let mut word = word.to_vec();
        word.resize((port.lanes * port.lane_bytes) as usize, 0);
        word
    }
}

/// The configuration with these kinds of fault at one site.
fn with(hw: &Elaborated, site: Site, kinds: &[Kind]) -> Elaborated {
    let mut config = hw.config.clone();
    let kinds: Kinds = kinds.to_vec().into();
    let [weights, biases, activations] = Site::ALL.map(|other| if other == site { kinds } else { Kinds::NONE });
    config.injector = InjectorConfig { weights, biases, activations };
    config.validate().expect("the configuration is legal")
}

/// Every bit of a byte at risk and some, directions alike and apart; with several lanes, one, and one of other codewords.
#[test]
fn noise_flips_words_as_the_golden_model_flips_them_and_gaps_never() {
    let array = array(3, 5, 2);
    let ports = Site::ALL.map(|site| (injecting(&array, &[site]), site));
    // A word of two codewords.
    let more = [(injecting(&self::array(9, 5, 8), &[Site::Activations]), Site::Activations)];
    let odd = (with_nodes_of_three_cells(), Site::Activations);
    for (hw, site) in ports.into_iter().chain(more).chain([odd]) {
        let mut port = Port::new(&hw, site);
        let rates = [0.0, 1e-3, 0.1, 1.0].map(Rates::from).into_iter();
        let rates = rates.chain([(0.2, 0.01), (0.05, 0.5), (1.0, 0.0)].map(|(p01, p10)| Rates { p01, p10 }));
        for (group, rates) in (0..).zip(rates) {
            // Layer 1 is spared.
            for (bits, layer) in [(0xff, 0), (0x81, 2), (0xff, 1)] {
                let mut at_risk = AtRisk { bits: [0; 3], layers: !0b10, checks: true };
                at_risk.bits[site as usize] = bits;
                let noise = hw.noise(rates, at_risk).expect("the site has an injector");
                let flips = port.run(&noise, Stream { seed: 4, layer, group });
                assert_eq!(flips > 0, noise.enable && layer != 1, "{site}, {rates:?}, layer {layer}");
            }
        }
    }
}

/// Kinds alone and together, with some rates of read noise where it is there, and faults that are there but off.
#[test]
fn faults_of_cells_are_those_of_the_golden_model() {
    let telegraph = Telegraph { fraction: 0.3, capture_reads: 8.0, emission_reads: 5.0, probability: 0.7 };
    let stuck = CellFaults { device_seed: Some(5), stuck: [0.1, 0.05], ..CellFaults::default() };
    let traps = CellFaults { telegraph, ..CellFaults::default() };
    let both = CellFaults { telegraph, ..stuck };
    let always = CellFaults { stuck: [0.0, 1.0], ..CellFaults::default() };
    let charged = Telegraph { fraction: 1.0, emission_reads: 1e9, probability: 1.0, ..telegraph };
    let all_charged = CellFaults { telegraph: charged, ..CellFaults::default() };
    let none = CellFaults::default();
    let all = &[Kind::Read, Kind::Stuck, Kind::Telegraph][..];
    let settings = [
        (Site::Weights, all, vec![both, stuck, traps, none], vec![0.0, 0.05, 1.0]),
        (Site::Activations, all, vec![both, always, all_charged], vec![0.0, 0.05]),
        (Site::Biases, all, vec![both, always, all_charged], vec![0.0, 0.05]),
        (Site::Biases, &[Kind::Stuck], vec![stuck, always, none], vec![0.0]),
        (Site::Biases, &[Kind::Telegraph], vec![traps, all_charged, none], vec![0.0]),
    ];
    for (site, kinds, faults, rates) in settings {
        let hw = with(&array(3, 5, 2), site, kinds);
        let mut port = Port::new(&hw, site);
        for (cells, &p) in faults.iter().flat_map(|cells| rates.iter().map(move |p| (cells, p))) {
            // Layer 1 is spared.
            for (bits, layer, group) in [(0xff, 0, 0), (0x81, 33, 700), (0xff, 1, 3)] {
                let mut at_risk = AtRisk { bits: [0; 3], layers: !0b10, checks: true };
                at_risk.bits[site as usize] = bits;
                let rates = Rates { p01: p, p10: p / 2.0 };
                let noise = Noise { cells: *cells, ..hw.noise(rates, at_risk).expect("a probability") };
                let flips = port.run(&noise, Stream { seed: 4, layer, group });
                let expected = layer != 1 && (noise.enable || cells.kinds().next().is_some());
                assert_eq!(flips > 0, expected, "{site}, {cells:?}, {p}, layer {layer}");
            }
        }
    }
}
