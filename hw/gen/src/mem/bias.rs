//! The bias memory: one word for each output channel, read once for each output fold through the injector.
//!
//! `start_i` comes with the first pixel of an output fold's first pass, as the sequencer orders it. The biases of the fold's
//! columns follow one a cycle, each at the column just before that pixel: column `c` takes its bias `c` cycles after column
//! 0, as the pixel does. Two folds must start at least `cols` cycles apart.

use hafnia_config::Elaborated;
use hafnia_config::accel::MEMORY_LATENCY;
use hafnia_config::fault::{Kind, Site};
use rust_hdl::core::prelude::*;

use super::block_ram::BlockRam;
use super::flip_record::{COUNT_BITS, COUNTS, FlipRecord, wire_record};
use crate::emit::{custom, delayed};
use crate::inject::lane::InjectorLane;
use crate::inject::noise_bus::NoiseBus;
use crate::inject::seeder::Seeder;
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
    /// A descriptor begins: biases are counted from 0.
    pub clear_i: Wire<In>,
    pub start_i: Wire<In>,
    pub fold_i: Wire<In>,
    /// Columns of the fold that have an output channel.
    pub cols_i: Wire<In>,
    pub bias_o: Wire<Out>,
    /// The column that takes the bias.
    pub load_o: Wire<Out>,
    pub enable_i: Wire<In>,
    pub noise_i: Wire<In>,
    pub seed_load_i: Wire<In>,
    pub seed_key_i: Wire<In>,
    pub seed_shift_i: Wire<In>,
    pub flip_clear_i: Wire<In>,
    pub flip_valid_o: Wire<Out>,
    pub flip_index_o: Wire<Out>,
    pub flip_before_o: Wire<Out>,
    pub flip_mask_o: Wire<Out>,
    pub flip_count_o: Wire<Out>,
    pub flip_counts_o: Wire<Out>,
    memory: BlockRam,
    seeder: Vec<Seeder>,
    injector: Vec<InjectorLane>,
    record: Vec<FlipRecord>,
    _text: String,
}

