//! Named configurations. Everything else refers to hardware by these names.

use crate::accel::{AccelConfig, ArrayConfig, ConfigError, InjectorConfig, MemoryConfig, ProtectionConfig};
use crate::fault::Kinds;
use crate::protect::Code;

/// Returns every preset, smallest array first.
///
/// From `8x8` up the weight memory holds all of `vgg-a8`; the smaller arrays stream it. `8x8-all` has read noise at the
/// feature maps too, `8x8-faults` every kind of fault at every memory, and write-verify.
pub fn all() -> Vec<AccelConfig> {
    vec![
        preset(4, 4, [4096, 4096, 1024, 1024]),
        preset(8, 4, [8192, 8192, 1024, 1024]),
        preset(8, 8, [18432, 8192, 1024, 1024]),
        everywhere("all", Kinds::READ, preset(8, 8, [18432, 8192, 1024, 1024])),
        verified(everywhere("faults", Kinds::ALL, preset(8, 8, [18432, 8192, 1024, 1024]))),
        preset(16, 16, [9216, 8192, 1024, 512]),
    ]
}

/// Returns the preset of this name.
///
/// # Errors
/// [`ConfigError::UnknownPreset`], with the names that exist.
pub fn find(name: &str) -> Result<AccelConfig, ConfigError> {
    all().into_iter().find(|p| p.name == name).ok_or_else(|| ConfigError::UnknownPreset {
        name: name.to_owned(),
        known: all().into_iter().map(|p| p.name).collect::<Vec<_>>().join(", "),
    })
}

/// Returns the arrays of `configs/`, which come with Hafnia and are no presets.
///
/// # Panics
/// Never: a test reads them.
pub fn examples() -> Vec<AccelConfig> {
    let config = AccelConfig::from_toml(include_str!("../../../configs/8x8-scrub.toml"));
    vec![config.expect("a test reads every example")]
}

/// The same with these kinds of fault at every memory.
fn everywhere(name: &str, kinds: Kinds, preset: AccelConfig) -> AccelConfig {
    let injector = InjectorConfig { weights: kinds, biases: kinds, activations: kinds };
    AccelConfig { name: format!("{}-{name}", preset.name), injector, ..preset }
}

/// The same with write-verify.
fn verified(preset: AccelConfig) -> AccelConfig {
    AccelConfig { protection: ProtectionConfig { write_verify: true, ..preset.protection }, ..preset }
}

fn preset(
    rows: u32,
    cols: u32,
    [weight_words, map_words, accumulator_words, parameter_words]: [u32; 4],
) -> AccelConfig {
    AccelConfig {
        name: format!("{rows}x{cols}"),
        clock_mhz: 80,
        array: ArrayConfig { rows, cols },
        memory: MemoryConfig { weight_words, map_words, accumulator_words, parameter_words, program_descriptors: 64 },
        protection: ProtectionConfig::of(Code::None, cols),
        injector: InjectorConfig { weights: Kinds::READ, biases: Kinds::READ, activations: Kinds::NONE },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_legal_and_has_a_name_of_its_own() {
        for config in examples() {
            assert!(config.validate().is_ok() && find(&config.name).is_err(), "{}", config.name);
        }
    }
}
