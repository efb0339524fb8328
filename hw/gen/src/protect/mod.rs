//! Codes: encoders in front of a memory, decoders behind its read port. All go by the description of a codeword.

pub mod decode_port;
mod decoder;
pub mod encoder;
mod live;
pub mod programmer;
pub mod scrubber;
mod xor;

pub use live::{cells_at_risk, cells_in_use};
