//! From codeword to data, one or two cycles later; and for each unit of data whether errors of it were corrected, or detected.

use hafnia_config::protect::{Codeword, Decoding, OnDetected};
use rust_hdl::core::prelude::*;

use super::xor::xor;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Decoder {
    pub clk_i: Wire<In>,
    pub code_i: Wire<In>,
    pub data_o: Wire<Out>,
    /// Units in which an error was corrected, those of check cells too.
    pub corrected_o: Wire<Out>,
    /// Units in which errors were detected.
    pub detected_o: Wire<Out>,
    _word: Codeword,
}

impl Decoder {
    /// Returns the decoder of such codewords.
    ///
    /// # Panics
    /// If they have no check cells.
    pub fn new(word: &Codeword) -> Self {
        assert!(word.is_coded(), "without a code there is nothing to decode");
        Self {
            clk_i: Wire::new(1),
            code_i: Wire::new(word.cells()),
            data_o: Wire::new(word.data_bits),
            corrected_o: Wire::new(word.units()),
            detected_o: Wire::new(word.units()),
            _word: word.clone(),
        }
    }

    /// The rows of the parity-check matrix: each check cell and what it should hold, the last one first.
    fn rows(&self) -> String {
        self._word.rows().rev().map(|row| xor("code_i", row)).collect::<Vec<_>>().join(",\n  ")
    }

    /// The syndrome in the first cycle; in the second the cell whose column it is turned over.
    fn syndrome(&self, on_detected: OnDetected) -> String {
        let word = &self._word;
        let (data, checks) = (word.data_bits, word.checks.len() as u32);
        let is = |cell| format!("syndrome == {checks}'h{:x}", word.column(cell));
        let turned: Vec<String> = (0..data).rev().map(is).collect();
        let of_checks: Vec<String> = (data..word.cells()).map(|cell| format!("({})", is(cell))).collect();
        let found = match on_detected {
            OnDetected::Pass => "held ^ turned".to_owned(),
            OnDetected::Zero => format!("(held ^ turned) & {{{data}{{~detects}}}}"),
        };
        format!(
            "wire [{check_top}:0] rows = {{{}}};\nreg [{check_top}:0] syndrome;\nreg [{top}:0] held;\n\
             wire [{top}:0] turned = {{{}}};\n\
             wire corrects = (|turned) | {};\nwire detects = (|syndrome) & ~corrects;\n\
             reg [{top}:0] data;\nreg corrected;\nreg detected;\n\
             assign data_o = data;\nassign corrected_o = corrected;\nassign detected_o = detected;\n\
             always @(posedge clk_i) begin\n  syndrome <= rows;\n  held <= code_i[{top}:0];\n  data <= {found};\n  corrected <= corrects;\n  detected <= detects;\nend\n",
            self.rows(),
            turned.join(",\n  "),
            of_checks.join(" | "),
            check_top = checks - 1,
            top = data - 1,
        )
    }

    /// A unit with the wrong parity is 0.
    fn parity(&self) -> String {
        let word = &self._word;
        let right: Vec<String> =
            (0..word.units()).rev().map(|unit| format!("{{{}{{~wrong[{unit}]}}}}", word.unit_bits)).collect();
        format!(
            "wire [{units_top}:0] wrong = {{{}}};\nreg [{top}:0] data;\nreg [{units_top}:0] detected;\n\
             assign data_o = data;\nassign corrected_o = {units}'d0;\nassign detected_o = detected;\n\
             always @(posedge clk_i) begin\n  data <= code_i[{top}:0] & {{{}}};\n  detected <= wrong;\nend\n",
            self.rows(),
            right.join(", "),
            units = word.units(),
            units_top = word.units() - 1,
            top = word.data_bits - 1,
        )
    }

    /// Two of three.
    fn majority(&self) -> String {
        let word = &self._word;
        let (data, copies) = (word.data_bits, word.checks.len() as u32 / 2);
        let (mut votes, mut differ) = (vec![String::new(); data as usize], vec![Vec::new(); word.units() as usize]);
        for cell in 0..data {
            votes[cell as usize] = format!("code_i[{cell}]");
        }
        for copy in 0..copies {
            let cell = word.checks[copy as usize].trailing_zeros();
            let [a, b, c] = [cell, data + copy, data + copies + copy].map(|cell| format!("code_i[{cell}]"));
            votes[cell as usize] = format!("({a} & {b}) | ({c} & ({a} | {b}))");
            differ[(cell / word.unit_bits) as usize].push(format!("({a} ^ {b}) | ({a} ^ {c})"));
        }
        votes.reverse();
        let differ: Vec<String> = differ.iter().rev().map(|unit| unit.join(" | ")).collect();
        format!(
            "reg [{top}:0] data;\nreg [{units_top}:0] corrected;\n\
             assign data_o = data;\nassign corrected_o = corrected;\nassign detected_o = {units}'d0;\n\
             always @(posedge clk_i) begin\n  data <= {{{}}};\n  corrected <= {{{}}};\nend\n",
            votes.join(",\n    "),
            differ.join(",\n    "),
            units = word.units(),
            units_top = word.units() - 1,
            top = data - 1,
        )
    }
}

impl Logic for Decoder {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let (word, latency) = (&self._word, self._word.code.latency());
        let body = match word.decoding {
            Decoding::Plain => unreachable!("a decoder has check cells"),
            Decoding::Parity => self.parity(),
            Decoding::Syndrome(on_detected) => self.syndrome(on_detected),
            Decoding::Majority => self.majority(),
        };
        let name = format!("decoder_{}", word.code).replace('-', "_");
        custom(&name, &format!("Data as read of a codeword; latency {latency}."), body)
    }
}
