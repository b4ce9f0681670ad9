//! The result of `doctor`, as text.

use std::fmt::Write as _;

use super::{Diagnosis, State};
use crate::output::{Report, Style, Tone, plural, wrapped};

/// Width of a line, unless one word is longer.
const WIDTH: usize = 100;

/// Minimum width of a column.
const NARROWEST: usize = 24;

fn tone(state: State) -> Tone {
    match state {
        State::Ok => Tone::Good,
        State::Warning | State::Unknown => Tone::Warning,
        State::Problem => Tone::Bad,
    }
}

impl Report for Diagnosis {
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
        let all = style.width().map_or(WIDTH, |width| width.min(WIDTH));
        let room = |indent: usize| all.saturating_sub(indent).max(NARROWEST);
        for it in &self.checks {
            let state = it.state.as_str();
            let fill = " ".repeat(7_usize.saturating_sub(state.len()));
            let state = style.word(tone(it.state), state);
            let head = format!("{state}{fill}  {:width$}  ", it.check);
            let found = wrapped(&it.found, room(indent), room(indent));
            let next = (it.next.iter().flat_map(|next| next.lines()))
                .flat_map(|line| wrapped(line, room(indent + 2), room(indent + 2)));
            let lines = found
                .into_iter()
                .chain(next.map(|line| format!("  {line}")));
            for (number, line) in lines.enumerate() {
                let before = if number == 0 {
                    head.clone()
                } else {
                    " ".repeat(indent)
                };
                // Writing to a String cannot fail.
                writeln!(text, "{before}{line}").unwrap_or_default();
            }
        }
        text
    }
}
