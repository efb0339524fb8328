//! What `run` and `verify` share: which model, data, images and hardware, and how the hardware is simulated.

use std::path::PathBuf;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Draws, Noise};
use hafnia_config::schedule::Schedule;
use hafnia_cosim::{Hardware, Ifmaps, LARGEST_VERILOG, Plan, Remote, Trace, design};
use hafnia_dataset::{Dataset, Images};
use hafnia_files::same_file;
use hafnia_quantize::{Model, read_model};
use hafnia_verilate::{Builder, Design, Variant};
use ndarray::Array3;

use crate::board::{PortArgs, planned};
use crate::console::Failure;
use crate::fault::FaultArgs;
use crate::hardware::HardwareArgs;

#[derive(clap::Args)]
pub struct SetupArgs {
    #[command(flatten)]
    pub hardware: HardwareArgs,
    #[command(flatten)]
    pub port: PortArgs,
    /// int8 model file, as `hafnia quantize` writes it.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Data set: a folder, or `digits`; without it $HAFNIA_DATA, then the per-user cache.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Test images, FIRST:COUNT.
    #[arg(long, value_name = "FIRST:COUNT", default_value = "0:8", value_parser = range)]
    pub images: (u32, u32),
    #[command(flatten)]
    pub fault: FaultArgs,
    /// Images that the hardware holds at once, a power of two; without it as many as fit. It is part of the experiment:
    /// images that share a read of the weights share its flips.
    #[arg(long, value_name = "N")]
    pub batch: Option<u32>,
    /// How the flips are drawn: `exact`, as the hardware does, flip for flip; or `statistical`, other flips of the same law at a
    /// cost in proportion to the flips, for the golden model alone.
    #[arg(long, value_name = "HOW", default_value = "exact", value_parser = draws)]
    pub draws: Draws,
    /// With statistical draws, images that share a read of the parameters; without it 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536), conflicts_with = "batch")]
    pub images_per_read: Option<u32>,
    /// Batches computed at once; without it one per processor. It changes no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Write every injected flip to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub flip_log: Option<PathBuf>,
    /// Write a waveform: VCD, or FST if the file is called so.
    #[arg(long, value_name = "FILE")]
    pub wave: Option<PathBuf>,
    /// Cycles of the waveform, FIRST:COUNT, counted from the moment the network is loaded.
    #[arg(long, value_name = "FIRST:COUNT", default_value = "0:2000", value_parser = window, requires = "wave")]
    pub wave_window: (u64, u64),
    /// Simulate this Verilog instead of what the generator writes; it must have the same ports.
    #[arg(long, value_name = "FILE")]
    pub rtl: Option<PathBuf>,
}

/// The arguments, read and checked.
pub struct Setup {
    pub hw: Elaborated,
    /// The board that runs, if one does.
    pub remote: Option<Remote>,
    pub model: Model,
    pub draws: Draws,
    pub images: Images,
    pub schedule: Schedule,
    /// Quantised ifmaps of the images.
    pub ifmaps: Vec<Array3<i8>>,
    /// Number of the first image.
    pub first: u32,
    pub jobs: usize,
    pub data_name: &'static str,
}

fn draws(text: &str) -> Result<Draws, String> {
    let known = [Draws::Exact, Draws::Statistical];
    known.into_iter().find(|draws| draws.name() == text).ok_or_else(|| "write exact or statistical".to_owned())
}

pub fn range(text: &str) -> Result<(u32, u32), String> {
    let (first, count) = window(text)?;
    let number = |n: u64| u32::try_from(n).map_err(|_| format!("{n} is too large"));
    Ok((number(first)?, number(count)?))
}

fn window(text: &str) -> Result<(u64, u64), String> {
    let parts = text.split_once(':').and_then(|(first, count)| Some((first.parse().ok()?, count.parse().ok()?)));
    let wanted = "write FIRST:COUNT with a COUNT of 1 or more, such as 0:8";
    parts.filter(|&(_, count): &(u64, u64)| count > 0).ok_or_else(|| wanted.to_owned())
}

impl SetupArgs {
    /// Reads configuration, model and images, and plans the schedule.
    pub fn resolve(&self) -> Result<Setup, Failure> {
        let remote = self.port.remote()?;
        let hw = self.hardware()?.resolve()?;
        if let Some(remote) = &remote {
            planned(&remote.board, &hw, None, None)?;
        }
        self.check_remote()?;
        let model = read_model(&self.model)?;
        let data = hafnia_dataset::locate(self.data.as_deref())?;
        model.check_images(&self.model, &data)?;
        self.check_outputs(&data)?;
        warn_of_foreign_images(&model, data.name());
        let (first, count) = self.images;
        let images = data.test().read(first as usize, count as usize)?;
        let schedule = Schedule::new(&hw, &model.network.shapes(), self.batch)?;
        let schedule = match (self.draws, self.images_per_read) {
            (Draws::Statistical, images) => schedule.reading_once_for(images.unwrap_or(1)),
            (Draws::Exact, None) => schedule,
            (Draws::Exact, Some(_)) => {
                let help = "add `--draws statistical`, or choose the images with `--batch`";
                return Err(Failure::new("--images-per-read is for statistical draws", help));
            }
        };
        let ifmaps = images.iter().map(|(pixels, _)| model.network.quantise_image(pixels)).collect();
        let jobs = jobs(self.jobs);
        let draws = self.draws;
        Ok(Setup { hw, remote, model, draws, images, schedule, ifmaps, first, jobs, data_name: data.name() })
    }

