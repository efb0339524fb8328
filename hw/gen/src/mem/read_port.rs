//! The read port of a memory: what comes out of it passes through faults of cells and read noise, and what they change is
//! recorded. The same for every site; a kind of fault that the configuration leaves out is not there. A directed flip is one of
//! the faults of cells.
//!
//! A word is asked for with `issue_i` and leaves the memory `memory_latency` cycles later; `injector_latency` cycles after that it is at
//! `code_o`. Words are counted from `clear_i` on.

use hafnia_config::Elaborated;
use hafnia_config::accel::{CODE_MEMORY_LATENCY, MAP_MEMORY_LATENCY, MEMORY_LATENCY, Port, seed_enables};
use hafnia_config::fault::cell_hash::EPOCH_CLASSES;
use hafnia_config::fault::{Kind, Site};
use rust_hdl::core::prelude::*;

use super::flip_record::{COUNT_BITS, FlipRecord, words};
use crate::copy::Copy;
use crate::emit::{custom, delayed};
use crate::inject::cell_bus::CELL_BUS_BITS;
use crate::inject::cell_faults::CellFaults;
use crate::inject::directed::{TARGET_BITS, armed};
use crate::inject::lane::{InjectorLane, NEAR};
use crate::inject::noise_bus::NoiseBus;
use crate::inject::seeder::Seeder;
use crate::protect::{cells_at_risk, cells_in_use};
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct ReadPort {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub clear_i: Wire<In>,
    pub issue_i: Wire<In>,
    /// Where the word belongs, as the draws of cells see it.
    pub address_i: Wire<In>,
    /// Bytes of the word in use.
    pub live_i: Wire<In>,
    /// The number of the word asked for, for whoever reads a waveform.
    pub index_o: Wire<Out>,
    pub code_i: Wire<In>,
    pub code_o: Wire<Out>,
    /// The layer is at risk.
    pub at_risk_i: Wire<In>,
    /// Bits of each byte at risk, and above them check cells.
    pub bits_i: Wire<In>,
    /// Read noise is on.
    pub enable_i: Wire<In>,
    pub noise_i: Wire<In>,
    pub seed_load_i: Wire<In>,
    pub seed_key_i: Wire<In>,
    pub seed_shift_i: Wire<In>,
    pub cells_i: Wire<In>,
    pub layer_i: Wire<In>,
    pub group_i: Wire<In>,
    pub epochs_i: Wire<In>,
    /// What is to be read wrong, see [`crate::inject::directed`]; `direct_o` is high while its word is asked for.
    pub target_i: Vec<Wire<In>>,
    pub direct_o: Vec<Wire<Out>>,
    pub flip_clear_i: Wire<In>,
    pub flip_valid_o: Wire<Out>,
    pub flip_index_o: Wire<Out>,
    pub flip_before_o: Wire<Out>,
    pub flip_mask_o: Wire<Out>,
    pub flip_count_o: Wire<Out>,
    pub flip_counts_o: Wire<Out>,
    seeder: Vec<Seeder>,
    seeds: Vec<Copy>,
    noise: Vec<Copy>,
    lanes: Vec<InjectorLane>,
    cells: Vec<CellFaults>,
    recorder: FlipRecord,
    _site: Site,
    _text: String,
}

