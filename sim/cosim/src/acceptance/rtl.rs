//! The draws of the generated hardware: the injector's lanes, verilated, seeded through their chain.

use hafnia_config::Elaborated;
use hafnia_config::accel::seed_enables;
use hafnia_config::fault::{RateError, Rates, Site, Thresholds, stream_key};
use hafnia_gen::{NoiseBus, generate};
use hafnia_golden::generator::SeedGenerator;
use hafnia_golden::read::Stream;
use hafnia_verilate::{DEFAULT_WAIVERS, Design, Dut, Model, Port};

use super::golden::state;
use super::source::{Hit, Shape, Source};
use crate::CosimError;

/// Name of the module of a lane.
const LANE: &str = "injector_lane";

/// Returns the design of one lane of the injector of `hw`.
///
/// # Panics
/// If `hw` leaves the injector out.
pub fn lane_design(hw: &Elaborated) -> Design {
    let generated = generate(hw);
    let lane = generated.modules.iter().find(|module| module.name == LANE).expect("the hardware has an injector");
    let port = |port: &hafnia_config::manifest::Port| Port {
        name: port.name.clone(),
        input: port.input,
        width_bits: port.width_bits,
    };
    Design {
        top: LANE.to_owned(),
        ports: lane.ports.iter().map(port).collect(),
        verilog: generated.verilog,
        waivers: DEFAULT_WAIVERS.map(str::to_owned).to_vec(),
    }
}

/// The lanes of the hardware, chained as in the accelerator.
pub struct RtlDraws<'a> {
    model: &'a Model,
    shape: Shape,
    rate: f64,
    thresholds: Thresholds,
    /// Bits of `live_i`: weights of a codeword.
    weights: u32,
    /// What every cell holds.
    stored: bool,
}

impl<'a> RtlDraws<'a> {
    /// Returns the draws of this hardware's weight lanes at these rates, all cells holding `stored`; `model` is built from its
    /// [`lane_design`].
    ///
    /// # Errors
    /// If the rates cannot be had.
    pub fn new(model: &'a Model, hw: &Elaborated, rates: impl Into<Rates>, stored: bool) -> Result<Self, RateError> {
        let (rates, cells) = (rates.into(), hw.codeword_bits);
        let shape = Shape { lanes: hw.lanes as usize, cells: cells as usize };
        let rate = if stored { rates.p10 } else { rates.p01 };
        Ok(Self { model, shape, rate, thresholds: Thresholds::new(rates, cells)?, weights: hw.lane_weights, stored })
    }

    /// Returns the lanes, seeded for a stream.
    fn lanes(&self, stream: Stream) -> Result<Vec<Dut>, CosimError> {
        let mut lanes = (0..self.shape.lanes).map(|_| self.lane()).collect::<Result<Vec<_>, _>>()?;
        let mut source = SeedGenerator::new(stream_key(stream.seed, Site::Weights, stream.layer, stream.group));
        for _ in 0..3 * self.shape.cells_of_all_lanes() {
            shift(&mut lanes, source.word())?;
        }
        Ok(lanes)
    }

    /// Returns a lane in which every cell is at risk and live.
    fn lane(&self) -> Result<Dut, CosimError> {
        let mut lane = self.model.dut()?;
        let cells = self.shape.cells;
        lane.poke("noise_i", &NoiseBus::new(cells as u32).value(&self.thresholds))?;
        lane.poke("bits_i", &[0xff])?;
        let code = |word: usize| u32::MAX >> (32 - (cells - 32 * word).min(32));
        let code: Vec<u32> = (0..cells.div_ceil(32)).map(|word| if self.stored { code(word) } else { 0 }).collect();
        lane.poke("code_i", &code)?;
        lane.poke("live_i", &[u32::MAX >> (32 - self.weights)])?;
        lane.poke("enable_i", &[1])?;
        lane.poke("seed_i", &[u32::MAX >> (32 - seed_enables(cells as u32))])?;
        Ok(lane)
    }
}

/// Shifts a word into the chain, which goes through all lanes, and returns the one that leaves it.
fn shift(lanes: &mut [Dut], word: u32) -> Result<u32, CosimError> {
    let mut word = word;
    for lane in lanes {
        let next = lane.peek("seed_word_o")?[0];
        lane.poke("seed_word_i", &[word])?;
        lane.step(1)?;
        word = next;
    }
    Ok(word)
}

/// Reads `words` codewords of a lane, one in each cycle.
fn read(mut lane: Dut, words: u32, stored: u128) -> Result<Vec<Hit>, CosimError> {
    lane.poke("seed_i", &[0])?;
    lane.step(2)?;
    lane.poke("valid_i", &[1])?;
    lane.step(u64::from(hafnia_config::fault::INJECTOR_LATENCY) - 1)?;
    let mut hits = Vec::new();
    for word in 0..words {
        lane.step(1)?;
        let code = lane.peek("code_o")?;
        let mask = stored ^ code.iter().rev().fold(0, |code, &word| code << 32 | u128::from(word));
        if mask != 0 {
            hits.push(Hit { word, mask });
        }
    }
    Ok(hits)
}

impl Source for RtlDraws<'_> {
    fn name(&self) -> &'static str {
        "rtl"
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn rate(&self) -> f64 {
        self.rate
    }

    fn read(&self, stream: Stream, words: u32) -> Result<Vec<Vec<Hit>>, CosimError> {
        let stored = if self.stored { u128::MAX >> (128 - self.shape.cells) } else { 0 };
        self.lanes(stream)?.into_iter().map(|lane| read(lane, words, stored)).collect()
    }

    fn starts(&self, stream: Stream) -> Result<Vec<u128>, CosimError> {
        let mut lanes = self.lanes(stream)?;
        let registers = 3 * self.shape.cells_of_all_lanes();
        // The last register leaves the chain first.
        let mut chain = (0..registers).map(|_| shift(&mut lanes, 0)).collect::<Result<Vec<_>, _>>()?;
        chain.reverse();
        Ok(chain.chunks_exact(3).map(|z| state([z[0], z[1], z[2]])).collect())
    }
}
