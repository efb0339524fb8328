//! The verilated accelerator, reached over its Wishbone and weight-stream ports.

use hafnia_config::accel::RESET_CYCLES;
use hafnia_config::fault::Site;
use hafnia_config::flip::Flip;
use hafnia_verilate::Dut;

use super::Transport;
use crate::DriverError;

/// A simulated accelerator.
pub struct SimTransport {
    /// The simulated hardware, for traces and measurements.
    pub dut: Dut,
    /// Whether weights may come through the weight-stream port; if not, they go over the bus as on a board without SDRAM.
    pub weight_stream: bool,
}

impl SimTransport {
    /// Resets the simulated hardware and returns a link to it.
    ///
    /// # Errors
    /// [`DriverError::Transport`] if the simulation fails.
    pub fn new(mut dut: Dut) -> Result<Self, DriverError> {
        dut.reset(RESET_CYCLES.into()).map_err(failed)?;
        dut.record_flips(true);
        Ok(Self { dut, weight_stream: true })
    }
}

fn failed(error: hafnia_verilate::Error) -> DriverError {
    DriverError::Transport(Box::new(error))
}

impl Transport for SimTransport {
    fn feeds_weight_stream(&self) -> bool {
        self.weight_stream
    }

    fn write(&mut self, address: u32, words: &[u32]) -> Result<(), DriverError> {
        self.dut.burst_write(address, words, true).map_err(failed)
    }

    fn read(&mut self, address: u32, words: &mut [u32]) -> Result<(), DriverError> {
        self.dut.burst_read(address, words, true).map_err(failed)
    }

    fn finish(&mut self, stream: &[u32], max_cycles: u64) -> Result<Option<String>, DriverError> {
        let outcome = self.dut.run(max_cycles, stream).map_err(failed)?;
        let (cycles, taken) = (outcome.cycles, outcome.stream_words_taken);
        let left = self.dut.transfers(stream).map_err(failed)? - taken;
        Ok(if outcome.still_busy {
            Some(format!("busy after {cycles} cycles, {taken} words of the weight stream taken"))
        } else if left > 0 {
            Some(format!("idle after {cycles} cycles, {left} words of the weight stream not taken"))
        } else {
            None
        })
    }

    fn take_flips(&mut self) -> Vec<Flip> {
        let mut flips = Vec::new();
        for event in self.dut.take_flips() {
            for (w, (&mask, &before)) in event.mask.iter().zip(&event.before).enumerate() {
                for bit in (0..32).filter(|bit| mask >> bit & 1 == 1) {
                    flips.push(Flip {
                        layer: event.layer,
                        group: event.group,
                        site: Site::ALL[event.memory as usize],
                        word: event.address,
                        bit: 32 * w as u32 + bit,
                        before: before >> bit & 1 == 1,
                    });
                }
            }
        }
        // The memories are read side by side; each one's flips are in order.
        flips.sort_by_key(|flip| (flip.layer, flip.group, flip.site));
        flips
    }

    fn cycle(&self) -> Option<u64> {
        Some(self.dut.cycle())
    }
}
