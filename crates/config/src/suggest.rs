//! Names that begin with `BACKSTOP_` and that this version does not know: is one misspelt?
//!
//! Must not: show the value of such a variable. It may be a misspelt secret.

use crate::error::{ConfigError, ErrorKind};
use crate::register::REGISTER;

/// What every name of ours begins with.
const OURS: &str = "BACKSTOP_";

/// The error of a `BACKSTOP_` name that this version does not know; `None` for any other name.
pub(crate) fn unknown_name(key: &str) -> Option<ConfigError> {
    let upper = key.to_ascii_uppercase();
    if !upper.starts_with(OURS) || REGISTER.iter().any(|known| known.name == key) {
        return None;
    }
    let message = match meant(key) {
        Some(name) => format!("is not a known variable: did you mean {name}?"),
        None => "is not a known variable: remove it, or see docs/configuration.md".to_owned(),
    };
    Some(ConfigError::new(key, ErrorKind::UnknownName, message))
}

/// The known name that an unknown one may stand for.
pub(crate) fn meant(key: &str) -> Option<&'static str> {
    nearest(&key.to_ascii_uppercase())
}

/// The known name that is the fewest edits away, when it is near enough to be meant.
fn nearest(name: &str) -> Option<&'static str> {
    // A long name is not worth a table of distances, and no known one is near it.
    if name.len() > 64 {
        return None;
    }
    REGISTER
        .iter()
        .map(|known| (edit_distance(name, known.name), known.name))
        .filter(|(distance, known)| *distance <= near(known))
        .min()
        .map(|(_, name)| name)
}

/// How many edits away a name may be to be meant: one for each three letters of its own part.
fn near(known: &str) -> usize {
    (known.len().saturating_sub(OURS.len()) / 3).clamp(1, 4)
}

/// The number of insertions, deletions and substitutions that turn one name into the other.
fn edit_distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, left) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, right) in to.bytes().enumerate() {
            let substituted = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{edit_distance, unknown_name};
    use crate::error::ConfigError;

    #[test]
    fn unknown_names_are_told_apart_from_later_ones() {
        let cases = [
            ("PATH", None),
            ("BACKSTOP_S3_BUCKET", None),
            (
                "BACKSTOP_PRIMARY_URI",
                Some("is not a known variable: did you mean BACKSTOP_PRIMARY_URL?"),
            ),
            (
                "backstop_s3_bucket",
                Some("is not a known variable: did you mean BACKSTOP_S3_BUCKET?"),
            ),
            (
                "BACKSTOP_BUCKET",
                Some("is not a known variable: did you mean BACKSTOP_S3_BUCKET?"),
            ),
            (
                "BACKSTOP_TAG",
                Some("is not a known variable: did you mean BACKSTOP_TAGS?"),
            ),
            (
                "BACKSTOP_ROUT",
                Some("is not a known variable: did you mean BACKSTOP_ROUTE?"),
            ),
            (
                "BACKSTOP_ENTIRELY_DIFFERENT",
                Some("is not a known variable: remove it, or see docs/configuration.md"),
            ),
            (
                "BACKSTOP_REDACT_ARCHIV",
                Some("is not a known variable: did you mean BACKSTOP_REDACT_ARCHIVE?"),
            ),
        ];
        for (key, expected) in cases {
            let error = unknown_name(key);
            let problem = error.as_ref().map(ConfigError::problem);
            assert_eq!(problem.as_deref(), expected, "{key}");
            assert_eq!(
                error.as_ref().map(ConfigError::variable),
                expected.map(|_| key)
            );
        }
    }

    #[test]
    fn the_distance_counts_single_edits() {
        let cases = [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "bc", 1),
            ("kitten", "sitting", 3),
        ];
        for (from, to, expected) in cases {
            assert_eq!(edit_distance(from, to), expected, "{from} {to}");
        }
    }
}
