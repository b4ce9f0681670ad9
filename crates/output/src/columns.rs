//! A table with a line of headings.

use std::fmt::Write as _;

use crate::escape;
use crate::style::{Style, wrapped};

/// Between two columns.
const GAP: usize = 2;
/// A last column that has at least so much room is wrapped within it.
const LEAST: usize = 24;

/// Cells below headings.
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

    /// The table, each line with its line feed. Where it is too wide, the last column is wrapped in its place;
    /// where that does not do, a row takes several lines. Nothing is cut; a column without a cell is left out.
    pub fn text(&self, style: Style) -> String {
        self.without_empty().laid_out(style)
    }

    fn without_empty(&self) -> Self {
        let has_cell = |column: usize| {
            let mut rows = self.rows.iter().skip(1);
            rows.any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()))
        };
        let columns: Vec<usize> = (0..self.right.len()).filter(|it| has_cell(*it)).collect();
        let chosen = |row: &Vec<String>| {
            columns
                .iter()
                .filter_map(|it| row.get(*it).cloned())
                .collect()
        };
        Self {
            rows: self.rows.iter().map(chosen).collect(),
            right: columns
                .iter()
                .filter_map(|it| self.right.get(*it).copied())
                .collect(),
        }
    }

    fn laid_out(&self, style: Style) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| escape::width(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let all = style.width.unwrap_or(usize::MAX);
        let is_fitting = lined(&widths) <= all;
        let before = lined(&widths[..widths.len().saturating_sub(1)]) + GAP;
        let is_text = !self.right.last().copied().unwrap_or(false);
        if is_fitting || !is_text || before + LEAST > all {
            return self.grouped(&widths, all);
        }
        let room = all - before;
        let mut text = String::new();
        for row in &self.rows {
            let (last, others) = row.split_last().map_or(("", &row[..]), |(a, b)| (a, b));
            let head = self.line(others, &widths, 0);
            for (number, line) in wrapped(last, room, room).iter().enumerate() {
                let head = if number == 0 { head.as_str() } else { "" };
                let fill = before - escape::width(head);
                // Writing to a String cannot fail.
                writeln!(text, "{head}{}{line}", " ".repeat(fill)).unwrap_or_default();
            }
            if last.is_empty() {
                text.push_str(head.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// Each row in as few lines as its columns need.
    fn grouped(&self, widths: &[usize], all: usize) -> String {
        let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
        for column in 0..widths.len() {
            // What follows the first line of a row is indented.
            let indent = if groups.len() > 1 { GAP } else { 0 };
            match groups.last_mut() {
                Some(group) if indent + lined(&widths[group.start..=column]) <= all => {
                    group.end = column + 1;
                }
                _ => groups.push(column..column + 1),
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            for (number, group) in groups.iter().enumerate() {
                let indent = if number > 0 { GAP } else { 0 };
                let cells = row.get(group.clone()).unwrap_or_default();
                let line = self.line(cells, widths, group.start);
                if number == 0 || !line.trim().is_empty() {
                    let line = format!("{}{line}", " ".repeat(indent));
                    text.push_str(line.trim_end());
                    text.push('\n');
                }
            }
        }
        text
    }

    /// These cells on one line, the first of them in column `from`.
    fn line(&self, cells: &[String], widths: &[usize], from: usize) -> String {
        let columns = widths.iter().zip(&self.right).skip(from);
        let cells = cells.iter().zip(columns).map(|(cell, (width, is_right))| {
            let fill = " ".repeat(width.saturating_sub(escape::width(cell)));
            if *is_right {
                format!("{fill}{cell}")
            } else {
                format!("{cell}{fill}")
            }
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP))
    }
}

/// The width of a line with columns of these widths.
fn lined(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tone;

    fn within(width: usize) -> Style {
        Style {
            colour: false,
            width: Some(width),
        }
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut columns = Columns::new(&["Region", ">Functions", "Note"]);
        columns.row(["eu-west-1", "1,380", "é"].map(str::to_owned));
        columns.row(["x", "2", ""].map(str::to_owned));
        let expected =
            "Region     Functions  Note\neu-west-1      1,380  é\nx                  2\n";
        assert_eq!(columns.text(Style::default()), expected);
        assert_eq!(columns.text(within(26)), expected);
        assert_eq!(
            columns.text(within(25)),
            "Region     Functions\n  Note\neu-west-1      1,380\n  é\nx                  2\n"
        );
    }

    #[test]
    fn a_long_last_column_is_wrapped_in_its_place() {
        let mut columns = Columns::new(&["Name", "Why"]);
        columns.row(["a", "one two three four five six seven"].map(str::to_owned));
        columns.row(["b", ""].map(str::to_owned));
        let expected = "Name  Why\na     one two three four five\n      six seven\nb\n";
        assert_eq!(columns.text(within(31)), expected);
    }

    #[test]
    fn colours_take_no_room() {
        let style = Style {
            colour: true,
            width: None,
        };
        let mut columns = Columns::new(&["State", "Name"]);
        columns.row([style.word(Tone::Good, "ok"), "a".to_owned()]);
        let text = escape::text(&columns.text(style));
        assert_eq!(text, "State  Name\n\x1b[32mok\x1b[0m     a\n");
    }
}
