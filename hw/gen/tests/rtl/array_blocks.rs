//! The array and what it is made of: MAC cell, skews, column.

use std::collections::HashMap;

use crate::common::{Bench, array, rng};
use hafnia_config::Elaborated;
use hafnia_config::accel::ACCUMULATE_LATENCY;
use hafnia_golden::conv::requantise;
use hafnia_golden::network::Scale;
use rand::Rng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

// The control word, lowest bit first (`core/control.rs`): six flags, then accumulator address, then parameter address.
const VALID: u64 = 1;
const FIRST: u64 = 1 << 1;
const EMIT: u64 = 1 << 2;
const RELU: u64 = 1 << 3;
const POOL_FIRST: u64 = 1 << 4;
const POOL_LAST: u64 = 1 << 5;
const ADDRESSES: u32 = 6;

/// Any int8, the ends of the range more often than their share.
fn int8(rng: &mut ChaCha8Rng) -> i8 {
    *[i8::MIN, i8::MAX, rng.random(), rng.random(), rng.random()].get(rng.random_range(0..5)).expect("five values")
}

/// `psum_o` of cycle `t + 2` adds the product of cycle `t` to the `psum_i` of cycle `t + 2`, modulo 2^20. The weight is
/// the one that was last loaded before the last switch, a switch in the cycle of the load taking the older one.
#[test]
fn pe_multiplies_by_the_weight_loaded_before_the_last_switch() {
    let mut hw = array(3, 5, 2);
    hw.config.array.soft_rows = 1;
    ["pe", "pe_soft"].into_iter().for_each(|module| check_pe(Bench::new(&hw, module)));
}

fn check_pe(mut bench: Bench) {
    let mut rng = rng(5);
    let (mut shadow, mut weight) = (None, None);
    let mut products = Vec::new();
    let (mut lowest, mut together) = (0, 0);
    for cycle in 0..20_000 {
        let (x, loaded, psum) = (int8(&mut rng), int8(&mut rng), rng.random_range(0..1 << 20));
        let (switch, load) = (rng.random_bool(0.3), rng.random_bool(0.3));
        bench.set("x_i", u64::from(x as u8));
        bench.set("weight_i", u64::from(loaded as u8));
        bench.set("psum_i", psum);
        bench.set("switch_i", switch.into());
        bench.set("load_i", load.into());
        bench.step();
        if switch {
            weight = shadow;
        }
        if load {
            shadow = Some(i64::from(loaded));
        }
        products.push(weight.map(|weight| weight * i64::from(x)));
        lowest += u32::from(products[cycle] == Some(128 * 128));
        together += u32::from(switch && load);
        assert_eq!(bench.get("x_o") as u8 as i8, x, "cycle {cycle}");
        assert_eq!(bench.get("switch_o") == 1, switch, "cycle {cycle}");
        if let Some(product) = cycle.checked_sub(2).and_then(|cycle| products[cycle]) {
            let want = (psum as i64 + product).rem_euclid(1 << 20);
            assert_eq!(bench.get("psum_o") as i64, want, "cycle {cycle}: {psum} + {product}");
        }
    }
    assert!(lowest > 500 && together > 500, "-128 * -128: {lowest}, switch with load: {together}");
}

/// Packs lanes of `width` bits into words, lane 0 lowest.
fn packed(lanes: &[u64], width: usize) -> Vec<u32> {
    let mut words = vec![0; (lanes.len() * width).div_ceil(32)];
    for bit in (0..lanes.len() * width).filter(|bit| lanes[bit / width] >> (bit % width) & 1 == 1) {
        words[bit / 32] |= 1 << (bit % 32);
    }
    words
}

/// Random lanes: lane `i` leaves `i` cycles after it entered.
fn skewed(hw: &Elaborated, module: &str, lanes: usize, width: usize) {
    let mut bench = Bench::new(hw, module);
    let mut rng = rng(6);
    let mut entered: Vec<Vec<u64>> = Vec::new();
    for cycle in 0..1000 {
        entered.push((0..lanes).map(|_| rng.random_range(0..1 << width)).collect());
        bench.set_words("lanes_i", &packed(&entered[cycle], width));
        if cycle >= lanes {
            let want: Vec<u64> = (0..lanes).map(|lane| entered[cycle - lane][lane]).collect();
            assert_eq!(bench.get_words("lanes_o"), packed(&want, width), "cycle {cycle}");
        }
        bench.step();
    }
}

