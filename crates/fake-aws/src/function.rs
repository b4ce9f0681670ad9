//! One function, with its published versions and the aliases on them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::refusal::Refusal;
use crate::spec::FunctionSpec;

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) arn: String,
    pub(crate) spec: FunctionSpec,
    pub(crate) revision: Uuid,
    /// Until when the last update is under way.
    pub(crate) busy: Option<Instant>,
    /// The last number given: those of deleted versions are not given again.
    pub(crate) last: u64,
    pub(crate) versions: BTreeMap<u64, Version>,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// How many updates of its configuration were accepted.
    pub(crate) writes: usize,
}

/// A function as it was when it was published.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) spec: FunctionSpec,
    pub(crate) description: String,
    pub(crate) revision: Uuid,
    pending: Option<Instant>,
}

impl Version {
    /// Whether it cannot be invoked yet.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.is_some_and(|until| Instant::now() < until)
    }
}

/// A name for a version, or for two of which each gets its share.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) version: String,
    pub(crate) weights: BTreeMap<String, f64>,
    pub(crate) description: String,
    pub(crate) revision: Uuid,
}

impl Alias {
    pub(crate) fn on(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            weights: BTreeMap::new(),
            description: String::new(),
            revision: Uuid::new_v4(),
        }
    }

    pub(crate) fn shown(&self, function: &str, name: &str) -> Value {
        let mut shown = json!({
            "AliasArn": format!("{function}:{name}"), "Name": name, "FunctionVersion": self.version,
            "Description": self.description, "RevisionId": self.revision.to_string(),
        });
        if !self.weights.is_empty() {
            shown["RoutingConfig"] = json!({ "AdditionalVersionWeights": self.weights });
        }
        shown
    }
}

/// What a version is called; 0 is none of them.
pub(crate) fn label(number: u64) -> String {
    match number {
        0 => "$LATEST".to_owned(),
        number => number.to_string(),
    }
}

/// What a version keeps and what makes another one of it: tags and aliases are the function's.
fn lasting(spec: &FunctionSpec) -> FunctionSpec {
    FunctionSpec {
        tags: BTreeMap::new(),
        aliases: Vec::new(),
        state: None,
        ..spec.clone()
    }
}

impl Function {
    pub(crate) fn must_be_idle(&self) -> Result<(), Refusal> {
        if self.busy.is_some() || self.spec.state == Some("Pending") {
            return Err(Refusal::conflict(&self.arn));
        }
        Ok(())
    }

    /// Refuses what was meant for another revision.
    pub(crate) fn must_be_at(&self, body: &Value) -> Result<(), Refusal> {
        match body["RevisionId"].as_str() {
            Some(revision) if revision != self.revision.to_string() => Err(Refusal::stale()),
            _ => Ok(()),
        }
    }

    /// An update that has had its time is done, and that makes another revision.
    pub(crate) fn settle(&mut self) {
        if self.busy.is_some_and(|until| Instant::now() >= until) {
            self.busy = None;
            self.revision = Uuid::new_v4();
        }
    }

    /// Publishes a version, or finds the last one where nothing has changed since.
    pub(crate) fn freeze(&mut self, description: &str, update_time: Duration) -> u64 {
        let spec = lasting(&self.spec);
        let last = self.versions.last_key_value();
        if let Some((number, _)) = last.filter(|(_, version)| version.spec == spec) {
            return *number;
        }
        self.last += 1;
        let version = Version {
            spec,
            description: description.to_owned(),
            revision: Uuid::new_v4(),
            pending: (!update_time.is_zero()).then(|| Instant::now() + update_time),
        };
        self.versions.insert(self.last, version);
        self.last
    }

    pub(crate) fn set_alias(&mut self, name: &str, version: &str, other: Option<(&str, f64)>) {
        let other = other.map(|(version, weight)| (version.to_owned(), weight));
        let alias = Alias {
            weights: other.into_iter().collect(),
            ..Alias::on(version)
        };
        self.aliases.insert(name.to_owned(), alias);
    }

    /// The version that a qualifier names, by itself or by an alias.
    pub(crate) fn number(&self, qualifier: Option<&str>) -> Result<u64, Refusal> {
        let qualifier = qualifier.unwrap_or("$LATEST");
        let alias = self.aliases.get(qualifier);
        let version = alias.map_or(qualifier, |alias| alias.version.as_str());
        if version == "$LATEST" {
            return Ok(0);
        }
        let number = version.parse().ok();
        number
            .filter(|number| self.versions.contains_key(number))
            .ok_or_else(|| {
                Refusal::not_found(format!("Function not found: {}:{qualifier}", self.arn))
            })
    }
}
