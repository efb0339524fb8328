//! The choice of hardware that several subcommands share.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use hafnia_config::board::Board;
use hafnia_config::protect::Code;
use hafnia_config::{AccelConfig, Elaborated, presets};

use crate::console::Failure;

/// Which array.
#[derive(Clone, clap::Args)]
pub struct ArrayArgs {
    /// Configuration file (TOML), see docs/configuration.md; `hafnia presets NAME` prints that of a preset.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Named configuration; without it 8x8, or that of the board.
    #[arg(long, value_name = "NAME", value_parser = preset_names())]
    pub preset: Option<String>,
}

/// The configuration that stands where none is named.
const DEFAULT: &str = "8x8";

/// Which accelerator.
#[derive(Clone, clap::Args)]
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
    fn preset(&self) -> &str {
        self.preset.as_deref().unwrap_or(DEFAULT)
    }

    /// Reads the configuration, changes it, and checks it.
    pub fn resolve(&self, change: impl FnOnce(AccelConfig) -> AccelConfig) -> Result<Elaborated, Failure> {
        let Some(path) = &self.config else {
            return Ok(change(presets::find(self.preset())?).validate()?);
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
            None => vec!["--preset".into(), self.preset().to_owned()],
        }
    }
}

impl HardwareArgs {
    /// Returns the same with the preset of the board, if there is one, where none is named.
    pub fn on(&self, board: Option<&Board>) -> Self {
        let mut filled = self.clone();
        if let (None, Some(board)) = (&filled.array.config, board) {
            filled.array.preset.get_or_insert_with(|| board.preset.clone());
        }
        filled
    }

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
