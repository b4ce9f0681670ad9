//! A table of labels and values.

use std::fmt;

use crate::{escape, grouped};

/// Labels on the left, of others' names too, values aligned on the right.
#[derive(Debug, Clone, Default)]
pub struct Table(Vec<Row>);

#[derive(Debug, Clone)]
struct Row {
    label: String,
    value: Option<String>,
    note: String,
}

impl Table {
    /// A label with a count.
    pub fn count(&mut self, label: &str, count: u64) {
        self.row(label, grouped(count), "");
    }

    /// The same, where there is anything to count.
    pub fn count_if(&mut self, label: &str, count: u64) {
        if count > 0 {
            self.count(label, count);
        }
    }

    /// A label, a value, and a remark behind it.
    pub fn row(&mut self, label: &str, value: impl Into<String>, note: impl Into<String>) {
        self.0.push(Row {
            label: escape::part(label),
            value: Some(escape::part(&value.into())),
            note: escape::part(&note.into()),
        });
    }

    /// A label of what follows.
    pub fn heading(&mut self, label: &str) {
        self.0.push(Row {
            label: label.to_owned(),
            value: None,
            note: String::new(),
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let valued = || self.0.iter().filter(|row| row.value.is_some());
        let width = |text: &str| text.chars().count();
        let label = valued().map(|row| width(&row.label)).max().unwrap_or(0);
        let value = valued()
            .filter_map(|row| row.value.as_deref().map(width))
            .max()
            .unwrap_or(0);
        for row in &self.0 {
            let line = match &row.value {
                Some(text) => format!("{:label$}  {text:>value$}  {}", row.label, row.note),
                None => row.label.clone(),
            };
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_aligned_and_headings_widen_nothing() {
        let mut table = Table::default();
        table.count("objects", 12);
        table.heading("a heading that is longer than any label");
        table.row("  records", "1,380", "in all");
        table.count_if("none", 0);
        assert_eq!(
            table.to_string(),
            "objects       12\na heading that is longer than any label\n  records  1,380  in all\n"
        );
    }
}
