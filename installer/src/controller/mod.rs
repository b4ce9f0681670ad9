//! What the controller function left in its state: for `backstop controller status`.
//!
//! Invariant: what an earlier or a later controller wrote is read as far as it is known. Must not: ask any
//! function.

mod view;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{Store, beside};
use crate::parsing;

/// What is known of a controller.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerStatus {
    /// Where its state is.
    pub state: String,
    /// Whether the object that stops all writes is there.
    pub is_stopped: bool,
    /// The last plan over everything.
    pub last_plan: Option<Outcome>,
    /// The last plan for functions that changed.
    pub last_events: Option<Outcome>,
    /// The last request of Terraform or `CloudFormation`.
    pub last_resource: Option<Outcome>,
}

/// The result of an invocation, as far as this release knows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Outcome {
    /// When it ended.
    pub at: String,
    /// What asked for it.
    pub trigger: String,
    pub mode: String,
    /// Whether a switch stopped all writes.
    pub is_stopped: bool,
    pub runs: Vec<String>,
    /// How many functions, by what became of them.
    pub counts: BTreeMap<String, u64>,
    /// Functions that are not as wanted, or were not.
    pub functions: Vec<Row>,
    /// What could not be read.
    pub skipped: Vec<String>,
    /// Why nothing was planned.
    pub error: Option<String>,
    /// What a later controller says besides.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Row {
    pub arn: String,
    /// What was decided.
    pub decision: String,
    /// The plan's reason.
    pub reason: String,
    /// More about it.
    pub detail: Option<String>,
    /// Whether its write failed.
    pub is_failed: bool,
}

impl ControllerStatus {
    /// Reads it; an error where the state is a directory, which no controller has.
    pub async fn read(store: &Store) -> anyhow::Result<Self> {
        if store.is_local() {
            anyhow::bail!(
                "{} is a directory: give the controller's state, --state s3://BUCKET/PREFIX",
                store.shown()
            );
        }
        Ok(Self {
            state: store.shown().to_owned(),
            is_stopped: store.kept(beside::STOP).await?.is_some(),
            last_plan: outcome(store, beside::LAST_PLAN).await?,
            last_events: outcome(store, beside::LAST_EVENTS).await?,
            last_resource: outcome(store, beside::LAST_RESOURCE).await?,
        })
    }

    /// Whether the last plan worked, and left nothing undone that it should have done. What came before that
    /// plan does not matter any more.
    pub fn is_healthy(&self) -> bool {
        let is_healthy = |it: &Outcome| {
            let none = |name: &str| it.counts.get(name).copied().unwrap_or_default() == 0;
            let left = ["failed", "limited", "unreadable"];
            it.error.is_none() && it.skipped.is_empty() && left.into_iter().all(none)
        };
        self.last_plan.as_ref().is_some_and(is_healthy) && self.since_plan().all(is_healthy)
    }

    /// What was done for single functions since the last plan.
    fn since_plan(&self) -> impl Iterator<Item = &Outcome> {
        let since = self.last_plan.as_ref().map_or("", |plan| plan.at.as_str());
        let last = [&self.last_events, &self.last_resource];
        last.into_iter()
            .flatten()
            .filter(move |it| it.at.as_str() >= since)
    }
}

async fn outcome(store: &Store, name: &str) -> anyhow::Result<Option<Outcome>> {
    let Some(bytes) = store.kept(name).await? else {
        return Ok(None);
    };
    let outcome = serde_json::from_slice(&bytes).map_err(parsing::json);
    outcome.map(Some).map_err(|error| {
        anyhow::anyhow!(
            "{}/{name} is not a controller's result: {error}",
            store.shown()
        )
    })
}
