//! The transforms of records: what each variable says, as rules that are still to be compiled.
//!
//! Invariants: a mistake costs its own entry and no other; an error names an entry by its position and
//! never quotes a pattern, which may itself hold what it looks for.
//!
//! Must not: know regular expressions or records; `crates/transform` compiles and applies the rules.

mod filter;
mod redact;
mod sample;

pub(crate) use filter::filter;
pub use filter::{Action, Comparison, Condition, FilterRule};
pub(crate) use redact::redactions;
pub use redact::{NamedPattern, Redaction};
pub use sample::{SampleKeep, SampleSettings};
pub(crate) use sample::{keep, share};

/// How severe a record must be, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Debug and trace output.
    Debug,
    /// Also what states no level.
    Info,
    Warn,
    Error,
}

impl Level {
    /// All, from the least severe.
    pub const ALL: &[Self] = &[Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The word of the variables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|level| level.as_str().eq_ignore_ascii_case(text))
            .copied()
    }
}

/// What is done to records between their arrival and the buffer. The default does nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransformSettings {
    /// Function and extension output below this level is dropped.
    pub min_level: Option<Level>,
    /// In the order in which they are tried.
    pub filter: Vec<FilterRule>,
    /// What to redact.
    pub redact: Vec<Redaction>,
    /// Whether the archive has the original of what was redacted beside it.
    pub archives_originals: bool,
    /// Whether repeats of a line become one.
    pub dedupe: bool,
    /// Which invocations are kept; `None` for all.
    pub sample: Option<SampleSettings>,
    /// Whether the patterns of the function's lines are counted.
    pub insights: bool,
}

/// The longest pattern, in bytes.
pub(crate) const LONGEST_PATTERN: usize = 256;
/// Patterns of one variable.
pub(crate) const MOST_PATTERNS: usize = 32;
/// The longest path of a field, in bytes.
const LONGEST_PATH: usize = 256;

/// An entry's text from after its opening slash: the pattern, and what follows the closing slash.
/// `\/` is a slash in the pattern.
fn pattern(text: &str) -> Result<(String, &str), String> {
    let mut pattern = String::new();
    let mut rest = text.char_indices();
    while let Some((at, each)) = rest.next() {
        match each {
            '/' if pattern.is_empty() => return Err("has an empty pattern".to_owned()),
            '/' if pattern.len() > LONGEST_PATTERN => {
                return Err(format!(
                    "has a pattern longer than {LONGEST_PATTERN} bytes: shorten it"
                ));
            }
            '/' => return Ok((pattern, &text[at + 1..])),
            '\\' => match rest.next() {
                Some((_, '/')) => pattern.push('/'),
                Some((_, escaped)) => pattern.extend(['\\', escaped]),
                None => break,
            },
            _ => pattern.push(each),
        }
    }
    Err("has a pattern without its closing slash: write /pattern/".to_owned())
}

/// The path of a field in a record, without the leading `record.`.
fn path(text: &str) -> Result<String, String> {
    let Some(path) = text.strip_prefix("record.") else {
        return Err("names a field that does not begin with \"record.\"".to_owned());
    };
    let is_part = |byte: u8| byte > b' ' && !b"\"'/,;=~<>".contains(&byte);
    let is_path = path.len() <= LONGEST_PATH
        && path.bytes().all(is_part)
        && path.split('.').all(|part| !part.is_empty());
    if is_path {
        Ok(path.to_owned())
    } else {
        Err("has a path that is not valid: write record.name or record.name.name".to_owned())
    }
}

/// The entries of a text that ends one with a separator or a line break, but not within a pattern or
/// a quoted value. A slash begins a pattern after one of `openers`. Trimmed; empty ones are left out.
fn entries<'a>(text: &'a str, separator: char, openers: &str) -> Vec<&'a str> {
    let (mut entries, mut start) = (Vec::new(), 0);
    let mut within: Option<char> = None;
    // Of what is no space; at the start as after a separator.
    let mut before = separator;
    let mut all = text.char_indices();
    while let Some((at, each)) = all.next() {
        match (within, each) {
            // What follows a backslash ends nothing.
            (Some(_), '\\') => drop(all.next()),
            (Some(open), _) if each == open => within = None,
            (None, '/') if openers.contains(before) => within = Some('/'),
            (None, '"') => within = Some('"'),
            (None, _) if each == separator || each == '\n' => {
                entries.push(&text[start..at]);
                start = at + each.len_utf8();
            }
            // The rest of a pattern, of a value or of an entry.
            _ => {}
        }
        if each == '\n' {
            before = separator;
        } else if !each.is_whitespace() {
            before = each;
        }
    }
    entries.push(&text[start..]);
    let entries = entries.into_iter().map(str::trim);
    entries.filter(|entry| !entry.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_outside_patterns_and_quotes_only() {
        for (text, expected) in [
            ("a, b,,", vec!["a", "b"]),
            ("/a,b/,c", vec!["/a,b/", "c"]),
            (r"n=/a\/,b/,c", vec![r"n=/a\/,b/", "c"]),
            ("x=\"a,b\",c", vec!["x=\"a,b\"", "c"]),
            ("a\n /b,c/", vec!["a", "/b,c/"]),
            ("x=a/b,c/d\ne", vec!["x=a/b", "c/d", "e"]),
            ("/open,b", vec!["/open,b"]),
        ] {
            assert_eq!(entries(text, ',', ",="), expected, "{text}");
        }
    }

    #[test]
    fn a_pattern_ends_at_a_slash_that_no_backslash_precedes() {
        assert_eq!(pattern(r"a\/b\d/ c"), Ok((r"a/b\d".to_owned(), " c")));
        for (text, words) in [
            ("/", "empty"),
            ("abc", "closing slash"),
            ("abc\\", "closing slash"),
            (&format!("{}/", "a".repeat(300)), "longer than"),
        ] {
            let error = pattern(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
