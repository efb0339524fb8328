//! From a generated accelerator to what `hafnia-verilate` builds.

use hafnia_config::Elaborated;
use hafnia_gen::generate;
use hafnia_verilate::{DEFAULT_WAIVERS, Design, Port};

/// The largest Verilog file worth reading in place of a generated one, in bytes; that of 16x16 has less than 1 MB.
pub const LARGEST_VERILOG: u64 = 64 << 20;

/// Returns the design of `hw`: its Verilog and the ports that the manifest lists.
pub fn design(hw: &Elaborated) -> Design {
    let generated = generate(hw);
    let port =
        |p: &hafnia_config::manifest::Port| Port { name: p.name.clone(), input: p.input, width_bits: p.width_bits };
    Design {
        top: generated.manifest.top.clone(),
        verilog: generated.verilog,
        ports: generated.manifest.ports.iter().map(port).collect(),
        waivers: DEFAULT_WAIVERS.map(str::to_owned).to_vec(),
    }
}
