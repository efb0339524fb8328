//! The command that shows a difference again.

use std::ops::Range;
use std::path::Path;

use hafnia_config::fault::{AtRisk, Noise, Site};
use hafnia_cosim::Trace;

/// A `verify` command.
pub struct VerifyCommand {
    words: Vec<String>,
}

impl VerifyCommand {
    /// Begins with the flags that choose the hardware.
    pub fn new(hardware: Vec<String>) -> Self {
        let mut words = vec!["hafnia".to_owned(), "verify".to_owned()];
        words.extend(hardware);
        Self { words }
    }

    /// Adds an option where there is a value.
    pub fn option<T: ToString>(mut self, name: &str, value: Option<T>) -> Self {
        self.words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value.to_string()]));
        self
    }

    /// Adds an option with a path where there is one.
    pub fn path(self, name: &str, path: Option<&Path>) -> Self {
        self.option(name, path.map(Path::display))
    }

    /// Adds the images, in hardware batches of `batch`.
    pub fn images(self, images: Range<u32>, batch: u32) -> Self {
        self.option("--images", Some(format!("{}:{}", images.start, images.len()))).option("--batch", Some(batch))
    }

    /// Adds rates, seed and what is at risk in a network of `layers` layers.
    pub fn noise(self, noise: &Noise, seed: u64, layers: usize) -> Self {
        let Noise { rates, at_risk, cells, .. } = noise;
        let mask = at_risk.layers_of(layers);
        let list = (0..layers).filter(|layer| mask >> layer & 1 == 1);
        let some = mask != AtRisk::EVERYTHING.layers_of(layers);
        let own = Site::ALL.into_iter().zip(at_risk.bits).filter(|(_, bits)| ![0, u8::MAX].contains(bits));
        self.option("--ber", rates.is_even().then_some(rates.p01))
            .option("--p01", (!rates.is_even()).then_some(rates.p01))
            .option("--p10", (!rates.is_even()).then_some(rates.p10))
            .option("--seed", Some(seed))
            .options("--sites", at_risk.sites())
            .options("--bits", own.map(|(site, bits)| format!("{site}=0x{bits:02x}")))
            .option("--check-bits", (!at_risk.checks).then_some(false))
            .options("--layers", list.filter(|_| some))
            .option("--cells", Some(cells.to_string()).filter(|cells| !cells.is_empty()))
    }

    /// Adds an option for each of the values.
    fn options<T: ToString>(self, name: &str, values: impl Iterator<Item = T>) -> Self {
        values.fold(self, |command, value| command.option(name, Some(value)))
    }

    /// Adds a waveform.
    pub fn trace(self, trace: Option<&Trace>) -> Self {
        let window = trace.map(|Trace { from, count, .. }| format!("{from}:{count}"));
        self.path("--wave", trace.map(|trace| &*trace.path)).option("--wave-window", window)
    }

    /// Returns the command as a shell takes it.
    pub fn line(&self) -> String {
        shlex::try_join(self.words.iter().map(String::as_str)).expect("an argument holds no NUL")
    }
}
