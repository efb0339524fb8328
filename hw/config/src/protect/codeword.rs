//! What the cells of a codeword hold, and what is read of them.

use super::code::{Code, OnDetected};

/// The most cells of a codeword.
pub const LARGEST_CODEWORD: u32 = 128;

/// A codeword: its cells are those of the data, then the check cells. All codes are linear: a check cell holds the XOR of some
/// data cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codeword {
    /// The code.
    pub code: Code,
    /// Cells of data, up to 64.
    pub data_bits: u32,
    /// Cells of a unit of data: what is decoded by itself, and counts as one where it is corrected or found wrong.
    pub unit_bits: u32,
    /// For each check cell the data cells whose XOR it holds, as a mask.
    pub checks: Vec<u64>,
    /// What is read.
    pub decoding: Decoding,
}

/// What is read of a codeword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoding {
    /// The data cells.
    Plain,
    /// Check cell i belongs to unit i: where the unit's XOR is another, 0 is read for it.
    Parity,
    /// The syndrome is the XOR of the check cells and of what they should hold. The column of a cell is the syndrome of an error
    /// in it alone; a cell whose column is the syndrome is turned over; where there is none, errors are detected.
    Syndrome(OnDetected),
    /// Check cells i and n + i, of 2n, are copies of one data cell: of the three the majority is read.
    Majority,
}

impl Codeword {
    /// Returns the codeword of `units` weights or biases of `unit_bits` bits; none where the code does not fit: it is made for
    /// another number of bits, or has more than [`LARGEST_CODEWORD`] cells.
    pub fn new(code: Code, units: u32, unit_bits: u32, on_detected: OnDetected) -> Option<Self> {
        let data_bits = units * unit_bits;
        let copies = |bits: u32| {
            let upper = (0..data_bits).filter(|bit| bit % unit_bits >= unit_bits - bits).map(|bit| 1 << bit);
            upper.clone().chain(upper).collect()
        };
        let whole = u64::MAX >> (64 - unit_bits);
        let (checks, decoding): (Vec<u64>, _) = match code {
            Code::None => (Vec::new(), Decoding::Plain),
            Code::Parity => ((0..units).map(|unit| whole << (unit * unit_bits)).collect(), Decoding::Parity),
            Code::Secded { data_bits: made_for } if made_for == data_bits => {
                (hsiao(data_bits, Code::secded_checks(data_bits)), Decoding::Syndrome(on_detected))
            }
            Code::Secded { .. } => return None,
            Code::Tmr => (copies(unit_bits), Decoding::Majority),
            Code::MsbTmr { bits } => (copies(bits), Decoding::Majority),
        };
        let unit_bits = if matches!(decoding, Decoding::Syndrome(_)) { data_bits } else { unit_bits };
        let codeword = Self { code, data_bits, unit_bits, checks, decoding };
        (codeword.cells() <= LARGEST_CODEWORD).then_some(codeword)
    }

    /// Returns so many bytes without a code.
    pub const fn plain(bytes: u32) -> Self {
        let decoding = Decoding::Plain;
        Self { code: Code::None, data_bits: 8 * bytes, unit_bits: 8, checks: Vec::new(), decoding }
    }

    /// Returns the cells of all.
    pub fn cells(&self) -> u32 {
        self.data_bits + self.checks.len() as u32
    }

    /// Returns the units of data.
    pub const fn units(&self) -> u32 {
        self.data_bits / self.unit_bits
    }

    /// Whether there are check cells.
    pub const fn is_coded(&self) -> bool {
        !self.checks.is_empty()
    }

    /// Returns the rows of the parity-check matrix, as masks of cells: each check cell with the data cells whose XOR it holds.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = u128> + ExactSizeIterator {
        self.checks.iter().enumerate().map(|(n, &mask)| u128::from(mask) | 1 << (self.data_bits as usize + n))
    }

    /// Returns the units that have any of these bits of data, as a mask.
    pub fn units_with(&self, data: u64) -> u8 {
        let unit = |n: u32| data >> (n * self.unit_bits) & (u64::MAX >> (64 - self.unit_bits)) != 0;
        (0..self.units()).filter(|&n| unit(n)).fold(0, |units, n| units | 1 << n)
    }

    /// Returns the data cells, as a mask.
    pub const fn data_cells(&self) -> u128 {
        u128::MAX >> (128 - self.data_bits)
    }

    /// Returns the check cells, as a mask.
    pub fn check_cells(&self) -> u128 {
        (u128::MAX >> (128 - self.cells())) & !self.data_cells()
    }

    /// Returns the cells that hold or check data in the first `bytes` bytes, as a mask: all, but where a word ends within the
    /// codeword. Others hold 0, and no fault of them has an effect.
    pub fn cells_in_use(&self, bytes: u32) -> u128 {
        if 8 * bytes >= self.data_bits {
            return u128::MAX >> (128 - self.cells());
        }
        let data = (1u64 << (8 * bytes)) - 1;
        let checks = self.checks.iter().rev().fold(0, |cells, mask| cells << 1 | u128::from(mask & data != 0));
        checks << self.data_bits | u128::from(data)
    }

    /// Returns the cells that are at risk, as a mask: these bits of each byte of data, and the check cells where they are.
    pub fn cells_at_risk(&self, bits: u8, checks: bool) -> u128 {
        let data = u128::from_ne_bytes([bits; 16]) & self.data_cells();
        if checks && bits != 0 { data | self.check_cells() } else { data }
    }

    /// Returns the bits of the register that says which cells are at risk: one for each bit of a byte, and where there are check
    /// cells one for all of them.
    pub fn risk_bits(&self) -> u32 {
        if self.is_coded() { 9 } else { 8 }
    }

    /// Returns the column of a cell in the parity-check matrix: the syndrome of an error in it alone, bit i for check cell i.
    pub fn column(&self, cell: u32) -> u64 {
        if cell >= self.data_bits {
            return 1 << (cell - self.data_bits);
        }
        let holds = self.checks.iter().enumerate().filter(|(_, mask)| *mask >> cell & 1 == 1);
        holds.fold(0, |column, (check, _)| column | 1 << check)
    }
}

