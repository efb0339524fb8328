//! The driver against a board under Verilator, through the pins of its line.

// Takes longest, so it comes early in the order of tests.
mod netlist;
mod sessions;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hafnia_config::Elaborated;
use hafnia_config::board::{self, Board, Build};
use hafnia_config::fault::Noise;
use hafnia_config::link::BoardRegister;
use hafnia_config::schedule::Schedule;
use hafnia_cosim::board::{SimulatedLine, board_design};
use hafnia_cosim::terminal::Terminal;
use hafnia_cosim::{compare, random};
use hafnia_driver::transport::serial::{Line, LineCounts, Port, SerialTransport};
use hafnia_driver::{Accel, BatchRun, Depth, DriverError, Transport};
use hafnia_golden::network::Network;
use hafnia_golden::run::{BatchResult, Golden};
use hafnia_verilate::{Design, Effort, Model, Unknowns, Variant};
use ndarray::Array3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::{builder, config, conv, head};

/// A board, built, with a network and what the golden model gives.
pub struct Bench {
    pub board: Board,
    pub hw: Elaborated,
    pub model: Model,
    network: Network,
    schedule: Schedule,
    noise: Noise,
    images: Vec<Array3<i8>>,
    want: BatchResult,
}

const SEED: u64 = 7;

impl Bench {
    fn new(hw: Elaborated) -> Self {
        Self::built(hw, "ulx3s-85f", &|build| board_design(build))
    }

    /// The bench of a board whose design is made by `design`.
    pub fn built(hw: Elaborated, board: &str, design: &dyn Fn(&Build<'_>) -> Design) -> Self {
        let board = board::find(board).unwrap();
        let layers = [conv(3, 8, 8, 8, true), conv(8, 6, 4, 4, true), conv(6, 5, 2, 2, true), head(5, 10)];
        let network = random::network(&layers, 1);
        let schedule = Schedule::new(&hw, &network.shapes(), None).unwrap();
        let images = random::images(&network, 2, 3);
        let noise = hw.noise(1e-2, hw.at_risk_by_default()).unwrap();
        let mut want = Golden::new(&network, &hw, &schedule, &noise, SEED).batch(0, &images, Depth::EveryLayer);
        assert!(!want.flips.is_empty());
        // A board lists none: its counts and its signatures say which they were.
        want.flips.clear();
        let design = design(&build(&board, &hw));
        let variant =
            Variant { unknowns: Unknowns::Randomise { seed: 5 }, effort: Effort::Quick, ..Variant::default() };
        let model = builder().build(&design, variant).unwrap_or_else(|error| panic!("{error}"));
        Self { board, hw, model, network, schedule, noise, images, want }
    }

    /// The line of a board that was just configured.
    pub fn line(&self) -> SimulatedLine {
        SimulatedLine::new(self.model.dut().unwrap(), &build(&self.board, &self.hw))
    }

    /// Gives the serial port of a board that was just configured, a pseudo-terminal, to `user`.
    pub fn at_a_terminal(&self, user: impl FnOnce(Port)) {
        let build = build(&self.board, &self.hw);
        let mut terminal = Terminal::open(self.model.dut().unwrap(), &build).unwrap();
        let path = terminal.path();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let served = scope.spawn(|| terminal.serve(&|| done.load(Ordering::SeqCst)));
            let port = Port::open(path.to_str().unwrap(), build.baud).unwrap_or_else(|error| panic!("{error}"));
            // The board is ended whatever becomes of its user. A netlist is simulated slowly.
            let used = catch_unwind(AssertUnwindSafe(|| user(port.waiting(Duration::from_secs(10)).unwrap())));
            done.store(true, Ordering::SeqCst);
            served.join().unwrap().unwrap();
            used.unwrap_or_else(|panic| resume_unwind(panic));
        });
    }

    /// Runs the batch over a line.
    pub fn run(&self, line: impl Line) -> Result<(BatchRun, LineCounts), DriverError> {
        let link = SerialTransport::open(line, &self.hw)?;
        let mut accel = Accel::open(link, &self.hw, &self.network, &self.schedule)?;
        accel.set_noise(self.noise.clone(), SEED)?;
        let got = accel.batch(0, &self.images, Depth::EveryLayer)?;
        Ok((got, accel.link().counts()))
    }

    pub fn check(&self, got: &BatchRun) {
        assert_eq!(compare(got, &self.want, false), None);
    }
}

