//! Memories: block RAM, feature maps, biases and weights; and the read port that what leaves them passes.

pub mod banked_ram;
pub mod bias;
pub mod block_ram;
pub mod flip_record;
pub mod map;
pub mod read_port;
pub mod ring;
pub mod weight;