/// A lane of pixels is a byte and the switch.
#[test]
fn pixel_skew_delays_row_i_by_i() {
    skewed(&array(3, 5, 2), "pixel_skew", 3, 9);
    skewed(&array(16, 2, 2), "pixel_skew", 16, 9);
}

#[test]
fn weight_skew_delays_column_i_by_i() {
    skewed(&array(3, 5, 2), "weight_skew", 5, 8);
    skewed(&array(2, 16, 8), "weight_skew", 16, 8);
}

/// First cycle of a plan. What the pipelines hold at first is no value, and they are shorter than this.
const START: usize = 64;

/// What is driven in one cycle at the edge of the array.
struct Cycle {
    x: Vec<i8>,
    switch: bool,
    control: u64,
    load: u64,
    weights: Vec<i8>,
    /// The column that takes a bias, and the bias.
    bias: Option<(usize, i32)>,
}

/// Matrix products on `array`, or on `column`, which is an array of one column without the edges.
struct Product {
    bench: Bench,
    alone: bool,
    rows: usize,
    cols: usize,
    parameter_shift: u32,
    rng: ChaCha8Rng,
    cycles: Vec<Cycle>,
    /// First cycle free for a pixel, and first cycle in which the next tile may begin to load.
    next_pixel: usize,
    next_load: usize,
    /// First cycle in which an output fold may begin: the biases of the last one come one a cycle.
    next_fold: usize,
    /// Cycle in which a word of the accumulators was last read.
    last_read: HashMap<u64, usize>,
    /// Values that must leave, in order: one per column.
    want: Vec<Vec<i8>>,
}

impl Product {
    fn new(hw: &Elaborated, module: &str) -> Self {
        let alone = module == "column";
        Self {
            bench: Bench::new(hw, module),
            alone,
            rows: hw.rows as usize,
            cols: if alone { 1 } else { hw.cols as usize },
            parameter_shift: ADDRESSES + hw.accumulator_address_bits,
            rng: rng(7),
            cycles: Vec::new(),
            next_pixel: START,
            next_load: START,
            next_fold: START,
            last_read: HashMap::new(),
            want: Vec::new(),
        }
    }

    /// Random values, or all of them the same end of the range: the largest sums come from these.
    fn int8s(&mut self, count: usize) -> Vec<i8> {
        let end = [i8::MIN, i8::MAX][self.rng.random_range(0..2)];
        let same = self.rng.random_bool(0.2);
        (0..count).map(|_| if same { end } else { int8(&mut self.rng) }).collect()
    }

    /// The cycle `at`; where nothing is planned, what is not strobed is random.
    fn at(&mut self, at: usize) -> &mut Cycle {
        while self.cycles.len() <= at {
            let (x, weights) = (self.int8s(self.rows), self.int8s(self.cols));
            // Every control word has these bits: six flags, and two addresses of four bits or more.
            let control = self.rng.random_range(0..1 << 14) & !VALID;
            self.cycles.push(Cycle { x, switch: false, control, load: 0, weights, bias: None });
        }
        &mut self.cycles[at]
    }

    /// Writes the scales of all columns through the host port.
    fn scales(&mut self, address: u64) -> Vec<Scale> {
        let mut scales = Vec::new();
        for c in 0..self.cols {
            // These take most sums of a few tiles into the range of an int8.
            let scale = Scale { m: self.rng.random_range(1 << 15..=u16::MAX), s: self.rng.random_range(24..=27) };
            // A column is behind the array's registers.
            let [address_port, data_port] =
                if self.alone { ["scale_address_i", "scale_data_i"] } else { ["host_address_i", "host_data_i"] };
            self.bench.set(address_port, address);
            self.bench.set(data_port, u64::from(scale.s) << 16 | u64::from(scale.m));
            self.bench.set("host_write_scale_i", 1 << c);
            self.bench.step();
            self.bench.set("host_write_scale_i", 0);
            self.bench.step();
            scales.push(scale);
        }
        scales
    }