/// A line of 8 cycles a bit, so that little is simulated for each byte.
pub fn build<'a>(board: &'a Board, hw: &'a Elaborated) -> Build<'a> {
    Build::new(board, hw, None, Some(board.clock_khz * 1000 / 8)).unwrap()
}

#[test]
fn a_board_gives_what_the_golden_model_gives() {
    let mut config = config(4, 4, 4);
    config.array.soft_rows = 1;
    let bench = Bench::new(config.validate().unwrap());
    let (got, counts) = bench.run(bench.line()).unwrap_or_else(|error| panic!("{error}"));
    bench.check(&got);
    assert_eq!((counts.repeated, counts.damaged), (0, 0));
}

/// Counts of flips are those of the golden model though the flips are others; data goes to other words than it is for.
#[test]
fn planted_faults_of_a_board_are_seen() {
    for (text, instead, told) in [
        ("  index <= index_i;", "  index <= index_i ^ 32'd1;", "signature of the flips of weights"),
        (
            "  stored <= word_i ^ flips_i;\n  mask <= flips_i;",
            "  stored <= {word_i[21:16] ^ flips_i[21:16], word_i[7:0] ^ flips_i[7:0], word_i[15:8] ^ flips_i[15:8]};\n  \
             mask <= {flips_i[21:16], flips_i[7:0], flips_i[15:8]};",
            "signature of the flips of weights",
        ),
        ("address <= address + 24'd1;", "address <= address + 24'd2;", "refused word address"),
        ("data = word[15:8];", "data = word[7:0];", "is no board of Hafnia"),
    ] {
        let planted = |build: &Build<'_>| {
            let design = board_design(build);
            assert!(design.verilog.contains(text), "{text}");
            Design { verilog: design.verilog.replacen(text, instead, 1), ..design }
        };
        let bench = Bench::built(netlist::least(), "ulx3s-85f", &planted);
        let found = match bench.run(bench.line()) {
            Ok((got, _)) => compare(&got, &bench.want, false).map(|found| found.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let found = found.unwrap_or_else(|| panic!("{instead} was not seen"));
        assert!(found.contains(told), "{instead}: {found}");
    }
}

/// Weights that do not fit stream in over the line, through the port that a memory would feed.
#[test]
fn a_board_takes_streamed_weights() {
    for cols in [4, 12] {
        let mut small = config(4, cols, 4);
        small.memory.weight_words = 64;
        let bench = Bench::new(small.validate().unwrap());
        assert!(!bench.schedule.resident);
        let (got, _) = bench.run(bench.line()).unwrap_or_else(|error| panic!("{error}"));
        // How long the array waits for them depends on the line.
        assert_eq!(compare(&got, &bench.want, true), None);
        assert!(got.counters.iter().any(|(_, counters)| counters.stall_weights > 1_000));
    }
}

/// A line on which each byte may be damaged, lost, doubled, or the last of what was sent at once.
struct NoisyLine<'a> {
    line: &'a mut SimulatedLine,
    rate: f64,
    rng: ChaCha8Rng,
}

impl NoisyLine<'_> {
    fn disturbed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            if !self.rng.random_bool(self.rate) {
                out.push(byte);
                continue;
            }
            match self.rng.random_range(0..4) {
                0 => out.push(byte ^ 1 << self.rng.random_range(0..8)),
                1 => (),
                2 => out.extend([byte, byte]),
                _ => break,
            }
        }
        out
    }
}

