//! Readable Verilog from a rust-hdl hierarchy, each distinct module once.
//!
//! rust-hdl's own emitter gives every instance a module of its own (16x16: more than a thousand). This one walks the same
//! hierarchy with rust-hdl's [`Probe`], compares module texts bottom-up and keeps one of each. Rules it applies:
//! an instance port `p` of instance `u` is the net `u_p`; ports named `clk_i` and `rst_i` connect to the parent's of the
//! same name; blocks written with `#[hdl_gen]` are translated by rust-hdl.

use std::collections::HashMap;

use hafnia_config::manifest::Port;
use rust_hdl::core::prelude::*;
use rust_hdl::core::verilog_gen::verilog_combinatorial;

/// Marks the line of a custom text that carries the module's name and summary.
const HEADER: &str = "//@ ";

/// What the names of modules begin with that synthesis must not merge with their like.
pub const KEEP: &str = "copy_";

/// Returns a hand-written module body that the emitter will call `module` (unless another text took that name).
pub fn custom(module: &str, summary: &str, body: String) -> Verilog {
    Verilog::Custom(format!("{HEADER}{module}|{summary}\n{body}"))
}

/// Returns the text that drives the output `to` of `bits` bits with `from` of `cycles` cycles ago.
pub fn delayed(from: &str, to: &str, bits: u32, cycles: u32) -> String {
    let names: Vec<String> = (1..=cycles).map(|n| format!("{to}_{n}")).collect();
    let registers = names.iter().map(|name| format!("reg [{}:0] {name};\n", bits - 1));
    let sources = std::iter::once(from).chain(names.iter().map(String::as_str));
    let steps = names.iter().zip(sources).map(|(name, source)| format!("  {name} <= {source};\n"));
    let last = names.last().map_or(from, String::as_str);
    let mut text: String = registers.collect();
    text.push_str(&format!("assign {to} = {last};\n"));
    if cycles > 0 {
        text.push_str(&format!("always @(posedge clk_i) begin\n{}end\n", steps.collect::<String>()));
    }
    text
}

/// Returns the number of bits that are set of the net `net` of `bits` bits, as an expression of `wide` bits.
pub fn number_of_ones(net: &str, bits: u32, wide: u32) -> String {
    let bit = |n| if bits == 1 { net.to_owned() } else { format!("{net}[{n}]") };
    let terms: Vec<String> = (0..bits).map(|n| format!("{{{}'d0, {}}}", wide - 1, bit(n))).collect();
    terms.join(" + ")
}

/// Returns the text that adds `event` to the register `sum` of 32 bits, up to its end; `next` is a name for what is between.
/// `clear_i` sets it to 0.
pub fn saturating(sum: &str, next: &str, event: &str) -> String {
    format!(
        "wire [32:0] {next} = {{1'b0, {sum}}} + {{1'b0, {event}}};\n\
         always @(posedge clk_i) begin\n  {sum} <= {next}[32] ? 32'hffffffff : {next}[31:0];\n  \
         if (rst_i | clear_i) {sum} <= 32'd0;\nend\n"
    )
}

/// Extends `net` of `bits` bits with zeros to `wanted` bits.
pub fn padded(net: &str, bits: u32, wanted: u32) -> String {
    if wanted == bits { net.to_owned() } else { format!("{{{}'d0, {net}}}", wanted - bits) }
}

/// A module of the generated Verilog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Its ports, in order.
    pub ports: Vec<Port>,
}

/// A generated design.
pub struct Emitted {
    /// Verilog text, leaves first.
    pub verilog: String,
    /// The modules in the same order; the last one is the top.
    pub modules: Vec<Module>,
}

/// Emits `top` as a module called `name`.
///
/// # Panics
/// If rust-hdl finds an undriven input, a written input or a logic loop: a mistake in this crate.
pub fn emit(name: &str, top: &mut dyn Block) -> Emitted {
    top.connect_all();
    if let Err(error) = check_all(top) {
        panic!("the hierarchy is not sound: {error:?}");
    }
    let mut emitter = Emitter { top: name.to_owned(), ..Emitter::default() };
    top.accept("top", &mut emitter);
    Emitted { verilog: emitter.texts.concat(), modules: emitter.modules }
}

struct Instance {
    name: String,
    module: String,
    ports: Vec<Port>,
}

struct Frame {
    name: String,
    ports: Vec<Port>,
    locals: Vec<(String, u32)>,
    constants: Vec<(String, u32, String)>,
    instances: Vec<Instance>,
    body: Verilog,
}

#[derive(Default)]
struct Emitter {
    top: String,
    stack: Vec<Frame>,
    texts: Vec<String>,
    modules: Vec<Module>,
    known: HashMap<String, String>,
}

