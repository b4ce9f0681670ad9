//! Reports names in the options that match nothing in the archive.
//!
//! A misspelt name would leave out every record, and a replay that sends nothing would look as if nothing
//! were left. Must not: grow with the archive.

use std::collections::BTreeSet;

use backstop_archive::{ArchivedLine, Filter, Glob, function_of};
use backstop_common::escape;
use backstop_common::parsing::nearest;

/// Names to keep for suggestions.
const MOST_NAMES: usize = 10_000;

/// Names that are looked out for.
#[derive(Debug, Default)]
pub(super) struct Named {
    functions: Vec<(Glob, bool)>,
    reasons: Vec<(String, bool)>,
    functions_met: BTreeSet<String>,
    reasons_met: BTreeSet<String>,
    /// An object was not read that may hold any function.
    has_unread_functions: bool,
    /// An object was not read.
    has_unread: bool,
}

impl Named {
    pub(super) fn of(filter: &Filter) -> Self {
        Self {
            functions: (filter.functions.iter().cloned())
                .map(|it| (it, false))
                .collect(),
            reasons: filter
                .reasons
                .iter()
                .cloned()
                .map(|it| (it, false))
                .collect(),
            ..Self::default()
        }
    }

    /// An object is there, whether it is read or not.
    pub(super) fn object(&mut self, key: &str) {
        if !self.functions.is_empty()
            && let Some(name) = function_of(key)
        {
            self.function(name);
        }
    }

    /// An object is not read, or not to its end: what is in it is not known.
    pub(super) fn unread(&mut self, key: &str) {
        self.has_unread = true;
        self.has_unread_functions |= function_of(key).is_none();
    }

    /// A record is there, whether it is wanted or not.
    pub(super) fn record(&mut self, key: &str, line: &ArchivedLine<'_>) {
        if !self.functions.is_empty()
            && let Some(name) = line.function_name().or_else(|| function_of(key))
        {
            self.function(name);
        }
        if !self.reasons.is_empty()
            && let Some(why) = line.why()
            && !self.reasons_met.contains(why)
            && self.reasons_met.len() < MOST_NAMES
        {
            for (reason, is_met) in &mut self.reasons {
                *is_met |= reason == why;
            }
            self.reasons_met.insert(why.to_owned());
        }
    }

    fn function(&mut self, name: String) {
        if self.functions_met.contains(&name) {
            return;
        }
        for (glob, is_met) in &mut self.functions {
            *is_met = *is_met || glob.matches(&name);
        }
        if self.functions_met.len() < MOST_NAMES {
            self.functions_met.insert(name);
        }
    }

    /// What nothing has, with what was probably meant.
    pub(super) fn missing(&self) -> Vec<String> {
        let functions = (self.functions.iter())
            .filter(|_| !self.has_unread_functions)
            .map(|(glob, is_met)| ("function", glob.to_string(), *is_met, &self.functions_met));
        let reasons = (self.reasons.iter())
            .filter(|_| !self.has_unread)
            .map(|(reason, is_met)| ("reason", reason.clone(), *is_met, &self.reasons_met));
        (functions.chain(reasons))
            .filter(|(_, _, is_met, _)| !is_met)
            .map(|(what, text, _, met)| {
                let near = nearest(&text, met.iter().map(String::as_str));
                let near = near.map(escape::part);
                let advice = near.map_or_else(String::new, |it| format!("; did you mean {it}?"));
                format!("no record has the {what} {text}{advice}")
            })
            .collect()
    }
}
