//! Codes, plainly: what is stored for data, and what is read of a codeword, Eqs. (P2) to (P5) of `docs/protection.md`.

use hafnia_config::protect::{Codeword, Decoding, OnDetected};

/// Encodes and decodes the codewords of a site.
#[derive(Clone, Debug)]
pub struct Codec {
    word: Codeword,
    /// Of the parity-check matrix.
    rows: Vec<u128>,
    /// The cell by its column, where the code has a syndrome.
    cells: Vec<Option<u8>>,
}

/// What is read of a codeword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The data.
    pub data: u64,
    /// Units in which an error was corrected, as a mask.
    pub corrected: u8,
    /// Units in which errors were detected and not corrected, as a mask.
    pub detected: u8,
}

/// What decoders did, counted in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Units in which an error was corrected, be it of a check cell.
    pub corrected: u32,
    /// Units in which errors were detected and not corrected.
    pub detected: u32,
    /// Units that are read wrong, and nothing was detected: no hardware knows these.
    pub silent: u32,
}

impl Events {
    /// Counts what came of a codeword that should give `data`; returns the bits that are read wrong.
    pub fn count(&mut self, word: &Codeword, data: u64, read: Decoded) -> u64 {
        let wrong = data ^ read.data;
        self.corrected += read.corrected.count_ones();
        self.detected += read.detected.count_ones();
        self.silent += (word.units_with(wrong) & !read.detected).count_ones();
        wrong
    }

    /// Adds what other decoders did.
    pub fn add(&mut self, other: Self) {
        self.corrected += other.corrected;
        self.detected += other.detected;
        self.silent += other.silent;
    }
}

impl Codec {
    /// Returns the codec; none for data without a code.
    pub fn new(word: &Codeword) -> Option<Self> {
        let mut cells = Vec::new();
        if let Decoding::Syndrome(_) = word.decoding {
            cells = vec![None; 1 << word.checks.len()];
            (0..word.cells()).for_each(|cell| cells[word.column(cell) as usize] = Some(cell as u8));
        }
        word.is_coded().then(|| Self { word: word.clone(), rows: word.rows().collect(), cells })
    }

    /// Returns the codeword's description.
    pub const fn word(&self) -> &Codeword {
        &self.word
    }

    /// Returns what the cells hold for `data`.
    pub fn encode(&self, data: u64) -> u128 {
        let bits = self.word.checks.iter().rev();
        let checks = bits.fold(0, |checks, mask| checks << 1 | u128::from((data & mask).count_ones() % 2));
        checks << self.word.data_bits | u128::from(data)
    }

    /// Returns what is read where the cells give `cells`.
    pub fn decode(&self, cells: u128) -> Decoded {
        let data = (cells & self.word.data_cells()) as u64;
        match self.word.decoding {
            Decoding::Plain => Decoded { data, ..Decoded::default() },
            Decoding::Parity => self.check_parities(self.syndrome(cells), data),
            Decoding::Syndrome(on_detected) => self.correct(self.syndrome(cells), data, on_detected),
            Decoding::Majority => self.vote(cells, data),
        }
    }

    /// Returns the syndrome, bit i for row i.
    fn syndrome(&self, cells: u128) -> usize {
        let odd = |row: &u128| (cells & row).count_ones() as usize % 2;
        self.rows.iter().rev().fold(0, |syndrome, row| syndrome << 1 | odd(row))
    }

    /// Returns what becomes of data where the parities of the units `wrong`, a mask, are.
    pub(crate) fn check_parities(&self, wrong: usize, data: u64) -> Decoded {
        let units = (0..).zip(&self.word.checks).filter(|(unit, _)| wrong >> unit & 1 == 1);
        Decoded { data: units.fold(data, |data, (_, unit)| data & !unit), corrected: 0, detected: wrong as u8 }
    }

    /// Returns what becomes of data with this syndrome.
    pub(crate) fn correct(&self, syndrome: usize, data: u64, on_detected: OnDetected) -> Decoded {
        if syndrome == 0 {
            return Decoded { data, ..Decoded::default() };
        }
        match (self.cells[syndrome], on_detected) {
            (Some(cell), _) => {
                let turned = (1u128 << cell & self.word.data_cells()) as u64;
                Decoded { data: data ^ turned, corrected: 1, detected: 0 }
            }
            (None, OnDetected::Pass) => Decoded { data, corrected: 0, detected: 1 },
            (None, OnDetected::Zero) => Decoded { data: 0, corrected: 0, detected: 1 },
        }
    }

    fn vote(&self, cells: u128, mut data: u64) -> Decoded {
        let copies = self.word.checks.len() / 2;
        let (one, other) = (cells >> self.word.data_bits, cells >> (self.word.data_bits as usize + copies));
        let mut differ = 0;
        for (copy, cell) in self.word.checks[..copies].iter().enumerate() {
            let votes = [u128::from(data & cell != 0), one >> copy & 1, other >> copy & 1].iter().sum::<u128>();
            if !votes.is_multiple_of(3) {
                differ |= cell;
                data = if votes == 2 { data | cell } else { data & !cell };
            }
        }
        Decoded { data, corrected: self.word.units_with(differ), detected: 0 }
    }
}

#[cfg(test)]
mod statistics;
#[cfg(test)]
mod tests;
