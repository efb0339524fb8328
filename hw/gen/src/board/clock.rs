//! The clock of the accelerator from the board's oscillator, and the reset until it is steady.

use hafnia_config::board::Pll;
use rust_hdl::core::prelude::*;

use crate::emit::custom;
use crate::wire::Wire;

/// A PLL of the ECP5 (EHXPLLL), as `ecppll` sets it up.
#[derive(LogicBlock)]
pub struct Clock {
    pub oscillator_i: Wire<In>,
    pub clock_o: Wire<Out>,
    pub locked_o: Wire<Out>,
    _pll: Pll,
}

impl Clock {
    /// Returns the PLL with these settings.
    pub fn new(pll: Pll) -> Self {
        Self { oscillator_i: Wire::new(1), clock_o: Wire::new(1), locked_o: Wire::new(1), _pll: pll }
    }
}

impl Logic for Clock {
    fn update(&mut self) {}

    fn hdl(&self) -> Verilog {
        let Pll { reference_divider, feedback_divider, output_divider } = self._pll;
        custom(
            "clock",
            "The accelerator's clock, from the oscillator by a PLL.",
            format!(
                "(* ICP_CURRENT=\"12\" *) (* LPF_RESISTOR=\"8\" *) (* MFG_ENABLE_FILTEROPAMP=\"1\" *) (* MFG_GMCREF_SEL=\"2\" *)
EHXPLLL #(
  .PLLRST_ENA(\"DISABLED\"),
  .INTFB_WAKE(\"DISABLED\"),
  .STDBY_ENABLE(\"DISABLED\"),
  .DPHASE_SOURCE(\"DISABLED\"),
  .OUTDIVIDER_MUXA(\"DIVA\"),
  .OUTDIVIDER_MUXB(\"DIVB\"),
  .OUTDIVIDER_MUXC(\"DIVC\"),
  .OUTDIVIDER_MUXD(\"DIVD\"),
  .CLKI_DIV({reference_divider}),
  .CLKOP_ENABLE(\"ENABLED\"),
  .CLKOP_DIV({output_divider}),
  .CLKOP_CPHASE({phase}),
  .CLKOP_FPHASE(0),
  .FEEDBK_PATH(\"CLKOP\"),
  .CLKFB_DIV({feedback_divider})
) pll (
  .RST(1'b0),
  .STDBY(1'b0),
  .CLKI(oscillator_i),
  .CLKOP(clock_o),
  .CLKFB(clock_o),
  .PHASESEL0(1'b0),
  .PHASESEL1(1'b0),
  .PHASEDIR(1'b1),
  .PHASESTEP(1'b1),
  .PHASELOADREG(1'b1),
  .PLLWAKESYNC(1'b0),
  .ENCLKOP(1'b0),
  .LOCK(locked_o)
);
",
                phase = output_divider / 2,
            ),
        )
    }
}
