//! From a sweep file to points: models read, presets checked, images at hand.

use std::path::PathBuf;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Draws, FaultError, Noise, RateError, Rates, Site};
use hafnia_config::schedule::Schedule;
use hafnia_cosim::{LARGEST_VERILOG, design};
use hafnia_dataset::{Dataset, Images};
use hafnia_quantize::{Model, read_model};
use hafnia_verilate::Design;
use serde_json::{Value, json};

use crate::spec::{Engine, Spec, Stop};
use crate::{Configuration, Row, SweepError};

/// A sweep that can run: every file read and every combination checked.
#[derive(Debug)]
pub struct Plan {
    /// When a point needs no more seeds.
    pub stop: Option<Stop>,
    /// Share of the images that is run again on the simulated hardware.
    pub audit: f64,
    /// Verilog that is simulated instead of the generated.
    rtl: Option<String>,
    /// The points, in the order in which they run.
    pub points: Vec<Point>,
    /// Models x configurations, with their codes, x engines, which the points name by number.
    pub setups: Vec<Setup>,
    /// The data set.
    pub data: Dataset,
    /// Its test images.
    pub images: Images,
    /// Number of the first.
    pub first: u32,
    /// What `plan.json` holds: all that the rows depend on.
    pub(crate) facts: Value,
    /// The text of the sweep file.
    pub(crate) text: String,
}

/// A network on a configuration, and what computes it.
#[derive(Debug)]
pub struct Setup {
    /// File of the network.
    pub path: PathBuf,
    /// The network.
    pub model: Model,
    /// The configuration.
    pub configuration: Configuration,
    /// The one on the other.
    pub schedule: Schedule,
    /// What computes.
    pub engine: Engine,
}

impl Setup {
    /// Adds the points of this setup, number `number`: cells at risk x their faults x directions x rates x seeds. At rate 0
    /// without faults of cells nothing is drawn, so that there is one point whatever the cells, the direction and the seed.
    fn points(&self, spec: &Spec, number: usize, blank: &Row, points: &mut Vec<Point>) -> Result<(), SweepError> {
        let layers = self.schedule.layers.len();
        let wrong = |error: FaultError| match error {
            FaultError::AtRisk { key, source } => spec.wrong(key, &format!("{}: {source}", blank.model)),
            error => SweepError::Spec { path: spec.path.clone(), reason: error.to_string() },
        };
        let risks = spec.at_risk(&self.configuration.hw, layers).map_err(wrong)?;
        let mut cell = points.last().map_or(0, |point| point.cell + 1);
        let faults = risks.iter().flat_map(|&at_risk| spec.cells.iter().map(move |&cells| (at_risk, cells)));
        let kinds = faults.flat_map(|(at_risk, cells)| {
            spec.directions.iter().enumerate().map(move |(n, &direction)| (at_risk, cells, n, direction))
        });
        let mut clean = false;
        for (at_risk, cells, n, direction) in kinds {
            for &ber in &spec.ber {
                let any_fault = cells.kinds().next().is_some();
                let (at_risk, seeds) = match (ber == 0.0, any_fault) {
                    (true, false) if clean => continue,
                    (true, false) => (self.configuration.hw.at_risk_by_default(), &spec.seeds[..1]),
                    (true, true) if n > 0 => continue,
                    _ => (at_risk, &spec.seeds[..]),
                };
                clean |= ber == 0.0 && !any_fault;
                let rates = direction.rates(ber);
                let noise = self.configuration.hw.noise(rates, at_risk).map_err(|error| {
                    let key = if matches!(error, RateError::NoInjector { .. }) { "sites" } else { "ber" };
                    spec.wrong(key, &error)
                })?;
                let noise = Noise { draws: spec.draws, ..noise };
                let noise =
                    self.configuration.hw.with_cells(noise, cells).map_err(|error| spec.wrong("cells", &error))?;
                self.schedule.check(&self.configuration.hw, &noise).map_err(|error| spec.wrong("cells", &error))?;
                let row = Row {
                    ber_requested: ber,
                    p01_requested: rates.p01,
                    p10_requested: rates.p10,
                    sites: at_risk.sites().map(Site::name).collect::<Vec<_>>().join("+"),
                    bit_mask: at_risk.bits.into_iter().fold(0, |all, bits| all | bits),
                    layer_mask: at_risk.layers_of(layers),
                    cells: cells.to_string(),
                    ..blank.clone()
                };
                points.extend(seeds.iter().map(|&seed| Point {
                    setup: number,
                    cell,
                    noise: noise.clone(),
                    row: Row { seed, ..row.clone() },
                }));
                cell += 1;
            }
        }
        Ok(())
    }
}

/// One point: a setup, cells at risk, a rate and a seed.
#[derive(Clone, Debug)]
pub struct Point {
    /// Number of the setup in [`Plan::setups`].
    pub setup: usize,
    /// Number of the group of points that differ by their seeds alone.
    pub cell: usize,
    /// The noise.
    pub noise: Noise,
    /// Its row, without results.
    pub(crate) row: Row,
}

