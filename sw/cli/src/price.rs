//! `hafnia price`.

mod measure;
mod text;

use std::path::{Path, PathBuf};

use hafnia_config::device::{self, Device};
use hafnia_config::price::{self, Cells, Engines, Measured, Record};
use hafnia_config::protect::Code;
use hafnia_config::schedule::Schedule;
use hafnia_config::{AccelConfig, Elaborated};
use hafnia_quantize::{Model, read_model};
use serde::Serialize;

use crate::Status;
use crate::console::{Console, Failure};
use crate::hardware::ArrayArgs;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    array: ArrayArgs,
    /// Codes to price, separated by commas; `none` always comes first. Without it every code that the array can have.
    #[arg(long, value_name = "CODE,...", value_delimiter = ',')]
    protect: Vec<Code>,
    /// int8 model file: prices the reads of an image as well.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Images that the hardware holds at once, a power of two; without it as many as fit. Images of a batch share reads.
    #[arg(long, value_name = "N", requires = "model")]
    batch: Option<u32>,
    /// Memory device whose figures are taken; without it every one that publishes a read energy, a write pulse or endurance.
    #[arg(long, value_name = "NAME", value_parser = device_named)]
    device: Option<Device>,
    /// Synthesise every code with yosys, half a minute each on 8x8, in place of looking it up.
    #[arg(long)]
    measure: bool,
    /// Place and route with nextpnr-ecp5 as well, 5 to 10 minutes for each code on 8x8.
    #[arg(long, requires = "measure")]
    route: bool,
    /// Record of prices (TOML) that is looked up in place of the one of Hafnia; with --measure what is measured is written
    /// there, beside what it holds.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Returns the device of a flag.
pub fn device_named(name: &str) -> Result<Device, String> {
    device::find(name).map_err(|error| error.to_string())
}

/// Whether a device publishes anything that is told.
fn tells(device: &Device) -> bool {
    [device.read_pj_per_bit, device.set_ns, device.reset_ns, device.endurance_cycles].iter().any(Option::is_some)
}

/// What is told.
#[derive(Serialize)]
struct Price<'a> {
    /// Name of the configuration.
    preset: &'a str,
    rows: u32,
    cols: u32,
    model: Option<ModelPrice>,
    codes: Vec<CodePrice>,
    devices: Vec<DevicePrice>,
    synthesis: &'a price::Synthesis,
    routing: Option<&'a price::Routing>,
    notes: Vec<String>,
}

/// The network that is read.
#[derive(Serialize)]
struct ModelPrice {
    name: String,
    sha256: String,
    batch: u32,
    weight_words: u32,
}

/// One row.
#[derive(Serialize)]
struct CodePrice {
    protection: Code,
    write_verify: bool,
    scrub: bool,
    config_hash: String,
    overhead: f64,
    latency_cycles: u32,
    cells: Option<Cells>,
    over_none: Option<Cells<i64>>,
    fits: Option<bool>,
    fmax_mhz: Option<f64>,
    weight_cells: Option<u64>,
    cells_read: Option<f64>,
    energy: Vec<Energy>,
}

/// Read energy of an image.
#[derive(Serialize)]
struct Energy {
    device: String,
    nj: Option<f64>,
}

/// What a device publishes of reads and writes.
#[derive(Serialize)]
struct DevicePrice {
    #[serde(flatten)]
    device: Device,
    doi: Option<String>,
}

pub fn run(args: &Args, console: &Console) -> Result<Status, Failure> {
    let hw = args.array.resolve(|config| config)?;
    let variants = args.variants(&hw.config)?;
    let model = args.model.as_deref().map(|path| Ok::<_, Failure>((path, read_model(path)?))).transpose()?;
    let devices = match &args.device {
        Some(device) => vec![device.clone()],
        None => device::all().into_iter().filter(tells).collect(),
    };
    // A network that does not fit is told before anything is measured.
    let codes = |record: Option<&Record>| -> Result<Vec<CodePrice>, Failure> {
        let mut codes: Vec<CodePrice> = Vec::new();
        for hw in &variants {
            let hash = hw.config.hash();
            let measured = record.and_then(|record| record.find(&hash));
            let none = codes.first().and_then(|none| none.cells);
            codes.push(CodePrice::new(hw, measured, none).reading(hw, args.batch, model.as_ref(), &devices)?);
        }
        Ok(codes)
    };
    codes(None)?;
    let record = match (args.measure, &args.record) {
        (true, path) => measure::measure(&hw.config.name, &variants, args.route, path.as_deref())?,
        (false, Some(path)) => read_record(path)?,
        (false, None) => Record::built_in(),
    };
    let codes = codes(Some(&record))?;
    let model =
        model.as_ref().map(|(path, model)| ModelPrice::new(path, model, &variants[0], args.batch)).transpose()?;
    let price = Price {
        preset: &hw.config.name,
        rows: hw.rows,
        cols: hw.cols,
        notes: args.notes(&codes),
        model,
        codes,
        devices: devices.into_iter().map(|d| DevicePrice { doi: d.doi().map(str::to_owned), device: d }).collect(),
        synthesis: &record.synthesis,
        routing: record.routing.as_ref(),
    };
    let mut text = text::text(&price);
    if args.measure && args.record.is_none() {
        text.push_str(&format!("\nThe record, which `--record FILE` writes to a file:\n\n{}", record.to_toml()));
    }
    console.result(&text, &price)?;
    Ok(Status::Done)
}

