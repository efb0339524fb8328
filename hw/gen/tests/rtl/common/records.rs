//! What a memory's record of flips shows, gathered cycle by cycle.

use std::collections::VecDeque;

use hafnia_config::fault::Site;
use hafnia_config::flip::{Flip, FlipCounts, signatures};
use hafnia_golden::read::Stream;

use super::Bench;

/// The flips that the ports `record_...` showed, and how many.
pub struct Records {
    pub flips: Vec<Flip>,
    site: Site,
    stream: Stream,
    counts: FlipCounts,
    counted: u64,
    /// Flips of the last records: the count follows by three cycles.
    last: VecDeque<u64>,
}

impl Records {
    /// Returns the records of a site's reads in one run of a layer; what was counted before is cleared.
    pub fn new(bench: &mut Bench, site: Site, stream: Stream) -> Self {
        bench.set("record_clear_i", 1);
        bench.step();
        bench.set("record_clear_i", 0);
        Self {
            flips: Vec::new(),
            site,
            stream,
            counts: FlipCounts::default(),
            counted: 0,
            last: VecDeque::from([0; 3]),
        }
    }

    /// Takes what the ports show in this cycle; `stored` is what the memory holds in each of the words read so far.
    pub fn look(&mut self, bench: &mut Bench, stored: &[Vec<u8>]) {
        let count = self.last.pop_front().expect("three records are under way");
        assert_eq!(bench.get("record_count_o"), count);
        self.counted += count;
        let before = self.flips.len();
        if bench.get("record_valid_o") == 1 {
            self.record(bench, stored);
            assert!(self.flips.len() > before);
        }
        self.last.push_back((self.flips.len() - before) as u64);
    }

    /// Takes a record.
    fn record(&mut self, bench: &mut Bench, stored: &[Vec<u8>]) {
        let word = bench.get("record_index_o") as u32;
        let held = &stored[word as usize];
        let [before, mask] = ["record_before_o", "record_mask_o"].map(|port| bench.get_bytes(port, held.len()));
        assert_eq!(&before, held, "the record of word {word} holds what the memory holds");
        let Stream { layer, group, .. } = self.stream;
        for bit in 0..8 * held.len() as u32 {
            let is_set = |bytes: &[u8]| bytes[bit as usize / 8] >> (bit % 8) & 1 == 1;
            if is_set(&mask) {
                let (site, before) = (self.site, is_set(held));
                self.flips.push(Flip { layer, group, site, word, bit, before });
                self.counts.add(site, 1 << (bit % 8), u128::from(before) << (bit % 8));
            }
        }
    }

    /// Compares the flips with those of the golden model, and with what the memory counted.
    pub fn assert_equal(&self, bench: &mut Bench, golden: &[Flip]) {
        if let Some((got, want)) = self.flips.iter().zip(golden).find(|(got, want)| got != want) {
            panic!("got flip {got:?}, want {want:?}");
        }
        assert_eq!((self.flips.len(), self.counted), (golden.len(), golden.len() as u64));
        let mut words = bench.get_words("record_counts_o");
        assert_eq!(words.pop(), Some(signatures(golden)[self.site as usize]));
        let counts: Vec<u64> = words.into_iter().map(u64::from).collect();
        assert_eq!(counts, self.counts.counts[self.site as usize]);
    }
}
