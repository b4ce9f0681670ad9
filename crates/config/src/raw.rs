//! What was said: names and text, before any of it is judged.
//!
//! Invariants: each variable is read once; text is trimmed and an empty text counts as not set; a
//! value that is not UTF-8 is an error of its own and then counts as not set.
//!
//! Must not: parse a value, or print one (this stage still holds secrets as plain text).

use std::collections::BTreeMap;
use std::env::{self, VarError};

use crate::error::ConfigError;
use crate::register::{REGISTER, STANDARD};
use crate::suggest;

/// A place where variables come from: the process environment, or a map in tests.
pub trait Strings {
    /// The text of a variable; `None` when it is not set or not UTF-8.
    fn get(&self, key: &str) -> Option<String>;

    /// The names of all variables that are set.
    fn keys(&self) -> Vec<String>;

    /// Whether the variable is set to bytes that are not UTF-8.
    fn is_not_unicode(&self, _key: &str) -> bool {
        false
    }
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Strings for ProcessEnvironment {
    fn get(&self, key: &str) -> Option<String> {
        env::var(key).ok()
    }

    fn keys(&self) -> Vec<String> {
        env::vars_os()
            .map(|(key, _)| key.to_string_lossy().into_owned())
            .collect()
    }

    fn is_not_unicode(&self, key: &str) -> bool {
        matches!(env::var(key), Err(VarError::NotUnicode(_)))
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<String> {
        Self::get(self, key).cloned()
    }

    fn keys(&self) -> Vec<String> {
        Self::keys(self).cloned().collect()
    }
}

/// The text of every known variable that is set. Holds secrets, so it has no `Debug`.
pub(crate) struct Raw {
    values: BTreeMap<&'static str, String>,
}

impl Raw {
    /// Reads every known variable; reports names that are not known and values that are not text.
    pub(crate) fn read(strings: &impl Strings, errors: &mut Vec<ConfigError>) -> Self {
        let names = REGISTER.iter().map(|variable| variable.name);
        let standard_names = STANDARD.iter().map(|variable| variable.name);
        let mut values = BTreeMap::new();
        for name in names.chain(standard_names) {
            if strings.is_not_unicode(name) {
                errors.push(ConfigError::invalid(
                    name,
                    "is not valid UTF-8: set it again as text",
                ));
            } else if let Some(text) = strings.get(name).map(|text| text.trim().to_owned())
                && !text.is_empty()
            {
                values.insert(name, text);
            }
        }
        let mut keys = strings.keys();
        keys.sort_unstable();
        errors.extend(keys.iter().filter_map(|key| suggest::unknown_name(key)));
        Self { values }
    }

    /// The text of a known variable, trimmed and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ProcessEnvironment, Raw, Strings};

    /// An environment with one variable that is not UTF-8.
    struct Broken(&'static str);

    impl Strings for Broken {
        fn get(&self, _key: &str) -> Option<String> {
            None
        }

        fn keys(&self) -> Vec<String> {
            vec![self.0.to_owned()]
        }

        fn is_not_unicode(&self, key: &str) -> bool {
            key == self.0
        }
    }

    #[test]
    fn a_value_that_is_not_utf8_is_an_error_and_counts_as_not_set() {
        let mut errors = Vec::new();
        let raw = Raw::read(&Broken("BACKSTOP_TAGS"), &mut errors);
        assert_eq!(raw.get("BACKSTOP_TAGS"), None);
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["BACKSTOP_TAGS is not valid UTF-8: set it again as text"]
        );
    }

    #[test]
    fn text_is_trimmed_and_an_empty_text_is_not_set() {
        let said = BTreeMap::from([
            ("BACKSTOP_S3_BUCKET".to_owned(), "  bucket\n".to_owned()),
            ("BACKSTOP_S3_PREFIX".to_owned(), "  ".to_owned()),
        ]);
        let mut errors = Vec::new();
        let raw = Raw::read(&said, &mut errors);
        assert_eq!(raw.get("BACKSTOP_S3_BUCKET"), Some("bucket"));
        assert_eq!(raw.get("BACKSTOP_S3_PREFIX"), None);
        assert!(errors.is_empty());
    }

    #[test]
    fn the_process_environment_is_read_without_panicking() {
        let path = ProcessEnvironment.get("PATH");
        assert_eq!(
            path.is_some(),
            ProcessEnvironment.keys().iter().any(|key| key == "PATH")
        );
        assert!(!ProcessEnvironment.is_not_unicode("BACKSTOP_NOT_SET"));
    }
}
