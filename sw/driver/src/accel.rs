//! A session with one accelerator and one network.

use hafnia_config::fault::{Draws, Epochs, Kind, Noise, Site};
use hafnia_config::flip::{Flip, FlipCounts};
use hafnia_config::program::Descriptor;
use hafnia_config::programmed::Programmed;
use hafnia_config::regs::{
    ID_VALUE, LayerCounters, Region, SCRUB_COUNTS_OFFSET, VERSION_VALUE, check_flips_offset, direct_cell, flips_offset,
    noise_registers, programmed_offset, registers, signature_offset,
};
use hafnia_config::schedule::Schedule;
use hafnia_config::scrub::Scrubbed;
use hafnia_config::shape::LayerKind;
use hafnia_config::{Elaborated, presets};
use hafnia_golden::cells::of_batch;
use hafnia_golden::clean::LayerOutput;
use hafnia_golden::network::Network;
use hafnia_golden::run::Depth;
use ndarray::{Array1, Array3};

use crate::{DriverError, Transport, pack};

/// What one hardware batch gave.
#[derive(Clone, Debug, Default)]
pub struct BatchRun {
    /// Ofmaps `[layer][image]`, the head's logits last; with [`Depth::Logits`] only the head's.
    pub outputs: Vec<Vec<LayerOutput>>,
    /// Flips in read order, if the transport records them.
    pub flips: Vec<Flip>,
    /// Counters of each descriptor, with its layer.
    pub counters: Vec<(usize, LayerCounters)>,
    /// Flips by site, direction and bit of a byte.
    pub flip_counts: FlipCounts,
    /// Signatures of the flips by site, see [`hafnia_config::flip::signatures`].
    pub flip_signatures: [u32; 3],
    /// What programming weights and biases took, with write-verify: once for those that are resident, and for those that stream
    /// in, of the batch.
    pub programmed: Option<[Programmed; 2]>,
    /// What scrubbing took while the batch ran, where the hardware has a scrubber.
    pub scrubbed: Option<Scrubbed>,
    /// First and last clock cycle of each descriptor's run on the transport, where it knows them.
    pub cycles: Vec<(u64, u64)>,
}

/// What a start runs, once [`Accel::arm`] has chosen it.
#[derive(Clone, Debug)]
pub struct Armed {
    /// Address of the register START; writing 1 starts the program.
    pub start: u32,
    /// Host words for the weight-stream port; none where the weights are resident.
    pub stream: Vec<u32>,
    /// Clock cycles within which the program must end.
    pub max_cycles: u64,
}

/// A cell that is to be read wrong, for bring-up and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directed {
    /// Memory.
    pub site: Site,
    /// Address of the word, as equation (11) of `docs/fault-model.md` has it.
    pub address: u32,
    /// Number of the cell in its word, as in [`Flip::bit`].
    pub cell: u16,
    /// At the next access alone.
    pub once: bool,
}

/// A session. Opening it checks ID, VERSION and CONFIG_HASH, so every later call may assume them.
pub struct Accel<'a, T> {
    link: T,
    hw: &'a Elaborated,
    network: &'a Network,
    schedule: &'a Schedule,
    noise: Noise,
    /// Run seed.
    seed: u64,
    /// When traps are drawn anew.
    epochs: Epochs,
    /// Weight words of each layer.
    weights: Vec<Vec<u32>>,
    /// What it took to load the network.
    programmed: Option<[Programmed; 2]>,
}

impl<'a, T: Transport> Accel<'a, T> {
    /// Opens a session and loads the network: biases and scales always, weights where they are resident.
    ///
    /// # Errors
    /// If what answers is not an accelerator of this configuration, or the link fails.
    pub fn open(
        link: T,
        hw: &'a Elaborated,
        network: &'a Network,
        schedule: &'a Schedule,
    ) -> Result<Self, DriverError> {
        let weights = network.layers.iter().map(|l| pack::weights(hw, l)).collect();
        let noise = hw.noise(0.0, hw.at_risk_by_default()).expect("zero is a rate");
        let epochs = Epochs::new(0, 0);
        let mut accel = Self { link, hw, network, schedule, noise, seed: 0, epochs, weights, programmed: None };
        accel.check_identity()?;
        // A session of before may have left faults on.
        accel.write_noise()?;
        accel.direct(None)?;
        accel.load()?;
        Ok(accel)
    }