    /// Returns the choice of hardware, which a board has an opinion of.
    pub fn hardware(&self) -> Result<HardwareArgs, Failure> {
        Ok(self.hardware.on(self.port.board()?.as_ref()))
    }

    /// What simulation alone can do is refused of a board.
    fn check_remote(&self) -> Result<(), Failure> {
        let simulated = [("--wave", &self.wave), ("--rtl", &self.rtl), ("--flip-log", &self.flip_log)];
        match simulated.iter().find(|(_, file)| file.is_some()) {
            Some((option, _)) if self.port.port.is_some() => Err(Failure::new(
                format!(
                    "{option} was given, but a board has no waveform, runs what is in it, and counts flips without a log"
                ),
                format!("leave it out, or --port: the simulated hardware gives the same with `{option}`"),
            )),
            _ => Ok(()),
        }
    }

    /// Hardware draws as it does.
    pub fn check_exact(&self) -> Result<(), Failure> {
        match self.draws {
            Draws::Exact => Ok(()),
            Draws::Statistical => Err(Failure::new(
                "--draws statistical was given, but the simulated hardware draws as it does",
                "leave it out, or use `run --engine golden`",
            )),
        }
    }

    /// No output may destroy an input or the other output.
    fn check_outputs(&self, data: &Dataset) -> Result<(), Failure> {
        let images = data.all_files();
        let inputs = [Some(&self.model), self.rtl.as_ref(), self.hardware.array.config.as_ref(), self.fault.file()];
        let inputs: Vec<_> = inputs.into_iter().flatten().chain(&images).collect();
        for (option, output) in [("--flip-log", &self.flip_log), ("--wave", &self.wave)] {
            let Some(output) = output else { continue };
            if inputs.iter().any(|input| same_file(input, output)) {
                return Err(own_file(format!("{option} {} is a file that the command reads", output.display())));
            }
        }
        match (&self.flip_log, &self.wave) {
            (Some(log), Some(wave)) if log == wave || same_file(log, wave) => {
                Err(own_file(format!("--flip-log and --wave are both {}", log.display())))
            }
            _ => Ok(()),
        }
    }

    /// Returns the design to simulate.
    pub fn design(&self, hw: &Elaborated) -> Result<Design, Failure> {
        let generated = design(hw);
        let Some(path) = &self.rtl else { return Ok(generated) };
        let read = hafnia_files::read_text(path, LARGEST_VERILOG);
        let verilog = read.map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display()), RTL_HELP))?;
        Ok(Design { verilog, ..generated })
    }

    /// Builds the simulated hardware, with the waveform asked for.
    pub fn build(&self, builder: &Builder<'_>, design: &Design) -> Result<Hardware, Failure> {
        let variant = self.wave.as_deref().map_or_else(Variant::default, Variant::tracing);
        let model = builder.build(design, variant).map_err(|error| match &self.rtl {
            // Verilator calls the file by the name that it has in the build folder.
            Some(rtl) => {
                let message = error.to_string().replace("design.v", &rtl.display().to_string());
                Failure::new(message, format!("{} must hold the module `{}`", rtl.display(), design.top))
            }
            None => error.into(),
        })?;
        let (from, count) = self.wave_window;
        Ok(Hardware { model, trace: self.wave.clone().map(|path| Trace { path, from, count }) })
    }
}

/// The number of jobs asked for, or one per processor.
pub fn jobs(asked: Option<u16>) -> usize {
    asked.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

fn own_file(what: String) -> Failure {
    Failure::new(what, "give each output a file of its own")
}

/// Tells of a network that runs on other images than it was measured on: its accuracy will be that of chance.
pub fn warn_of_foreign_images(model: &Model, data: &str) {
    if let Some(measured) = model.meta.accuracy.as_ref().filter(|a| a.dataset != data) {
        eprintln!("warning: {} was measured on {}, and runs on {}", model.meta.name, measured.dataset, data);
    }
}

const RTL_HELP: &str =
    "write the generated Verilog with `hafnia generate`, then pass that file or a changed copy of it";

impl Setup {
    /// Returns the plan of one bit-error rate and seed.
    pub fn plan(&self, noise: Noise, seed: u64) -> Plan<'_> {
        Plan { hw: &self.hw, network: &self.model.network, schedule: &self.schedule, noise, seed }
    }

    /// Returns the noise that the flags ask for, at this bit-error rate where they leave it open.
    pub fn noise(&self, fault: &FaultArgs, ber: Option<f64>) -> Result<Noise, Failure> {
        let (rates, at_risk, cells) = fault.resolve(ber, &self.hw, self.schedule.layers.len())?;
        let noise = Noise { draws: self.draws, ..self.hw.noise(rates, at_risk)? };
        let noise = self.hw.with_cells(noise, cells)?;
        self.schedule.check(&self.hw, &noise)?;
        Ok(noise)
    }

    /// Returns the images as a run takes them.
    pub fn ifmaps(&self) -> Ifmaps<'_> {
        Ifmaps { first: self.first, images: &self.ifmaps, clean: None }
    }

    /// Returns the labels of a batch that starts with image `first` of the data set.
    pub fn labels(&self, first: u32, count: u32) -> &[u8] {
        let start = (first - self.first) as usize;
        &self.images.labels()[start..start + count as usize]
    }
}

/// A builder that tells on stderr what it builds.
pub fn builder() -> Builder<'static> {
    Builder::new().notice(|notice| eprintln!("{notice}"))
}