/// Hsiao's code (10.1147/rd.144.0395): the columns of the data cells are distinct and of odd weight above 1, so that no two of
/// all columns are the XOR of a third: one error is corrected and two are detected. Columns of the least weights are taken, and of
/// those of the last weight the ones that leave the rows, each an XOR of the decoder, most even. Returns the rows.
fn hsiao(data_bits: u32, checks: u32) -> Vec<u64> {
    let mut columns: Vec<u32> = Vec::new();
    let mut weights = vec![0; checks as usize];
    for weight in (3..=checks).step_by(2) {
        let mut left: Vec<u32> = (0..1 << checks).filter(|column: &u32| column.count_ones() == weight).collect();
        while !left.is_empty() && columns.len() < data_bits as usize {
            let rows = |column: u32| (0..checks as usize).filter(move |row| column >> row & 1 == 1);
            // The column whose rows have least so far; of several the lowest number.
            let place = (0..left.len()).min_by_key(|&n| {
                let mut of: Vec<u32> = rows(left[n]).map(|row| weights[row]).collect();
                of.sort_unstable_by(|a, b| b.cmp(a));
                of
            });
            let column = left.remove(place.expect("there are some left"));
            rows(column).for_each(|row| weights[row] += 1);
            columns.push(column);
        }
    }
    let row =
        |check: u32| (0..).zip(&columns).fold(0, |row, (bit, column)| row | u64::from(column >> check & 1) << bit);
    (0..checks).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(code: Code, units: u32) -> Option<Codeword> {
        Codeword::new(code, units, 8, OnDetected::Pass)
    }

    /// The numbers of cells are in the names; rows of Hsiao's (72, 64) have 26 data cells each, as in his paper.
    #[test]
    fn hsiao_codes_have_distinct_odd_columns_and_even_rows() {
        for (data_bits, cells, most) in [(8, 13, 5), (16, 22, 8), (32, 39, 14), (64, 72, 26)] {
            let word = weights(Code::Secded { data_bits }, data_bits / 8).unwrap();
            assert_eq!(word.cells(), cells);
            assert_eq!(word.code.to_string(), format!("secded-{cells}-{data_bits}"));
            let mut columns: Vec<u64> = (0..cells).map(|cell| word.column(cell)).collect();
            assert!(columns.iter().all(|column| column.count_ones() % 2 == 1), "{columns:?}");
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len() as u32, cells);
            let rows: Vec<u32> = word.checks.iter().map(|row| row.count_ones()).collect();
            assert!(rows.iter().all(|&row| row <= most && row + 1 >= most), "{rows:?}");
        }
    }

    #[test]
    fn a_code_that_does_not_fit_is_none() {
        assert_eq!(weights(Code::Secded { data_bits: 64 }, 4), None);
        assert_eq!(weights(Code::Tmr, 8), None);
        assert_eq!(weights(Code::Tmr, 4).unwrap().cells(), 96);
        assert_eq!(weights(Code::MsbTmr { bits: 4 }, 8).unwrap().cells(), 128);
    }

    #[test]
    fn cells_in_use_are_those_of_the_first_bytes() {
        let parity = weights(Code::Parity, 4).unwrap();
        assert_eq!(
            [0, 1, 3, 4].map(|bytes| parity.cells_in_use(bytes)),
            [0, 0x1_0000_00ff, 0x7_00ff_ffff, 0xf_ffff_ffff]
        );
        assert_eq!(parity.cells_at_risk(0x80, true), 0xf_8080_8080);
        assert_eq!([parity.cells_at_risk(0x80, false), parity.cells_at_risk(0, true)], [0x8080_8080, 0]);
        let secded = weights(Code::Secded { data_bits: 64 }, 8).unwrap();
        assert_eq!(secded.cells_in_use(8).count_ones(), 72);
        assert_eq!(secded.cells_in_use(7).count_ones(), 64);
    }

    #[test]
    fn copies_and_parities_are_those_of_each_unit() {
        let word = weights(Code::MsbTmr { bits: 2 }, 2).unwrap();
        assert_eq!(word.checks, [6, 7, 14, 15, 6, 7, 14, 15].map(|bit| 1 << bit));
        let word = weights(Code::Parity, 2).unwrap();
        assert_eq!((word.checks.clone(), word.check_cells()), (vec![0xff, 0xff00], 0x3_0000));
        assert_eq!([0, 15, 16].map(|cell| word.column(cell)), [1, 2, 1]);
        assert_eq!(Codeword::new(Code::Parity, 1, 32, OnDetected::Pass).unwrap().checks, [0xffff_ffff]);
    }
}
