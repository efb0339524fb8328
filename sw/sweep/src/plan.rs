//! From a sweep file to points: models read, presets checked, images at hand.

use hafnia_config::fault::Thresholds;
use hafnia_config::schedule::Schedule;
use hafnia_config::{Elaborated, presets};
use hafnia_dataset::Images;
use hafnia_quantize::{Model, read_model};
use serde_json::{Value, json};

use crate::spec::{Engine, Spec, Stop};
use crate::{Row, SweepError};

/// A sweep that can run: every file read and every combination checked.
#[derive(Debug)]
pub struct Plan {
    /// What computes.
    pub engine: Engine,
    /// When a point needs no more seeds.
    pub stop: Option<Stop>,
    /// The points, in the order in which they run.
    pub points: Vec<Point>,
    /// Models x presets, which the points name by number.
    pub setups: Vec<Setup>,
    /// The test images.
    pub images: Images,
    /// Number of the first.
    pub first: u32,
    /// What `plan.json` holds: all that the rows depend on.
    pub(crate) facts: Value,
    /// The text of the sweep file.
    pub(crate) text: String,
}

/// A network on a configuration.
#[derive(Debug)]
pub struct Setup {
    /// The network.
    pub model: Model,
    /// The configuration.
    pub hw: Elaborated,
    /// The one on the other.
    pub schedule: Schedule,
}

/// One point: a setup, a rate and a seed.
#[derive(Clone, Debug)]
pub struct Point {
    /// Number of the setup in [`Plan::setups`].
    pub setup: usize,
    /// Number of the group of points that differ by their seeds alone.
    pub cell: usize,
    /// The noise.
    pub thresholds: Thresholds,
    /// Its row, without results.
    pub(crate) row: Row,
}

impl Point {
    /// Returns the rate asked for.
    pub fn ber(&self) -> f64 {
        self.row.ber_requested
    }

    /// Returns the run seed.
    pub fn seed(&self) -> u64 {
        self.row.seed
    }
}

impl Plan {
    /// Plans a sweep.
    ///
    /// # Errors
    /// A file that cannot be read, a preset that is none, a network that does not fit, a rate that cannot be had.
    pub fn new(spec: &Spec) -> Result<Self, SweepError> {
        let data = hafnia_dataset::locate(spec.data.as_deref())?;
        let [first, count] = spec.images;
        let images = data.test().read(first as usize, count as usize)?;
        let version = env!("CARGO_PKG_VERSION");
        let (mut setups, mut points) = (Vec::new(), Vec::new());
        let (mut models, mut configurations) = (Vec::new(), Vec::new());
        for path in &spec.models {
            let model = read_model(path)?;
            model.check_images(path, &data)?;
            models.push(json!({ "name": model.network.name, "sha256": model.sha256 }));
            for name in &spec.presets {
                let hw = presets::find(name)?.validate()?;
                let unfit =
                    |source| SweepError::Schedule { model: model.network.name.clone(), preset: name.clone(), source };
                let schedule = Schedule::new(&hw, &model.network.shapes(), spec.batch).map_err(unfit)?;
                for (rate, &ber) in spec.ber.iter().enumerate() {
                    let thresholds = hw.thresholds(ber)?;
                    // Nothing is drawn at rate 0: every seed gives the same.
                    let seeds = if thresholds.enable { &spec.seeds[..] } else { &spec.seeds[..1] };
                    points.extend(seeds.iter().map(|&seed| Point {
                        setup: setups.len(),
                        cell: setups.len() * spec.ber.len() + rate,
                        thresholds: thresholds.clone(),
                        row: Row {
                            model: model.network.name.clone(),
                            model_sha256: model.sha256.clone(),
                            preset: name.clone(),
                            config_hash: hw.config.hash(),
                            engine: spec.engine.name().to_owned(),
                            data: data.name().to_owned(),
                            first,
                            batch: schedule.batch,
                            ber_requested: ber,
                            seed,
                            bit_mask: u8::MAX,
                            layer_mask: u32::MAX >> (u32::BITS - schedule.layers.len() as u32),
                            draws: "exact".to_owned(),
                            protection: hw.config.protection.code.to_string(),
                            version: version.to_owned(),
                            ..Row::default()
                        },
                    }));
                }
                configurations.push(json!({ "preset": name, "config_hash": hw.config.hash() }));
                setups.push(Setup { model: model.clone(), hw, schedule });
            }
        }
        configurations.truncate(spec.presets.len());
        let facts = json!({
            "version": version, "points": points.len(), "engine": spec.engine, "models": models, "presets": configurations,
            "ber": spec.ber, "seeds": spec.seeds, "batch": spec.batch, "stop": spec.stop,
            "images": { "data": data.name(), "first": first, "count": count, "sha256": images.sha256() },
        });
        Ok(Self { engine: spec.engine, stop: spec.stop, points, setups, images, first, facts, text: spec.text.clone() })
    }
}
