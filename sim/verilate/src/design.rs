//! What is built: Verilog text, the ports of its top level, and the choice of trace and start values.

use crate::Error;

/// Lint warnings that are switched off unless a [`Design`] says otherwise: unused bits of a bus are normal in generated
/// Verilog, and a file may hold more than one module.
pub const DEFAULT_WAIVERS: [&str; 3] = ["DECLFILENAME", "UNUSEDSIGNAL", "UNUSEDPARAM"];

/// The waivers of a netlist that a tool made, of which warnings tell nothing: every class of them, and that they are errors.
pub const NETLIST_WAIVERS: [&str; 3] = ["lint", "style", "fatal"];

/// Lint warnings that cannot be waived, because each one was a wrong circuit when it came up.
pub const NEVER_WAIVED: [&str; 6] = ["WIDTH", "WIDTHTRUNC", "WIDTHEXPAND", "LATCH", "UNDRIVEN", "PINMISSING"];

/// Verilog with a description of its top-level ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// Name of the top module.
    pub top: String,
    /// The whole Verilog text.
    pub verilog: String,
    /// Every port of the top module.
    pub ports: Vec<Port>,
    /// Names of the Verilator warnings that are not errors. See [`DEFAULT_WAIVERS`] and [`NEVER_WAIVED`].
    pub waivers: Vec<String>,
}

/// One top-level port: a scalar or a vector `[width_bits-1:0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name in the Verilog.
    pub name: String,
    /// True when the outside drives it.
    pub input: bool,
    /// Width in bits.
    pub width_bits: u32,
}

impl Port {
    /// Describes an input.
    pub fn input(name: impl Into<String>, width_bits: u32) -> Self {
        Port { name: name.into(), input: true, width_bits }
    }

    /// Describes an output.
    pub fn output(name: impl Into<String>, width_bits: u32) -> Self {
        Port { name: name.into(), input: false, width_bits }
    }

    /// Number of 32-bit words that hold a value of this port.
    pub fn words(&self) -> usize {
        self.width_bits.div_ceil(32) as usize
    }
}

/// Whether the library can write waveforms. Tracing is a compile-time option of Verilator and costs 15 to 20 times the
/// run time while it writes, so the fast library has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trace {
    /// No waveforms.
    #[default]
    None,
    /// Value change dump, text.
    Vcd,
    /// GTKWave's compressed format.
    Fst,
}

/// What registers, memories and `x` hold before anything is written to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unknowns {
    /// Whatever is fastest, in practice zero.
    #[default]
    Fast,
    /// Random values from `seed`: a design that reads what it never wrote gives other results than with `Fast`.
    Randomise {
        /// Start of the random sequence; the same library serves every seed.
        seed: u64,
    },
}

/// What a library is built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Long runs: optimised fully.
    #[default]
    Full,
    /// Short runs, which take less time than the build: built in half the time, and slower; and many of them, which share what the
    /// compiler read.
    Quick,
}

/// Which library of a design is wanted. Each is built and cached by itself, when it is first asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Waveforms.
    pub trace: Trace,
    /// Start values.
    pub unknowns: Unknowns,
    /// Time of the build against that of the run.
    pub effort: Effort,
}

impl Variant {
    /// The variant that can write the waveform file `path`: FST for the extension `fst`, else VCD. Somebody waits for it, and it
    /// shows a short run.
    pub fn tracing(path: &std::path::Path) -> Self {
        let fst = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("fst"));
        Variant { trace: if fst { Trace::Fst } else { Trace::Vcd }, effort: Effort::Quick, ..Variant::default() }
    }
}

/// A group of ports that the shim drives by name: all of them are present or none.
struct Interface {
    define: &'static str,
    ports: &'static [&'static str],
}

