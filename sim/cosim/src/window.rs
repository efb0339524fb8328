//! Reads a waveform window back: the last cycles of the signals that matter.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hafnia_config::fault::Site;
use vcd::{Command, IdCode, Parser, ScopeItem, Value, Var};

use crate::CosimError;

/// Nanoseconds of one clock cycle in a waveform, see `hafnia-verilate`.
const CYCLE_NS: u64 = 10;

/// The signals worth seeing when a map differs: what entered the array, what left it, what was written where.
pub const SIGNALS: [&str; 8] = [
    "sequencer_pixel_valid_o",
    "sequencer_pixel_address_o",
    "sequencer_pixel_padding_o",
    "feeder_x_o",
    "array_values_o",
    "write_back_lanes_o",
    "write_back_address_o",
    "write_back_data_o",
];

/// The signals worth seeing when a flip differs, of the read port of its site and its record: that a word is asked for, which
/// it is and where, what it held, what came out.
pub fn signals_of_reads(site: Site) -> [String; 8] {
    let (port, record) = match site {
        Site::Weights => ("weight_port", "flip"),
        Site::Biases => ("bias_port", "bias_flip"),
        Site::Activations => ("map_port", "map_flip"),
    };
    let of_port = ["issue_i", "index_o", "address_i", "code_i", "code_o"].map(|name| format!("{port}_0_{name}"));
    let [issue, index, address, held, read] = of_port;
    let [valid, number, mask] = ["valid_o", "address_o", "mask_o"].map(|name| format!("{record}_{name}"));
    [issue, index, address, held, read, valid, number, mask]
}

/// One signal over the window: its name, and one value per cycle, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name within the top module.
    pub signal: String,
    /// Values, one per cycle of [`Window::cycles`].
    pub values: Vec<String>,
}

/// The last cycles of a waveform file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The cycles shown, in order.
    pub cycles: Vec<u64>,
    /// The signals shown.
    pub rows: Vec<Row>,
    /// Position of the cycle that is marked.
    pub mark: Option<usize>,
}

/// Reads the values of `signals` of the top module in every cycle of the VCD file `path`.
///
/// # Errors
/// If the file is no VCD.
pub fn read(path: &Path, signals: &[&str]) -> Result<Window, CosimError> {
    let failed = |reason: std::io::Error| CosimError::Waveform { path: path.to_owned(), reason: reason.to_string() };
    let mut parser = Parser::new(BufReader::new(File::open(path).map_err(failed)?));
    let header = parser.parse_header().map_err(failed)?;
    let codes = codes(&header.items, signals);
    let mut current: HashMap<IdCode, String> = HashMap::new();
    let mut window = Window {
        cycles: Vec::new(),
        rows: signals.iter().map(|s| Row { signal: (*s).to_owned(), values: Vec::new() }).collect(),
        mark: None,
    };
    // Everything is settled in the middle of a cycle: a cycle is shown once time has reached the end of that instant.
    let settled = |cycle: u64| cycle * CYCLE_NS + CYCLE_NS / 2;
    let (mut next, mut now) = (None, 0);
    for command in parser {
        match command.map_err(failed)? {
            Command::Timestamp(time) => {
                let next = next.get_or_insert((time + CYCLE_NS / 2 - 1) / CYCLE_NS);
                while time > settled(*next) {
                    window.push(*next, signals, &codes, &current);
                    *next += 1;
                }
                now = time;
            }
            Command::ChangeScalar(code, value) => {
                current.insert(code, value.to_string());
            }
            Command::ChangeVector(code, vector) => {
                current.insert(code, hexadecimal(&vector.iter().collect::<Vec<_>>()));
            }
            _ => {}
        }
    }
    if let Some(next) = next.filter(|&next| now >= settled(next)) {
        window.push(next, signals, &codes, &current);
    }
    Ok(window)
}

impl Window {
    /// Returns the cycles at positions `range` alone, of which the one at `mark` is marked.
    pub fn slice(&self, range: std::ops::Range<usize>, mark: usize) -> Self {
        let rows = self.rows.iter().map(|r| Row { signal: r.signal.clone(), values: r.values[range.clone()].to_vec() });
        Self { cycles: self.cycles[range.clone()].to_vec(), rows: rows.collect(), mark: Some(mark) }
    }

