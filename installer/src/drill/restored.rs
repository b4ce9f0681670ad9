//! Whether a function is what it was before a drill, and what somebody else changed meanwhile. Pure.
//!
//! Invariant: no value is shown, only the names of variables.

use std::collections::{BTreeMap, BTreeSet};

/// What a look at the function after the drill has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Variables that the drill changed and that still are as it set them.
    pub left: Vec<String>,
    /// Variables, or `layers`, that are neither what they were nor what the drill made of them.
    pub foreign: Vec<String>,
}

/// A function's layers and variables.
type Config<'a> = (&'a [String], &'a BTreeMap<String, String>);

impl Restored {
    /// Compares what the function has `now` with what it had `before` and `during` the drill.
    pub fn of(before: Config<'_>, during: &BTreeMap<String, String>, now: Config<'_>) -> Self {
        let names: BTreeSet<&String> = [before.1, during, now.1]
            .into_iter()
            .flat_map(BTreeMap::keys)
            .collect();
        let mut restored = Self::default();
        if before.0 != now.0 {
            restored.foreign.push("layers".to_owned());
        }
        for name in names {
            let (was, is) = (before.1.get(name), now.1.get(name));
            if was == is {
                continue;
            }
            let drilled = during.get(name);
            let list = if drilled != was && drilled == is {
                &mut restored.left
            } else {
                &mut restored.foreign
            };
            list.push(name.clone());
        }
        restored
    }

    /// Whether somebody else set a variable of the primary, so that records would go to another one.
    pub fn has_another_primary(&self) -> bool {
        let is_of_primary =
            |name: &String| name.starts_with("BACKSTOP_PRIMARY_") || name == "BACKSTOP_OTLP_URL";
        self.foreign.iter().any(is_of_primary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_is_ours_is_told_from_what_somebody_else_changed() {
        const URL: &str = "BACKSTOP_PRIMARY_URL";
        let layers = vec!["a:1".to_owned()];
        let before = variables(&[(URL, "https://a"), ("TABLE", "orders"), ("OLD", "1")]);
        let during = variables(&[
            (URL, "http://127.0.0.1:9/"),
            ("TABLE", "orders"),
            ("OLD", "1"),
        ]);
        let of = |layers: &[String], now: &[(&str, &str)]| {
            let now = variables(now);
            Restored::of((&["a:1".to_owned()], &before), &during, (layers, &now))
        };
        let same = [(URL, "https://a"), ("TABLE", "orders"), ("OLD", "1")];
        assert_eq!(of(&layers, &same), Restored::default());

        let left = of(
            &layers,
            &[(URL, "http://127.0.0.1:9/"), ("TABLE", "x"), ("NEW", "1")],
        );
        assert_eq!(left.left, [URL]);
        assert_eq!(left.foreign, ["NEW", "OLD", "TABLE"]);
        assert!(!left.has_another_primary());

        let other = of(
            &[],
            &[(URL, "https://b"), ("TABLE", "orders"), ("OLD", "1")],
        );
        assert_eq!(
            (other.left.len(), &other.foreign[..]),
            (0, &["layers".to_owned(), URL.to_owned()][..])
        );
        assert!(other.has_another_primary());
    }
}
