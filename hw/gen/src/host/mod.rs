//! The host's way in: Wishbone port and register bank.

pub mod register_bank;
pub mod wishbone;
