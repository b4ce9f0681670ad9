//! A table of labels and values, and how counts are written.

use std::fmt;

use super::escape;

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

/// A number of bytes as people read it: `3.4 MB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut tenths = bytes / 100;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A count with its thousands set apart: `1,380`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 record`, `1,380 records`.
pub fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_380, "1,380"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!(plural(1, "record"), "1 record");
        assert_eq!(plural(0, "record"), "0 records");
    }

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
