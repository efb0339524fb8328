//! From data to codeword, without a clock.

use hafnia_config::protect::Codeword;
use rust_hdl::core::prelude::*;

use super::xor::xor;
use crate::emit::custom;
use crate::wire::Wire;

/// See the module's text.
#[derive(LogicBlock)]
pub struct Encoder {
    pub data_i: Wire<In>,
    pub code_o: Wire<Out>,
    _word: Codeword,
}

impl Encoder {
    /// Returns the encoder of such codewords.
    pub fn new(word: &Codeword) -> Self {
        Self { data_i: Wire::new(word.data_bits), code_o: Wire::new(word.cells()), _word: word.clone() }
    }
}

impl Logic for Encoder {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let word = &self._word;
        let checks: Vec<String> = word.checks.iter().rev().map(|&mask| xor("data_i", mask.into())).collect();
        custom(
            &format!("encoder_{}", word.code).replace('-', "_"),
            "Data and its check bits.",
            format!("assign code_o = {{{},\n  data_i}};\n", checks.join(",\n  ")),
        )
    }
}
