//! Named configurations. Everything else refers to hardware by these names.

use crate::accel::{AccelConfig, ArrayConfig, ConfigError, InjectorConfig, MemoryConfig, ProtectionConfig};
use crate::fault::Kinds;
use crate::protect::Code;

/// Returns every preset, smallest array first, and those of boards last.
///
/// From `8x8` to `16x16` the weight memory holds all of `vgg-a8`; the smaller arrays stream it. `8x8-all` has read noise at the
/// feature maps too, `8x8-faults` every kind of fault at every memory, and write-verify.
pub fn all() -> Vec<AccelConfig> {
    vec![
        preset(4, 4, [4096, 4096, 1024, 1024]),
        preset(8, 4, [8192, 8192, 1024, 1024]),
        preset(8, 8, [18432, 8192, 1024, 1024]),
        everywhere("all", Kinds::READ, preset(8, 8, [18432, 8192, 1024, 1024])),
        verified(everywhere("faults", Kinds::ALL, preset(8, 8, [18432, 8192, 1024, 1024]))),
        preset(16, 16, [9216, 8192, 1024, 512]),
        small_device(),
        medium_device(),
        large_device(),
        large_array(),
    ]
}

/// `4x4-25f`, for an LFE5U-25F: it streams `vgg-a8`, and errs at the weights alone.
fn small_device() -> AccelConfig {
    let injector = InjectorConfig { weights: Kinds::READ, ..InjectorConfig::default() };
    AccelConfig { name: "4x4-25f".into(), injector, ..preset(4, 4, [2048, 2048, 1024, 256]) }
}

/// `8x8-45f`, for an LFE5U-45F: it streams `vgg-a8`, and errs at the weights alone.
fn medium_device() -> AccelConfig {
    let injector = InjectorConfig { weights: Kinds::READ, ..InjectorConfig::default() };
    // 72 multipliers, of which requantisation and counters take 17.
    let array = ArrayConfig { rows: 8, cols: 8, soft_rows: 2 };
    AccelConfig { name: "8x8-45f".into(), array, injector, ..preset(8, 8, [4096, 2048, 1024, 256]) }
}

/// `8x8-85f`, for an LFE5U-85F: `8x8` with the code `secded-72-64`. It errs at the weights alone.
fn large_device() -> AccelConfig {
    let preset = preset(8, 8, [18432, 8192, 1024, 1024]);
    AccelConfig {
        name: "8x8-85f".into(),
        injector: InjectorConfig { weights: Kinds::READ, ..InjectorConfig::default() },
        protection: ProtectionConfig::of(Code::Secded { data_bits: 64 }, 8),
        ..preset
    }
}

/// `12x12-85f`, with nearly all multipliers of an LFE5U-85F: it streams `vgg-a8`, and errs at the weights alone.
fn large_array() -> AccelConfig {
    let injector = InjectorConfig { weights: Kinds::READ, ..InjectorConfig::default() };
    // 156 multipliers, of which requantisation and counters take 25.
    let array = ArrayConfig { rows: 12, cols: 12, soft_rows: 2 };
    AccelConfig { name: "12x12-85f".into(), array, injector, ..preset(12, 12, [4096, 2048, 1024, 256]) }
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
        array: ArrayConfig { rows, cols, soft_rows: 0 },
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
