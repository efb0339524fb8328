//! The injector: read noise (seeding generator, two-level draw of a lane), faults of cells at reads and writes, directed
//! injection, and the buses of their registers.

pub mod cell_bus;
pub mod cell_faults;
pub mod directed;
pub mod lane;
pub mod noise_bus;
pub mod seeder;
mod text;
pub mod verify_faults;
pub mod word_hash;
pub mod write_faults;