impl Point {
    /// Returns the rate asked for.
    pub fn ber(&self) -> f64 {
        self.row.ber_requested
    }

    /// Returns the rates of both directions asked for.
    pub fn rates(&self) -> Rates {
        self.noise.rates
    }

    /// Returns the directions in which cells are read wrong, see [`Row::direction`].
    pub fn direction(&self) -> &'static str {
        self.row.direction()
    }

    /// Returns the memories at risk, joined by `+`.
    pub fn sites(&self) -> &str {
        &self.row.sites
    }

    /// Returns the bits of a byte at risk, as a mask.
    pub fn bit_mask(&self) -> u8 {
        self.row.bit_mask
    }

    /// Returns the layers at risk, as a mask.
    pub fn layer_mask(&self) -> u32 {
        self.row.layer_mask
    }

    /// Returns the faults of the cells, as `key=value,...`.
    pub fn cells(&self) -> &str {
        &self.row.cells
    }

    /// Returns its row, without results.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Returns the run seed.
    pub fn seed(&self) -> u64 {
        self.row.seed
    }
}

impl Plan {
    /// Returns the design to simulate.
    pub(crate) fn design(&self, hw: &Elaborated) -> Design {
        let generated = design(hw);
        Design { verilog: self.rtl.clone().unwrap_or(generated.verilog), ..generated }
    }

    /// Plans a sweep.
    ///
    /// # Errors
    /// A file that cannot be read, a preset that is none, a network that does not fit, a rate that cannot be had.
    pub fn new(spec: &Spec) -> Result<Self, SweepError> {
        let data = hafnia_dataset::locate(spec.data.as_deref());
        let data = data
            .map_err(|e| spec.wrong("data", &format!("{e}; in a sweep file this key takes the place of `--data`")))?;
        let [first, count] = spec.images;
        let images = data.test().read(first as usize, count as usize).map_err(|error| spec.wrong("images", &error))?;
        let read =
            |path: &PathBuf| hafnia_files::read_text(path, LARGEST_VERILOG).map_err(SweepError::io("read", path));
        let rtl = spec.rtl.as_ref().map(read).transpose()?;
        let version = env!("CARGO_PKG_VERSION");
        let (mut setups, mut points) = (Vec::new(), Vec::new());
        let configurations = Configuration::all(spec)?;
        let named = configurations.iter().map(|configuration| &configuration.hw.config);
        let named: Vec<_> =
            named.map(|config| json!({ "preset": config.name, "config_hash": config.hash() })).collect();
        let mut models = Vec::new();
        for path in &spec.models {
            let model = read_model(path).map_err(|error| spec.wrong("models", &error))?;
            model.check_images(path, &data).map_err(|error| spec.wrong("models", &error))?;
            models.push(json!({ "name": model.network.name, "sha256": model.sha256 }));
            let pairs = configurations.iter().flat_map(|of| spec.engines.iter().map(move |&engine| (of, engine)));
            for (configuration, engine) in pairs {
                let hw = &configuration.hw;
                let unfit = |source| SweepError::Schedule {
                    model: model.network.name.clone(),
                    preset: hw.config.name.clone(),
                    source,
                };
                let schedule = Schedule::new(hw, &model.network.shapes(), spec.batch).map_err(unfit)?;
                let schedule = match spec.draws {
                    Draws::Exact => schedule,
                    Draws::Statistical => schedule.reading_once_for(spec.images_per_read.unwrap_or(1)),
                };
                let blank = Row {
                    model: model.network.name.clone(),
                    model_sha256: model.sha256.clone(),
                    preset: hw.config.name.clone(),
                    config_hash: hw.config.hash(),
                    engine: engine.name().to_owned(),
                    data: data.name().to_owned(),
                    first,
                    batch: schedule.batch,
                    draws: spec.draws.name().to_owned(),
                    protection: hw.config.protection.code.to_string(),
                    version: version.to_owned(),
                    ..Row::default()
                };
                let (path, model, configuration) = (path.clone(), model.clone(), configuration.clone());
                let setup = Setup { path, model, configuration, schedule, engine };
                setup.points(spec, setups.len(), &blank, &mut points)?;
                setups.push(setup);
            }
        }
        let facts = json!({
            "version": version, "points": points.len(), "engines": spec.engines, "models": models, "presets": named, "protection": spec.protection,
            "ber": spec.ber, "directions": spec.directions, "sites": spec.sites, "bits": spec.bits, "layers": spec.layers, "cells": spec.cells, "seeds": spec.seeds, "batch": spec.batch, "draws": spec.draws, "images_per_read": spec.images_per_read, "stop": spec.stop,
            "audit": spec.audit, "rtl_crc32": rtl.as_ref().map(|text| crc32fast::hash(text.as_bytes())),
            "images": { "data": data.name(), "first": first, "count": count, "sha256": images.sha256() },
        });
        let (stop, audit, text) = (spec.stop, spec.audit, spec.text.clone());
        Ok(Self { stop, audit, rtl, points, setups, data, images, first, facts, text })
    }
}