impl Probe for Emitter {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        self.stack.push(Frame {
            name: plain(name),
            ports: Vec::new(),
            locals: Vec::new(),
            constants: Vec::new(),
            instances: Vec::new(),
            body: node.hdl(),
        });
    }

    fn visit_atom(&mut self, name: &str, signal: &dyn Atom) {
        let frame = self.stack.last_mut().expect("a signal lives in a block");
        let (name, width_bits) = (plain(name), signal.bits() as u32);
        match signal.kind() {
            AtomKind::InputParameter => frame.ports.push(Port { name, input: true, width_bits }),
            AtomKind::OutputParameter => frame.ports.push(Port { name, input: false, width_bits }),
            AtomKind::LocalSignal => frame.locals.push((name, width_bits)),
            AtomKind::Constant => frame.constants.push((name, width_bits, signal.verilog().to_string())),
            other => panic!("{name}: signals of kind {other:?} are not used in this crate"),
        }
    }

    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        let frame = self.stack.pop().expect("scopes are balanced");
        let (wanted, summary, body) = split(&frame);
        let text = module_text(&frame, &body);
        let module = match self.known.get(&text) {
            Some(module) => module.clone(),
            None => {
                let wanted = if self.stack.is_empty() { self.top.clone() } else { wanted };
                self.add(wanted, &summary, text, &frame.ports)
            }
        };
        if let Some(parent) = self.stack.last_mut() {
            parent.instances.push(Instance { name: frame.name, module, ports: frame.ports });
        }
    }
}

impl Emitter {
    fn add(&mut self, wanted: String, summary: &str, text: String, ports: &[Port]) -> String {
        let mut module = wanted.clone();
        let mut n = 2;
        while self.modules.iter().any(|known| known.name == module) {
            module = format!("{wanted}_{n}");
            n += 1;
        }
        let comment = if summary.is_empty() { String::new() } else { format!("// {summary}\n") };
        let keep = if module.starts_with(KEEP) { "(* keep_hierarchy *)\n" } else { "" };
        self.texts.push(format!("{comment}{keep}module {module} {text}endmodule\n\n"));
        self.modules.push(Module { name: module.clone(), ports: ports.to_vec() });
        self.known.insert(text, module.clone());
        module
    }
}

/// Splits a block's text into module name, summary and body.
fn split(frame: &Frame) -> (String, String, String) {
    match &frame.body {
        Verilog::Custom(text) => match text.strip_prefix(HEADER).and_then(|t| t.split_once('\n')) {
            Some((header, body)) => {
                let (module, summary) = header.split_once('|').unwrap_or((header, ""));
                (module.to_owned(), summary.to_owned(), plain(body))
            }
            // rust-hdl's flip-flop is the only block whose text has no header.
            None => (format!("register_{}", frame.ports[0].width_bits), String::new(), plain(text)),
        },
        Verilog::Combinatorial(code) => {
            let text = plain(&verilog_combinatorial(code));
            let clocked = text.lines().filter(|l| !l.trim().ends_with("_clock = clk_i;"));
            (frame.name.clone(), String::new(), clocked.fold(String::new(), |text, line| text + line + "\n"))
        }
        _ => panic!("{}: only custom and combinatorial blocks are used in this crate", frame.name),
    }
}

fn module_text(frame: &Frame, body: &str) -> String {
    // `#[hdl_gen]` and rust-hdl's flip-flops assign from always blocks, so what they drive must be `reg`.
    let generated = matches!(frame.body, Verilog::Combinatorial(_));
    let assigned_in_always = generated || !matches!(&frame.body, Verilog::Custom(t) if t.starts_with(HEADER));
    let mut text = String::from("(\n");
    let ports: Vec<String> = frame
        .ports
        .iter()
        .map(|p| {
            let kind = match (p.input, assigned_in_always) {
                (true, _) => "input wire",
                (false, true) => "output reg",
                (false, false) => "output wire",
            };
            format!("  {kind} {}{}", range(p.width_bits), p.name)
        })
        .collect();
    text.push_str(&ports.join(",\n"));
    text.push_str("\n);\n");
    for (name, width, value) in &frame.constants {
        text.push_str(&format!("localparam {}{name} = {value};\n", range(*width)));
    }
    let kind = if generated { "reg" } else { "wire" };
    for (name, width) in &frame.locals {
        text.push_str(&format!("{kind} {}{name};\n", range(*width)));
    }
    for instance in &frame.instances {
        text.push_str(&instance_text(instance, generated));
    }
    text.push_str(body);
    text
}

fn instance_text(instance: &Instance, driven_in_always: bool) -> String {
    let mut text = String::new();
    // rust-hdl's flip-flops call their clock `clock`.
    let shared = |p: &Port| match p.name.as_str() {
        "clk_i" | "clock" => Some("clk_i"),
        "rst_i" => Some("rst_i"),
        _ => None,
    };
    for p in instance.ports.iter().filter(|p| shared(p).is_none()) {
        let kind = if p.input && driven_in_always { "reg" } else { "wire" };
        text.push_str(&format!("{kind} {}{}_{};\n", range(p.width_bits), instance.name, p.name));
    }
    let connections: Vec<String> = instance
        .ports
        .iter()
        .map(|p| {
            let net = shared(p).map_or_else(|| format!("{}_{}", instance.name, p.name), str::to_owned);
            format!("  .{}({net})", p.name)
        })
        .collect();
    text.push_str(&format!("{} {} (\n{}\n);\n", instance.module, instance.name, connections.join(",\n")));
    text
}

/// Returns the range of a net of so many bits, none for one bit.
pub fn range(width: u32) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

/// Replaces the `$` that rust-hdl puts between the parts of a name; system functions keep theirs.
fn plain(text: &str) -> String {
    let bytes = text.as_bytes();
    let inside = |i: usize| i > 0 && (bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_');
    text.char_indices().map(|(i, c)| if c == '$' && inside(i) { '_' } else { c }).collect()
}
