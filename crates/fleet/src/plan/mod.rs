//! The plan: what would change, and why.
//!
//! [`make`] looks at every function of a selection and gives each a [`Verdict`] with one
//! [`Reason`]; for those to be changed it holds the [`Change`]. A plan is data: printed, kept in a file,
//! and carried out by [`crate::apply`]. Invariant: no secret is in it, only where one is and a
//! digest. Must not: change anything.

mod bucket;
mod decide;
mod facts;
mod file;
mod grants;
pub mod owner;
mod reason;
mod rollout;
mod signing;
mod trap;
mod unzipped;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::SetOnce;

pub use bucket::{Bucket, bucket};
pub use decide::joined;
pub use decide::{Allowed, Intent};
pub use facts::Choice;
pub use facts::layer_version;
pub use file::{read, write};
pub use reason::{Reason, Verdict};
pub use rollout::{Portion, Rollout};
pub use trap::Trap;
pub use unzipped::Sizes;

use decide::Listed;

use crate::change::{AliasState, Change, Conflict};
use crate::fleet::{Fleet, Place, Site, Skipped, Targets};
use crate::grants::{Grant, Permission};
use crate::secrets::Source;
use crate::select::{self, Found, Function, Selection, SelectionCheck};
use crate::settings::is_secret;
use crate::time::now;

const SCHEMA_VERSION: u32 = 1;
/// Functions that are asked about at the same time, in each account and region: enough for the quota, by which
/// 100 are read a second, where an answer takes 150 ms. Each takes memory, in hundreds of places.
const AT_ONCE: usize = 16;

/// What is to be done with each function.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The version of this form.
    pub schema_version: u32,
    /// The version of the command line.
    pub release: String,
    /// When it was made.
    pub created_at: String,
    /// What it is for.
    pub action: Action,
    pub targets: Targets,
    /// Where the secrets are that it needs.
    pub sources: BTreeMap<String, Source>,
    /// Versions, aliases and grants.
    pub extras: Extras,
    /// In which waves, and what stops it.
    #[serde(default, skip_serializing_if = "Rollout::is_default")]
    pub rollout: Rollout,
    /// What is made of the policies of execution roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// Every selected function. In boxes: there may be a hundred thousand, and a list that grows is copied.
    pub functions: Vec<Box<Planned>>,
    /// What was named and is nowhere, with what was probably meant.
    pub missing: Vec<String>,
    /// Accounts and regions that were left out.
    pub skipped: Vec<Skipped>,
    /// The resource that asks for it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// To have the layer and the settings.
    Attach,
    /// To have neither.
    Detach,
    /// To have what was there before a run.
    Undo { run: String },
    /// To have a primary that fails, for a drill: it is over with the undo of this run.
    Drill,
}

/// Work in addition to changing `$LATEST`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extras {
    /// Publish a version of each function that was changed.
    pub publish_version: bool,
    /// And point this alias at it, where the function has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub move_alias: Option<String>,
    /// Grant the execution roles what the fallbacks need.
    pub grant: bool,
}

/// One function in a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    /// Its unqualified ARN.
    pub arn: String,
    /// Its execution role.
    pub role: String,
    /// What is made of it.
    pub verdict: Verdict,
    pub reason: Reason,
    /// More about the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it was read at.
    pub revision: String,
    /// What is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The alias that is put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Box<AliasBack>>,
    /// A version that the run published which is undone: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What its role needs for its fallbacks, where that is to be granted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<Permission>,
    /// Variables that someone else set, and that stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What someone else changed since, and that stays because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// What would go well and still not do what was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traps: Vec<Trap>,
    /// What else is good to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An alias that a run moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasBack {
    pub alias: String,
    /// Where it was moved.
    pub ours: AliasState,
    /// Where it led before.
    pub before: AliasState,
}

pub trait Observer: Send + Sync {
    /// The functions of these places will be read.
    fn reading(&self, _fleet: &Fleet) {}
    /// This many functions will be read or changed in a place.
    fn found(&self, place: &Place, functions: u64);
    /// One more is.
    fn one_done(&self, place: &Place);
    /// Something else is worth a line.
    fn message(&self, _line: &str) {}
}

/// Looks at every function of the selection.
pub async fn make(
    fleet: &Fleet,
    targets: Targets,
    selection: &Selection,
    intent: &Intent,
    sizes: &Sizes,
    observer: &dyn Observer,
) -> Plan {
    let mut plan = Plan::empty(fleet, targets, intent);
    let mut check = SelectionCheck::new(selection);
    // All at the same time: each has a quota of its own.
    let mut surveyed: FuturesUnordered<_> = (fleet.sites.values())
        .map(|site| async move {
            let outcome = plan_site(site, selection, intent, sizes, observer).await;
            (site, outcome)
        })
        .collect();
    while let Some((site, outcome)) = surveyed.next().await {
        match outcome {
            Ok((planned, found)) => {
                plan.functions.extend(planned);
                check.add(&found);
            }
            Err(failure) => plan.skipped.push(Skipped {
                account: site.place.account.clone(),
                region: Some(site.place.region.clone()),
                reason: failure.to_string(),
                is_failure: true,
            }),
        }
    }
    drop(surveyed);
    plan.functions
        .sort_unstable_by(|one, other| (&one.place, &one.name).cmp(&(&other.place, &other.name)));
    (plan.skipped)
        .sort_by(|one, other| (&one.account, &one.region).cmp(&(&other.account, &other.region)));
    if selection.only.is_none() {
        plan.missing = check.missing(fleet).await;
    }
    plan
}

