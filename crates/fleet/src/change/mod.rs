//! What is changed of a function: its list of layers and some of its variables. Pure.
//!
//! [`Attach`] and [`Detach`] say what is wanted, and [`Change`] what that makes of a function; a
//! change can be [undone](Change::undo_on) on whatever the function has become since. All three
//! merge: what is not ours stays as it is, in its order. Invariants: a change and its undoing give
//! the configuration that was there, byte by byte; wanting the same again changes nothing; no
//! value of a variable is printed by `Debug`. Must not: call anything.

mod alias;
mod conflict;
mod layers;
mod limits;
mod primary;
mod stored;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use alias::AliasState;
pub use conflict::Conflict;
pub use layers::{LAYER_PREFIX, LayerArn, is_ours};
pub use limits::{
    MOST_ENVIRONMENT_BYTES, MOST_LAYERS, MOST_REQUEST_BYTES, MOST_UNZIPPED_BYTES, Violation,
    violation,
};
pub use stored::Stored;
pub use vault::Vault;

/// The prefix of every variable that is ours.
pub const PREFIX: &str = "BACKSTOP_";

/// What a function has, as far as it can be changed here.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// ARNs of layer versions, in order.
    pub layers: Vec<String>,
    /// All of its variables.
    pub variables: BTreeMap<String, String>,
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("layers", &self.layers)
            .field("variables", &self.variables.keys())
            .finish()
    }
}

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    /// The whole list of layers.
    #[serde(deserialize_with = "shrunk_layers")]
    pub layers: Vec<String>,
    /// The variables that the change is about; none where a variable is not set.
    #[serde(serialize_with = "as_object", deserialize_with = "shrunk_variables")]
    pub variables: Variables,
}

/// What a change says of variables, by name. A plan has some of these for each of a hundred thousand functions,
/// and a B-tree takes 600 bytes for one entry.
pub type Variables = LiteMap<String, Option<Stored>>;

/// As the map that it is: an empty one would be written as a list.
fn as_object<S: Serializer>(variables: &Variables, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(variables)
}

/// In as little memory as they need: a list that is read has room for four.
fn shrunk_layers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut layers = Vec::deserialize(deserializer)?;
    layers.shrink_to_fit();
    Ok(layers)
}

/// The same.
fn shrunk_variables<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Variables, D::Error> {
    Variables::deserialize(deserializer).map(shrunk)
}

fn shrunk(variables: Variables) -> Variables {
    let mut sorted = variables.into_tuple_vec();
    sorted.shrink_to_fit();
    LiteMap::from_sorted_store_unchecked(sorted)
}

/// What was there, and what is there instead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Change {
    pub before: Part,
    /// After; of the same variables.
    pub after: Part,
}

/// To have the layer, and the settings.
#[derive(Clone, Default)]
pub struct Attach {
    /// The layer version.
    pub layer: String,
    /// Variables of the extension, by name.
    pub variables: BTreeMap<String, String>,
    /// The result of Backstop's last change: someone else made every difference from it.
    pub base: Variables,
    /// Variables to replace even if someone else set them.
    pub overwrite: BTreeSet<String>,
}

impl fmt::Debug for Attach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Attach")
            .field("layer", &self.layer)
            .field("variables", &self.variables.keys())
            .finish_non_exhaustive()
    }
}

/// What is to be made of a function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// All of it.
    pub config: Config,
    /// Variables that someone else set and that stay as they are.
    pub kept: Vec<String>,
    /// What cannot be put back, and why.
    pub conflicts: Vec<Conflict>,
    /// Backstop layers that someone attached since, and that are replaced.
    pub replaced: Vec<String>,
}

impl Attach {
    /// What the function is to have. Where its primary becomes another, the settings of the earlier one that
    /// this one can do nothing with, or must not get, are taken away.
    pub fn on(&self, live: &Config) -> Wanted {
        let mut variables = live.variables.clone();
        let mut kept = Vec::new();
        for (name, value) in &self.variables {
            if live.variables.get(name) == Some(value) {
                continue;
            }
            if self.may_change(name, live) {
                variables.insert(name.clone(), value.clone());
            } else {
                kept.push(name.clone());
            }
        }
        for name in primary::left_behind(&live.variables, &variables, &self.variables) {
            if self.may_change(name, live) {
                variables.remove(name);
            } else {
                kept.push(name.to_owned());
            }
        }
        let wanted = |name: &str| self.variables.get(name).map(|value| Some(value.as_str()));
        if primary::is_mixed(&live.variables, &variables, wanted) {
            kept.extend(primary::hold_back(&live.variables, &mut variables));
            kept.sort_unstable();
        }
        Wanted {
            config: Config {
                layers: layers::with(&live.layers, &self.layer),
                variables,
            },
            kept,
            ..Wanted::default()
        }
    }