impl Line for NoisyLine<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes = self.disturbed(bytes);
        self.line.send(&bytes)
    }

    fn receive(&mut self, received: &mut Vec<u8>) -> io::Result<bool> {
        let mut clean = Vec::new();
        let any = self.line.receive(&mut clean)?;
        received.extend(self.disturbed(&clean));
        Ok(any)
    }
}

/// Whatever the line does, what is told as a result is right; and the run after an error needs nothing but to be started.
#[test]
fn noise_on_the_line_never_gives_a_wrong_result() {
    let bench = Bench::new(config(4, 4, 4).validate().unwrap());
    let mut repeated = 0;
    for seed in 0..6 {
        // At the highest rate hardly a frame arrives.
        let rate = [1e-3, 1e-2, 5e-2][seed as usize % 3];
        let mut line = bench.line();
        let rng = ChaCha8Rng::seed_from_u64(seed);
        match bench.run(NoisyLine { line: &mut line, rate, rng }) {
            Ok((got, counts)) => {
                bench.check(&got);
                repeated += counts.repeated;
            }
            Err(error) => {
                assert!(rate > 1e-3, "seed {seed}: {error}");
                assert!(error.to_string().contains("did not answer"), "{error}");
            }
        }
        let (got, counts) = bench.run(line).unwrap_or_else(|error| panic!("after seed {seed}: {error}"));
        bench.check(&got);
        assert_eq!(counts.repeated, 0, "after seed {seed}");
    }
    assert!(repeated > 50, "{repeated} requests were sent again");
}

/// A line that is cut after some bytes, either way.
struct CutLine<'a> {
    line: &'a mut SimulatedLine,
    left: usize,
}

impl CutLine<'_> {
    /// Counts bytes that passed, and fails if they were the last.
    fn passed(&mut self, bytes: usize) -> io::Result<()> {
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl Line for CutLine<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.send(&bytes[..bytes.len().min(self.left)])?;
        self.passed(bytes.len())
    }

    fn receive(&mut self, received: &mut Vec<u8>) -> io::Result<bool> {
        let before = received.len();
        let any = self.line.receive(received)?;
        self.passed(received.len() - before)?;
        Ok(any)
    }
}

/// Unplugged while it is opened, while the network is loaded, while the program runs, and while its results are read.
#[test]
fn a_run_that_was_cut_off_leaves_a_board_that_works() {
    const ALL: usize = 1 << 40;
    let bench = Bench::new(config(4, 4, 4).validate().unwrap());
    let mut line = bench.line();
    let mut whole = CutLine { line: &mut line, left: ALL };
    {
        let link = SerialTransport::open(&mut whole, &bench.hw).unwrap();
        let mut accel = Accel::open(link, &bench.hw, &bench.network, &bench.schedule).unwrap();
        accel.set_noise(bench.noise.clone(), SEED).unwrap();
        let program = accel.stage(0, &bench.images).unwrap();
        accel.arm(0, &program).unwrap();
        // What was posted is under way until a read is answered.
        accel.link().board_register(BoardRegister::Name).unwrap();
    }
    let loaded = ALL - whole.left;
    bench.run(&mut whole).unwrap();
    let all = ALL - whole.left - loaded;
    assert!(loaded > 1_000 && all > loaded + 1_000, "{loaded} of {all} bytes come before the first start");
    let behind = (1..4).map(|quarters| loaded + (all - loaded) * quarters / 4);
    for left in [11, loaded / 2].into_iter().chain(behind).chain([all - 1]) {
        let error = bench.run(CutLine { line: &mut line, left }).unwrap_err().to_string();
        assert!(error.contains("the serial line failed") && error.contains("plugged in"), "{error}");
        bench.check(&bench.run(&mut line).unwrap_or_else(|error| panic!("after {left} bytes: {error}")).0);
    }
}

