//! The command that shows a difference again.

use std::ops::Range;
use std::path::Path;

use hafnia_config::fault::AtRisk;
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

    /// Adds the noise.
    pub fn noise(self, ber: f64, seed: u64) -> Self {
        self.option("--ber", Some(ber)).option("--seed", Some(seed))
    }

    /// Adds what is at risk in a network of `layers` layers, where that is not everything.
    pub fn at_risk(self, at_risk: AtRisk, layers: usize) -> Self {
        let mask = at_risk.layers_of(layers);
        let list = (0..layers).filter(|layer| mask >> layer & 1 == 1).map(|layer| layer.to_string());
        let some = mask != AtRisk::ALL.layers_of(layers);
        self.option("--bits", (at_risk.bits != AtRisk::ALL.bits).then(|| format!("0x{:02x}", at_risk.bits)))
            .option("--layers", some.then(|| list.collect::<Vec<_>>().join(",")))
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
