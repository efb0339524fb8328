//! Trained fp32 or fp16 VGG weights to an int8 model file, and back from the file to a
//! [`hafnia_golden::network::Network`].
//!
//! Invariant: the only crate that computes in floating point on images or weights; what leaves it is integers. It
//! trains nothing, folds no batch normalisation, and knows no hardware. Same input, same bytes, on every machine.
//!
//! The way of a network: [`import`] -> calibrate -> quantise -> measure -> [`write_model`]; [`run`] goes all of it.

mod calibrate;
mod error;
mod evaluate;
mod file;
mod float;
mod gemm;
mod import;
mod meta;
mod model;
mod quantise;
mod run;
mod scale;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use calibrate::sample;
pub use error::QuantizeError;
pub use evaluate::correct;
pub use float::FloatModel;
pub use import::{FloatLayer, FloatNetwork, import};
pub use meta::{Accuracy, ModelMeta, Provenance, Quantisation, SCHEMA_VERSION, VggMeta};
pub use model::{Model, read_model, write_model};
pub use quantise::Granularity;
pub use run::{Options, Progress, Stage, Summary, run};
pub use scale::nearest;