    /// Returns the link, for what only its kind can do.
    pub fn link(&mut self) -> &mut T {
        &mut self.link
    }

    fn register(&self, name: &str) -> u32 {
        let list = registers(self.hw);
        let register = list.iter().find(|r| r.name == name);
        Region::Registers.base() + register.expect("the driver names registers of the map").offset
    }

    fn write_register(&mut self, name: &str, value: u32) -> Result<(), DriverError> {
        let address = self.register(name);
        self.link.write(address, &[value])
    }

    fn read_register(&mut self, name: &str) -> Result<u32, DriverError> {
        let mut word = [0];
        let address = self.register(name);
        self.link.read(address, &mut word)?;
        Ok(word[0])
    }

    fn check_identity(&mut self) -> Result<(), DriverError> {
        let got = self.read_register("ID")?;
        if got != ID_VALUE {
            return Err(DriverError::NotHafnia { got, want: ID_VALUE });
        }
        let got = self.read_register("VERSION")?;
        if got != VERSION_VALUE {
            return Err(DriverError::WrongVersion { got, want: VERSION_VALUE });
        }
        let (got, want) = (self.read_register("CONFIG_HASH")?, self.hw.config_hash);
        if got != want {
            let known = presets::all().into_iter().find(|preset| preset.hash_word() == got);
            let known = known.map(|preset| format!(" (`{}`)", preset.name)).unwrap_or_default();
            return Err(DriverError::WrongConfig { got, known, want, preset: self.hw.config.name.clone() });
        }
        Ok(())
    }

    /// Programs biases, scales and, where they are resident, weights: the first pulse of each cell.
    fn load(&mut self) -> Result<(), DriverError> {
        if self.hw.config.protection.write_verify {
            self.write_register("PULSES_CLEAR", 1)?;
        }
        // An earlier session may have left words in the ring.
        self.write_register("WEIGHT_STREAM", 0)?;
        self.write_register("WEIGHT_STREAM", u32::from(!self.schedule.resident))?;
        for (l, (layer, part)) in self.network.layers.iter().zip(&self.schedule.layers).enumerate() {
            self.name_writes(0, l)?;
            let address = Region::Parameters.base() + part.parameter_base * self.hw.column_stride * 2;
            self.link.write(address, &pack::parameters(self.hw, layer))?;
            if self.schedule.resident {
                let address = Region::Weights.base() + part.weight_base * self.hw.weight_stride;
                self.link
                    .write(address, &pack::spread(&self.weights[l], self.hw.weight_pieces, self.hw.weight_stride))?;
            }
        }
        if self.hw.config.protection.scrub {
            self.write_register("SCRUB_LAST", self.schedule.weight_words() - 1)?;
            self.write_register("SCRUB_RESTART", 1)?;
        }
        self.programmed = self.programmed()?;
        Ok(())
    }

    /// Returns the counts of what programming took since they were cleared.
    fn programmed(&mut self) -> Result<Option<[Programmed; 2]>, DriverError> {
        if !self.hw.config.protection.write_verify {
            return Ok(None);
        }
        let mut counts = [Programmed::default(); 2];
        for (counts, site) in counts.iter_mut().zip(Site::PROGRAMMED) {
            let mut words = [0; Programmed::COUNT];
            self.link.read(Region::Registers.base() + programmed_offset(site), &mut words)?;
            *counts = Programmed::from_words(words);
        }
        Ok(Some(counts))
    }

    /// Returns the counts of what scrubbing took since they were cleared.
    fn scrubbed(&mut self) -> Result<Option<Scrubbed>, DriverError> {
        if !self.hw.config.protection.scrub {
            return Ok(None);
        }
        let mut words = [0; Scrubbed::COUNT];
        self.link.read(Region::Registers.base() + SCRUB_COUNTS_OFFSET, &mut words)?;
        Ok(Some(Scrubbed::from_words(words)))
    }

    /// Names the host's next writes, which belong to `layer`, for the draws of write errors.
    fn name_writes(&mut self, epoch: u32, layer: usize) -> Result<(), DriverError> {
        if self.hw.config.injector.has(Kind::Write) {
            self.write_register("WRITE_EPOCH", epoch)?;
            self.write_register("WRITE_PLACE", self.at_risk(layer))?;
        }
        Ok(())
    }

