//! How text may look: in which colours, and how wide.
//!
//! Invariants: a colour repeats what a sign or a word says, and never carries a meaning of its own; no word
//! is cut, so that a name or an ARN can be copied; without a known width nothing is wrapped, so that each
//! fact stays on one line for other programs.

use crate::escape;

/// Signs at the beginning of a line that have a colour: added, removed, changed, worth a look.
const SIGNS: [(&str, &str); 4] = [("+ ", "32"), ("- ", "31"), ("~ ", "33"), ("! ", "1;33")];
/// From here on a line is a paragraph of its own: what follows it is not indented further.
const PARAGRAPH: usize = 4;

/// Whether text may be coloured, and how many characters a line has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Whether text may be coloured.
    pub(crate) colour: bool,
    /// The characters of a line, where that is known.
    pub(crate) width: Option<usize>,
}

/// What a word says of what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong, or refused.
    Bad,
}

impl Style {
    /// The characters of a line, where that is known.
    pub fn width(self) -> Option<usize> {
        self.width
    }

    /// The one line that says how it went.
    pub fn verdict(self, good: bool, text: &str) -> String {
        self.painted(if good { "1;32" } else { "1;31" }, text)
    }

    /// A word, in the colour of what it says.
    pub fn word(self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        self.painted(colour, text)
    }

    /// A line of a diff: its sign is coloured, where it has one.
    pub fn diff(self, line: &str) -> String {
        let words = line.trim_start();
        let signed = SIGNS.iter().find(|(sign, _)| words.starts_with(sign));
        let Some((sign, colour)) = signed else {
            return line.to_owned();
        };
        let (indent, rest) = line.split_at(line.len() - words.len());
        let rest = &rest[sign.len()..];
        format!("{indent}{} {rest}", self.painted(colour, sign.trim_end()))
    }

    fn painted(self, colour: &str, text: &str) -> String {
        if self.colour {
            escape::painted(colour, text)
        } else {
            text.to_owned()
        }
    }

    /// Text that is about to be printed, in lines that fit.
    pub(crate) fn fitted(self, text: &str) -> String {
        let Some(width) = self.width else {
            return text.to_owned();
        };
        let mut fitted = String::with_capacity(text.len());
        for line in text.lines() {
            fitted.push_str(&lines(line, width));
            fitted.push('\n');
        }
        if !text.ends_with('\n') {
            fitted.pop();
        }
        fitted
    }
}

/// One line as several, where it is too long; what follows the first is indented with it.
fn lines(line: &str, width: usize) -> String {
    if escape::width(line) <= width {
        return line.to_owned();
    }
    let words = line.trim_start();
    let indent = line.len() - words.len();
    let is_signed = SIGNS
        .iter()
        .any(|(sign, _)| escape::plain(words).starts_with(sign));
    let hanging = if is_signed || indent < PARAGRAPH {
        2
    } else {
        0
    };
    let room = width.saturating_sub(indent + hanging);
    let wrapped = wrapped(words, width.saturating_sub(indent), room);
    let between = format!("\n{}", " ".repeat(indent + hanging));
    format!("{}{}", &line[..indent], wrapped.join(&between))
}

/// In lines of so many characters, the first and the others, where words are not longer.
pub fn wrapped(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Spaces within a line stay: a row of a table is such a line.
    let mut spaces = "";
    let mut rest = text;
    while !rest.is_empty() {
        let word = &rest[..rest.find(' ').unwrap_or(rest.len())];
        rest = &rest[word.len()..];
        let room = if lines.len() < 2 { first } else { others };
        match lines.last_mut() {
            Some(line) if escape::width(line) + spaces.len() + escape::width(word) <= room => {
                line.push_str(spaces);
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
        let after = rest.trim_start_matches(' ');
        spaces = &rest[..rest.len() - after.len()];
        rest = after;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_goes_on_below_itself() {
        let style = Style {
            width: Some(16),
            ..Style::default()
        };
        for (text, expected) in [
            ("short\n", "short\n"),
            ("no line feed", "no line feed"),
            ("a heading that is long\n", "a heading that\n  is long\n"),
            ("  name: one, two, six\n", "  name: one,\n    two, six\n"),
            (
                "    ! a note of some words\n",
                "    ! a note of\n      some words\n",
            ),
            (
                "    a paragraph of words\n",
                "    a paragraph\n    of words\n",
            ),
            (
                "  arn:aws:lambda:eu-west-1:111122223333:layer:a:1 it\n",
                "  arn:aws:lambda:eu-west-1:111122223333:layer:a:1\n    it\n",
            ),
            ("a   b   c   d   e\n", "a   b   c   d\n  e\n"),
            (
                "\x1b[1;32mgreen and long\x1b[0m it\n",
                "\x1b[1;32mgreen and long\x1b[0m\n  it\n",
            ),
        ] {
            assert_eq!(style.fitted(text), expected);
            assert_eq!(Style::default().fitted(text), text, "without a width");
        }
    }

    #[test]
    fn only_the_sign_of_a_diff_is_coloured_and_only_where_there_may_be_colours() {
        let style = Style {
            colour: true,
            width: None,
        };
        for (line, sign) in [
            ("    + layer x:1", "\x1b[32m+\x1b[0m"),
            ("    - layer x:1", "\x1b[31m-\x1b[0m"),
            ("    ~ A=1 was 2", "\x1b[33m~\x1b[0m"),
            ("    ! kept", "\x1b[1;33m!\x1b[0m"),
        ] {
            let expected = line.replacen(|it| "+-~!".contains(it), sign, 1);
            assert_eq!(escape::text(&style.diff(line)), expected);
            assert_eq!(Style::default().diff(line), line);
        }
        for line in ["  -name", "a + b", ""] {
            assert_eq!(style.diff(line), line);
        }
    }
}
