//! Where the value of a secret stands in a line: after `Bearer`, or after `password:`, `password=`, `password is`.
//!
//! Invariant: linear in the line.

use super::mask::looked_at;

/// After these a secret follows at once.
const SCHEMES: [&str; 2] = ["basic", "bearer"];

/// After these, alone or at the end of a longer name, a secret follows what [`Secret::Named`] waits for.
const NAMES: [&str; 15] = [
    "token",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "authorization",
    "credentials",
];

/// What the text so far says of what comes next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    #[default]
    No,
    /// A secret was named: its value follows `:`, `=` or `is`.
    Named,
    /// A value follows.
    Next,
}

impl Secret {
    /// The length of the value that begins here: all up to white space, without what closes.
    pub(super) fn length(self, rest: &str) -> Option<usize> {
        if self != Self::Next || rest.starts_with([':', '=', '>']) || is_scheme(first_word(rest)) {
            return None;
        }
        // A quoted value may hold white space. Without its end it goes on to that of the line.
        if let Some(quote) = rest.chars().next().filter(|char| is_quote(*char)) {
            let end = quote_end(rest, quote);
            looked_at(end.unwrap_or(rest.len()));
            return Some(end.unwrap_or(rest.len()));
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        looked_at(end + 1);
        let value = rest[..end].trim_end_matches(|char| is_quote(char) || ",;.)]}".contains(char));
        (!value.is_empty()).then_some(value.len())
    }

    /// Goes on after a word, a masked text, or a character.
    pub(super) fn follow(&mut self, taken: &str) {
        let word = taken.trim_matches(is_quote);
        let is_name = |name: &str| {
            let start = word.len().checked_sub(name.len());
            let end = start.and_then(|start| word.get(start..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(name))
        };
        let is_between = taken.starts_with(char::is_whitespace);
        *self = match *self {
            _ if is_scheme(word) => Self::Next,
            _ if NAMES.iter().any(|name| is_name(name)) && *self != Self::Next => Self::Named,
            Self::Named if matches!(taken, ":" | "=") || word.eq_ignore_ascii_case("is") => {
                Self::Next
            }
            Self::Named if is_between || matches!(taken, "\"" | "'" | "`" | ")" | "]") => {
                Self::Named
            }
            Self::Next if is_between || matches!(taken, ":" | "=" | ">") => Self::Next,
            _ => Self::No,
        };
    }
}

/// Where the text ends that begins with a quote, with its closing quote.
fn quote_end(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    let is_end = |(_, char): &(usize, char)| {
        let is_end = !is_escaped && *char == quote;
        is_escaped = !is_escaped && *char == '\\';
        is_end
    };
    let mut rest = text.char_indices().skip(1);
    rest.find(is_end).map(|(at, _)| at + 1)
}

fn is_quote(char: char) -> bool {
    matches!(char, '"' | '\'' | '`')
}

fn is_scheme(word: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// The letters at the start.
fn first_word(text: &str) -> &str {
    let end = text.find(|char: char| !char.is_ascii_alphabetic());
    looked_at(end.unwrap_or(text.len()) + 1);
    &text[..end.unwrap_or(text.len())]
}
