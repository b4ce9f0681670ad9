//! A file of settings: the variables' own names and values, for what does not fit into 4 KB of environment.
//!
//! ```text
//! # One variable a line; a line that begins with white space goes on with the value.
//! BACKSTOP_MIN_LEVEL=info
//! BACKSTOP_FILTER=
//!   drop type=platform.start
//!   drop record.path=/health
//! ```
//!
//! Invariants: a variable that the environment sets overrides the file; an error names a line by its number
//! and quotes nothing of it.
//!
//! Must not: read a file.

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::raw::Strings;
use crate::register::CONFIG;

/// What every name begins with.
const PREFIX: &str = "BACKSTOP_";

/// What a line that begins with white space goes on with.
enum Last {
    Nothing,
    Variable(String),
    Refused,
}

/// The variables of a file, and what is wrong with its lines.
pub fn parse(text: &str) -> (BTreeMap<String, String>, Vec<ConfigError>) {
    parse_of("a file", text)
}

/// The same of what a message calls `source`.
pub(crate) fn parse_of(source: &str, text: &str) -> (BTreeMap<String, String>, Vec<ConfigError>) {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut errors = Vec::new();
    let mut last = Last::Nothing;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let is_more = line.starts_with([' ', '\t']);
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let read = match &last {
            // The rest of a line that was refused is refused with it.
            Last::Refused if is_more => continue,
            Last::Variable(name) if is_more && !trimmed.starts_with(PREFIX) => {
                if let Some(value) = variables.get_mut(name) {
                    value.push('\n');
                    value.push_str(trimmed);
                }
                continue;
            }
            _ if is_more => Err("has white space before a name: begin the line with the name"),
            _ => entry(trimmed, &variables),
        };
        match read {
            Ok((name, value)) => {
                variables.insert(name.clone(), value);
                last = Last::Variable(name);
            }
            Err(problem) => {
                last = Last::Refused;
                let problem = format!("names {source} that {problem} (line {})", index + 1);
                errors.push(ConfigError::of_file(problem).with_effect("this line is left out"));
            }
        }
    }
    (variables, errors)
}

fn entry(line: &str, before: &BTreeMap<String, String>) -> Result<(String, String), &'static str> {
    let (name, value) = line
        .split_once('=')
        .ok_or("has a line that is not NAME=VALUE")?;
    let name = name.trim_end();
    if line.contains('\r') {
        return Err("has a carriage return within a line: end lines with a line feed");
    }
    if !name.starts_with(PREFIX) {
        return Err("sets a name that does not begin with BACKSTOP_");
    }
    // What is behind such a name may be a part of the value, which no error may quote.
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return Err("has a line that is not NAME=VALUE");
    }
    if name == CONFIG.name {
        return Err("names another file");
    }
    if before.contains_key(name) {
        return Err("sets a variable that it has set before");
    }
    Ok((name.to_owned(), value.trim_start().to_owned()))
}

/// The environment over a file.
#[derive(Debug)]
pub struct Layered<'a, S> {
    pub environment: &'a S,
    /// What is overridden. Holds what may be secret.
    pub file: &'a BTreeMap<String, String>,
}

impl<S: Strings> Strings for Layered<'_, S> {
    fn get(&self, key: &str) -> Option<String> {
        let set = self.environment.get(key);
        // What is set to nothing is not set.
        set.filter(|text| !text.trim().is_empty())
            .or_else(|| self.file.get(key).cloned())
    }

    fn keys(&self) -> Vec<String> {
        let mut keys = self.environment.keys();
        let more = self.file.keys().filter(|key| !keys.contains(key)).cloned();
        keys.extend(more.collect::<Vec<_>>());
        keys
    }

    fn is_not_unicode(&self, key: &str) -> bool {
        self.environment.is_not_unicode(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_variable_a_line_and_more_lines_of_its_value() {
        let text = "\u{feff}# comment\r\nBACKSTOP_A = 1 = 2 \n\nBACKSTOP_B=\n  drop x\n\t# not this\n\tkeep y\nBACKSTOP_C=z";
        let (variables, errors) = parse(text);
        assert_eq!(errors, []);
        let all: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| (&name[..], &value[..]))
            .collect();
        assert_eq!(
            all,
            [
                ("BACKSTOP_A", "1 = 2"),
                ("BACKSTOP_B", "\ndrop x\nkeep y"),
                ("BACKSTOP_C", "z")
            ]
        );
    }

    /// Each of these would have gone into another value, or nowhere, without a word.
    #[test]
    fn a_variable_that_is_not_where_a_line_begins_is_refused() {
        for (text, words) in [
            ("  BACKSTOP_REDACT=hunter2", "white space before a name"),
            (
                "BACKSTOP_TAGS=a\n  BACKSTOP_REDACT=hunter2\n  more",
                "white space before a name",
            ),
            ("\thunter2\nBACKSTOP_TAGS=a", "white space before a name"),
            (
                "BACKSTOP_TAGS=a\rBACKSTOP_REDACT=hunter2",
                "carriage return",
            ),
            ("BACKSTOP_REDACT: /hunter2=x/", "not NAME=VALUE"),
            ("BACKSTOP_REDACT email,x=/hunter2/", "not NAME=VALUE"),
        ] {
            let (variables, errors) = parse(text);
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(errors.len(), 1, "{text}: {errors:?}");
            assert!(
                errors[0].contains(words) && !errors[0].contains("hunter2"),
                "{errors:?}"
            );
            assert!(!variables.contains_key("BACKSTOP_REDACT"), "{text}");
        }
    }

    #[test]
    fn each_wrong_line_is_named_by_its_number_and_not_quoted() {
        let text = "hunter2\nPATH=hunter2\n more\nBACKSTOP_A=1\nBACKSTOP_A=hunter2\nBACKSTOP_CONFIG=hunter2";
        let (variables, errors) = parse(text);
        assert_eq!(variables.len(), 1);
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        for (error, words) in shown.iter().zip([
            "not NAME=VALUE (line 1)",
            "does not begin with BACKSTOP_ (line 2)",
            "set before (line 5)",
            "names another file (line 6)",
        ]) {
            assert!(error.contains(words), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(shown.len(), 4);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            pairs.collect()
        };
        let environment = map(&[("A", "1"), ("B", " ")]);
        let file = map(&[("A", "2"), ("B", "3"), ("C", "4")]);
        let both = Layered {
            environment: &environment,
            file: &file,
        };
        let get = |name: &str| both.get(name);
        assert_eq!(get("A").as_deref(), Some("1"));
        assert_eq!(get("B").as_deref(), Some("3"));
        assert_eq!(get("C").as_deref(), Some("4"));
        assert_eq!(both.keys(), ["A", "B", "C"]);
    }
}
