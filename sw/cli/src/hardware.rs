//! The choice of hardware that several subcommands share.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use hafnia_config::protect::Code;
use hafnia_config::{AccelConfig, Elaborated, presets};

use crate::console::Failure;

/// Which array.
#[derive(clap::Args)]
pub struct ArrayArgs {
    /// Configuration file (TOML), see docs/configuration.md; `hafnia presets NAME` prints that of a preset.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Named configuration.
    #[arg(long, value_name = "NAME", default_value = "8x8", value_parser = preset_names())]
    pub preset: String,
}

/// Which accelerator.
#[derive(clap::Args)]
pub struct HardwareArgs {
    #[command(flatten)]
    pub array: ArrayArgs,
    /// Code of weights and biases in place of the configuration's: none, parity, secded-13-8, secded-22-16, secded-39-32,
    /// secded-72-64, tmr, msb-tmr-K; see docs/protection.md.
    #[arg(long, value_name = "CODE")]
    pub protect: Option<Code>,
}

fn preset_names() -> PossibleValuesParser {
    presets::all().into_iter().map(|preset| preset.name).collect::<Vec<_>>().into()
}

impl ArrayArgs {
    /// Reads the configuration, changes it, and checks it.
    pub fn resolve(&self, change: impl FnOnce(AccelConfig) -> AccelConfig) -> Result<Elaborated, Failure> {
        let Some(path) = &self.config else {
            return Ok(change(presets::find(&self.preset)?).validate()?);
        };
        let named = |what: String, help| Failure::new(format!("{}: {what}", path.display()), help);
        let text = hafnia_files::read_text(path, AccelConfig::LARGEST_FILE)
            .map_err(|e| named(e.to_string(), "pass a TOML file that can be read, or `--preset`"))?;
        AccelConfig::from_toml(&text).and_then(|c| change(c).validate()).map_err(|e| {
            named(e.to_string(), "correct the file or what the flags change of it, see docs/configuration.md")
        })
    }

    /// Returns the flags that choose the same array.
    pub fn flags(&self) -> Vec<String> {
        match &self.config {
            Some(path) => vec!["--config".into(), path.display().to_string()],
            None => vec!["--preset".into(), self.preset.clone()],
        }
    }
}

impl HardwareArgs {
    /// Reads and checks the configuration.
    pub fn resolve(&self) -> Result<Elaborated, Failure> {
        self.array.resolve(|config| match self.protect {
            Some(code) => config.protected(code),
            None => config,
        })
    }

    /// Returns the flags that choose the same hardware.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = self.array.flags();
        flags.extend(self.protect.iter().flat_map(|code| ["--protect".to_owned(), code.to_string()]));
        flags
    }
}
