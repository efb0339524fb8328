//! The scrubber: it walks the weights word by word while a layer runs, and has the programming engine give a pulse to the cells
//! that the code knows to be wrong.
//!
//! A word is due `period_i` cycles after the run began or the last one was taken, but none of the layer that runs. The engine
//! takes it in a cycle in which no layer reads. Codewords whose errors are detected and not corrected are left as they are.

use hafnia_config::Elaborated;
use hafnia_config::fault::Site;
use hafnia_config::regs::SCRUB_PERIOD_BITS;
use hafnia_config::scrub::{FIRST_EPOCH, Scrubbed};
use rust_hdl::core::prelude::*;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::programmer::MEND_CYCLES;
use crate::emit::{custom, number_of_ones, padded, saturating};
use crate::mem::flip_record::COUNT_BITS;
use crate::wire::Wire;

/// Bits of all counts, in the order of [`Scrubbed`].
pub const SCRUBBED_BITS: u32 = COUNT_BITS * Scrubbed::COUNT as u32;
/// Bits of the end of a layer's words.
pub const END_BITS: u32 = 19;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Scrubber {
    pub clk_i: Wire<In>,
    pub rst_i: Wire<In>,
    /// Begins with address 0 and the first walk.
    pub restart_i: Wire<In>,
    /// Sets the counts to 0.
    pub clear_i: Wire<In>,
    /// 0: nothing is scrubbed.
    pub period_i: Wire<In>,
    /// The last address of a walk.
    pub last_i: Wire<In>,
    /// A layer runs, of which these are the first word and the end.
    pub run_i: Wire<In>,
    pub base_i: Wire<In>,
    pub end_i: Wire<In>,
    /// See [`super::programmer`].
    pub due_o: Wire<Out>,
    pub address_o: Wire<Out>,
    pub epoch_o: Wire<Out>,
    pub taken_i: Wire<In>,
    pub seen_i: Wire<In>,
    pub mended_o: Wire<Out>,
    pub mend_o: Wire<Out>,
    pub judged_i: Wire<In>,
    pub scrubbed_i: Wire<In>,
    pub counts_o: Wire<Out>,
    decoders: Vec<Decoder>,
    encoders: Vec<Encoder>,
    _text: String,
}

impl Scrubber {
    /// Returns the scrubber of this configuration.
    pub fn new(hw: &Elaborated) -> Self {
        let (port, word) = (hw.port(Site::Weights), hw.codeword(Site::Weights));
        let bits = port.cells * port.lanes;
        assert!(word.code.latency() < MEND_CYCLES, "the engine waits for the decoder");
        let mut scrubber = Self {
            clk_i: Wire::new(1),
            rst_i: Wire::new(1),
            restart_i: Wire::new(1),
            clear_i: Wire::new(1),
            period_i: Wire::new(SCRUB_PERIOD_BITS),
            last_i: Wire::new(hw.weight_address_bits),
            run_i: Wire::new(1),
            base_i: Wire::new(32),
            end_i: Wire::new(END_BITS),
            due_o: Wire::new(1),
            address_o: Wire::new(hw.weight_address_bits),
            epoch_o: Wire::new(32),
            taken_i: Wire::new(1),
            seen_i: Wire::new(bits),
            mended_o: Wire::new(bits),
            mend_o: Wire::new(bits),
            judged_i: Wire::new(1),
            scrubbed_i: Wire::new(1),
            counts_o: Wire::new(SCRUBBED_BITS),
            decoders: (0..port.lanes).map(|_| Decoder::new(word)).collect(),
            encoders: (0..port.lanes).map(|_| Encoder::new(word)).collect(),
            _text: String::new(),
        };
        scrubber._text = scrubber.wire_codes(hw) + &scrubber.walk(hw);
        scrubber
    }

