//! Which functions have the layer, in which release, and which have drifted.
//!
//! [`look`] asks each account and region for its list of functions, which carries layers and
//! environments; [`drift`] compares them with what was left there. Invariants: no function is asked by
//! itself but those that are named; no variable's value gets into a [`Status`]. Must not: change anything.

mod drift;
mod layers;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::Serialize;

pub use drift::{Drift, drift};
pub use layers::{InUse, release};
pub use view::View;

use crate::change::{Change, is_ours};
use crate::fleet::{Fleet, Place, Skipped};
use crate::layer::Release;
use crate::plan::Reason;
use crate::select::{self, Environment, Function, Selection, SelectionCheck};

/// What the functions of a selection have.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub coverage: Coverage,
    /// By account and region.
    pub places: Vec<AtPlace>,
    /// The layer versions that are in use.
    pub layers: Vec<InUse>,
    /// Whether they are of more than one release.
    pub is_skewed: bool,
    /// Every function, by place and name.
    pub functions: Vec<Seen>,
    /// What was named and is nowhere, with what was probably meant.
    pub missing: Vec<String>,
    /// Accounts and regions that were left out.
    pub skipped: Vec<Skipped>,
}

/// How many functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    pub functions: u64,
    /// With the layer.
    pub with: u64,
    /// Without it, though they could have it.
    pub without: u64,
    /// Without it, as they can have none.
    pub cannot: u64,
    /// Otherwise than the runs of the state left them.
    pub drifted: u64,
    /// With the layer, though no run of the state attached it.
    pub not_from_here: u64,
    /// Whose environment cannot be read.
    pub unreadable: u64,
}

/// The functions of one account and region.
#[derive(Debug, Serialize)]
pub struct AtPlace {
    #[serde(flatten)]
    pub place: Place,
    #[serde(flatten)]
    pub coverage: Coverage,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    /// Its unqualified ARN.
    pub arn: String,
    /// Such as `nodejs22.x`; none for an image.
    pub runtime: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether it has the layer.
    pub layer_state: LayerState,
    /// Why it can have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The layer version that it has.
    pub layer: Option<String>,
    /// The release of that.
    pub release: Option<Release>,
    /// Whether what it has was left by a run of the state.
    pub is_from_here: bool,
    /// What is otherwise than the runs of the state left it.
    pub drift: Vec<Drift>,
    /// Whether its environment can be read; where not, its variables are not compared.
    pub is_environment_readable: bool,
}

/// Whether a function has the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LayerState {
    With,
    /// It has not.
    Without,
    /// It has not, and cannot.
    Cannot,
}

impl Seen {
    /// A function as it is listed, with what our own runs did to it.
    pub fn of(function: &Function, change: Option<&Change>) -> Self {
        let layer = function.layers.iter().find(|arn| is_ours(arn)).cloned();
        let reason = if function.is_replica {
            Some(Reason::EdgeReplica)
        } else {
            function.is_image.then_some(Reason::Image)
        };
        let was_left = |change: &Change| change.after.layers.iter().any(|arn| is_ours(arn));
        Self {
            place: function.place.clone(),
            name: function.name.clone(),
            arn: function.arn.clone(),
            runtime: function.runtime.clone(),
            architecture: function.architecture.clone(),
            layer_state: match (&layer, reason) {
                (Some(_), _) => LayerState::With,
                (None, None) => LayerState::Without,
                (None, Some(_)) => LayerState::Cannot,
            },
            reason,
            release: layer.as_deref().and_then(release),
            is_from_here: change.is_some_and(was_left),
            drift: change.map_or_else(Vec::new, |change| drift(function, change)),
            is_environment_readable: matches!(function.environment, Environment::Readable(_)),
            layer,
        }
    }
}

impl Coverage {
    fn add(&mut self, seen: &Seen) {
        self.functions += 1;
        match seen.layer_state {
            LayerState::With => self.with += 1,
            LayerState::Without => self.without += 1,
            LayerState::Cannot => self.cannot += 1,
        }
        self.drifted += u64::from(!seen.drift.is_empty());
        let is_foreign = seen.layer_state == LayerState::With && !seen.is_from_here;
        self.not_from_here += u64::from(is_foreign);
        self.unreadable += u64::from(!seen.is_environment_readable);
    }
}

impl Status {
    /// Whether every account and region was read and every name was found.
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && !self.skipped.iter().any(|skipped| skipped.is_failure)
    }

    /// Whether everything that can have the layer has it, as it was left.
    pub fn is_as_wanted(&self) -> bool {
        self.coverage.without == 0 && self.coverage.drifted == 0
    }

    /// With the functions that drifted, and no others; counts are of all.
    #[must_use]
    pub fn drifted(mut self) -> Self {
        self.functions.retain(|seen| !seen.drift.is_empty());
        self
    }

    fn count(&mut self) {
        // In place: there may be a hundred thousand, and no two are alike.
        (self.functions).sort_unstable_by(|one, other| {
            (&one.place, &one.name).cmp(&(&other.place, &other.name))
        });
        let mut places: BTreeMap<&Place, Coverage> = BTreeMap::new();
        for seen in &self.functions {
            self.coverage.add(seen);
            places.entry(&seen.place).or_default().add(seen);
        }
        self.places = (places.into_iter())
            .map(|(place, coverage)| AtPlace {
                place: place.clone(),
                coverage,
            })
            .collect();
        self.layers = InUse::of(&self.functions);
        let releases: BTreeSet<_> = self.layers.iter().map(|it| &it.release).collect();
        self.is_skewed = releases.len() > 1;
    }
}

/// Looks at every function of the selection. `changes` is what our own runs did, by function.
pub async fn look(
    fleet: &Fleet,
    selection: &Selection,
    changes: &BTreeMap<String, Change>,
) -> Status {
    let mut status = Status {
        skipped: fleet.skipped.clone(),
        ..Status::default()
    };
    let mut check = SelectionCheck::new(selection);
    // All at the same time: each has a quota of its own.
    let mut places: FuturesUnordered<_> = (fleet.sites.values())
        .map(|site| async move {
            let see = |function: Function| Seen::of(&function, changes.get(&function.arn));
            (&site.place, select::find(site, selection, see).await)
        })
        .collect();
    while let Some((place, found)) = places.next().await {
        match found {
            Ok(found) => {
                check.add(&found);
                status.functions.extend(found.functions);
            }
            Err(failure) => status.skipped.push(Skipped {
                account: place.account.clone(),
                region: Some(place.region.clone()),
                reason: failure.to_string(),
                is_failure: true,
            }),
        }
    }
    drop(places);
    status.missing = check.missing(fleet).await;
    // Places answer in any order.
    status
        .skipped
        .sort_by(|one, other| (&one.account, &one.region).cmp(&(&other.account, &other.region)));
    status.count();
    status
}
