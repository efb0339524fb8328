//! A device under test: ports, steps, bus bursts, runs, flips and waveforms.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{BurstResult, Handle, RunResult};
use crate::{Error, Model, Port, Trace, Unknowns, fst};

/// Statuses of the C ABI, as in `shim/shim.cpp`.
const DONE: i32 = 0;
const BUS_ERROR: i32 = 1;
const BUS_TIMEOUT: i32 = 2;
const BUS_PROTOCOL: i32 = 3;
const TRACE_FAILED: i32 = 5;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOutcome {
    /// Cycles in which `busy_o` was high.
    pub cycles: u64,
    /// Transfers of the weight stream, each `ws_data_i` wide.
    pub stream_words_taken: u64,
    /// True when the cycles ran out before the work did.
    pub still_busy: bool,
}

/// What the bare C++ loop did, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BareRun {
    /// The same outcome that [`Dut::run`] gives.
    pub outcome: RunOutcome,
    /// Time inside the loop.
    pub time: Duration,
}

/// One record of the flip observation ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlipEvent {
    /// Cycle in which the memory's `valid` was high.
    pub cycle: u64,
    /// Memory: 0 for the ports `flip_...`, 1 for `bias_flip_...`, 2 for `map_flip_...`.
    pub memory: u32,
    /// `flip_layer_o`.
    pub layer: u32,
    /// `flip_group_o`.
    pub group: u32,
    /// The memory's `address`.
    pub address: u32,
    /// Its `before`, little-endian words: what it holds.
    pub before: Vec<u32>,
    /// Its `mask`, little-endian words: the bits read wrong.
    pub mask: Vec<u32>,
}

/// A simulated device. It may move between threads but is used by one at a time.
pub struct Dut {
    handle: Handle,
    model: Model,
    bus_timeout: u64,
    /// The waveform file.
    wave: PathBuf,
}

// SAFETY: a model has its own Verilator context and no thread-bound state; the shim sets the thread's context on entry.
unsafe impl Send for Dut {}

impl Drop for Dut {
    fn drop(&mut self) {
        // SAFETY: the handle came from `new` of this library and is not used again.
        unsafe { (self.model.library.delete)(self.handle) }
    }
}

impl Dut {
    pub(crate) fn new(model: Model) -> Result<Self, Error> {
        let seed = match model.variant.unknowns {
            Unknowns::Fast => 0,
            Unknowns::Randomise { seed } => seed,
        };
        // SAFETY: the library has this function, see `Library::open`.
        let handle = unsafe { (model.library.new)(seed) };
        if handle.is_null() {
            return Err(Error::Model { message: "its initial blocks failed".into(), cycle: 0 });
        }
        Ok(Dut { handle, model, bus_timeout: 10_000, wave: PathBuf::new() })
    }

    /// Number of rising clock edges so far.
    pub fn cycle(&self) -> u64 {
        // SAFETY: the handle is alive.
        unsafe { (self.model.library.cycle)(self.handle) }
    }

    /// The ports, as described when the model was built.
    pub fn ports(&self) -> &[Port] {
        &self.model.design.ports
    }

    /// Drives an input with little-endian 32-bit words, from the next settling on.
    ///
    /// # Errors
    /// When there is no such input or the value does not fit it.
    pub fn poke(&mut self, port: &str, value: &[u32]) -> Result<(), Error> {
        let (index, port) = self.find(port, "input")?;
        let spare_bits = (32 - port.width_bits % 32) % 32;
        let fits = value.len() == port.words() && value.last().is_some_and(|top| top.leading_zeros() >= spare_bits);
        if !fits {
            return Err(Error::PortValue { port: port.name.clone(), width_bits: port.width_bits, words: value.len() });
        }
        // The shim copies whole 64-bit ports.
        let padded = padded(value);
        // SAFETY: the index is that of the port table, and the buffer holds at least the bytes of that port.
        unsafe { (self.model.library.poke)(self.handle, index, padded.as_ptr()) };
        Ok(())
    }