    /// Whether a variable is as Backstop's last change left it, or is to be replaced anyway.
    fn may_change(&self, name: &str, live: &Config) -> bool {
        let there = live.variables.get(name);
        let is_own = match self.base.get(name) {
            Some(base) => Stored::is(base.as_ref(), there.map(String::as_str)),
            None => there.is_none(),
        };
        is_own || self.overwrite.contains(name)
    }
}

/// To have neither.
#[derive(Debug, Clone, Copy)]
pub struct Detach<'a> {
    /// What our changes did, where that is known.
    pub history: Option<&'a Change>,
    /// The secrets that were there before.
    pub vault: &'a Vault,
}

impl Detach<'_> {
    /// What the function is to have: what was there before us, without any layer of ours whoever put
    /// it there since.
    ///
    /// Layer and settings go together: where someone put another layer of ours there since, or no run
    /// left one, every variable of the extension goes with it that was not there before us.
    pub fn on(self, live: &Config) -> Wanted {
        let left = (self.history).filter(|change| layers::has_ours(&change.after.layers));
        if let Some(change) = left {
            let (before, after) = (&change.before.layers, &change.after.layers);
            if layers::restored(&live.layers, before, after).is_ok() {
                return change.undo_on(live, self.vault);
            }
        }
        let mut wanted = Wanted {
            config: live.clone(),
            ..Wanted::default()
        };
        wanted.config.layers.retain(|arn| !is_ours(arn));
        let variables = &mut wanted.config.variables;
        variables.retain(|name, _| !name.starts_with(PREFIX));
        // What was there without a layer of ours was no setting of one.
        let before = left.filter(|change| !layers::has_ours(&change.before.layers));
        for (name, stored) in before.iter().flat_map(|it| &it.before.variables) {
            let Some(stored) = stored.as_ref().filter(|_| name.starts_with(PREFIX)) else {
                continue;
            };
            match self.vault.open(name, stored) {
                Some(value) => {
                    variables.insert(name.clone(), value.to_owned());
                }
                None => wanted.conflicts.push(Conflict::Forgotten(name.clone())),
            }
        }
        wanted
    }
}

impl Change {
    /// From what is there to what is wanted. Of a secret that we set, now or with the `earlier` change, only
    /// a digest is kept; one that was there before us is kept, or it could not be put back.
    pub fn between(
        live: &Config,
        wanted: &Config,
        earlier: Option<&Self>,
        is_secret: impl Fn(&str, &str) -> bool,
    ) -> Self {
        let known = |name: &str, value: &str| {
            let stored = earlier?.after.variables.get(name)?.as_ref();
            stored.filter(|_| Stored::is(stored, Some(value))).cloned()
        };
        let names: BTreeSet<&str> = (live.variables.keys())
            .chain(wanted.variables.keys())
            .filter(|name| live.variables.get(*name) != wanted.variables.get(*name))
            .map(String::as_str)
            .chain(primary::absent_keys(&live.variables, &wanted.variables))
            .collect();
        let mut change = Self {
            before: Part {
                layers: live.layers.clone(),
                variables: Variables::new(),
            },
            after: Part {
                layers: wanted.layers.clone(),
                variables: Variables::new(),
            },
        };
        for name in names {
            let before = live.variables.get(name);
            let after = wanted.variables.get(name).map(|value| {
                if is_secret(name, value) {
                    Stored::digest(value)
                } else {
                    Stored::plain(value)
                }
            });
            let before =
                before.map(|value| known(name, value).unwrap_or_else(|| Stored::plain(value)));
            change.before.variables.insert(name.to_owned(), before);
            change.after.variables.insert(name.to_owned(), after);
        }
        change
    }

    /// Whether anything is changed.
    pub fn is_empty(&self) -> bool {
        self.before.layers == self.after.layers && self.before.variables.is_empty()
    }

    /// Whether neither layer nor settings remain.
    pub fn is_undone(&self) -> bool {
        let ours = |part: &Part| -> Vec<String> {
            let layers = part.layers.iter().filter(|arn| is_ours(arn));
            layers.cloned().collect()
        };
        let is_same = |(name, before): (&String, &Option<Stored>)| {
            let after = self.after.variables.get(name).and_then(Option::as_ref);
            Stored::are_same(before.as_ref(), after)
        };
        ours(&self.before) == ours(&self.after) && self.before.variables.iter().all(is_same)
    }