    /// Returns bit 31 if `layer` is at risk.
    fn at_risk(&self, layer: usize) -> u32 {
        u32::from(self.noise.at_risk.has_layer(layer as u32)) << 31
    }

    /// Sets the faults of a run with this run seed. Where there are write errors, writes are verified, or weights are scrubbed,
    /// the network is programmed anew.
    ///
    /// # Errors
    /// [`DriverError::Noise`] if there are faults to set whose injector the configuration left out.
    pub fn set_noise(&mut self, noise: Noise, seed: u64) -> Result<(), DriverError> {
        if noise.enable && noise.draws != Draws::Exact {
            return Err(DriverError::Draws);
        }
        self.hw.check(&noise)?;
        self.schedule.check(self.hw, &noise)?;
        let programs = |noise: &Noise| {
            let cells = &noise.cells;
            cells.write.higher() > 0.0 || cells.verify.is_some() || cells.scrub_period.is_some()
        };
        let anew = programs(&self.noise) || programs(&noise);
        self.epochs = Epochs::new(seed, noise.cells.thresholds().refresh);
        (self.noise, self.seed) = (noise, seed);
        self.write_noise()?;
        if anew { self.load() } else { Ok(()) }
    }

    /// Has a cell read wrong, see [`Directed`], or none any more; the one of before is forgotten.
    ///
    /// # Errors
    /// [`DriverError::NotDirected`] if the configuration left directed injection out at the site.
    pub fn direct(&mut self, flip: Option<Directed>) -> Result<(), DriverError> {
        let Some(Directed { site, address, cell, once }) = flip else {
            return match self.hw.config.injector.has(Kind::Directed) {
                true => self.write_register("DIRECT_DISARM", 1),
                false => Ok(()),
            };
        };
        if !self.hw.config.injector.at(site).has(Kind::Directed) {
            return Err(DriverError::NotDirected { site, preset: self.hw.config.name.clone() });
        }
        self.write_register("DIRECT_DISARM", 1)?;
        self.write_register("DIRECT_ADDRESS", address)?;
        self.write_register("DIRECT_CELL", direct_cell(site, cell, once))?;
        self.write_register("DIRECT_ARM", 1)
    }

    /// Returns how many accesses the last directed flip has met.
    ///
    /// # Errors
    /// If the link fails.
    pub fn direct_hits(&mut self) -> Result<u32, DriverError> {
        self.read_register("DIRECT_HITS")
    }

    /// Writes the registers of faults.
    fn write_noise(&mut self) -> Result<(), DriverError> {
        for (name, value) in noise_registers(self.hw, &self.noise, self.seed) {
            self.write_register(&name, value)?;
        }
        Ok(())
    }

    /// Runs images of one hardware batch. `first` is the data set's number of the first image, `images` are quantised
    /// ifmaps `[C, H, W]`.
    ///
    /// # Errors
    /// If the link fails or the program does not end.
    pub fn batch(&mut self, first: u32, images: &[Array3<i8>], depth: Depth) -> Result<BatchRun, DriverError> {
        let program = self.stage(first, images)?;
        let mut run = BatchRun::default();
        let layers = self.network.layers.len();
        let first_layer = if depth == Depth::EveryLayer { 0 } else { layers - 1 };
        let mut start = 0;
        for layer in first_layer..layers {
            let end = start + program[start..].iter().take_while(|(l, _)| *l <= layer).count();
            self.run_descriptors(start as u32, &program[start..end], &mut run)?;
            run.outputs.push(self.read_outputs(layer, images.len(), &program)?);
            start = end;
        }
        run.programmed = match (self.programmed()?, self.programmed) {
            // Biases, and weights that do not stream in, were programmed before.
            (Some([weights, _]), Some([_, biases])) if !self.schedule.resident => Some([weights, biases]),
            (_, before) => before,
        };
        run.scrubbed = self.scrubbed()?;
        for site in self.hw.config.injector.flip_sites() {
            let mut counts = [0; 16];
            self.link.read(Region::Registers.base() + flips_offset(site), &mut counts)?;
            run.flip_counts.counts[site as usize] = counts.map(u64::from);
            if self.hw.is_coded(site) {
                let mut checks = [0; 2];
                self.link.read(Region::Registers.base() + check_flips_offset(site), &mut checks)?;
                run.flip_counts.checks[site as usize] = checks.map(u64::from);
            }
            let signature = &mut run.flip_signatures[site as usize..][..1];
            self.link.read(Region::Registers.base() + signature_offset(site), signature)?;
        }
        Ok(run)
    }

