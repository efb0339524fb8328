//! The write-back: ofmap values of `cols` channels into feature-map words of `rows` channels.

use crate::common::{Bench, array, rng};
use hafnia_config::Elaborated;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What a descriptor says about an ofmap.
#[derive(Debug)]
struct Ofmap {
    images: u32,
    folds: u32,
    cols_last: u32,
    base: u32,
    image_words: u32,
    plane_words: u32,
}

impl Ofmap {
    /// Returns an ofmap of a few images and folds, with or without unused words between the images.
    fn random(hw: &Elaborated, rng: &mut ChaCha8Rng) -> Self {
        let (folds, cols_last) = (rng.random_range(1..=9), rng.random_range(1..=hw.cols));
        let plane_words = rng.random_range(1..=6);
        let channels = (folds - 1) * hw.cols + cols_last;
        Self {
            images: rng.random_range(1..=3),
            folds,
            cols_last,
            base: rng.random_range(0..1000),
            image_words: channels.div_ceil(hw.rows) * plane_words + rng.random_range(0..3),
            plane_words,
        }
    }

    /// The byte of the memory that holds a channel of a pixel.
    fn place(&self, hw: &Elaborated, image: u32, channel: u32, pixel: u32) -> usize {
        let word = self.base + image * self.image_words + channel / hw.rows * self.plane_words + pixel;
        (word * hw.rows + channel % hw.rows) as usize
    }
}

/// The feature-map memory behind the write-back: bytes that were written.
struct Memory {
    bytes: Vec<Option<u8>>,
}

impl Memory {
    fn new(hw: &Elaborated) -> Self {
        Self { bytes: vec![None; (hw.config.memory.map_words * hw.rows) as usize] }
    }

    /// Takes the write of this cycle, if there is one, and returns whether there was. No byte is written twice.
    fn take(&mut self, bench: &mut Bench, hw: &Elaborated) -> bool {
        let lanes = bench.get("lanes_o");
        let first = bench.get("address_o") as usize * hw.rows as usize;
        let data = bench.get_bytes("data_o", hw.rows as usize);
        for lane in (0..hw.rows as usize).filter(|lane| lanes >> lane & 1 == 1) {
            let before = self.bytes[first + lane].replace(data[lane]);
            assert_eq!(before, None, "byte {} was written twice", first + lane);
        }
        lanes != 0
    }
}

/// Gives the write-back a new descriptor.
fn start(bench: &mut Bench, ofmap: &Ofmap) {
    bench.set("base_i", ofmap.base.into());
    bench.set("image_words_i", ofmap.image_words.into());
    bench.set("plane_words_i", ofmap.plane_words.into());
    bench.set("images_i", ofmap.images.into());
    bench.set("folds_i", ofmap.folds.into());
    bench.set("cols_last_i", ofmap.cols_last.into());
    bench.set("start_i", 1);
    bench.step();
    bench.set("start_i", 0);
    assert_eq!(bench.get("lanes_o"), 0, "a start drops every write under way");
}

/// Drives an ofmap of random values, its pixels `spacing()` cycles apart, and returns the memory that was written and the
/// one that a plain scatter of the channels gives.
fn drive(
    bench: &mut Bench,
    hw: &Elaborated,
    ofmap: &Ofmap,
    rng: &mut ChaCha8Rng,
    spacing: fn(&mut ChaCha8Rng, u32) -> u32,
) -> (Memory, Memory) {
    let (mut got, mut want) = (Memory::new(hw), Memory::new(hw));
    start(bench, ofmap);
    for fold in 0..ofmap.folds {
        let live = if fold + 1 == ofmap.folds { ofmap.cols_last } else { hw.cols };
        for image in 0..ofmap.images {
            for pixel in 0..ofmap.plane_words {
                // Columns that are not live give values too.
                let values: Vec<u8> = (0..hw.cols).map(|_| rng.random()).collect();
                for column in 0..live {
                    let place = ofmap.place(hw, image, fold * hw.cols + column, pixel);
                    want.bytes[place] = Some(values[column as usize]);
                }
                bench.set_bytes("values_i", &values);
                bench.set("valid_i", 1);
                bench.step();
                assert!(got.take(bench, hw), "the first write is one cycle after its values");
                bench.set("valid_i", 0);
                bench.set_bytes("values_i", &vec![0xaa; hw.cols as usize]);
                for _ in 1..spacing(rng, hw.split_writes()) {
                    bench.step();
                    got.take(bench, hw);
                }
            }
        }
    }
    (got, want)
}

/// Random ofmaps, one after the other, on one array.
fn compare(rows: u32, cols: u32, spacing: fn(&mut ChaCha8Rng, u32) -> u32) {
    let hw = array(rows, cols, 2);
    let mut bench = Bench::new(&hw, "write_back");
    let mut rng = rng(u64::from(rows * 100 + cols));
    for _ in 0..40 {
        let ofmap = Ofmap::random(&hw, &mut rng);
        let (mut got, want) = drive(&mut bench, &hw, &ofmap, &mut rng, spacing);
        let differs = got.bytes.iter().zip(&want.bytes).position(|(got, want)| got != want);
        assert_eq!(differs, None, "first byte that differs, {rows}x{cols}, {ofmap:?}");
        for _ in 0..4 {
            bench.step();
            assert!(!got.take(&mut bench, &hw), "a write after the last one, {rows}x{cols}, {ofmap:?}");
        }
    }
}

/// Arrays whose folds start at lane 0: `cols` a multiple of `rows`.
#[test]
fn aligned_folds_reach_their_words() {
    for (rows, cols) in [(4, 4), (2, 16)] {
        compare(rows, cols, |_, split_writes| split_writes);
    }
}

/// Arrays that fill a word with more than one fold: `rows` a multiple of `cols`.
#[test]
fn narrow_folds_share_a_word() {
    for (rows, cols) in [(4, 2), (16, 2)] {
        compare(rows, cols, |_, split_writes| split_writes);
    }
}

/// Arrays whose sides do not divide each other: a fold starts at any lane and may be split.
#[test]
fn folds_of_arrays_that_do_not_divide_are_split() {
    for (rows, cols) in [(3, 5), (7, 3), (8, 12), (16, 15)] {
        compare(rows, cols, |_, split_writes| split_writes);
    }
}

#[test]
fn wider_and_uneven_spacing_changes_nothing() {
    for (rows, cols) in [(3, 5), (2, 16)] {
        compare(rows, cols, |rng, split_writes| split_writes + rng.random_range(0..4));
    }
}

#[test]
fn a_start_drops_the_writes_under_way() {
    let hw = array(2, 16, 2);
    let mut bench = Bench::new(&hw, "write_back");
    let ofmap = Ofmap { images: 1, folds: 1, cols_last: 16, base: 0, image_words: 8, plane_words: 1 };
    start(&mut bench, &ofmap);
    bench.set("valid_i", 1);
    bench.step();
    bench.set("valid_i", 0);
    assert_ne!(bench.get("lanes_o"), 0);
    start(&mut bench, &ofmap);
}

/// The control of the comparisons above: one cycle less than `split_writes` loses a write, which shows in the memory.
#[test]
fn a_closer_spacing_loses_writes() {
    let hw = array(3, 5, 2);
    let mut bench = Bench::new(&hw, "write_back");
    let ofmap = Ofmap { images: 1, folds: 4, cols_last: 5, base: 0, image_words: 14, plane_words: 2 };
    let (got, want) = drive(&mut bench, &hw, &ofmap, &mut rng(1), |_, split_writes| split_writes - 1);
    assert_ne!(got.bytes, want.bytes);
}
