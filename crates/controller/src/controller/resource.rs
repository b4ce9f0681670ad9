//! A resource of Terraform or `CloudFormation`: attaches what it asks for, and takes back what it attached.
//!
//! Invariants: what a resource attached is in the journal, and nothing else is detached for it; a deletion
//! needs neither the wanted state nor the properties of the resource.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use backstop_fleet::fleet::{Accounts, Regions, Targets};
use backstop_fleet::journal::{Outline, Run, Store, owned};
use backstop_fleet::plan::{Allowed, Extras};
use backstop_fleet::select::Selection;
use backstop_fleet::session::Session;

use super::{Attach, Controller, Invocation, Write, narrowed, place_of, skip};
use crate::decide::Decision;
use crate::event::{Detach, Resource};
use crate::settings::Mode;
use crate::wanted::{self, Wanted};

impl Controller {
    pub(super) async fn resource(
        &self,
        store: Store,
        resource: &Resource,
        invocation: &mut Invocation<'_>,
    ) -> anyhow::Result<()> {
        let runs = store.outlines().await?;
        let own = owned(&runs, &resource.owner);
        invocation.outcome.has_attached = !own.is_empty();
        let detach: BTreeSet<String> = match &resource.detach {
            Detach::Named(arns) => own.intersection(arns).cloned().collect(),
            Detach::Others => own.difference(&resource.attach).cloned().collect(),
        };
        let wanted = wanted::read(&self.settings, &self.access).await;
        // A stack that goes back asks for what it attached before: that must not need a wanted state that
        // can be used.
        let is_back = resource.attach.is_subset(&own);
        let (wanted, attach) = match wanted {
            Ok(wanted) => (Some(wanted), &resource.attach),
            Err(_) if is_back => (None, &BTreeSet::new()),
            Err(error) => return Err(error),
        };
        if attach.is_empty() && detach.is_empty() {
            return Ok(());
        }
        if invocation.outcome.is_stopped {
            bail!("the switch stops all writes: remove it, and repeat the deployment");
        }
        if self.settings.mode == Mode::Report {
            bail!("the mode is report, which writes nothing: set it to attach or enforce");
        }
        let known = wanted.as_ref().and_then(|it| it.project.targets().ok());
        if let Some(wanted) = wanted.filter(|_| !attach.is_empty()) {
            let owner = resource.owner.clone();
            Box::pin(self.attach_named(&store, attach, owner, wanted, invocation)).await?;
        }
        if !detach.is_empty() {
            let targets = known.or_else(|| targets_of(&runs, &resource.owner));
            let Some(targets) = targets else {
                bail!("neither the wanted state nor a run says how to get to the functions");
            };
            let targets = Targets {
                accounts: Accounts::Listed(places(&detach, |(account, _)| account)),
                regions: Regions::Listed(places(&detach, |(_, region)| region)),
                ..targets
            };
            let session = Session::open(self.access.clone(), targets, store).await?;
            Box::pin(self.detach(&session, &detach, resource, invocation)).await?;
        }
        Ok(())
    }

    async fn attach_named(
        &self,
        store: &Store,
        arns: &BTreeSet<String>,
        owner: String,
        wanted: Wanted,
        invocation: &mut Invocation<'_>,
    ) -> anyhow::Result<()> {
        let targets = narrowed(wanted.project.targets()?, arns);
        let session = Session::open(self.access.clone(), targets, store.clone()).await?;
        let attach = Attach {
            selection: Selection::of_arns(arns)?,
            wanted,
            owner: Some(owner),
        };
        let attached = Box::pin(self.attach(&session, attach, invocation)).await;
        invocation.outcome.demand(arns);
        attached
    }

    async fn detach(
        &self,
        session: &Session,
        arns: &BTreeSet<String>,
        resource: &Resource,
        invocation: &mut Invocation<'_>,
    ) -> anyhow::Result<()> {
        let allowed = Allowed {
            managed: true,
            inactive: true,
            beside_others: true,
        };
        let selection = Selection::of_arns(arns)?;
        let (mut plan, vault) = session
            .plan_detach(&selection, allowed, Extras::default(), invocation.lines)
            .await?;
        plan.owner = Some(resource.owner.clone());
        skip(&plan, false, invocation.outcome);
        // A function that is gone has nothing to take back.
        let is_there = |arn: &&String| plan.functions.iter().any(|it| it.arn == **arn);
        let is_read = |arn: &&String| {
            let site = place_of(arn).and_then(|place| session.fleet.sites.get(&place));
            site.is_some_and(|site| {
                let mut failed = plan.skipped.iter().filter(|it| it.is_failure);
                !failed.any(|it| it.region.as_ref() == Some(&site.place.region))
            })
        };
        let gone: Vec<String> = (arns.iter())
            .filter(|arn| !is_there(arn) && is_read(arn))
            .cloned()
            .collect();
        invocation.outcome.done.extend(gone);
        let (none, unwritten) = (BTreeSet::new(), BTreeMap::new());
        let rules = self.rules(invocation.outcome, &none, &unwritten);
        let decisions = self.decisions(&plan, |it, own| rules.asked(it, own, Decision::Detach));
        let write = Write {
            plan,
            vault,
            decisions,
        };
        let detached = Box::pin(self.write(session, write, invocation)).await;
        invocation.outcome.demand(arns);
        detached
    }
}

/// How the last run of a resource got to its functions.
fn targets_of(runs: &[Run<Outline>], owner: &str) -> Option<Targets> {
    let mut own = runs.iter().rev().map(|run| &run.header.plan);
    let last = own.find(|plan| plan.owner.as_deref() == Some(owner));
    last.map(|plan| plan.targets.clone())
}

fn places(arns: &BTreeSet<String>, part: impl Fn((String, String)) -> String) -> Vec<String> {
    let places = arns.iter().filter_map(|arn| place_of(arn));
    let parts: BTreeSet<String> = places
        .map(|place| part((place.account, place.region)))
        .collect();
    parts.into_iter().collect()
}
