//! The configurations of a sweep: presets and files, each with every code of the sweep.

use std::path::PathBuf;

use hafnia_config::protect::Code;
use hafnia_config::{AccelConfig, ConfigError, Elaborated, presets};

use crate::{Spec, SweepError};

/// A configuration of the grid.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its file; none of a preset.
    pub file: Option<PathBuf>,
    /// Its name, to which a code of the sweep's adds its own.
    pub name: String,
    /// Code of the sweep's in the place of its own.
    pub protect: Option<Code>,
    /// The hardware.
    pub hw: Elaborated,
}

impl Configuration {
    /// Returns the configurations of a sweep, presets first.
    ///
    /// # Errors
    /// A preset that is none, a file that cannot be read or does not hold, a code that does not fit, a name that two have.
    pub(crate) fn all(spec: &Spec) -> Result<Vec<Self>, SweepError> {
        let mut all: Vec<Self> = Vec::new();
        for name in &spec.presets {
            let config = presets::find(name).map_err(|error| spec.wrong("presets", &error))?;
            for protect in spec.codes() {
                all.push(Self::new(spec, None, &config, protect, &|error| spec.wrong("presets", &error))?);
            }
        }
        for path in &spec.configs {
            let text =
                hafnia_files::read_text(path, AccelConfig::LARGEST_FILE).map_err(SweepError::io("read", path))?;
            let wrong = |reason| SweepError::Spec { path: path.clone(), reason };
            let unfit = |error: ConfigError| wrong(format!("{error}; see docs/configuration.md"));
            let config = AccelConfig::from_toml(&text).map_err(unfit)?;
            for protect in spec.codes() {
                let own = Self::new(spec, Some(path), &config, protect, &unfit)?;
                let name = &own.hw.config.name;
                if all.iter().any(|other| other.hw.config.name == *name) {
                    let reason = format!(
                        "`name` is {name}, as that of another configuration of the sweep; give it one of its own"
                    );
                    return Err(wrong(reason));
                }
                all.push(own);
            }
        }
        Ok(all)
    }

    /// Puts the code in and checks the whole; `unfit` tells what is wrong with the configuration itself.
    fn new(
        spec: &Spec,
        file: Option<&PathBuf>,
        config: &AccelConfig,
        protect: Option<Code>,
        unfit: &dyn Fn(ConfigError) -> SweepError,
    ) -> Result<Self, SweepError> {
        let name = config.name.clone();
        let chosen = protect.map_or_else(|| config.clone(), |code| config.clone().protected(code));
        let hw = chosen.validate().map_err(|error| match error {
            ConfigError::Code { code, reason, .. } if protect.is_some() => {
                spec.wrong("protection", &format!("{code} on {name}: {reason}"))
            }
            error @ ConfigError::Scrub(_) if protect.is_some() => spec.wrong("protection", &format!("{name}: {error}")),
            error => unfit(error),
        })?;
        Ok(Self { file: file.cloned(), name, protect, hw })
    }
}
