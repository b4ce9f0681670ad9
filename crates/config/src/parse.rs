//! Text to value: numbers, choices, lists and pairs. Ranges and allowed values come from the register.
//!
//! Invariant: a message says what is accepted, and shows a value only through `Variable::shown`.
//!
//! Must not: know which value is used when the text is not valid; that is the resolver's part.

use crate::VERSION;
use crate::error::Invalid;
use crate::variable::{Kind, Variable};

/// A whole number within the variable's range.
pub(crate) fn integer(variable: &Variable, text: &str) -> Result<u64, Invalid> {
    let Kind::Integer { min, max, unit } = variable.kind else {
        return Err(Invalid::new(
            "takes no number: see docs/configuration.md".to_owned(),
        ));
    };
    let problem = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that are no u64 are too many of them.
        match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => return Ok(number),
            Ok(_) | Err(_) => "out of range",
        }
    } else {
        "not a whole number"
    };
    let shown = variable.shown(text);
    Err(Invalid::new(format!(
        "is {shown}, {problem}: use {min} to {max} ({unit})"
    )))
}

/// One of `all`, by its name; letters of either case.
pub(crate) fn choice<T: Copy>(
    variable: &Variable,
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Invalid> {
    if let Some(found) = all
        .iter()
        .find(|each| name(**each).eq_ignore_ascii_case(text))
    {
        return Ok(*found);
    }
    let names: Vec<&str> = all.iter().map(|each| name(*each)).collect();
    let use_this = format!("use {}", alternatives(&names));
    let shown = variable.shown(text);
    let is_later = matches!(variable.kind, Kind::OneOf { later, .. }
        if later.iter().any(|each| each.eq_ignore_ascii_case(text)));
    Err(Invalid::new(if is_later {
        format!("is {shown}, not supported by this version ({VERSION}): {use_this}")
    } else {
        format!("is {shown}: {use_this}")
    }))
}

/// Some of `all`, by their names, separated by commas, each once.
pub(crate) fn list<T: Copy + PartialEq>(
    variable: &Variable,
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, Invalid> {
    let names: Vec<&str> = all.iter().map(|each| name(*each)).collect();
    let use_this = format!("use {}, separated by commas", alternatives(&names));
    let mut found = Vec::new();
    for entry in entries(text) {
        let Some(value) = all
            .iter()
            .find(|each| name(**each).eq_ignore_ascii_case(entry))
        else {
            return Err(Invalid::new(format!(
                "names {}: {use_this}",
                variable.shown(entry)
            )));
        };
        if found.contains(value) {
            return Err(Invalid::new(format!(
                "names {} twice: name each once",
                name(*value)
            )));
        }
        found.push(*value);
    }
    if found.is_empty() {
        return Err(Invalid::new(format!("names nothing: {use_this}")));
    }
    Ok(found)
}

/// `true` or `false`.
pub(crate) fn boolean(variable: &Variable, text: &str) -> Result<bool, Invalid> {
    choice(variable, text, &[true, false], |value| {
        if value { "true" } else { "false" }
    })
}

/// The entries of a comma-separated text, trimmed; empty ones (a comma at the end) are left out.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// One `key=value` entry, split at the first `=`, both sides trimmed.
pub(crate) fn pair(entry: &str) -> Option<(&str, &str)> {
    entry
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()))
}

/// Whether a quote stands at either end: it came from a file or a shell, and nothing takes it away.
pub(crate) fn is_quoted(text: &str) -> bool {
    const QUOTES: [char; 7] = ['"', '\'', '`', '“', '”', '‘', '’'];
    text.starts_with(QUOTES) || text.ends_with(QUOTES)
}

/// `a`, `a or b`, `a, b or c`.
fn alternatives(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{alternatives, entries, pair};

    #[test]
    fn alternatives_read_as_a_sentence() {
        assert_eq!(alternatives(&[]), "");
        assert_eq!(alternatives(&["a"]), "a");
        assert_eq!(alternatives(&["a", "b"]), "a or b");
        assert_eq!(alternatives(&["a", "b", "c"]), "a, b or c");
    }

    #[test]
    fn entries_are_trimmed_and_empty_ones_left_out() {
        assert_eq!(entries(" a , b,,").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(entries(" ,").count(), 0);
    }

    #[test]
    fn a_pair_is_split_at_its_first_equals_sign() {
        assert_eq!(pair("a = b=c "), Some(("a", "b=c")));
        assert_eq!(pair("a"), None);
    }
}
