//! What a descriptor asks for, in plain nested loops.

use hafnia_config::Elaborated;
use hafnia_config::program::Descriptor;

/// One read of a weight word.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub address: u32,
    pub row: u32,
    pub live: u32,
    pub cols: u32,
}

/// One pixel command, the control word taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixel {
    /// None for a padding pixel: where it reads does not matter.
    pub address: Option<u32>,
    pub rows: u32,
    pub row_count: u32,
    pub col_count: u32,
    pub switch: bool,
    pub first: bool,
    pub emit: bool,
    pub relu: bool,
    pub pool_first: bool,
    pub pool_last: bool,
    pub accumulator: u32,
    pub parameter: u32,
}

/// What a descriptor did, with the cycle of each event.
#[derive(Default)]
pub struct Trace {
    pub reads: Vec<(u32, Read)>,
    pub pixels: Vec<(u32, Pixel)>,
    pub stores: Vec<(u32, u32)>,
    pub run_cycles: u32,
    pub stall_cycles: u32,
    /// Cycle in which the keys were loaded.
    pub begin: u32,
    /// Cycles in which each site's chain was shifted.
    pub seeds: [Vec<u32>; 3],
}

/// The reads and pixels of a descriptor in plain loops, each with the number of its pass.
pub fn loops(hw: &Elaborated, d: &Descriptor) -> Trace {
    let mut trace = Trace::default();
    let taps = if d.taps9 == 1 { vec![-1, 0, 1] } else { vec![0] };
    let mask = |count: u32| (1 << count) - 1;
    let mut pass = 0;
    for k in 0..d.k_folds {
        let cols = if k + 1 == d.k_folds { d.cols_last } else { hw.cols };
        for c in 0..d.c_folds {
            let rows = if c + 1 == d.c_folds { d.rows_last } else { hw.rows };
            for (&r, &s) in taps.iter().flat_map(|r| taps.iter().map(move |s| (r, s))) {
                for row in 0..rows {
                    let address = d.weight_base + trace.reads.len() as u32;
                    trace.reads.push((pass, Read { address, row: 1 << row, live: mask(cols), cols }));
                }
                let first = c == 0 && (r, s) == (taps[0], taps[0]);
                let last = c + 1 == d.c_folds && (r, s) == (-taps[0], -taps[0]);
                for (n, (image, y, x, corner)) in places(d).into_iter().enumerate() {
                    let (tap_y, tap_x) = (y as i32 + r, x as i32 + s);
                    let inside = (0..d.height as i32).contains(&tap_y) && (0..d.width as i32).contains(&tap_x);
                    let word = tap_y * d.width as i32 + tap_x;
                    let image_base = d.source_base + image * d.source_image + c * d.source_plane;
                    let pixel = Pixel {
                        address: inside.then(|| image_base + word as u32),
                        rows: mask(rows),
                        row_count: rows,
                        col_count: cols,
                        switch: n == 0,
                        first,
                        emit: last && d.raw == 0,
                        relu: d.relu == 1,
                        pool_first: d.pool == 0 || corner == 0,
                        pool_last: d.pool == 0 || corner == 3,
                        accumulator: d.accumulator_base + n as u32 + d.raw * k * d.images,
                        parameter: d.parameter_base + k,
                    };
                    trace.pixels.push((pass, pixel));
                }
                pass += 1;
            }
        }
    }
    trace
}

/// The pixels of a pass in order: image, row, column, and the corner of the pool window.
fn places(d: &Descriptor) -> Vec<(u32, u32, u32, u32)> {
    let (stride, corners) = if d.pool == 1 { (2, 4) } else { (1, 1) };
    let mut places = Vec::new();
    for image in 0..d.images {
        for y in (0..d.height).step_by(stride) {
            for x in (0..d.width).step_by(stride) {
                places.extend((0..corners).map(|corner| (image, y + corner / 2, x + corner % 2, corner)));
            }
        }
    }
    places
}
