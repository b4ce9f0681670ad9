//! Parse errors that quote nothing of the text.
//!
//! The errors of serde and toml quote values, and whole lines: a plan, a journal, a project file or an
//! archived record may hold a secret in the very place. Names of members are those that our own code
//! knows, or look like names; a value is never shown. Use it for every such error.

use std::fmt;
use std::ops::Range;

/// What is wrong with a JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    problem: String,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem)?;
        match self.at {
            Some((line, column)) => write!(formatter, " at line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unreadable {}

impl Unreadable {
    /// Without where it is.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

/// For `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub fn json(error: serde_json::Error) -> Unreadable {
    use serde_json::error::Category;

    let problem = match error.classify() {
        Category::Data => given(&error.to_string()),
        Category::Eof => "it ends too early".to_owned(),
        Category::Syntax | Category::Io => "it is not JSON".to_owned(),
    };
    // A value that was parsed before has no lines.
    let at = (error.line() > 0).then(|| (error.line(), error.column()));
    Unreadable { problem, at }
}

/// The same of a TOML text, by the message and the place of its error.
pub fn toml(text: &str, message: &str, place: Option<Range<usize>>) -> Unreadable {
    let at = place.map(|place| {
        let before = text.get(..place.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        (line, last.chars().count() + 1)
    });
    Unreadable {
        problem: given(message),
        at,
    }
}

/// As much of serde's words as is not out of the text.
fn given(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let name = quoted.next().filter(|name| is_name(name));
    // These names are those of our own code.
    for beginning in ["missing field `", "duplicate field `"] {
        if let Some(name) = name.filter(|_| message.starts_with(beginning)) {
            return format!("{beginning}{name}`");
        }
    }
    // An unknown name may be a value without its quotes, and a value may be a secret.
    if let Some(name) = name.filter(|_| message.starts_with("unknown field `"))
        && let Some(meant) = nearest(name, quoted)
    {
        return format!("unknown field `{name}`: did you mean `{meant}`?");
    }
    let kinds = [
        "missing field",
        "unknown field",
        "duplicate field",
        "duplicate key",
        "unknown variant",
        "invalid type",
        "invalid value",
        "invalid length",
    ];
    let kind = kinds.into_iter().find(|kind| message.starts_with(kind));
    kind.unwrap_or("it does not have the expected form")
        .to_owned()
}

/// The one of the known names that was probably meant: the fewest edits away, and near enough.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let near = |known: &str| {
        let distance = edits(&name, &known.to_lowercase());
        // One edit for each three letters; half a word is meant for the whole of it.
        let is_part = name.len() >= 4 && (known.starts_with(&name) || name.starts_with(known));
        let is_near = distance <= (known.chars().count() / 3).clamp(1, 4);
        (is_near || is_part && known.len() >= 4).then_some((distance, known.len()))
    };
    (known.into_iter().filter(|known| !known.is_empty()))
        .filter_map(|known| Some((near(known)?, known)))
        .min()
        .map(|(_, known)| known)
}

/// How many insertions, deletions, substitutions and swaps of neighbours turn one text into the other; a
/// long one is never near, and not worth a table.
fn edits(from: &str, to: &str) -> usize {
    const LONGEST: usize = 256;
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    if from.len() > LONGEST || to.len() > LONGEST {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (index, left) in from.iter().enumerate() {
        let mut row = vec![index + 1];
        for (column, right) in to.iter().enumerate() {
            let substituted = rows[index][column] + usize::from(left != right);
            let mut least = substituted
                .min(rows[index][column + 1] + 1)
                .min(row[column] + 1);
            let is_swap =
                index > 0 && column > 0 && *left == to[column - 1] && *right == from[index - 1];
            if is_swap {
                least = least.min(rows[index - 1][column - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only errors are looked at")]
    struct Form {
        number: u8,
        #[serde(default)]
        choice: Option<Choice>,
    }

    #[derive(Debug, Deserialize)]
    enum Choice {
        One,
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_probably_meant() {
        for (name, known, expected) in [
            (
                "orders-apy",
                &["orders-api", "orders-ui"][..],
                Some("orders-api"),
            ),
            (
                "eu-wset-1",
                &["eu-west-1", "us-west-1", "eu-west-3"],
                Some("eu-west-1"),
            ),
            ("Orders", &["orders", "orders-1"], Some("orders")),
            ("checkout", &["checkout-prod", "check"], Some("check")),
            ("taem", &["team"], Some("team")),
            ("hunter2", &["token_file", "header_file"], None),
            ("a", &["b"], Some("b")),
            ("", &["b", "long"], Some("b")),
            ("x", &[], None),
        ] {
            assert_eq!(nearest(name, known.iter().copied()), expected, "{name}");
        }
        assert_eq!(nearest(&"x".repeat(10_000), ["y"]), None);
    }

    #[test]
    fn an_error_names_the_place_and_quotes_no_value() {
        let cases = [
            (
                r#"{"number":"hunter2"}"#,
                "invalid type at line 1, column 19",
            ),
            (
                "{\n\"number\": 70000}",
                "invalid value at line 2, column 15",
            ),
            (
                r#"{"number":1,"choice":"hunter2"}"#,
                "unknown variant at line 1, column 30",
            ),
            (
                r#"{"number":1,"the hunter2":1}"#,
                "unknown field at line 1, column 25",
            ),
            (
                r#"{"number":1,"numbr":"hunter2"}"#,
                "unknown field `numbr`: did you mean `number`? at line 1, column 19",
            ),
            (
                r#"{"number":1,"hunter2":"x"}"#,
                "unknown field at line 1, column 21",
            ),
            (
                r#"{"number":1,"number":2}"#,
                "duplicate field `number` at line 1, column 20",
            ),
            ("{}", "missing field `number` at line 1, column 2"),
            (
                r#"{"number":hunter2}"#,
                "it is not JSON at line 1, column 11",
            ),
            (
                r#"{"number":1,"hunter2"#,
                "it ends too early at line 1, column 20",
            ),
        ];
        for (text, expected) in cases {
            let error = serde_json::from_str::<Form>(text)
                .map_err(json)
                .expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