    /// Writes the layer program of a batch and its images, and returns the program: each descriptor with its layer.
    ///
    /// # Errors
    /// If the link fails.
    pub fn stage(&mut self, first: u32, images: &[Array3<i8>]) -> Result<Vec<(usize, Descriptor)>, DriverError> {
        let mut program = self.schedule.program(self.hw, first, images.len() as u32, self.seed);
        if self.hw.config.injector.has(Kind::Telegraph) {
            for (layer, descriptor) in &mut program {
                descriptor.set_epochs(self.epochs.of(*layer as u32, descriptor.group as u16));
            }
        }
        if self.hw.config.injector.sites().next().is_some() {
            self.write_register("FLIPS_CLEAR", 1)?;
        }
        if self.hw.config.protection.write_verify {
            self.write_register("PULSES_CLEAR", 1)?;
        }
        let words: Vec<u32> = program.iter().flat_map(|(_, d)| d.encode()).collect();
        self.link.write(Region::Program.base(), &words)?;
        self.name_writes(of_batch(first, self.schedule.batch), 0)?;
        for (i, image) in images.iter().enumerate() {
            let address = self.schedule.layers[0].source_image * i as u32 * self.hw.map_stride;
            self.link.write(Region::MapA.base() + address, &pack::map(self.hw, image))?;
        }
        // What streams in while the program runs is the first pulse of its cells.
        self.name_writes(0, 0)?;
        Ok(program)
    }

    /// Chooses `part` of the staged program, which begins with descriptor `first`, as what the next start runs.
    ///
    /// # Errors
    /// If the link fails.
    pub fn arm(&mut self, first: u32, part: &[(usize, Descriptor)]) -> Result<Armed, DriverError> {
        let pulses = u64::from(self.noise.cells.verify.map_or(0, |verify| verify.max_pulses));
        let cycles = |(l, d): &(usize, Descriptor)| {
            let expected = self.schedule.expected(self.hw, *l, d.images, self.noise.enable);
            // A word over the bus may take as long as its pieces, their handshake and the poll between them, and its pulses.
            u64::from(expected.cycles) + (64 + 32 * pulses) * u64::from(expected.words_read)
        };
        let max_cycles = part.iter().map(cycles).sum::<u64>() + 10_000;
        let stream = match self.schedule.resident {
            true => Vec::new(),
            false => part.iter().flat_map(|(l, _)| self.stream_of(*l)).collect(),
        };
        self.write_register("PROGRAM_FIRST", first)?;
        self.write_register("PROGRAM_COUNT", part.len() as u32)?;
        Ok(Armed { start: self.register("START"), stream, max_cycles })
    }

    /// Returns the transfers of the weight stream that bring a layer's weights, see [`Elaborated::stream_bits`].
    fn stream_of(&self, layer: usize) -> Vec<u32> {
        let words = &self.weights[layer];
        if !self.hw.config.injector.weights.has(Kind::Write) {
            return words.clone();
        }
        let places = self.schedule.layers[layer].weight_base..;
        let transfers = words.chunks_exact(self.hw.weight_pieces as usize).zip(places);
        transfers.flat_map(|(word, place)| word.iter().copied().chain([place | self.at_risk(layer)])).collect()
    }

    fn run_descriptors(
        &mut self,
        first: u32,
        part: &[(usize, Descriptor)],
        run: &mut BatchRun,
    ) -> Result<(), DriverError> {
        let Armed { start, stream, max_cycles } = self.arm(first, part)?;
        let begin = self.link.cycle();
        self.link.write(start, &[1])?;
        let mut stuck = if stream.is_empty() || self.link.feeds_weight_stream() {
            self.link.finish(&stream, max_cycles)?
        } else {
            self.feed_over_bus(&stream, max_cycles)?
        };
        let (finished, all) = (self.read_register("FINISHED")? as usize, part.len());
        if stuck.is_none() && finished != all {
            stuck = Some(format!("idle, and {finished} of {all} descriptors finished"));
        }
        if let Some(status) = stuck {
            self.stop()?;
            return Err(DriverError::Unfinished { layer: part[0].0, status });
        }
        if let (Some(begin), Some(end)) = (begin, self.link.cycle()) {
            run.cycles.push((begin, end));
        }
        run.flips.extend(self.link.take_flips().into_iter().map(|flip| {
            // The hardware's words hold one codeword beside the other.
            let port = self.hw.port(flip.site);
            Flip { bit: port.bit(flip.bit / port.cells, flip.bit % port.cells), ..flip }
        }));
        for (i, (layer, _)) in part.iter().enumerate() {
            let mut words = [0; LayerCounters::COUNT];
            let address = Region::Counters.base() + (first + i as u32) * LayerCounters::STRIDE;
            self.link.read(address, &mut words)?;
            run.counters.push((*layer, LayerCounters::from_words(words)));
        }
        Ok(())
    }

