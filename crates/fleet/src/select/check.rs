//! Reports conditions of a selection that matched nothing, with suggestions.
//!
//! A misspelt name would otherwise choose no function, and a command that changes nothing would look as if
//! it had nothing to do. Each place tells what it met ([`Matches`]); only where something is left over are
//! the places asked again, for what is there instead. Must not: cost a call where everything was found.

use std::collections::BTreeSet;

use super::{Found, Function, Pattern, Selection, TagFilter, list, tags_of};
use crate::fleet::Fleet;
use crate::parsing::nearest;

/// Places to search for a suggestion.
const MOST_PLACES: usize = 16;

/// Which conditions of a selection something was met for in one place, by their position.
#[derive(Debug, Default)]
pub struct Matches {
    functions: BTreeSet<usize>,
    exclude: BTreeSet<usize>,
    /// A tag, and one of its values; none where any will do.
    tags: BTreeSet<(usize, Option<usize>)>,
    /// How many functions are meant in the end.
    pub(super) chosen: usize,
}

impl Matches {
    /// A function that is there, whether it is meant in the end or not.
    pub(super) fn meet(&mut self, selection: &Selection, function: &Function) {
        let met = |patterns: &[Pattern], known: &mut BTreeSet<usize>| {
            for (at, pattern) in patterns.iter().enumerate() {
                if !known.contains(&at) && pattern.matches(function) {
                    known.insert(at);
                }
            }
        };
        met(&selection.functions, &mut self.functions);
        met(&selection.exclude, &mut self.exclude);
    }

    /// A function that may be there, and cannot be read.
    pub(super) fn meet_literal(&mut self, selection: &Selection, text: &str) {
        let is_it = |pattern: &Pattern| pattern.literal().is_some_and(|it| it.text == text);
        let met = (selection.functions.iter().enumerate()).filter(|(_, it)| is_it(it));
        self.functions.extend(met.map(|(at, _)| at));
    }

    /// A tag of something that is there.
    pub(super) fn meet_tag(&mut self, selection: &Selection, key: &str, value: &str) {
        for (at, tag) in selection.tags.iter().enumerate() {
            if tag.key == key {
                let values = tag.values.iter().position(|it| it == value);
                if values.is_some() || tag.values.is_empty() {
                    self.tags.insert((at, values));
                }
            }
        }
    }
}

/// What was met in all places.
#[derive(Debug)]
pub struct SelectionCheck<'a> {
    selection: &'a Selection,
    matches: Matches,
    chosen: usize,
}

/// What there is, to find what was meant.
#[derive(Debug, Default)]
struct Available {
    functions: Vec<Function>,
    tags: BTreeSet<(String, String)>,
}

impl<'a> SelectionCheck<'a> {
    /// Of no place yet.
    pub fn new(selection: &'a Selection) -> Self {
        Self {
            selection,
            matches: Matches::default(),
            chosen: 0,
        }
    }

    /// What was found in one place.
    pub fn add<T>(&mut self, found: &Found<T>) {
        self.chosen += found.matches.chosen;
        self.matches.functions.extend(&found.matches.functions);
        self.matches.exclude.extend(&found.matches.exclude);
        self.matches.tags.extend(&found.matches.tags);
    }

    /// What is nowhere, each with a reason and the nearest; empty where everything was found.
    pub async fn missing(mut self, fleet: &Fleet) -> Vec<String> {
        if fleet.sites.is_empty() || self.is_all_found() {
            return Vec::new();
        }
        let there = self.look_again(fleet).await;
        let mut missing: Vec<String> = Vec::new();
        for (at, pattern) in self.selection.functions.iter().enumerate() {
            if !self.matches.functions.contains(&at) {
                missing.push(unmet(pattern, &there, fleet));
            }
        }
        for (at, pattern) in self.selection.exclude.iter().enumerate() {
            // A pattern that excludes nothing is as it should be; a name is there or misspelt.
            if pattern.literal().is_some() && !self.matches.exclude.contains(&at) {
                missing.push(format!("--exclude {}", unmet(pattern, &there, fleet)));
            }
        }
        for (at, tag) in self.selection.tags.iter().enumerate() {
            missing.extend(self.unmet_tag(at, tag, &there));
        }
        for wanted in &self.selection.runtimes {
            let runtimes: BTreeSet<&str> = (there.functions.iter())
                .filter_map(|it| it.runtime.as_deref())
                .collect();
            let fits = |it: &&str| {
                wanted
                    .parse::<backstop_archive::Glob>()
                    .is_ok_and(|glob| glob.matches(it))
            };
            if self.chosen == 0 && !runtimes.iter().any(fits) {
                let meant = meant(nearest(wanted, runtimes.iter().copied()));
                missing.push(format!(
                    "--runtime {wanted}: no function uses this runtime{meant}"
                ));
            }
        }
        if missing.is_empty() && self.chosen == 0 {
            let places: Vec<String> = (fleet.sites.keys().take(3))
                .map(ToString::to_string)
                .collect();
            let more = if fleet.sites.len() > 3 { ", …" } else { "" };
            let places = places.join(", ") + more;
            missing.push(if there.functions.is_empty() {
                format!("no functions in {places}: check --regions, --accounts and --profile")
            } else {
                format!("no function in {places} meets all conditions")
            });
        }
        missing
    }

