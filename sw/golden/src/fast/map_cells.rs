//! Stuck cells and traps of the feature-map memories: which reads of a layer's run meet them.

use std::ops::Range;

use hafnia_config::Elaborated;
use hafnia_config::fault::{Noise, Site};
use hafnia_config::schedule::Schedule;

use super::cells::{Faulty, SiteCells};
use super::map::Map;
use super::map_read::{Layer, MapHit};
use crate::cells::in_memory;
use crate::read::Stream;

/// The faulty cells of both memories.
#[derive(Clone, Debug)]
pub(super) struct MapCells {
    cells: SiteCells,
    /// Of memory A and of memory B, by address and lane.
    memories: [Vec<(u32, u32, Faulty)>; 2],
    /// Words of an image, by layer.
    image_words: Vec<u32>,
    lane_bytes: u32,
    wrong: Vec<Wrong>,
    reads: Vec<(u32, u32)>,
}

/// A lane of a word in a run, with cells that give other values than they hold.
#[derive(Clone, Copy, Debug)]
struct Wrong {
    lane: u32,
    stored: u64,
    /// Cells that are always wrong.
    always: u128,
    /// Cells whose trap holds a charge.
    charged: u128,
}

impl MapCells {
    /// Looks through the words that the layers of a schedule use. None where nothing is to be found.
    pub fn new(hw: &Elaborated, schedule: &Schedule, noise: &Noise, run_seed: u64) -> Option<Self> {
        let cells = SiteCells::new(hw, Site::Activations, noise, run_seed)?;
        let image_words: Vec<u32> = schedule.layers.iter().map(|part| part.source_image).collect();
        let memories = [0, 1].map(|memory| {
            let words =
                image_words.iter().skip(memory as usize).step_by(2).max().map_or(0, |words| words * schedule.batch);
            let mut found = Vec::new();
            for word in 0..words {
                cells.look(word | in_memory(memory), |lane, faulty| found.push((word, lane, faulty)));
            }
            found
        });
        let lane_bytes = hw.port(Site::Activations).lane_bytes;
        Some(Self { cells, memories, image_words, lane_bytes, wrong: Vec::new(), reads: Vec::new() })
    }

    /// Adds to `hits`, in read order, the reads of a layer's run that meet faulty cells, of the bits `bits` of a byte: of the images
    /// `images` of a batch, which begins at image `first` of `ifmaps`.
    pub fn read(
        &mut self,
        stream: Stream,
        layer: &Layer,
        (ifmaps, first): (&Map, usize),
        images: Range<usize>,
        bits: u8,
        hits: &mut Vec<MapHit>,
    ) {
        let run = self.cells.run(stream);
        let at_risk = u64::from_ne_bytes([bits; 8]);
        let (memory, words) = (stream.layer % 2, self.image_words[stream.layer as usize]);
        let found = &self.memories[memory as usize];
        let at = |image: usize| found.partition_point(|(word, ..)| *word < image as u32 * words);
        self.wrong.clear();
        self.reads.clear();
        for &(word, lane, faulty) in &found[at(images.start)..at(images.end)] {
            let (image, within) = ((word / words) as usize, word % words);
            let (fold, y, x) = layer.stored_at(within);
            let (channel, live) = layer.live(fold, lane * self.lane_bytes);
            if live == 0 {
                continue;
            }
            let stored = ifmaps.held(ifmaps.at(first + image, y, x) + channel as usize, live);
            let in_use = at_risk & u64::MAX >> (64 - 8 * live);
            let (always, traps) = faulty.wrong(stored.into(), in_use.into());
            let charged = self.cells.charged(&run, word | in_memory(memory), lane, traps);
            if always | charged != 0 {
                let number = self.wrong.len() as u32;
                layer.reads_of(fold, image - images.start, y, x, images.len(), |read| self.reads.push((read, number)));
                self.wrong.push(Wrong { lane, stored, always, charged });
            }
        }
        // Lanes of a word were found in order.
        self.reads.sort_unstable();
        for k_fold in 0..layer.k_folds {
            for &(read, number) in &self.reads {
                let Wrong { lane, stored, always, charged } = self.wrong[number as usize];
                let word = k_fold * layer.fold_words(images.len()) + read;
                let cells = always | self.cells.misread(&run, word, lane, charged);
                if cells != 0 {
                    hits.push(MapHit { word, row: lane * self.lane_bytes, cells: cells as u64, stored });
                }
            }
        }
    }
}