impl BiasMemory {
    /// Returns the memory of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let injects = hw.config.injector.biases.has(Kind::Read);
        let port = hw.port(Site::Biases);
        let mut memory = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            write_i: Wire::new(1),
            write_address_i: Wire::new(hw.bias_address_bits),
            write_data_i: Wire::new(32),
            clear_i: Wire::new(1),
            start_i: Wire::new(1),
            fold_i: Wire::new(hw.parameter_address_bits),
            cols_i: Wire::new(8),
            bias_o: Wire::new(32),
            load_o: Wire::new(hw.cols),
            enable_i: Wire::new(1),
            noise_i: Wire::new(NoiseBus::new(port.cells).width()),
            seed_load_i: Wire::new(1),
            seed_key_i: Wire::new(128),
            seed_shift_i: Wire::new(1),
            flip_clear_i: Wire::new(1),
            flip_valid_o: Wire::new(1),
            flip_index_o: Wire::new(32),
            flip_before_o: Wire::new(32),
            flip_mask_o: Wire::new(32),
            flip_count_o: Wire::new(8),
            flip_counts_o: Wire::new(COUNTS * COUNT_BITS),
            memory: BlockRam::new(32, hw.config.memory.parameter_words * hw.column_stride),
            seeder: injects.then(Seeder::default).into_iter().collect(),
            injector: injects.then(|| InjectorLane::new(port)).into_iter().collect(),
            record: injects.then(|| FlipRecord::new(32)).into_iter().collect(),
            _text: String::new(),
        };
        memory._text = control(hw) + &memory.wire_memory(hw) + &memory.wire_injector(hw);
        memory
    }

    fn wire_memory(&mut self, hw: &Elaborated) -> String {
        self.memory.clk_i.connect();
        let column_bits = hw.column_stride.trailing_zeros();
        let mut text = String::new();
        for (port, name, from) in [
            (&mut self.memory.write_i, "write_i", "write_i".to_owned()),
            (&mut self.memory.write_address_i, "write_address_i", "write_address_i".to_owned()),
            (&mut self.memory.write_data_i, "write_data_i", "write_data_i".to_owned()),
            (&mut self.memory.read_i, "read_i", "reads".to_owned()),
            (&mut self.memory.read_address_i, "read_address_i", format!("{{fold, column[{}:0]}}", column_bits - 1)),
        ] {
            text.push_str(&port.drive(&format!("memory_{name}"), &from));
        }
        text
    }

    fn wire_injector(&mut self, hw: &Elaborated) -> String {
        let index = MEMORY_LATENCY + hw.injector_latency;
        let record = wire_record(
            self.record.first_mut(),
            [&format!("index_{index}"), "injector_0_code_o", "injector_0_flips_o"],
            32,
        );
        let (Some(injector), Some(seeder)) = (self.injector.first_mut(), self.seeder.first_mut()) else {
            return record + &delayed("memory_read_data_o", "bias_o", 32, hw.injector_latency);
        };
        injector.clk_i.connect();
        seeder.clk_i.connect();
        let mut text = record + "assign bias_o = injector_0_code_o;\n";
        for (port, name, from) in [
            (&mut seeder.load_i, "seeder_0_load_i", "seed_load_i"),
            (&mut seeder.key_i, "seeder_0_key_i", "seed_key_i"),
            (&mut seeder.shift_i, "seeder_0_shift_i", "seed_shift_i"),
            (&mut injector.enable_i, "injector_0_enable_i", "enable_i"),
            (&mut injector.noise_i, "injector_0_noise_i", "noise_i"),
            (&mut injector.seed_i, "injector_0_seed_i", "seed_shift_i"),
            (&mut injector.seed_word_i, "injector_0_seed_word_i", "seeder_0_word_o"),
            (&mut injector.valid_i, "injector_0_valid_i", "reads_2"),
            (&mut injector.live_i, "injector_0_live_i", "4'hf"),
            (&mut injector.code_i, "injector_0_code_i", "memory_read_data_o"),
        ] {
            text.push_str(&port.drive(name, from));
        }
        text
    }
}

/// The start, delayed until the first column's bias must be read; then the columns one after the other.
fn control(hw: &Elaborated) -> String {
    let (fold, cols) = (hw.parameter_address_bits, hw.cols);
    let wait = hw.weight_latency + hw.rows - hw.injector_latency;
    let latency = MEMORY_LATENCY + hw.injector_latency;
    let width = fold + 8 + 1;
    let mut text = format!("wire [{}:0] start_0 = {{fold_i, cols_i, start_i}};\n", width - 1);
    for n in 1..=wait {
        text.push_str(&format!("reg [{}:0] start_{n};\n", width - 1));
    }
    for n in 1..=latency {
        text.push_str(&format!("reg reads_{n};\nreg [4:0] column_{n};\nreg [31:0] index_{n};\n"));
    }
    let load: Vec<String> =
        (0..cols).rev().map(|c| format!("reads_{latency} & (column_{latency} == 5'd{c})")).collect();
    text.push_str(&format!(
        "wire first = start_{wait}[0];
reg running;
reg [4:0] next_column;
reg [{ftop}:0] held_fold;
reg [7:0] held_cols;
reg [31:0] index;
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
        for name in ["reads", "column", "index"] {
            text.push_str(&format!("  {name}_{n} <= {};\n", before(name)));
        }
    }
    text.push_str(
        "  held_fold <= fold;\n  held_cols <= cols;\n  next_column <= column + 5'd1;\n  running <= reads & ({3'd0, column} + 8'd1 != cols);\n  if (reads) index <= index + 32'd1;\n  if (clear_i | rst_i) begin\n    running <= 1'b0;\n    index <= 32'd0;\n  end\nend\n",
    );
    text
}

impl Logic for BiasMemory {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("bias_memory", "Bias memory with its read port and the record of flips.", self._text.clone())
    }
}