    fn push(
        &mut self,
        cycle: u64,
        signals: &[&str],
        codes: &HashMap<String, IdCode>,
        current: &HashMap<IdCode, String>,
    ) {
        self.cycles.push(cycle);
        for (row, signal) in self.rows.iter_mut().zip(signals) {
            let value = codes.get(*signal).and_then(|code| current.get(code));
            row.values.push(value.cloned().unwrap_or_else(|| "-".to_owned()));
        }
    }
}

/// One line per cycle, one column per signal; `>` before the marked one.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, row) in self.rows.iter().enumerate() {
            writeln!(f, "  [{i}] {}", row.signal)?;
        }
        let width = |row: &Row| row.values.iter().map(String::len).max().unwrap_or(1).max(3);
        write!(f, "  {:>10}", "cycle")?;
        for (i, row) in self.rows.iter().enumerate() {
            write!(f, " {:>w$}", format!("[{i}]"), w = width(row))?;
        }
        for (n, cycle) in self.cycles.iter().enumerate() {
            let mark = if self.mark == Some(n) { '>' } else { ' ' };
            write!(f, "\n{mark} {cycle:>10}")?;
            for row in &self.rows {
                write!(f, " {:>w$}", row.values[n], w = width(row))?;
            }
        }
        Ok(())
    }
}

/// The codes of the wanted signals, wherever in the hierarchy they first appear.
fn codes(items: &[ScopeItem], signals: &[&str]) -> HashMap<String, IdCode> {
    let mut found = HashMap::new();
    let mut queue: Vec<&ScopeItem> = items.iter().rev().collect();
    while let Some(item) = queue.pop() {
        match item {
            ScopeItem::Scope(scope) => queue.extend(scope.items.iter().rev()),
            ScopeItem::Var(Var { reference, code, .. }) if signals.contains(&reference.as_str()) => {
                found.entry(reference.clone()).or_insert(*code);
            }
            _ => {}
        }
    }
    found
}

/// Bits, most significant first, as hexadecimal; `x` where a digit holds an unknown bit.
fn hexadecimal(bits: &[Value]) -> String {
    let lead = (4 - bits.len() % 4) % 4;
    let padded: Vec<Value> = std::iter::repeat_n(Value::V0, lead).chain(bits.iter().copied()).collect();
    padded
        .chunks(4)
        .map(|nibble| {
            let digit = nibble.iter().try_fold(0, |sum, bit| match bit {
                Value::V0 => Some(sum << 1),
                Value::V1 => Some(sum << 1 | 1),
                _ => None,
            });
            digit.and_then(|d| char::from_digit(d, 16)).unwrap_or('x')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const TEXT: &str = "$timescale 1ns $end
$scope module top $end
$scope module hafnia $end
$var wire 1 ! flip_valid_o $end
$var wire 8 \" flip_mask_o [7:0] $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
0!
b0 \"
#15
1!
b10100101 \"
#25
0!
#40
";

    #[test]
    fn a_window_shows_the_settled_value_of_each_cycle() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(TEXT.as_bytes()).unwrap();
        let window = read(file.path(), &["flip_valid_o", "flip_mask_o", "absent"]).unwrap();
        assert_eq!(window.cycles, [0, 1, 2, 3]);
        assert_eq!(window.rows[0].values, ["0", "1", "0", "0"]);
        assert_eq!(window.rows[1].values, ["0", "a5", "a5", "a5"]);
        assert_eq!(window.rows[2].values, ["-", "-", "-", "-"]);
    }

    #[test]
    fn a_window_starts_where_its_file_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(
            TEXT.replace("#0\n", "#120\n").replace("#15", "#125").replace("#25\n0!\n#40", "#126").as_bytes(),
        )
        .unwrap();
        let window = read(file.path(), &["flip_valid_o"]).unwrap();
        assert_eq!((window.cycles, &window.rows[0].values), (vec![12], &vec!["1".to_owned()]));
    }

    #[test]
    fn a_file_that_is_no_waveform_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"$scope module").unwrap();
        assert!(matches!(read(file.path(), &SIGNALS), Err(CosimError::Waveform { .. })));
    }
}