    fn is_all_found(&self) -> bool {
        let selection = self.selection;
        let is_met = |tag: (usize, &TagFilter)| {
            let values = tag.1.values.len();
            let wanted = if values == 0 {
                vec![None]
            } else {
                (0..values).map(Some).collect()
            };
            (wanted.into_iter()).all(|value| self.matches.tags.contains(&(tag.0, value)))
        };
        let excluded = (selection.exclude.iter().enumerate())
            .all(|(at, it)| it.literal().is_none() || self.matches.exclude.contains(&at));
        // Without a condition, finding nothing is not a mistake.
        (self.chosen > 0 || selection.is_empty())
            && self.matches.functions.len() == selection.functions.len()
            && excluded
            && selection.tags.iter().enumerate().all(is_met)
    }

    /// Lists every function and tag that can be listed.
    async fn look_again(&mut self, fleet: &Fleet) -> Available {
        let mut there = Available::default();
        for site in fleet.sites.values().take(MOST_PLACES) {
            if !self.selection.tags.is_empty()
                && let Ok(resources) = tags_of(site, &[]).await
            {
                there.tags.extend(resources.into_values().flatten());
            }
            // A list that fails gives no suggestion, and no error: it was reported before.
            there.functions.extend(list(site).await.unwrap_or_default());
        }
        for function in &there.functions {
            self.matches.meet(self.selection, function);
        }
        for (key, value) in &there.tags {
            self.matches.meet_tag(self.selection, key, value);
        }
        there
    }

    fn unmet_tag(&self, at: usize, tag: &TagFilter, there: &Available) -> Option<String> {
        let keys = there.tags.iter().map(|(key, _)| key.as_str());
        if !there.tags.iter().any(|(key, _)| *key == tag.key) && self.chosen == 0 {
            let meant = meant(nearest(&tag.key, keys));
            return Some(format!(
                "--tag {}: no function has this tag{meant}",
                tag.key
            ));
        }
        let unmet: Vec<&str> = (tag.values.iter().enumerate())
            .filter(|(value, _)| !self.matches.tags.contains(&(at, Some(*value))))
            .map(|(_, value)| value.as_str())
            .collect();
        let first = unmet.first()?;
        let values = there.tags.iter().filter(|(key, _)| *key == tag.key);
        let meant = meant(nearest(first, values.map(|(_, value)| value.as_str())));
        let shown = unmet.join(",");
        Some(format!(
            "--tag {}={shown}: no function has this value{meant}",
            tag.key
        ))
    }
}

fn unmet(pattern: &Pattern, there: &Available, fleet: &Fleet) -> String {
    let literal = pattern.literal();
    if let Some((account, region)) = literal.as_ref().and_then(|it| it.place.as_ref()) {
        let is_there = |it: &crate::fleet::Place| it.account == *account && it.region == *region;
        if !fleet.sites.keys().any(is_there) {
            return format!(
                "{pattern}: {account} {region} is not among the targets of this command; give \
                 --regions {region}, and, for another account, --accounts {account} with --role"
            );
        }
    }
    let name = literal.map_or_else(|| pattern.to_string(), |it| it.name);
    // The pattern without its wildcards serves as a name.
    let name = name.trim_matches(['*', '?', '/', '^', '$']);
    let name = name.rsplit(':').next().unwrap_or(name);
    let names = there.functions.iter().map(|it| it.name.as_str());
    let is_pattern = pattern.literal().is_none();
    let near = nearest(name, names.clone()).or_else(|| {
        // Of a pattern the beginning may be misspelt: it is compared with as much of each name.
        let begins = |it: &&str| {
            it.get(..name.len())
                .is_some_and(|it| nearest(name, [it]).is_some())
        };
        names.filter(|_| is_pattern).find(begins)
    });
    let kind = if is_pattern {
        "matches no function"
    } else {
        "no such function"
    };
    format!("{pattern}: {kind}{}", meant(near))
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |it| format!("; did you mean {it}?"))
}
