//! The bit-flip injector: seeding generator and the two-level draw of one lane.

pub mod lane;
pub mod seeder;
mod text;
