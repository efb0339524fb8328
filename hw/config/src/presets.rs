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

/// `4x4-25f`, for an LFE5U-25F: it streams `vgg-a8`.
fn small_device() -> AccelConfig {
    of_device("25f", 0, preset(4, 4, [2048, 2048, 1024, 256]))
}

/// `8x8-45f`, for an LFE5U-45F: it streams `vgg-a8`.
fn medium_device() -> AccelConfig {
    // 72 multipliers, of which requantisation and counters take 17.
    of_device("45f", 2, preset(8, 8, [4096, 2048, 1024, 256]))
}

/// `8x8-85f`, for an LFE5U-85F: `8x8` with the code `secded-72-64`.
fn large_device() -> AccelConfig {
    let preset = preset(8, 8, [18432, 8192, 1024, 1024]);
    let protection = ProtectionConfig::of(Code::Secded { data_bits: 64 }, 8);
    of_device("85f", 0, AccelConfig { protection, ..preset })
}

/// `12x12-85f`, with nearly all multipliers of an LFE5U-85F: it streams `vgg-a8`.
fn large_array() -> AccelConfig {
    // 156 multipliers, of which requantisation and counters take 25.
    of_device("85f", 2, preset(12, 12, [4096, 2048, 1024, 256]))
}

/// The same for a device, with so many rows whose products are made of logic. It errs at the weights alone.
fn of_device(device: &str, soft_rows: u32, preset: AccelConfig) -> AccelConfig {
    let array = ArrayConfig { soft_rows, ..preset.array };
    let injector = InjectorConfig { weights: Kinds::READ, ..InjectorConfig::default() };
    AccelConfig { name: format!("{}-{device}", preset.name), array, injector, ..preset }
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