impl Args {
    /// Returns the array with each code asked for.
    fn variants(&self, config: &AccelConfig) -> Result<Vec<Elaborated>, Failure> {
        let mut variants = price::variants(config);
        let plain = variants.iter().filter(|hw| !hw.config.protection.write_verify);
        let codes: Vec<Code> = plain.map(|hw| hw.config.protection.code).collect();
        if let Some(code) = self.protect.iter().find(|code| !codes.contains(code)) {
            let known = codes.iter().map(Code::to_string).collect::<Vec<_>>().join(", ");
            let what = format!("--protect {code} does not fit the array of `{}`", config.name);
            return Err(Failure::new(what, format!("its codes are {known}")));
        }
        if !self.protect.is_empty() {
            let asked = |code: Code| code == Code::None || self.protect.contains(&code);
            variants.retain(|hw| asked(hw.config.protection.code));
        }
        Ok(variants)
    }

    fn notes(&self, codes: &[CodePrice]) -> Vec<String> {
        let mut notes = vec![
            "The array is priced without injectors: they emulate faults, and would be in no product.".to_owned(),
            "The energy of decoders is not modelled, nor that of the array and of the other memories.".to_owned(),
        ];
        let missing: Vec<String> = codes.iter().filter(|code| code.cells.is_none()).map(CodePrice::name).collect();
        if !missing.is_empty() {
            let command = shlex::try_join(self.array.flags().iter().map(String::as_str)).unwrap_or_default();
            notes.push(format!(
                "Not recorded: {}. `hafnia price {command} --measure` counts cells, with `--route` finds the clock too; add \
                 `--record FILE` to keep what it finds.",
                missing.join(", ")
            ));
        }
        notes
    }
}

/// Reads a record of the user's.
pub fn read_record(path: &Path) -> Result<Record, Failure> {
    let help = "pass a file that `hafnia price --measure --record FILE` wrote";
    let named = |what: String| Failure::new(format!("--record {}: {what}", path.display()), help);
    let text = hafnia_files::read_text(path, Record::LARGEST_FILE).map_err(|e| named(e.to_string()))?;
    Record::from_toml(&text).map_err(|e| named(e.to_string()))
}

/// Plans the network's run.
fn schedule(hw: &Elaborated, path: &Path, model: &Model, batch: Option<u32>) -> Result<Schedule, Failure> {
    Schedule::new(hw, &model.network.shapes(), batch).map_err(|error| {
        let what = format!("{} does not run on this array: {error}", path.display());
        Failure::new(what, "choose another --model, --preset or --batch")
    })
}

impl ModelPrice {
    fn new(path: &Path, model: &Model, hw: &Elaborated, batch: Option<u32>) -> Result<Self, Failure> {
        let schedule = schedule(hw, path, model, batch)?;
        Ok(Self {
            name: model.meta.name.clone(),
            sha256: model.sha256.clone(),
            batch: schedule.batch,
            weight_words: schedule.layers.iter().map(|layer| layer.weight_words).sum(),
        })
    }
}

impl CodePrice {
    fn new(hw: &Elaborated, measured: Option<&Measured>, none: Option<Cells>) -> Self {
        let cells = measured.map(|measured| measured.cells);
        Self {
            protection: hw.config.protection.code,
            write_verify: hw.config.protection.write_verify,
            scrub: hw.config.protection.scrub,
            config_hash: hw.config.hash(),
            overhead: price::overhead(hw.config.protection.code),
            latency_cycles: hw.codec_latency,
            cells,
            over_none: cells.and_then(|cells| Some(cells.over(none?))),
            fits: cells.map(|cells| cells.fits()),
            fmax_mhz: measured.and_then(|measured| measured.fmax_mhz),
            weight_cells: None,
            cells_read: None,
            energy: Vec::new(),
        }
    }

    fn name(&self) -> String {
        price::protection_name(self.protection, Engines::of(self.write_verify, self.scrub))
    }

    /// The same with the reads of a network, if there is one.
    fn reading(
        mut self,
        hw: &Elaborated,
        batch: Option<u32>,
        model: Option<&(&Path, Model)>,
        devices: &[Device],
    ) -> Result<Self, Failure> {
        let Some((path, model)) = model else { return Ok(self) };
        let schedule = schedule(hw, path, model, batch)?;
        let read = price::weight_cells_read(hw, &schedule);
        self.weight_cells = Some(schedule.layers.iter().map(|layer| price::weight_cells(hw, &layer.shape)).sum());
        self.cells_read = Some(read);
        let energy = |device: &Device| Energy {
            device: device.name.clone(),
            nj: device.read_pj_per_bit.map(|pj| read * pj / 1000.0),
        };
        self.energy = devices.iter().map(energy).collect();
        Ok(self)
    }
}