    /// Reads a port as little-endian 32-bit words, after the logic has settled on the inputs as they are now.
    ///
    /// # Errors
    /// When there is no such port or the model fails.
    pub fn peek(&mut self, port: &str) -> Result<Vec<u32>, Error> {
        let (index, port) = self.find(port, "top-level")?;
        let words = port.words();
        let mut value = padded(&vec![0; words]);
        // SAFETY: the index is that of the port table, and the buffer holds at least the bytes of that port.
        let status = unsafe { (self.model.library.peek)(self.handle, index, value.as_mut_ptr()) };
        value.truncate(words);
        self.check(status).map(|()| value)
    }

    /// Runs `cycles` clock cycles with the inputs as they are.
    ///
    /// # Errors
    /// When the model fails.
    pub fn step(&mut self, cycles: u64) -> Result<(), Error> {
        // SAFETY: the handle is alive.
        let status = unsafe { (self.model.library.step)(self.handle, cycles) };
        self.check(status)
    }

    /// Holds `rst_i` high for `cycles` cycles and lets it go.
    ///
    /// # Errors
    /// When there is no `rst_i` or the model fails.
    pub fn reset(&mut self, cycles: u64) -> Result<(), Error> {
        self.poke("rst_i", &[1])?;
        self.step(cycles)?;
        self.poke("rst_i", &[0])
    }

    /// Gives up a bus burst after this many cycles without an accepted or acknowledged access; 10,000 at first.
    pub fn set_bus_timeout(&mut self, cycles: u64) {
        self.bus_timeout = cycles;
        // SAFETY: the handle is alive.
        unsafe { (self.model.library.set_bus_timeout)(self.handle, cycles) };
    }

    /// Writes words to consecutive word addresses, or all to one address when `increment` is false.
    ///
    /// # Errors
    /// When the bus answers with an error or not at all: the failing address is in the error.
    pub fn burst_write(&mut self, address: u32, data: &[u32], increment: bool) -> Result<(), Error> {
        self.check_range(address, data.len(), increment)?;
        let call = self.model.library.burst_write.ok_or_else(|| self.lacks("Wishbone port"))?;
        let mut result = BurstResult::default();
        // SAFETY: the shim reads `data.len()` words.
        let status =
            unsafe { call(self.handle, address, data.as_ptr(), data.len() as u64, increment.into(), &mut result) };
        self.check_burst(status, &result, "write")
    }

    /// Reads words from consecutive word addresses, or all from one address when `increment` is false.
    ///
    /// # Errors
    /// When the bus answers with an error or not at all: the failing address is in the error.
    pub fn burst_read(&mut self, address: u32, data: &mut [u32], increment: bool) -> Result<(), Error> {
        self.check_range(address, data.len(), increment)?;
        let call = self.model.library.burst_read.ok_or_else(|| self.lacks("Wishbone port"))?;
        let mut result = BurstResult::default();
        // SAFETY: the shim writes at most `data.len()` words.
        let status =
            unsafe { call(self.handle, address, data.as_mut_ptr(), data.len() as u64, increment.into(), &mut result) };
        self.check_burst(status, &result, "read")
    }

    /// Steps while `busy_o` is high and feeds the weight stream whenever it is ready.
    ///
    /// `stream` holds the transfers one after the other, each in `ceil(width / 32)` words. A program has eight cycles to
    /// raise `busy_o` after the write that started it; `cycles` counts from there.
    ///
    /// # Errors
    /// When the model fails, or the stream is not a whole number of transfers.
    pub fn run(&mut self, max_cycles: u64, stream: &[u32]) -> Result<RunOutcome, Error> {
        let count = self.transfers(stream)?;
        let call = self.model.library.run.ok_or_else(|| self.lacks("port `busy_o`"))?;
        let mut result = RunResult::default();
        // SAFETY: the shim reads `count` transfers of the width of `ws_data_i`.
        let status = unsafe { call(self.handle, max_cycles, stream.as_ptr(), count, &mut result) };
        self.check(status).map(|()| outcome(&result))
    }