#[test]
fn a_board_tells_what_it_is_and_how_its_line_fares() {
    let bench = Bench::new(config(4, 4, 4).validate().unwrap());
    let mut line = bench.line();
    let build = build(&bench.board, &bench.hw);
    let mut link = SerialTransport::open(&mut line, &bench.hw).unwrap();
    for (register, want) in [
        (BoardRegister::Name, bench.board.hash()),
        (BoardRegister::ClockKhz, build.clock_khz),
        (BoardRegister::Baud, build.baud),
        (BoardRegister::BadFrames, 0),
    ] {
        assert_eq!(link.board_register(register).unwrap(), want, "{register:?}");
    }
    let (first, second) = (link.cycles().unwrap(), link.cycles().unwrap());
    assert!(first > 0 && second > first + 1000, "{first}, {second}");
    // What is no frame is counted, and harms nothing.
    for garbage in [&b"~garbage~"[..], b"~}~"] {
        link.line().send(garbage).unwrap();
    }
    assert_eq!(link.board_register(BoardRegister::BadFrames).unwrap(), 2);
    let beyond = BoardRegister::Board.address() + BoardRegister::ALL.len() as u32;
    let error = link.read(beyond, &mut [0]).unwrap_err().to_string();
    assert!(error.contains("refused word address 0xf0000c"), "{error}");
    // One refusal is told once, and what comes next is not what was refused.
    assert_eq!(link.board_register(BoardRegister::ClockKhz).unwrap(), build.clock_khz);
    assert_eq!(link.board_register(BoardRegister::Breaks).unwrap(), 0);
}

/// The alive light blinks; behind an error on the line its light is steady, or that one where there is no other.
#[test]
fn lights_tell_of_errors_on_the_line() {
    // Blinking so slowly would take long to simulate.
    let fast = |build: &Build<'_>| {
        let design = board_design(build);
        assert!(design.verilog.contains("count[22] : count[25]"));
        Design { verilog: design.verilog.replace("count[22] : count[25]", "count[9] : count[12]"), ..design }
    };
    for (board, lit) in [("ulx3s-85f", 1), ("ecpix5-85f", 0), ("colorlight-i9", 0)] {
        let bench = Bench::built(netlist::least(), board, &fast);
        let mut line = bench.line();
        let levels = |line: &mut SimulatedLine, pin: &str| -> Vec<u32> {
            let mut level = |_| {
                line.dut().step(64).unwrap();
                line.dut().peek(pin).unwrap()[0]
            };
            (0..256).map(&mut level).collect()
        };
        let error = if board == "colorlight-i9" { "led_alive_o" } else { "led_error_o_0" };
        let mut link = SerialTransport::open(&mut line, &bench.hw).unwrap();
        // 4,096 cycles dark, 4,096 lit.
        let alive = levels(link.line(), "led_alive_o");
        assert_eq!(alive.windows(2).filter(|pair| pair[0] != pair[1]).count(), 4, "{board}: {alive:?}");
        if board == "ulx3s-85f" {
            assert_eq!(link.line().dut().peek("held_high_o_0").unwrap(), [1]);
        }
        // A byte without its stop bit, then a break: 8 cycles a bit.
        for (level, cycles) in [(0, 8), (1, 64), (0, 8), (1, 400), (0, 400), (1, 400)] {
            link.line().dut().poke("uart_rx_i", &[level]).unwrap();
            link.line().dut().step(cycles).unwrap();
        }
        assert_eq!(levels(link.line(), error), [lit; 256], "{board}: after errors");
        for (register, want) in
            [(BoardRegister::FramingErrors, 1), (BoardRegister::Breaks, 1), (BoardRegister::Overruns, 0)]
        {
            assert_eq!(link.board_register(register).unwrap(), want, "{board}: {register:?}");
        }
        // The next session puts it out.
        let mut link = SerialTransport::open(&mut line, &bench.hw).unwrap();
        assert!(levels(link.line(), error).contains(&(1 - lit)), "{board}: without errors");
    }
}
