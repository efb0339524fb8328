//! The bit-flip injector: seeding generator, the two-level draw of one lane, and the bus of its registers.

pub mod lane;
pub mod noise_bus;
pub mod seeder;
mod text;
