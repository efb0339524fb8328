//! Settings of the PLL EHXPLLL: the search that `ecppll` of Project Trellis makes.

/// Dividers of a PLL whose first output is its feedback: the clock is `oscillator / reference_divider * feedback_divider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pll {
    /// Divider of the oscillator, CLKI_DIV.
    pub reference_divider: u32,
    /// Divider of the feedback, CLKFB_DIV.
    pub feedback_divider: u32,
    /// Divider between the inner oscillator and the output, CLKOP_DIV.
    pub output_divider: u32,
}

/// Phase detector, in kHz (Lattice FPGA-DS-02012, sysCLOCK PLL timing).
const DETECTOR_KHZ: std::ops::RangeInclusive<f64> = 3_125.0..=400_000.0;
/// Inner oscillator, in kHz.
const INNER_KHZ: std::ops::RangeInclusive<f64> = 400_000.0..=800_000.0;
/// The inner frequency that is liked best, in kHz.
const LIKED_KHZ: f64 = 600_000.0;

impl Pll {
    /// Returns the settings that come nearest to a clock; of equals the one whose inner oscillator is nearest to the middle.
    ///
    /// # Panics
    /// If no setting takes the oscillator: it must have 4 to 400 MHz.
    pub fn nearest(oscillator_khz: u32, clock_khz: u32) -> Self {
        let oscillator = f64::from(oscillator_khz);
        let dividers = |detector: f64| {
            (1..=80_u32).flat_map(move |feedback| (1..=128_u32).map(move |output| (feedback, output, detector)))
        };
        let all = (1..=128_u32)
            .map(|reference| (reference, oscillator / f64::from(reference)))
            .filter(|(_, detector)| DETECTOR_KHZ.contains(detector))
            .flat_map(|(reference, detector)| dividers(detector).map(move |rest| (reference, rest)));
        let rated = all.filter_map(|(reference_divider, (feedback_divider, output_divider, detector))| {
            let clock = detector * f64::from(feedback_divider);
            let inner = clock * f64::from(output_divider);
            let pll = Self { reference_divider, feedback_divider, output_divider };
            let rating = ((clock - f64::from(clock_khz)).abs(), (inner - LIKED_KHZ).abs());
            INNER_KHZ.contains(&inner).then_some((rating, pll))
        });
        let order = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
        rated.min_by(|(a, _), (b, _)| order(a, b)).expect("the oscillator of a board is in range").1
    }

    /// Returns the clock in kHz, rounded.
    pub fn clock_khz(self, oscillator_khz: u32) -> u32 {
        (oscillator_khz * self.feedback_divider + self.reference_divider / 2) / self.reference_divider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ecppll -i MHZ -o MHZ` of the release that `scripts/setup --ecp5` installs prints.
    #[test]
    fn settings_are_those_of_ecppll() {
        for (oscillator, clock, dividers) in
            [(25, 80, (5, 16, 7)), (48, 60, (4, 5, 10)), (100, 80, (5, 4, 7)), (25, 50, (1, 2, 12))]
        {
            let pll = Pll::nearest(oscillator * 1000, clock * 1000);
            assert_eq!((pll.reference_divider, pll.feedback_divider, pll.output_divider), dividers, "{clock} MHz");
            assert_eq!(pll.clock_khz(oscillator * 1000), clock * 1000);
        }
    }
}