const INTERFACES: [Interface; 8] = [
    Interface { define: "HAFNIA_HAS_CLOCK", ports: &["clk_i"] },
    Interface {
        define: "HAFNIA_HAS_BUS",
        ports: &[
            "wb_cyc_i",
            "wb_stb_i",
            "wb_we_i",
            "wb_adr_i",
            "wb_dat_i",
            "wb_sel_i",
            "wb_dat_o",
            "wb_ack_o",
            "wb_err_o",
            "wb_stall_o",
        ],
    },
    Interface { define: "HAFNIA_HAS_STREAM", ports: &["ws_valid_i", "ws_data_i", "ws_ready_o"] },
    Interface { define: "HAFNIA_HAS_BUSY", ports: &["busy_o"] },
    Interface { define: "HAFNIA_HAS_LINE", ports: &["uart_rx_i", "uart_tx_o"] },
    Interface {
        define: "HAFNIA_HAS_FLIPS",
        ports: &["flip_valid_o", "flip_layer_o", "flip_group_o", "flip_address_o", "flip_before_o", "flip_mask_o"],
    },
    Interface {
        define: "HAFNIA_HAS_BIAS_FLIPS",
        ports: &["bias_flip_valid_o", "bias_flip_address_o", "bias_flip_before_o", "bias_flip_mask_o"],
    },
    Interface {
        define: "HAFNIA_HAS_MAP_FLIPS",
        ports: &["map_flip_valid_o", "map_flip_address_o", "map_flip_before_o", "map_flip_mask_o"],
    },
];

/// Ports whose width is fixed by the shim.
const FIXED_WIDTHS: [(&str, u32); 3] = [("wb_dat_i", 32), ("wb_dat_o", 32), ("wb_sel_i", 4)];

impl Design {
    /// Looks a port up by name.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.name == name)
    }

    /// Checks names, widths, whole interfaces and waivers.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !is_identifier(&self.top) {
            return Err(self.bad_port(format!("`{}` is not a Verilog identifier", self.top)));
        }
        if self.verilog.contains("`include") {
            return Err(Error::Included { top: self.top.clone() });
        }
        self.check_ports()?;
        INTERFACES.iter().try_for_each(|interface| self.check_interface(interface))?;
        self.check_waivers()
    }

    fn check_ports(&self) -> Result<(), Error> {
        for (index, port) in self.ports.iter().enumerate() {
            if !is_identifier(&port.name) || port.width_bits == 0 {
                return Err(self.bad_port(format!("`{}` with {} bits cannot be a port", port.name, port.width_bits)));
            }
            if self.ports[..index].iter().any(|earlier| earlier.name == port.name) {
                return Err(self.bad_port(format!("port `{}` is listed twice", port.name)));
            }
        }
        for (name, width_bits) in FIXED_WIDTHS {
            if let Some(port) = self.port(name).filter(|port| port.width_bits != width_bits) {
                return Err(self.bad_port(format!("port `{name}` has {} bits, not {width_bits}", port.width_bits)));
            }
        }
        Ok(())
    }

    fn check_interface(&self, interface: &Interface) -> Result<(), Error> {
        let present = |name: &&str| self.port(name).is_some();
        match interface.ports.iter().find(|name| !present(name)) {
            Some(missing) if interface.ports.iter().any(present) => {
                Err(self.bad_port(format!("port `{missing}` is missing from an interface that is otherwise there")))
            }
            _ => Ok(()),
        }
    }

    fn check_waivers(&self) -> Result<(), Error> {
        let waived = |rule: &str| {
            self.waivers.iter().any(|waiver| waiver == rule) || self.verilog.contains(&format!("lint_off {rule}"))
        };
        match NEVER_WAIVED.into_iter().find(|rule| waived(rule)) {
            Some(rule) => Err(Error::WaiverRefused { top: self.top.clone(), rule }),
            None => Ok(()),
        }
    }

    pub(crate) fn has(&self, define: &str) -> bool {
        let wanted = INTERFACES.iter().find(|interface| interface.define == define);
        wanted.is_some_and(|interface| interface.ports.iter().all(|name| self.port(name).is_some()))
    }

    /// The generated half of the shim: the table of ports and the interfaces that exist.
    pub(crate) fn ports_header(&self) -> String {
        let mut text = String::from("// Generated from the list of ports.\n#pragma once\n");
        text.push_str(&format!("#define HAFNIA_ABI_VERSION {}\n", crate::api::ABI_VERSION));
        for interface in INTERFACES.iter().filter(|interface| self.has(interface.define)) {
            text.push_str(&format!("#define {}\n", interface.define));
        }
        text.push_str("#define HAFNIA_PORTS(X)");
        for port in &self.ports {
            text.push_str(&format!(" \\\n    X({}, {}) /* {} bits */", port.name, port.input, port.width_bits));
        }
        text.push('\n');
        text
    }

    pub(crate) fn bad_port(&self, detail: String) -> Error {
        Error::Ports { top: self.top.clone(), detail }
    }
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