    /// What the function is to have for this change to be undone, whatever it has become since.
    ///
    /// `vault` knows the secrets of which only digests are kept.
    pub fn undo_on(&self, live: &Config, vault: &Vault) -> Wanted {
        let (before, after) = (&self.before.layers, &self.after.layers);
        let layers = layers::restored(&live.layers, before, after);
        self.back_on(live, vault, layers.map(|list| (list, Vec::new())))
    }

    /// What the function is to have for this change to be made, whatever it has become since.
    pub fn redo_on(&self, live: &Config, vault: &Vault) -> Wanted {
        let layers = layers::made(&live.layers, &self.before.layers, &self.after.layers);
        let back = Self {
            before: self.after.clone(),
            after: self.before.clone(),
        };
        back.back_on(live, vault, layers)
    }

    /// With these layers, and the layers that they replace. Layers and settings are one decision: where the
    /// ones stay, so do the others.
    fn back_on(
        &self,
        live: &Config,
        vault: &Vault,
        layers: Result<(Vec<String>, Vec<String>), Conflict>,
    ) -> Wanted {
        let (layers, replaced) = match layers {
            Ok(layers) => layers,
            Err(conflict) => {
                return Wanted {
                    config: live.clone(),
                    conflicts: vec![conflict],
                    ..Wanted::default()
                };
            }
        };
        let mut conflicts = Vec::new();
        let mut variables = live.variables.clone();
        let mut wanted = BTreeMap::new();
        for (name, before) in &self.before.variables {
            let there = live.variables.get(name).map(String::as_str);
            if Stored::is(before.as_ref(), there) {
                wanted.insert(name.as_str(), there);
                continue;
            }
            // What nobody knows is something else than what is there, too.
            let value = before.as_ref().and_then(|stored| vault.open(name, stored));
            wanted.insert(name.as_str(), value);
            let after = self.after.variables.get(name).and_then(Option::as_ref);
            if !Stored::is(after, there) {
                conflicts.push(Conflict::Variable(name.clone()));
                continue;
            }
            match before.as_ref().map(|stored| vault.open(name, stored)) {
                None => {
                    variables.remove(name);
                }
                Some(Some(value)) => {
                    variables.insert(name.clone(), value.to_owned());
                }
                Some(None) => conflicts.push(Conflict::Forgotten(name.clone())),
            }
        }
        // A key that the change is not about was there before it, for both addresses.
        let there = |name: &str| live.variables.get(name).map(String::as_str);
        let wanted = |name: &str| Some(wanted.get(name).copied().unwrap_or_else(|| there(name)));
        if primary::is_mixed(&live.variables, &variables, wanted) {
            let held = primary::hold_back(&live.variables, &mut variables);
            conflicts.extend(held.into_iter().map(Conflict::Held));
        }
        Wanted {
            config: Config { layers, variables },
            conflicts,
            replaced,
            ..Wanted::default()
        }
    }

    /// The same, without the value of any secret and in as little memory as it needs: for a plan, which has many.
    #[must_use]
    pub fn sealed(mut self, is_secret: impl Fn(&str, &str) -> bool) -> Self {
        for part in [&mut self.before, &mut self.after] {
            for (name, stored) in &mut part.variables {
                if let Some(Stored::Value(value)) = stored
                    && is_secret(name, value)
                {
                    *stored = Some(Stored::digest(value));
                }
            }
            part.layers.shrink_to_fit();
            part.variables = shrunk(std::mem::take(&mut part.variables));
        }
        self
    }

    /// This change and a later one as one, which leaves out what others did between them.
    #[must_use]
    pub fn then(&self, later: &Self) -> Self {
        let mut names = later.before.variables.clone();
        for (name, after) in &self.after.variables {
            names.entry(name.clone()).or_insert_with(|| after.clone());
        }
        let mut before = Part {
            layers: layers::restored(
                &later.before.layers,
                &self.before.layers,
                &self.after.layers,
            )
            .unwrap_or_else(|_| later.before.layers.clone()),
            variables: Variables::new(),
        };
        let mut after = later.after.clone();
        for (name, between) in names {
            let ours = self.after.variables.get(&name);
            let first = match ours {
                // Nobody changed it in between.
                Some(ours) if Stored::are_same(ours.as_ref(), between.as_ref()) => {
                    self.before.variables.get(&name).cloned().flatten()
                }
                _ => between.clone(),
            };
            before.variables.insert(name.clone(), first);
            after.variables.entry(name).or_insert(between);
        }
        Self { before, after }
    }
}

#[cfg(test)]
mod tests;