    /// Starts a program with one bus write and runs it in a bare C++ loop that records nothing: the yardstick for what
    /// driving from Rust costs.
    ///
    /// # Errors
    /// As [`Dut::burst_write`] and [`Dut::run`].
    pub fn bare_run(&mut self, start: (u32, u32), max_cycles: u64, stream: &[u32]) -> Result<BareRun, Error> {
        let count = self.transfers(stream)?;
        let call = self.model.library.bare_run.ok_or_else(|| self.lacks("port `busy_o`"))?;
        self.burst_write(start.0, &[start.1], false)?;
        let mut result = RunResult::default();
        // SAFETY: the shim reads `count` transfers of the width of `ws_data_i`.
        let status = unsafe { call(self.handle, max_cycles, stream.as_ptr(), count, &mut result) };
        self.check(status)?;
        Ok(BareRun { outcome: outcome(&result), time: Duration::from_nanos(result.nanoseconds) })
    }

    /// Runs `cycles` clock cycles with a UART at the pins `uart_rx_i` and `uart_tx_o`: 8 data bits, no parity, one stop bit, each
    /// of `bit_cycles` cycles, 2 or more. `bytes` go to the device behind those that still wait. Returns what came from it.
    ///
    /// # Errors
    /// When there are no such pins, the model fails, or a byte comes without its stop bit.
    pub fn line(&mut self, cycles: u64, bit_cycles: f64, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let call = self.model.library.line.ok_or_else(|| self.lacks("line of a UART"))?;
        let period = (bit_cycles * 65536.0).round() as u64;
        // SAFETY: the shim reads `bytes.len()` bytes.
        let status = unsafe { call(self.handle, cycles, period, bytes.as_ptr(), bytes.len() as u64) };
        self.check(status)?;
        let library = &self.model.library;
        // SAFETY: the buffer has the length that the shim asks for, and nothing runs between the two calls.
        let received = unsafe {
            let mut received = vec![0; (library.line_received)(self.handle) as usize];
            (library.take_line)(self.handle, received.as_mut_ptr());
            received
        };
        Ok(received)
    }

    /// Returns how many bytes still wait to go to the device, the one under way included.
    pub fn line_waiting(&self) -> u64 {
        // SAFETY: the handle is alive.
        unsafe { (self.model.library.line_waiting)(self.handle) }
    }

    /// Switches the recording of flips on or off; it is on at first.
    pub fn record_flips(&mut self, on: bool) {
        // SAFETY: the handle is alive.
        unsafe { (self.model.library.record_flips)(self.handle, on.into()) };
    }

    /// Returns the flips seen since the last call, in the order of their cycles.
    pub fn take_flips(&mut self) -> Vec<FlipEvent> {
        let library = &self.model.library;
        // SAFETY: the buffer has the length that the shim asks for, and nothing runs between the two calls.
        let flat = unsafe {
            let mut flat = vec![0; (library.flip_words)(self.handle) as usize];
            (library.take_flips)(self.handle, flat.as_mut_ptr());
            flat
        };
        let words = |name: &str| self.model.design.port(name).map_or(0, Port::words);
        let scalars = [words("flip_layer_o"), words("flip_group_o"), words("flip_address_o")];
        assert!(flat.is_empty() || scalars == [1; 3], "layer, group and address of a flip have up to 32 bits each");
        let widths = ["flip_before_o", "bias_flip_before_o", "map_flip_before_o"].map(words);
        let (mut events, mut rest) = (Vec::new(), &flat[..]);
        while let [_, _, memory, ..] = *rest {
            let width = widths[memory as usize];
            let (record, next) = rest.split_at(6 + 2 * width);
            events.push(event(record, width));
            rest = next;
        }
        events
    }

    /// Writes waveforms of the cycles `from_cycle..to_cycle` to a VCD or FST file, by extension.
    ///
    /// # Errors
    /// When the library was built for another format or the file cannot be written.
    pub fn trace_start(&mut self, path: &Path, from_cycle: u64, to_cycle: u64) -> Result<(), Error> {
        self.check_format(path)?;
        std::fs::File::create(path)
            .map_err(|error| Error::Waveform { path: path.to_path_buf(), reason: error.to_string() })?;
        let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("a created file has no NUL in its name");
        // SAFETY: the name is a C string that lives through the call.
        let status = unsafe { (self.model.library.trace_start)(self.handle, name.as_ptr(), from_cycle, to_cycle) };
        self.wave = path.to_path_buf();
        self.check(status)
    }

