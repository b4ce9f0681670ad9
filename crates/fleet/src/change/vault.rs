//! The secrets that are known while a command runs, to find what a digest was made of.
//!
//! Invariant: a secret is in memory only, and is not shown. Must not: read one.

use std::collections::BTreeMap;
use std::fmt;

use super::Stored;

/// Secrets by variable, to find the one that a digest was made of.
#[derive(Default)]
pub struct Vault(BTreeMap<String, Vec<String>>);

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

impl Vault {
    /// One more value of a variable.
    pub fn add(&mut self, variable: &str, value: &str) {
        let values = self.0.entry(variable.to_owned()).or_default();
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }

    /// The value that is stored, where it is known.
    pub fn open<'a>(&'a self, variable: &str, stored: &'a Stored) -> Option<&'a str> {
        if let Some(value) = stored.value() {
            return Some(value);
        }
        (self.0.get(variable)?.iter())
            .map(String::as_str)
            .find(|value| Stored::is(Some(stored), Some(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_opened_by_its_own_value_only() {
        let mut vault = Vault::default();
        vault.add("TOKEN", "one");
        vault.add("TOKEN", "two");
        let stored = Stored::digest("two");
        assert_eq!(vault.open("TOKEN", &stored), Some("two"));
        assert_eq!(vault.open("TOKEN", &Stored::digest("three")), None);
        assert_eq!(vault.open("OTHER", &stored), None);
    }
}
