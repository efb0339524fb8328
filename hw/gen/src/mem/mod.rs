//! Memories: block RAM, feature maps, biases, and the weight memory, with their read ports (memory, injector, codec slot).

pub mod bias;
pub mod block_ram;
pub mod flip_record;
pub mod map;
pub mod map_port;
pub mod ring;
pub mod weight;
pub mod weight_lane;
