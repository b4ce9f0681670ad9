//! A table with a line of headings.

use std::fmt;

use super::escape;

/// Cells below headings; what is in the right-hand columns may be long, and is not wrapped.
#[derive(Debug, Clone)]
pub struct Columns {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Columns {
    /// With these headings; a `>` before one aligns its column on the right.
    pub fn new(headings: &[&str]) -> Self {
        let right = |heading: &&str| heading.starts_with('>');
        let heading = |heading: &&str| heading.trim_start_matches('>').to_owned();
        Self {
            right: headings.iter().map(right).collect(),
            rows: vec![headings.iter().map(heading).collect()],
        }
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| escape::part(&cell));
        self.rows.push(cells.collect());
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).zip(&self.right);
            let cells = cells.map(|((cell, width), is_right)| {
                if *is_right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut columns = Columns::new(&["Region", ">Functions", "Note"]);
        columns.row(["eu-west-1", "1,380", "é"].map(str::to_owned));
        columns.row(["x", "2", ""].map(str::to_owned));
        assert_eq!(
            columns.to_string(),
            "Region     Functions  Note\neu-west-1      1,380  é\nx                  2\n"
        );
    }
}