    /// Plans the biases of an output fold whose first pixel enters in cycle `start`: each column takes its own in the cycle
    /// before the pixel's sum leaves its PEs, which for column 0 is `rows + 2` cycles after the pixel entered.
    fn biases(&mut self, start: usize) -> Vec<i32> {
        let mut biases = Vec::new();
        for c in 0..self.cols {
            let ends = [i32::MIN, i32::MAX];
            let bias = *ends.get(self.rng.random_range(0..20)).unwrap_or(&(self.rng.random::<i32>() >> 16));
            let at = start + self.rows + 1 + c;
            let before = self.at(at).bias.replace((c, bias));
            assert_eq!(before, None, "the biases of two folds come at the same time");
            biases.push(bias);
        }
        biases
    }

    /// Plans the load of a tile as early as its shadow registers are free, or somewhat later; returns its rows.
    fn tile(&mut self) -> Vec<Vec<i8>> {
        let start = self.next_load + if self.rng.random_bool(0.3) { self.rng.random_range(0..9) } else { 0 };
        let same = self.rng.random_bool(0.2).then(|| self.int8s(self.cols));
        let tile: Vec<_> = (0..self.rows).map(|_| same.clone().unwrap_or_else(|| self.int8s(self.cols))).collect();
        for (r, weights) in tile.iter().enumerate() {
            let cycle = self.at(start + r);
            (cycle.load, cycle.weights) = (1 << r, weights.clone());
        }
        // Row `r` switches `r` cycles after row 0 and needs its weight one cycle before that.
        self.next_pixel = self.next_pixel.max(start + 1);
        self.next_load = start + self.rows;
        tile
    }

    /// Plans an output fold of `passes` tiles over `pixels` pixels with accumulators from `base` on; returns the sums by
    /// pixel and column. They leave in windows of `window` values, or stay in the accumulators when it is 0. The last pass
    /// names the second of `parameters`, where the scales are, the others the first.
    fn fold(&mut self, passes: usize, pixels: usize, window: usize, base: u64, parameters: [u64; 2]) -> Vec<Vec<i32>> {
        let scales = self.scales(parameters[1]);
        let relu = self.rng.random_bool(0.5);
        let mut sums = Vec::new();
        for pass in 0..passes {
            let tile = self.tile();
            if pass == 0 {
                self.next_pixel = self.next_pixel.max(self.next_fold);
            }
            for n in 0..pixels {
                let address = base + n as u64;
                let parameter = parameters[usize::from(pass + 1 == passes)];
                let mut control = VALID | address << ADDRESSES | parameter << self.parameter_shift;
                let mut flag = |bit, set| control |= if set { bit } else { 0 };
                flag(FIRST, pass == 0);
                if window > 0 && pass + 1 == passes {
                    flag(EMIT, true);
                    flag(RELU, relu);
                    flag(POOL_FIRST, n % window == 0);
                    flag(POOL_LAST, (n + 1) % window == 0);
                }
                let free = self.last_read.get(&address).map_or(0, |last| last + ACCUMULATE_LATENCY as usize);
                let gap = if self.rng.random_bool(0.1) { self.rng.random_range(1..4) } else { 0 };
                let now = self.next_pixel.max(free) + gap;
                if pass == 0 && n == 0 {
                    sums = vec![self.biases(now); pixels];
                    self.next_fold = now + self.cols;
                }
                let x = self.int8s(self.rows);
                for (c, sum) in sums[n].iter_mut().enumerate() {
                    let products = x.iter().zip(&tile).map(|(&x, row)| i32::from(x) * i32::from(row[c]));
                    *sum = sum.wrapping_add(products.sum());
                }
                let cycle = self.at(now);
                (cycle.x, cycle.switch, cycle.control) = (x, n == 0, control);
                // A shadow register is free from the cycle of its switch on, and the weights come one row a cycle.
                self.next_load = self.next_load.max(if n == 0 { now } else { 0 });
                self.last_read.insert(address, now);
                self.next_pixel = now + 1;
            }
        }
        let lo = if relu { 0 } else { i8::MIN };
        let value = |sums: &Vec<i32>, c: usize| requantise(sums[c], scales[c], lo);
        for pixels in sums.chunks(window.max(1)).filter(|_| window > 0) {
            let largest = |c| pixels.iter().map(|sums| value(sums, c)).max().expect("a window has values");
            self.want.push((0..self.cols).map(largest).collect());
        }
        sums
    }