    /// Ends the waveform file; it also ends by itself at the end of its window.
    ///
    /// # Errors
    /// When the file could not be written to its end.
    pub fn trace_stop(&mut self) -> Result<(), Error> {
        // SAFETY: the handle is alive.
        let status = unsafe { (self.model.library.trace_stop)(self.handle) };
        self.check(status)?;
        // Unlike the VCD writer, the FST writer says nothing of a write that failed.
        if self.model.variant.trace == Trace::Fst && self.wave.is_file() {
            fst::check_whole(&self.wave)?;
        }
        Ok(())
    }

    fn check_format(&self, path: &Path) -> Result<(), Error> {
        let built = self.model.variant.trace;
        if crate::Variant::tracing(path).trace == built {
            return Ok(());
        }
        let built = match built {
            Trace::None => "speed, without waveforms",
            Trace::Vcd => "VCD",
            Trace::Fst => "FST",
        };
        Err(Error::TraceVariant { path: path.to_path_buf(), built })
    }

    fn find(&self, name: &str, direction: &'static str) -> Result<(u32, &Port), Error> {
        let ports = self.model.design.ports.iter().enumerate();
        let mut wanted = ports.filter(|(_, port)| port.name == name && (port.input || direction != "input"));
        wanted.next().map(|(index, port)| (index as u32, port)).ok_or_else(|| Error::UnknownPort {
            top: self.model.design.top.clone(),
            port: name.to_owned(),
            direction,
        })
    }

    /// Returns how many transfers of the weight stream these host words are.
    ///
    /// # Errors
    /// When there is no weight stream, or they are not a whole number of transfers.
    pub fn transfers(&self, stream: &[u32]) -> Result<u64, Error> {
        let piece = match self.model.design.port("ws_data_i") {
            Some(port) => port.words(),
            None if stream.is_empty() => return Ok(0),
            None => return Err(self.lacks("weight stream")),
        };
        if stream.len().is_multiple_of(piece) {
            Ok((stream.len() / piece) as u64)
        } else {
            Err(Error::StreamLength { words: stream.len(), piece })
        }
    }

    fn check_range(&self, address: u32, words: usize, increment: bool) -> Result<(), Error> {
        let bits = self.model.design.port("wb_adr_i").map_or(32, |port| port.width_bits);
        let last = u64::from(address) + if increment { words.saturating_sub(1) as u64 } else { 0 };
        if last >> bits == 0 { Ok(()) } else { Err(Error::BusRange { address, words, bits }) }
    }

    fn check_burst(&self, status: i32, result: &BurstResult, access: &'static str) -> Result<(), Error> {
        let (address, cycle) = (result.address as u32, self.cycle());
        match status {
            BUS_ERROR => Err(Error::Bus { address, access, cycle }),
            BUS_TIMEOUT => Err(Error::BusTimeout { address, access, waited: self.bus_timeout, cycle }),
            BUS_PROTOCOL => Err(Error::BusProtocol { address, cycle }),
            other => self.check(other),
        }
    }

    fn check(&self, status: i32) -> Result<(), Error> {
        if status == DONE {
            return Ok(());
        }
        // SAFETY: the message is a C string that lives until the next call.
        let message = unsafe { CStr::from_ptr((self.model.library.message)(self.handle)) };
        if status == TRACE_FAILED {
            return Err(Error::Waveform { path: self.wave.clone(), reason: message.to_string_lossy().into_owned() });
        }
        Err(Error::Model { message: message.to_string_lossy().into_owned(), cycle: self.cycle() })
    }

    fn lacks(&self, interface: &'static str) -> Error {
        Error::NoInterface { top: self.model.design.top.clone(), interface }
    }
}

/// A copy of a value with room for a port that the model holds in 64 bits.
fn padded(value: &[u32]) -> Vec<u32> {
    let mut words = value.to_vec();
    words.resize(value.len().max(2), 0);
    words
}

fn outcome(result: &RunResult) -> RunOutcome {
    RunOutcome {
        cycles: result.cycles,
        stream_words_taken: result.stream_words_taken,
        still_busy: result.still_busy != 0,
    }
}

fn event(record: &[u32], before: usize) -> FlipEvent {
    FlipEvent {
        cycle: u64::from(record[0]) | u64::from(record[1]) << 32,
        memory: record[2],
        layer: record[3],
        group: record[4],
        address: record[5],
        before: record[6..6 + before].to_vec(),
        mask: record[6 + before..].to_vec(),
    }
}