impl ReadPort {
    /// Returns the port of a site, if any of its reads may be wrong.
    pub fn new(hw: &Elaborated, site: Site) -> Option<Self> {
        let (port, kinds, word) = (hw.port(site), hw.config.injector.at(site), hw.codeword(site));
        let (wide, bytes) = (port.cells * port.lanes, port.lane_bytes * port.lanes);
        let (noisy, directed) = (kinds.has(Kind::Read), kinds.has(Kind::Directed));
        let lanes = if noisy { port.lanes } else { 0 };
        let mut block = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            clear_i: Wire::new(1),
            issue_i: Wire::new(1),
            address_i: Wire::new(32),
            live_i: Wire::new(bytes),
            index_o: Wire::new(32),
            code_i: Wire::new(wide),
            code_o: Wire::new(wide),
            at_risk_i: Wire::new(1),
            bits_i: Wire::new(word.risk_bits()),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(port.cells).width()),
            seed_load_i: Wire::new(1),
            seed_key_i: Wire::new(128),
            seed_shift_i: Wire::new(1),
            cells_i: Wire::new(CELL_BUS_BITS),
            layer_i: Wire::new(8),
            group_i: Wire::new(16),
            epochs_i: Wire::new(16 * EPOCH_CLASSES as u32),
            target_i: Wire::optional(directed, TARGET_BITS),
            direct_o: Wire::optional(directed, 1),
            flip_clear_i: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_index_o: Wire::new(32),
            flip_before_o: Wire::new(wide),
            flip_mask_o: Wire::new(wide),
            flip_count_o: Wire::new(8),
            flip_counts_o: Wire::new(words(word) * COUNT_BITS),
            seeder: noisy.then(Seeder::default).into_iter().collect(),
            seeds: (0..lanes * seed_enables(port.cells)).map(|_| Copy::new(1)).collect(),
            noise: (0..lanes.div_ceil(sharers(port))).map(|_| Copy::new(NoiseBus::new(port.cells).width())).collect(),
            lanes: (0..lanes).map(|_| InjectorLane::new(word)).collect(),
            cells: kinds.of_cells().then(|| CellFaults::new(site, kinds, port)).into_iter().collect(),
            recorder: FlipRecord::new(word, port.lanes),
            _site: site,
            _text: String::new(),
        };
        block._text = block.wire_beside(hw) + &block.wire_cells(hw) + &block.wire_noise(hw) + &block.wire_record(hw);
        kinds.at_reads().then_some(block)
    }

    /// What goes beside a word on its way: whether it is one, its number and the bytes in use.
    fn wire_beside(&self, hw: &Elaborated) -> String {
        let (bytes, before_noise) = (self.live_bytes(hw), hw.memory_latency(self._site) + hw.cell_latency);
        let last = hw.memory_latency(self._site) + hw.injector_latency;
        let mut text = String::from("wire issue_0 = issue_i;\nreg [31:0] index_0;\nassign index_o = index_0;\n");
        text.push_str(&format!("wire [{}:0] live_0 = live_i;\n", bytes - 1));
        for n in 1..=last {
            text.push_str(&format!("reg [31:0] index_{n};\n"));
        }
        for n in 1..=before_noise {
            text.push_str(&format!("reg issue_{n};\nreg [{}:0] live_{n};\n", bytes - 1));
        }
        text.push_str("always @(posedge clk_i) begin\n  if (clear_i | rst_i) index_0 <= 32'd0;\n  else if (issue_i) index_0 <= index_0 + 32'd1;\n");
        for n in 1..=last {
            text.push_str(&format!("  index_{n} <= index_{};\n", n - 1));
        }
        for n in 1..=before_noise {
            text.push_str(&format!("  issue_{n} <= issue_{};\n  live_{n} <= live_{};\n", n - 1, n - 1));
        }
        text + "end\n"
    }

    fn live_bytes(&self, hw: &Elaborated) -> u32 {
        let port = hw.port(self._site);
        port.lane_bytes * port.lanes
    }

    /// Faults of cells: `seen` is what they leave of the word, `faulty` what they change.
    fn wire_cells(&mut self, hw: &Elaborated) -> String {
        let port = hw.port(self._site);
        let (wide, at) = (port.cells * port.lanes, hw.memory_latency(self._site) + hw.cell_latency);
        let mut text = format!("wire [{}:0] held;\n", wide - 1) + &delayed("code_i", "held", wide, hw.cell_latency);
        let directed = self.wire_directed(hw);
        text += directed.as_deref().unwrap_or_default();
        let turned = |word: String| if directed.is_some() { format!("({word}) ^ direct") } else { word };
        let Some(cells) = self.cells.first_mut() else {
            let (seen, faulty) = (turned("held".to_owned()), turned(format!("{wide}'d0")));
            return text
                + &format!("wire [{top}:0] seen = {seen};\nwire [{top}:0] faulty = {faulty};\n", top = wide - 1);
        };
        cells.clk_i.connect();
        // Their draws take as long as one block RAM.
        let wait = hw.memory_latency(self._site) - MEMORY_LATENCY;
        text += "wire [31:0] cell_address;\n";
        text += &delayed("address_i", "cell_address", 32, wait);
        for (port, name, from) in [
            (&mut cells.cells_i, "cells_i", "cells_i"),
            (&mut cells.address_i, "address_i", "cell_address"),
            (&mut cells.index_i, "index_i", &format!("index_{wait}")),
            (&mut cells.layer_i, "layer_i", "layer_i"),
            (&mut cells.group_i, "group_i", "group_i"),
            (&mut cells.epochs_i, "epochs_i", "epochs_i"),
        ] {
            text.push_str(&port.drive(&format!("cells_0_{name}"), from));
        }
        let of_lane = |lane| {
            cells_at_risk(hw.codeword(self._site), "bits_i", |b| format!("live_{at}[{}]", lane * port.lane_bytes + b))
        };
        let at_risk: Vec<String> = (0..port.lanes).rev().map(of_lane).collect();
        let seen = "(held | ((cells_0_stuck_1_o | cells_0_charged_o) & at_risk)) & ~(cells_0_stuck_0_o & at_risk)";
        text + &format!(
            "wire [{top}:0] at_risk = {{{}}} & {{{wide}{{issue_{at} & at_risk_i}}}};\n\
             wire [{top}:0] seen = {};\n\
             wire [{top}:0] faulty = seen ^ held;\n",
            at_risk.join(", "),
            turned(seen.to_owned()),
            top = wide - 1,
        )
    }

    /// A directed flip, if there can be one: `direct` is what it changes of the word.
    fn wire_directed(&self, hw: &Elaborated) -> Option<String> {
        self.target_i.first()?;
        let (port, word, at) =
            (hw.port(self._site), hw.codeword(self._site), hw.memory_latency(self._site) + hw.cell_latency);
        let wide = port.cells * port.lanes;
        let cells = (0..port.lanes).flat_map(|lane| (0..port.cells).map(move |cell| port.bit(lane, cell)));
        let cells: Vec<String> = cells.map(|number| format!("number == 16'd{number}")).collect();
        let in_use = |lane| cells_in_use(word, |b| format!("live_{at}[{}]", lane * port.lane_bytes + b));
        let in_use: Vec<String> = (0..port.lanes).rev().map(in_use).collect();
        let text = format!(
            "assign direct_o_0 = issue_i & {} & (address_i == target_i_0[31:0]);\nwire [15:0] number = target_i_0[47:32];\n\
             wire meant;\n{}wire [{}:0] direct = {{{}}} & {{{}}} & {{{wide}{{meant}}}};\n",
            armed(self._site),
            delayed("direct_o_0", "meant", 1, at),
            wide - 1,
            cells.into_iter().rev().collect::<Vec<_>>().join(", "),
            in_use.join(", "),
        );
        Some(text)
    }

    /// Read noise: `read` is the word as it is read, `noisy` what the noise changes.
    fn wire_noise(&mut self, hw: &Elaborated) -> String {
        // The chain shifts two cycles late, and two more pass until the lanes know their first draws. Maps are read after weights.
        const { assert!(CODE_MEMORY_LATENCY >= 4 && MAP_MEMORY_LATENCY >= 3, "a word would come before the first draws") }
        let port = hw.port(self._site);
        let (wide, at) = (port.cells * port.lanes, hw.memory_latency(self._site) + hw.cell_latency);
        let noise_latency = hw.injector_latency - hw.cell_latency;
        let Some(seeder) = self.seeder.first_mut() else {
            let read = format!("wire [{}:0] read;\n", wide - 1) + &delayed("seen", "read", wide, noise_latency);
            return read + &format!("wire [{}:0] noisy = {wide}'d0;\n", wide - 1);
        };
        seeder.clk_i.connect();
        let mut text = String::from(
            "// Both come from far away.\nreg seed_load;\nreg seed_shift;\n\
             // The chain of all generators shifts a cycle late: its enable has many to reach.\n\
             reg [31:0] seed_word;\nalways @(posedge clk_i) begin\n  seed_load <= seed_load_i;\n  \
             seed_shift <= seed_shift_i;\n  seed_word <= seeder_0_word_o;\nend\n",
        );
        // What stays as it is while a layer runs is kept beside the lanes.
        let seeds = seed_enables(port.cells);
        for (n, copy) in self.seeds.iter_mut().enumerate() {
            copy.clk_i.connect();
            text += &copy.data_i.drive(&format!("seeds_{n}_data_i"), "seed_shift");
        }
        for (n, copy) in self.noise.iter_mut().enumerate() {
            copy.clk_i.connect();
            text += &copy.data_i.drive(&format!("noise_{n}_data_i"), "noise_i");
        }
        text += &seeder.load_i.drive("seeder_0_load_i", "seed_load");
        text += &seeder.key_i.drive("seeder_0_key_i", "seed_key_i");
        text += &seeder.shift_i.drive("seeder_0_shift_i", "seed_shift");
        for (l, lane) in self.lanes.iter_mut().enumerate() {
            lane.clk_i.connect();
            let slice = |net: &str, bits: u32, all: u32| match (bits, all) {
                (1, 1) => net.to_owned(),
                _ => format!("{net}[{}:{}]", bits * (l as u32 + 1) - 1, bits * l as u32),
            };
            let seed = if l == 0 { "seed_word".to_owned() } else { format!("lanes_{}_seed_word_o", l - 1) };
            for (wire, name, from) in [
                (&mut lane.enable_i, "enable_i", "enable_i".to_owned()),
                (&mut lane.noise_i, "noise_i", format!("noise_{}_data_o", l as u32 / sharers(port))),
                (&mut lane.bits_i, "bits_i", "bits_i".to_owned()),
                (&mut lane.seed_i, "seed_i", {
                    let copies = (0..seeds).rev().map(|n| format!("seeds_{}_data_o", l as u32 * seeds + n));
                    format!("{{{}}}", copies.collect::<Vec<_>>().join(", "))
                }),
                (&mut lane.seed_word_i, "seed_word_i", seed),
                (&mut lane.valid_i, "valid_i", format!("issue_{at}")),
                (
                    &mut lane.live_i,
                    "live_i",
                    slice(&format!("live_{at}"), port.lane_bytes, port.lane_bytes * port.lanes),
                ),
                (&mut lane.code_i, "code_i", slice("seen", port.cells, wide)),
            ] {
                text.push_str(&wire.drive(&format!("lanes_{l}_{name}"), &from));
            }
        }
        let join =
            |name: &str| (0..port.lanes).rev().map(|l| format!("lanes_{l}_{name}")).collect::<Vec<_>>().join(", ");
        text + &format!(
            "wire [{top}:0] read = {{{}}};\nwire [{top}:0] noisy = {{{}}};\n",
            join("code_o"),
            join("flips_o"),
            top = wide - 1
        )
    }

    fn wire_record(&mut self, hw: &Elaborated) -> String {
        let port = hw.port(self._site);
        let wide = port.cells * port.lanes;
        self.recorder.clk_i.connect();
        self.recorder.rst_i.connect();
        let mut text = format!("assign code_o = read;\nwire [{}:0] faulty_read;\n", wide - 1);
        text += &delayed("faulty", "faulty_read", wide, hw.injector_latency - hw.cell_latency);
        for name in ["valid", "index", "before", "mask", "count", "counts"] {
            text.push_str(&format!("assign flip_{name}_o = recorder_{name}_o;\n"));
        }
        for (wire, name, from) in [
            (&mut self.recorder.clear_i, "clear_i", "flip_clear_i"),
            (
                &mut self.recorder.index_i,
                "index_i",
                &format!("index_{}", hw.memory_latency(self._site) + hw.injector_latency),
            ),
            (&mut self.recorder.word_i, "word_i", "read"),
            // What is noisy and faulty at once is right again.
            (&mut self.recorder.flips_i, "flips_i", "faulty_read ^ noisy"),
        ] {
            text.push_str(&wire.drive(&format!("recorder_{name}"), from));
        }
        text
    }
}

/// Lanes that share a copy of the thresholds. A lane of many cells has copies of its own.
const fn sharers(port: Port) -> u32 {
    if port.cells > NEAR { port.lanes } else { NEAR / port.cells }
}

impl Logic for ReadPort {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let name = format!("read_port_{}", self._site);
        custom(
            &name,
            "Faults of cells, read noise and the record of flips at the port of a memory.",
            self._text.clone(),
        )
    }
}