async fn plan_site(
    site: &Arc<Site>,
    selection: &Selection,
    intent: &Intent,
    sizes: &Sizes,
    observer: &dyn Observer,
) -> Result<(Vec<Box<Planned>>, Found<Listed>), crate::aws::Failure> {
    let mut found = select::find(site, selection, Listed::of).await?;
    observer.found(&site.place, found.functions.len() as u64);
    let unreadable: Vec<_> = (found.unreadable.iter())
        .map(|(name, reason)| Box::new(Planned::unreadable(site, name, reason)))
        .collect();
    if found.functions.is_empty() {
        return Ok((unreadable, found));
    }
    let count = found.functions.len();
    // Beside each other, as `GetFunction` has a quota of its own: the first functions wait for the facts.
    let facts = SetOnce::new();
    let gathered = async {
        let gathered = facts::PlaceFacts::of(site, intent, sizes, count).await?;
        _ = facts.set(gathered);
        Ok(())
    };
    let decided = stream::iter(std::mem::take(&mut found.functions))
        .map(|listed| async {
            let planned = match listed.read(site).await {
                Ok(function) => {
                    let facts = facts.wait().await;
                    // In a box, because thousands wait for their turn to be read.
                    Box::pin(decide::decide(site, &function, intent, facts)).await
                }
                Err(planned) => planned,
            };
            observer.one_done(&site.place);
            Box::new(planned)
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    let ((), mut planned) = tokio::try_join!(gathered, async { Ok(decided.await) })?;
    planned.extend(unreadable);
    Ok((planned, found))
}

impl Plan {
    /// Of no function.
    pub fn empty(fleet: &Fleet, targets: Targets, intent: &Intent) -> Self {
        Self::of(fleet, targets, intent.action(), intent.extras())
    }

    /// To change one function for a drill.
    pub fn drill(fleet: &Fleet, targets: Targets, function: &Function, change: Change) -> Self {
        let mut plan = Self::of(fleet, targets, Action::Drill, Extras::default());
        let mut planned = Planned::without_change(function, Reason::Ok, None);
        planned.change = Some(change.sealed(is_secret));
        plan.functions.push(Box::new(planned));
        plan
    }

    fn of(fleet: &Fleet, targets: Targets, action: Action, extras: Extras) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: now(),
            action,
            targets: fleet.resolved(targets),
            sources: BTreeMap::new(),
            extras,
            rollout: Rollout::default(),
            grants: Vec::new(),
            functions: Vec::new(),
            missing: Vec::new(),
            skipped: fleet.skipped.clone(),
            owner: None,
        }
    }

    /// The functions with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Planned> {
        let functions = self.functions.iter().map(|planned| &**planned);
        functions.filter(move |planned| planned.verdict == verdict)
    }

    /// Whether every account and region was looked at, every name was found, and nothing of others is in
    /// the way.
    pub fn is_whole(&self) -> bool {
        self.is_seen() && self.functions.iter().all(|it| it.conflicts.is_empty())
    }

    fn is_seen(&self) -> bool {
        self.missing.is_empty() && !self.skipped.iter().any(|skipped| skipped.is_failure)
    }

    /// Whether it comes to nothing: no function is changed, and no role's policy.
    pub fn is_idle(&self) -> bool {
        self.with(Verdict::Change).next().is_none() && self.grants.is_empty()
    }

    /// Functions that the plan leaves alone. Those that someone else has changed are not among them: they are
    /// conflicts.
    pub fn refused(&self) -> impl Iterator<Item = &Planned> {
        (self.with(Verdict::Refused)).filter(|planned| planned.conflicts.is_empty())
    }
}

impl Planned {
    /// A function of which nothing is known but its name.
    fn unreadable(site: &Site, name: &str, reason: &str) -> Self {
        let (partition, Place { account, region }) = (&site.partition, &site.place);
        let arn = format!("arn:{partition}:lambda:{region}:{account}:function:{name}");
        let detail = Some(reason.to_owned());
        Self::of_name(site.place.clone(), name, &arn, Reason::Unreadable, detail)
    }

    fn of_name(
        place: Place,
        name: &str,
        arn: &str,
        reason: Reason,
        detail: Option<String>,
    ) -> Self {
        Self {
            place,
            name: name.to_owned(),
            arn: arn.to_owned(),
            role: String::new(),
            verdict: reason.verdict(),
            reason,
            detail,
            revision: String::new(),
            change: None,
            alias: None,
            version: None,
            needs: BTreeSet::new(),
            kept: Vec::new(),
            conflicts: Vec::new(),
            traps: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A function that is as it should be, or that will not be touched.
    fn without_change(function: &Function, reason: Reason, detail: Option<String>) -> Self {
        let place = function.place.clone();
        Self {
            role: function.role.clone(),
            revision: function.revision.clone(),
            ..Self::of_name(place, &function.name, &function.arn, reason, detail)
        }
    }
}
