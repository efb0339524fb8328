//! A code in the place of a configuration's own.

use super::Code;
use crate::AccelConfig;
use crate::accel::ProtectionConfig;

impl AccelConfig {
    /// Returns the configuration with this code of weights, and its like of biases, in the place of its own; write-verify
    /// and scrubber stay. Any name but `none` comes behind that of the configuration.
    #[must_use]
    pub fn protected(self, code: Code) -> Self {
        let ProtectionConfig { write_verify, scrub, .. } = self.protection;
        let protection = ProtectionConfig { write_verify, scrub, ..ProtectionConfig::of(code, self.array.cols) };
        let name = if code == Code::None { self.name } else { format!("{}-{code}", self.name) };
        Self { name, protection, ..self }
    }
}

/// Returns the name of a configuration without that of its code, which [`AccelConfig::protected`] put behind it.
pub fn bare_name<'a>(name: &'a str, code: &str) -> &'a str {
    name.strip_suffix(code).and_then(|name| name.strip_suffix('-')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn a_code_takes_the_place_of_another_and_names_the_configuration() {
        let preset = || presets::find("8x4").unwrap();
        let tmr = preset().protected(Code::Tmr);
        assert_eq!((&*tmr.name, tmr.protection.code, tmr.protection.weights_per_codeword), ("8x4-tmr", Code::Tmr, 4));
        assert_eq!((bare_name(&tmr.name, "tmr"), bare_name(&tmr.name, "parity")), ("8x4", "8x4-tmr"));
        assert_eq!(preset().protected(Code::None), preset());
        let verified = presets::find("8x8-faults").unwrap();
        assert_eq!(verified.clone().protected(Code::None), verified);
        assert!(verified.protected(Code::Parity).protection.write_verify);
    }
}