    /// What was read, decoded and encoded again: the cells of a codeword that differ are to be mended.
    fn wire_codes(&mut self, hw: &Elaborated) -> String {
        let (port, word) = (hw.port(Site::Weights), hw.codeword(Site::Weights));
        let (bits, units) = (port.cells * port.lanes, word.units());
        let mut text = String::new();
        for (l, (decoder, encoder)) in (0..).zip(self.decoders.iter_mut().zip(&mut self.encoders)) {
            decoder.clk_i.connect();
            let slice = format!("seen_i[{}:{}]", port.cells * (l + 1) - 1, port.cells * l);
            text += &decoder.code_i.drive(&format!("decoders_{l}_code_i"), &slice);
            text += &encoder.data_i.drive(&format!("encoders_{l}_data_i"), &format!("decoders_{l}_data_o"));
        }
        let lanes = |of: &dyn Fn(u32) -> String| (0..port.lanes).rev().map(of).collect::<Vec<_>>().join(", ");
        let sound = |l| format!("{{{}{{~(|decoders_{l}_detected_o)}}}}", port.cells);
        text += &format!(
            "wire [{top}:0] wanted = {{{}}};\nwire [{top}:0] sound = {{{}}};\n\
             reg [{top}:0] mended;\nreg [{top}:0] mend;\nassign mended_o = mended;\nassign mend_o = mend;\n\
             always @(posedge clk_i) begin\n  mended <= wanted;\n  mend <= (seen_i ^ wanted) & sound;\nend\n",
            lanes(&|l| format!("encoders_{l}_code_o")),
            lanes(&sound),
            top = bits - 1,
        );
        for name in ["corrected", "detected"] {
            let range =
                if units * port.lanes == 1 { String::new() } else { format!("[{}:0] ", units * port.lanes - 1) };
            text += &format!("wire {range}{name} = {{{}}};\n", lanes(&|l| format!("decoders_{l}_{name}_o")));
            let of = number_of_ones(name, units * port.lanes, COUNT_BITS);
            text += &format!("wire [31:0] {name}_count = judged_i ? ({of}) : 32'd0;\n");
        }
        text +=
            &format!("wire [31:0] pulses_count = judged_i ? ({}) : 32'd0;\n", number_of_ones("mend", bits, COUNT_BITS));
        for (name, event) in
            Scrubbed::NAMES.into_iter().zip(["{31'd0, taken_i}", "corrected_count", "detected_count", "pulses_count"])
        {
            let sum = format!("{name}_sum");
            text += &format!("reg [31:0] {sum};\n");
            text += &saturating(&sum, &format!("next_{name}"), event);
        }
        let sums: Vec<String> = Scrubbed::NAMES.into_iter().rev().map(|name| format!("{name}_sum")).collect();
        text + &format!("assign counts_o = {{{}}};\n", sums.join(", "))
    }

    /// Where it is, and when.
    fn walk(&self, hw: &Elaborated) -> String {
        let bits = hw.weight_address_bits;
        format!(
            "reg [{period_top}:0] timer;\nreg [{top}:0] address;\nreg [31:0] epoch;\n\
             wire [31:0] place = {};\n\
             wire own = (place >= base_i) & (place < {end});\n\
             assign due_o = run_i & (period_i != {period}'d0) & (timer == period_i) & ~own;\n\
             assign address_o = address;\nassign epoch_o = epoch;\n\
             always @(posedge clk_i) begin\n  \
             if (taken_i) timer <= {period}'d1;\n  else if (timer != period_i) timer <= timer + {period}'d1;\n  \
             if (~run_i) timer <= {period}'d0;\n  \
             if (scrubbed_i) begin\n    address <= (address == last_i) ? {bits}'d0 : address + {bits}'d1;\n    \
             if (address == last_i) epoch <= epoch + 32'd1;\n  end\n  \
             if (rst_i | restart_i) begin\n    address <= {bits}'d0;\n    epoch <= 32'd{FIRST_EPOCH};\n  end\nend\n",
            padded("address", bits, 32),
            end = padded("end_i", END_BITS, 32),
            period = SCRUB_PERIOD_BITS,
            period_top = SCRUB_PERIOD_BITS - 1,
            top = bits - 1,
        )
    }
}

impl Logic for Scrubber {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        custom("scrubber", "Walks the weights and finds the cells to mend.", self._text.clone())
    }
}
