//! The bias memory: one word for each output channel, read once for each output fold.
//!
//! `start_i` comes with the first pixel of an output fold's first pass, as the sequencer orders it. The biases of the fold's
//! columns follow one a cycle, each through the read port at the column just before that pixel: column `c` takes its bias `c`
//! cycles after column 0, as the pixel does. Two folds must start at least `cols` cycles apart.

use hafnia_config::Elaborated;
use hafnia_config::accel::{CODE_MEMORY_LATENCY, MEMORY_LATENCY};
use hafnia_config::fault::Site;
use rust_hdl::core::prelude::*;

use super::banked_ram::BankedRam;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct BiasMemory {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    pub write_i: Wire<In>,
    /// Output fold, then column.
    pub write_address_i: Wire<In>,
    pub write_data_i: Wire<In>,
    /// Asks for the word that is written, which comes as one that is read does; `slot_o` tells that it is read now.
    pub look_i: Wire<In>,
    pub slot_o: Wire<Out>,
    /// No fold is under way: a descriptor begins, or no program runs.
    pub clear_i: Wire<In>,
    pub start_i: Wire<In>,
    pub fold_i: Wire<In>,
    /// Columns of the fold that have an output channel.
    pub cols_i: Wire<In>,
    /// A bias is asked for, and where it is.
    pub read_o: Wire<Out>,
    pub address_o: Wire<Out>,
    /// It, [`CODE_MEMORY_LATENCY`] cycles later.
    pub word_o: Wire<Out>,
    /// The column that takes it, when it has passed read port and decoder.
    pub load_o: Wire<Out>,
    memory: BankedRam,
    _text: String,
}

impl BiasMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let cells = hw.port(Site::Biases).cells;
        let mut memory = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(hw.bias_address_bits),
            write_data_i: Wire::new(cells),
            look_i: Wire::new(1),
            slot_o: Wire::new(1),
            clear_i: Wire::new(1),
            start_i: Wire::new(1),
            fold_i: Wire::new(hw.parameter_address_bits),
            cols_i: Wire::new(8),
            read_o: Wire::new(1),
            address_o: Wire::new(hw.bias_address_bits),
            word_o: Wire::new(cells),
            load_o: Wire::new(hw.cols),
            memory: BankedRam::new(cells, hw.config.memory.parameter_words * hw.column_stride),
            _text: String::new(),
        };
        memory._text = control(hw) + &memory.wire_memory(hw);
        memory
    }

    fn wire_memory(&mut self, hw: &Elaborated) -> String {
        self.memory.clk_i.connect();
        let column_bits = hw.column_stride.trailing_zeros();
        let mut text = format!(
            "assign read_o = reads;\nassign address_o = {{fold, column[{}:0]}};\nassign word_o = memory_read_data_o;\n",
            column_bits - 1
        );
        let (read, read_address, slot) = match hw.config.protection.write_verify {
            true => ("reads | look_i", "reads ? address_o : write_address_i", "~reads"),
            false => ("reads", "address_o", "1'b0"),
        };
        text += &format!("assign slot_o = {slot};\n");
        for (port, name, from) in [
            (&mut self.memory.write_i, "write_i", "write_i"),
            (&mut self.memory.write_address_i, "write_address_i", "write_address_i"),
            (&mut self.memory.write_data_i, "write_data_i", "write_data_i"),
            (&mut self.memory.read_i, "read_i", read),
            (&mut self.memory.read_address_i, "read_address_i", read_address),
        ] {
            text.push_str(&port.drive(&format!("memory_{name}"), from));
        }
        text
    }
}

/// The start, delayed until the first column's bias must be read; then the columns one after the other.
fn control(hw: &Elaborated) -> String {
    let (fold, cols) = (hw.parameter_address_bits, hw.cols);
    let after_memory = hw.injector_latency + hw.bias_codec_latency;
    let latency = CODE_MEMORY_LATENCY + after_memory;
    // The bias is there when an accumulator of the pixel would be.
    let wait = hw.weight_latency + hw.rows + MEMORY_LATENCY - latency;
    let width = fold + 8 + 1;
    let mut text = format!("wire [{}:0] start_0 = {{fold_i, cols_i, start_i}};\n", width - 1);
    for n in 1..=wait {
        text.push_str(&format!("reg [{}:0] start_{n};\n", width - 1));
    }
    for n in 1..=latency {
        text.push_str(&format!("reg reads_{n};\nreg [4:0] column_{n};\n"));
    }
    let load: Vec<String> =
        (0..cols).rev().map(|c| format!("reads_{latency} & (column_{latency} == 5'd{c})")).collect();
    text.push_str(&format!(
        "wire first = start_{wait}[0];
reg running;
reg [4:0] next_column;
reg [{ftop}:0] held_fold;
reg [7:0] held_cols;
wire reads = first | running;
wire [4:0] column = first ? 5'd0 : next_column;
wire [{ftop}:0] fold = first ? start_{wait}[{}:9] : held_fold;
wire [7:0] cols = first ? start_{wait}[8:1] : held_cols;
assign load_o = {{{}}};
always @(posedge clk_i) begin
",
        width - 1,
        load.join(", "),
        ftop = fold - 1,
    ));
    for n in 1..=wait {
        text.push_str(&format!("  start_{n} <= start_{};\n  if (rst_i) start_{n}[0] <= 1'b0;\n", n - 1));
    }
    for n in 1..=latency {
        let before = |name: &str| if n == 1 { name.to_owned() } else { format!("{name}_{}", n - 1) };
        for name in ["reads", "column"] {
            text.push_str(&format!("  {name}_{n} <= {};\n", before(name)));
        }
    }
    text.push_str(
        "  held_fold <= fold;\n  held_cols <= cols;\n  next_column <= column + 5'd1;\n  running <= reads & ({3'd0, column} + 8'd1 != cols);\n  if (clear_i | rst_i) running <= 1'b0;\nend\n",
    );
    text
}

impl Logic for BiasMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("bias_memory", "Bias memory and the order of its reads.", self._text.clone())
    }
}
