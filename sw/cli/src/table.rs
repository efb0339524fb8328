//! Tables of text.

/// Stands for what is not known.
pub const NOTHING: &str = "-";

/// Aligns the columns, the first to the left and the others to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let first = format!("{:<1$}", row[0], widths[0]);
        let cells = row.iter().zip(&widths).skip(1).map(|(cell, &width)| format!("  {cell:>width$}"));
        cells.fold(first, |line, cell| line + &cell) + "\n"
    };
    rows.iter().map(line).collect()
}