    /// Ends the program that runs and forgets what it left, so that the next one can run.
    fn stop(&mut self) -> Result<(), DriverError> {
        self.write_register("STOP", 1)?;
        // A read takes a cycle at least.
        for _poll in 0..self.hw.drain_cycles() + 16 {
            if self.read_register("STATUS")? == 0 {
                break;
            }
        }
        if !self.schedule.resident {
            self.write_register("WEIGHT_CLEAR", 1)?;
        }
        self.link.take_flips();
        Ok(())
    }

    /// Fills the ring of streamed weights while the program runs: as many words as there is room for, then again.
    fn feed_over_bus(&mut self, stream: &[u32], budget: u64) -> Result<Option<String>, DriverError> {
        // The bus stalls when fewer than this many words are free, so the last few are never offered.
        const MARGIN: u32 = 8;
        let pieces = self.hw.weight_pieces as usize;
        let transfer = self.hw.stream_bits().div_ceil(32) as usize;
        let place_register = self.hw.config.injector.weights.has(Kind::Write).then(|| self.register("WRITE_PLACE"));
        let depth = self.hw.config.memory.weight_words;
        let mut rest = stream;
        for _poll in 0..budget {
            if rest.is_empty() {
                return self.link.finish(&[], budget);
            }
            let level = self.read_register("WEIGHT_LEVEL")?;
            let room = (depth.saturating_sub(level + MARGIN) as usize).min(rest.len() / transfer).min(4096);
            let (now, later) = rest.split_at(room * transfer);
            for transfer in now.chunks_exact(transfer) {
                let (word, place) = transfer.split_at(pieces);
                if let (Some(register), false) = (place_register, place.is_empty()) {
                    self.link.write(register, place)?;
                }
                self.link.write(Region::Weights.base(), word)?;
            }
            rest = later;
        }
        Ok(Some(format!("{} weight words not taken after {budget} polls", rest.len() / transfer)))
    }

    fn read_outputs(
        &mut self,
        layer: usize,
        images: usize,
        program: &[(usize, Descriptor)],
    ) -> Result<Vec<LayerOutput>, DriverError> {
        let part = &self.schedule.layers[layer];
        if part.shape.kind == LayerKind::Linear {
            return self.read_logits(layer, images, program);
        }
        let region = if layer.is_multiple_of(2) { Region::MapB } else { Region::MapA };
        let mut words = vec![0; (part.dest_image * self.hw.map_stride) as usize];
        let mut outputs = Vec::with_capacity(images);
        for i in 0..images as u32 {
            self.link.read(region.base() + i * part.dest_image * self.hw.map_stride, &mut words)?;
            outputs.push(LayerOutput::Map(pack::unmap(self.hw, part, &words)));
        }
        Ok(outputs)
    }

    fn read_logits(
        &mut self,
        layer: usize,
        images: usize,
        program: &[(usize, Descriptor)],
    ) -> Result<Vec<LayerOutput>, DriverError> {
        let part = &self.schedule.layers[layer];
        let (classes, cols, stride) =
            (part.shape.out_channels as usize, self.hw.cols as usize, self.hw.column_stride as usize);
        let mut outputs = Vec::with_capacity(images);
        for (_, d) in program.iter().filter(|(l, _)| *l == layer) {
            // Output folds one after the other, images within.
            let mut words = vec![0; part.k_folds as usize * d.images as usize * stride];
            self.link.read(Region::Accumulators.base() + d.accumulator_base * stride as u32, &mut words)?;
            for i in 0..d.images as usize {
                let logit = |k: usize| words[(k / cols * d.images as usize + i) * stride + k % cols] as i32;
                outputs.push(LayerOutput::Logits(Array1::from_iter((0..classes).map(logit))));
            }
        }
        Ok(outputs)
    }
}
