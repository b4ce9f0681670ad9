//! Writes roles' policies: grants before functions change, removes grants after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::Context;
use crate::aws::Failure;
use crate::change::is_ours;
use crate::fleet::{Place, Refusals, Site};
use crate::grants::{Goal, Grant, Roles, is_same, merged};
use crate::journal::Step;
use crate::plan::Plan;
use crate::select::{self, LATEST};

/// So often a write is tried that may or may not have been done.
const ATTEMPTS: u32 = 3;

/// A role whose policy stays as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleLeft {
    pub role: String,
    pub reason: String,
}

/// What became of roles.
#[derive(Debug, Default)]
pub(super) struct RoleOutcome {
    /// How many policies were written.
    pub(super) written: u64,
    /// Policies that others need.
    pub(super) kept: Vec<RoleLeft>,
    /// Policies that should have been written and were not, by role.
    pub(super) left: BTreeMap<String, String>,
    /// What the caller was refused, by account.
    refusals: BTreeMap<String, Refusals>,
    /// What was not tried because of that.
    skipped: Vec<Grant>,
}

/// Why a policy was not written.
struct Why {
    reason: String,
    /// What the caller may not do, where that is why.
    denied: Option<String>,
}

impl From<String> for Why {
    fn from(reason: String) -> Self {
        Self {
            reason,
            denied: None,
        }
    }
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.brief(),
            denied: failure.denied_action(),
        }
    }
}

/// Before any function is changed.
pub(super) async fn give(
    context: &Context<'_>,
    plan: &Plan,
    is_stopped: impl Fn() -> bool,
) -> anyhow::Result<RoleOutcome> {
    let mut role_outcome = RoleOutcome::default();
    for grant in &plan.grants {
        if matches!(grant.goal, Goal::TakeBack { .. }) || is_stopped() {
            continue;
        }
        role_outcome.write(context, grant).await?;
    }
    if !is_stopped() {
        role_outcome.try_skipped(context).await?;
    }
    Ok(role_outcome)
}

/// After all functions were changed.
pub(super) async fn take(context: &Context<'_>, plan: &Plan) -> anyhow::Result<RoleOutcome> {
    let mut role_outcome = RoleOutcome::default();
    let mut accounts: BTreeMap<&str, BTreeSet<&Place>> = BTreeMap::new();
    for grant in &plan.grants {
        if let Goal::TakeBack { places, .. } = &grant.goal {
            let account = grant.account();
            let all = accounts.entry(account).or_default();
            all.extend(places.iter().filter(|place| place.account == account));
            let sites = context.fleet.sites.keys();
            all.extend(sites.filter(|place| place.account == account));
        }
    }
    for (account, places) in accounts {
        let users = users(context, account, &places).await;
        let grants = plan.grants.iter().filter(|grant| {
            grant.account() == account && matches!(grant.goal, Goal::TakeBack { .. })
        });
        for grant in grants {
            let role = grant.role.clone();
            match &users {
                Err(reason) => {
                    role_outcome.left.insert(role, reason.clone());
                }
                Ok(users) => match users.get(&role) {
                    Some(user) => role_outcome.kept.push(RoleLeft {
                        role,
                        reason: format!("{user} needs it"),
                    }),
                    None => role_outcome.write(context, grant).await?,
                },
            }
        }
    }
    role_outcome.try_skipped(context).await?;
    Ok(role_outcome)
}

/// A function with our layer for each role that has any, in all of the places; or why that is not known.
///
/// A version has it too for as long as an alias leads there: it is what is invoked.
async fn users(
    context: &Context<'_>,
    account: &str,
    places: &BTreeSet<&Place>,
) -> Result<BTreeMap<String, String>, String> {
    let mut users = BTreeMap::new();
    for place in places {
        let site = site(context, account, place)?;
        let found = users_at(&site).await.map_err(|failure| {
            let reason = failure.brief();
            format!("cannot tell whether functions in other accounts or regions need it: {reason}")
        })?;
        users.extend(found);
    }
    Ok(users)
}

async fn users_at(site: &Site) -> Result<BTreeMap<String, String>, Failure> {
    let mut users = BTreeMap::new();
    let mut versions: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for function in select::list_versions(site).await? {
        if !function.layers.iter().any(|arn| is_ours(arn)) {
            continue;
        }
        let version = function.arn.rsplit(':').next().unwrap_or_default();
        if version == LATEST || version == function.name {
            users.insert(function.role, format!("{} {}", site.place, function.name));
        } else {
            let versions = versions.entry(function.name).or_default();
            versions.insert(version.to_owned(), function.role);
        }
    }
    for (name, versions) in versions {
        for alias in select::aliases(site, &name).await? {
            for version in &alias.versions {
                if let Some(role) = versions.get(version) {
                    let user = format!("{} {name}:{}", site.place, alias.name);
                    users.insert(role.clone(), user);
                }
            }
        }
    }
    Ok(users)
}

