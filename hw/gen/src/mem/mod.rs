//! Memories: block RAM, feature maps, and the weight memory with its read port (memory, injector, codec slot).

pub mod block_ram;
pub mod map;
pub mod ring;
pub mod weight;
pub mod weight_lane;
