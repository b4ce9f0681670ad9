//! A checkup as people read it.

use std::fmt::Write as _;

use super::{Checkup, State};
use crate::output::{Report, Style, plural};

/// Characters of a line, where nothing longer has to be in it.
const WIDTH: usize = 100;

impl Report for Checkup {
    fn text(&self, style: Style) -> String {
        let count = |state| self.checks.iter().filter(|it| it.state == state).count() as u64;
        let title = format!(
            "{} in {}: {}, {}, {} unknown, {} ok",
            self.name,
            self.place,
            plural(count(State::Problem), "problem"),
            plural(count(State::Warning), "warning"),
            count(State::Unknown),
            count(State::Ok),
        );
        let mut text = style.verdict(self.state != State::Problem, &title) + "\n\n";
        let width = (self.checks.iter().map(|it| it.check.len()).max()).unwrap_or(0);
        // The longest state has seven letters.
        let indent = 7 + 2 + width + 2;
        for it in &self.checks {
            let head = format!("{:7}  {:width$}  ", it.state.as_str(), it.check);
            let found = wrapped(&it.found, WIDTH.saturating_sub(indent));
            let next = (it.next.iter().flat_map(|next| next.lines()))
                .flat_map(|line| wrapped(line, WIDTH.saturating_sub(indent + 2)));
            let lines = found
                .into_iter()
                .chain(next.map(|line| format!("  {line}")));
            for (number, line) in lines.enumerate() {
                let before = if number == 0 { &head } else { "" };
                // Writing to a String cannot fail.
                writeln!(text, "{before:indent$}{line}").unwrap_or_default();
            }
        }
        text
    }
}

/// In lines of so many characters, where words are not longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrapped("a-word-that-is-too-long x", 7),
            ["a-word-that-is-too-long", "x"]
        );
        assert!(wrapped("", 7).is_empty());
    }
}