/// Also in a region that is not among the targets of this run.
fn site(context: &Context<'_>, account: &str, place: &Place) -> Result<Arc<Site>, String> {
    if let Some(site) = context.fleet.sites.get(place) {
        return Ok(Arc::clone(site));
    }
    let mut sites = context.fleet.sites.values();
    let near = sites.find(|site| site.place.account == account);
    let near = near.ok_or_else(|| format!("account {account} is not reachable"))?;
    let site = near.in_region(&place.region, context.rates);
    site.map(Arc::new).map_err(|error| error.to_string())
}

/// Whether it was written; or why not. The outer error is one of the journal.
async fn write(context: &Context<'_>, grant: &Grant) -> anyhow::Result<Result<bool, Why>> {
    let journal = context.journal;
    let key = grant.key();
    if context.is_done(&key) {
        return Ok(Ok(false));
    }
    let roles = match Roles::of(context.fleet, &grant.role) {
        Ok(roles) => roles,
        Err(failure) => return Ok(Err(failure.into())),
    };
    let earlier = context.progress.get(&key);
    let mut may_be_done = earlier.is_some_and(|state| state.step.is_some());
    let mut attempts = 0;
    loop {
        let wanted = match roles.read(&grant.role).await {
            Ok(live) => match wanted(grant, live.as_deref()) {
                Ok(wanted) => Ok((live, wanted)),
                Err(reason) => Err(Why::from(reason)),
            },
            Err(failure) => Err(Why::from(failure)),
        };
        let (live, wanted) = match wanted {
            Ok((live, Some(wanted))) => (live, wanted),
            Ok((_, None)) => {
                if may_be_done {
                    journal.done(&key).await?;
                }
                return Ok(Ok(may_be_done));
            }
            Err(why) => {
                if may_be_done {
                    journal.failed(&key, &why.reason).await?;
                }
                return Ok(Err(why));
            }
        };
        let step = Step::Grant {
            role: grant.role.clone(),
            before: live,
            after: wanted.clone(),
        };
        journal.begin(step).await?;
        let Err(failure) = roles.write(&grant.role, wanted.as_deref()).await else {
            journal.done(&key).await?;
            return Ok(Ok(true));
        };
        attempts += 1;
        let reason = failure.brief();
        if !failure.kind.may_be_done() {
            journal.not_done(&key, &reason).await?;
            return Ok(Err(failure.into()));
        }
        may_be_done = true;
        if attempts >= ATTEMPTS {
            journal.failed(&key, &reason).await?;
            return Ok(Err(failure.into()));
        }
    }
}

/// What the policy is to be, whatever it has become since: none where it is that already.
#[expect(clippy::option_option, reason = "a policy's goal may be its absence")]
fn wanted(grant: &Grant, live: Option<&str>) -> Result<Option<Option<String>>, String> {
    let is_broken = match &grant.goal {
        Goal::Give(needed) => return Ok(merged(live, needed)?.map(Some)),
        Goal::GiveBack => false,
        Goal::TakeBack { is_broken, .. } => *is_broken,
    };
    if is_same(live, grant.after.as_deref()) {
        return Ok(None);
    }
    if is_broken || !is_same(live, grant.before.as_deref()) {
        return Err("someone changed the policy since; left unchanged".to_owned());
    }
    Ok(Some(grant.after.clone()))
}

impl Grant {
    fn key(&self) -> String {
        let (role, before, after) = (self.role.clone(), None, None);
        Step::Grant {
            role,
            before,
            after,
        }
        .key()
    }

    fn account(&self) -> &str {
        self.role.split(':').nth(4).unwrap_or_default()
    }
}

impl RoleOutcome {
    /// Tries what was skipped, where a later policy showed that the refusals do not hold for all.
    async fn try_skipped(&mut self, context: &Context<'_>) -> anyhow::Result<()> {
        for grant in std::mem::take(&mut self.skipped) {
            let refusals = self.refusals.get(grant.account());
            if refusals.is_some_and(Refusals::has_passed) {
                self.left.remove(&grant.role);
                self.write(context, &grant).await?;
            }
        }
        Ok(())
    }

    /// Writes a policy, unless the same was refused so often that it would be again.
    async fn write(&mut self, context: &Context<'_>, grant: &Grant) -> anyhow::Result<()> {
        let (account, role) = (grant.account(), grant.role.clone());
        let refusals = self.refusals.entry(account.to_owned()).or_default();
        if !refusals.lets_through() {
            let action = refusals.action();
            let reason =
                format!("not tried: {action} was denied for other roles of account {account}");
            self.left.insert(role, reason);
            self.skipped.push(grant.clone());
            return Ok(());
        }
        match write(context, grant).await? {
            Ok(written) => {
                // A policy that was fine shows nothing of the permission to write one.
                if written {
                    refusals.passed();
                }
                self.written += u64::from(written);
            }
            Err(Why { reason, denied }) => {
                if let Some(action) = denied {
                    refusals.refused(&action);
                }
                self.left.insert(role, reason);
            }
        }
        Ok(())
    }
}