    /// Drives one cycle. A column lacks the edges that delay row `r` by `r` and the control word by all rows.
    fn drive(&mut self, now: usize) {
        let bytes = |values: &[i8]| values.iter().map(|&value| value as u8).collect::<Vec<_>>();
        let then = |row: usize| &self.cycles[now - if self.alone { row } else { 0 }];
        let x: Vec<i8> = (0..self.rows).map(|r| then(r).x[r]).collect();
        let switches = if self.alone { self.rows } else { 1 };
        self.bench.set_bytes("x_i", &bytes(&x));
        self.bench.set("switch_i", (0..switches).map(|r| u64::from(then(r).switch) << r).sum());
        self.bench.set("control_i", then(self.rows).control);
        self.bench.set("load_i", self.cycles[now].load);
        let bias = self.cycles[now].bias;
        // Without a column to take it the bias may be anything.
        self.bench.set("bias_load_i", bias.map_or(0, |(column, _)| 1 << column));
        self.bench.set("bias_i", bias.map_or(now as u64, |(_, bias)| (bias as u32).into()));
        let port = if self.alone { "weight_i" } else { "weights_i" };
        self.bench.set_bytes(port, &bytes(&self.cycles[now].weights));
    }

    /// Runs the plan, until everything has left, against the values that must leave.
    fn run(&mut self) {
        self.at(self.next_pixel + START);
        let port = if self.alone { "value_o" } else { "values_o" };
        let mut left = 0;
        for now in self.rows..self.cycles.len() {
            self.drive(now);
            self.bench.step();
            if now >= START && self.bench.get("valid_o") == 1 {
                let got: Vec<i8> = self.bench.get_bytes(port, self.cols).iter().map(|&value| value as i8).collect();
                assert_eq!(Some(&got), self.want.get(left), "value {left}, cycle {now}");
                left += 1;
            }
        }
        assert_eq!(left, self.want.len());
    }
}

/// Random output folds, one right after the other: few pixels put the reads of a word at their shortest distance.
fn values_leave(hw: &Elaborated, module: &str) {
    let mut product = Product::new(hw, module);
    let memory = &hw.config.memory;
    for parameters in sample(&mut product.rng, memory.parameter_words as usize, 400).into_vec().chunks(2) {
        let window = [1, 4][product.rng.random_range(0..2)];
        let (passes, pixels) = (product.rng.random_range(1..=4), window * product.rng.random_range(1..=6));
        let base = product.rng.random_range(0..=u64::from(memory.accumulator_words) - pixels as u64);
        product.fold(passes, pixels, window, base, [parameters[0] as u64, parameters[1] as u64]);
    }
    let inside = product.want.iter().flatten().filter(|value| ![-128, 0, 127].contains(*value)).count();
    assert!(inside > 300 * product.cols, "values within the range: {inside}");
    let both = product.cycles.iter().filter(|cycle| cycle.load > 0 && cycle.control & VALID > 0).count();
    assert!(both > 500, "tiles load while others compute: {both}");
    product.run();
}

/// Folds whose sums stay in the accumulators, as those of a head do, for the host to read. Values that leave in between
/// do not take the place of stored sums.
fn sums_stay(hw: &Elaborated, module: &str) {
    let mut product = Product::new(hw, module);
    // Ten folds of forty pixels side by side.
    let sums: Vec<_> = (0..10).flat_map(|k| product.fold(3, 40, 0, 40 * k, [k, 10 + k])).collect();
    product.fold(1, 40, 1, 0, [20, 20]);
    product.run();
    let port = if product.alone { "accumulator_o" } else { "accumulators_o" };
    product.bench.set("host_read_i", 1);
    for (address, sums) in sums.iter().enumerate() {
        product.bench.set("host_address_i", address as u64);
        product.bench.steps(2);
        let words: Vec<i32> = product.bench.get_words(port).iter().map(|&word| word as i32).collect();
        assert_eq!(&words, sums, "word {address}");
    }
}

#[test]
fn column_gives_the_pooled_values_of_the_sums_over_all_passes() {
    values_leave(&array(3, 5, 2), "column");
    values_leave(&array(16, 2, 2), "column");
}

#[test]
fn column_keeps_raw_sums_for_the_host() {
    sums_stay(&array(3, 5, 2), "column");
}

#[test]
fn array_gives_the_values_of_all_columns_at_once() {
    values_leave(&array(3, 5, 2), "array");
    values_leave(&array(2, 16, 8), "array");
}

#[test]
fn array_keeps_raw_sums_for_the_host() {
    sums_stay(&array(3, 5, 2), "array");
}
