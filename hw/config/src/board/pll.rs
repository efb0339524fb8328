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
        let rated = Self::all(oscillator_khz).map(|(pll, clock, inner)| {
            let rating = ((clock - f64::from(clock_khz)).abs(), (inner - LIKED_KHZ).abs());
            (rating, pll)
        });
        let order = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
        rated.min_by(|(a, _), (b, _)| order(a, b)).expect("the oscillator of a board is in range").1
    }

    /// Returns the highest clock in kHz that is not above `limit_khz`, or 0.
    pub fn fastest(oscillator_khz: u32, limit_khz: u32) -> u32 {
        let clocks = Self::all(oscillator_khz).map(|(pll, ..)| pll.clock_khz(oscillator_khz));
        clocks.filter(|&clock| clock <= limit_khz).max().unwrap_or(0)
    }

    /// Returns every setting with its clock and the frequency of its inner oscillator, in kHz.
    fn all(oscillator_khz: u32) -> impl Iterator<Item = (Self, f64, f64)> {
        let oscillator = f64::from(oscillator_khz);
        let detector = move |reference: u32| oscillator / f64::from(reference);
        let references = (1..=128).filter(move |&reference| DETECTOR_KHZ.contains(&detector(reference)));
        let dividers = references.flat_map(|reference| {
            (1..=80).flat_map(move |feedback| (1..=128).map(move |output| (reference, feedback, output)))
        });
        dividers.filter_map(move |(reference_divider, feedback_divider, output_divider)| {
            let clock = detector(reference_divider) * f64::from(feedback_divider);
            let inner = clock * f64::from(output_divider);
            let pll = Self { reference_divider, feedback_divider, output_divider };
            INNER_KHZ.contains(&inner).then_some((pll, clock, inner))
        })
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

    #[test]
    fn a_limit_allows_the_highest_clock_that_can_be_made() {
        for (oscillator, limit, clock) in
            [(25_000, 81_800, 81_250), (25_000, 112_710, 112_500), (48_000, 60_000, 60_000), (25_000, 2_000, 0)]
        {
            assert_eq!(Pll::fastest(oscillator, limit), clock);
        }
    }
}
