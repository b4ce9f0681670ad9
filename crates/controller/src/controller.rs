//! Plans, writes and records the result.
//!
//! Invariants: nothing is written before its run is in the state; what fails to be read stops the writes,
//! and is in the result; the result is kept whatever happened, and in time for an answer.

mod resource;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use backstop_common::time::now;
use backstop_fleet::aws::Access;
use backstop_fleet::fleet::{Accounts, Place, Regions, Targets};
use backstop_fleet::journal::{Store, beside};
use backstop_fleet::plan::{Allowed, Extras, Observer, Plan, Planned};
use backstop_fleet::select::{Literal, Pattern, Selection};
use backstop_fleet::session::{Attachment, Session};
use backstop_fleet::settings::Settings as Variables;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::decide::{self, Decision, Rules};
use crate::event::Request;
use crate::result::{Outcome, Trigger};
use crate::settings::{Mode, Settings};
use crate::wanted::{self, Wanted};
use write::Write;

/// The work ends this long before the invocation does: the result is kept (10 s), and the answer to
/// `CloudFormation` is tried four times (24 s).
const ANSWER: Duration = Duration::from_secs(40);
/// How long keeping the result may take.
const KEEP: Duration = Duration::from_secs(10);
/// How long reading the switch may take; what takes longer counts as set.
const LOOK: Duration = Duration::from_secs(5);

/// The controller, for the life of an execution environment.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    access: Access,
    /// It remembers what it has read: journals of finished runs never change.
    store: OnceCell<Store>,
}

/// What belongs to one invocation.
struct Invocation<'a> {
    /// When it ends.
    deadline: Instant,
    lines: &'a Lines,
    outcome: &'a mut Outcome,
}

/// Keeps the lines that the library has for people.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<String>>);

impl Observer for Lines {
    fn found(&self, _: &Place, _: u64) {}

    fn one_done(&self, _: &Place) {}

    fn message(&self, line: &str) {
        if line.starts_with("Warning")
            && let Ok(mut lines) = self.0.lock()
        {
            lines.push(line.to_owned());
        }
    }
}

impl Controller {
    /// With its settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            access: Access::default(),
            store: OnceCell::new(),
        }
    }

    /// This function's name.
    pub fn name(&self) -> &str {
        &self.settings.own_name
    }

    /// Does what an invocation asks for, which ends at `deadline`.
    pub async fn handle(&self, request: &Request, deadline: Instant) -> Outcome {
        let trigger = match request {
            Request::Everything => Trigger::Plan,
            Request::Changed(_) => Trigger::Events,
            Request::Resource(_) => Trigger::Resource,
        };
        let mut outcome = Outcome::new(trigger, self.settings.mode, now());
        let lines = Lines::default();
        let mut invocation = Invocation {
            deadline,
            lines: &lines,
            outcome: &mut outcome,
        };
        let last = deadline.checked_sub(ANSWER).unwrap_or(deadline);
        let work = Box::pin(self.work(request, &mut invocation));
        match tokio::time::timeout_at(last, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => outcome.fail(format!("{error:#}")),
            Err(_) => {
                let runs = outcome.runs.join(", ");
                let what = if runs.is_empty() {
                    "nothing was written".to_owned()
                } else {
                    format!("`backstop runs` shows what run {runs} wrote")
                };
                outcome.fail(format!("the work did not end in time: {what}"));
            }
        }
        (outcome.skipped).extend(lines.0.into_inner().unwrap_or_default());
        outcome.at = now();
        outcome.finish();
        let kept = tokio::time::timeout(KEEP, self.keep(&outcome)).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => outcome.fail(format!("the result cannot be kept: {error:#}")),
            Err(_) => outcome.fail("the result cannot be kept: S3 does not answer".to_owned()),
        }
        outcome
    }

    /// Each trigger has its own: a plan for one function must not pass for a plan over everything.
    async fn keep(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let name = match outcome.trigger {
            Trigger::Plan => beside::LAST_PLAN,
            Trigger::Events => beside::LAST_EVENTS,
            Trigger::Resource => beside::LAST_RESOURCE,
        };
        let store = self.store().await?;
        store.keep(name, serde_json::to_vec(outcome)?).await
    }

    async fn store(&self) -> anyhow::Result<&Store> {
        let open = || async {
            let key = self.settings.state_kms_key.clone();
            Store::open(Some(&self.settings.state), &self.access, key).await
        };
        self.store.get_or_try_init(open).await
    }

    async fn work(&self, request: &Request, invocation: &mut Invocation<'_>) -> anyhow::Result<()> {
        if let Request::Changed(changed) = request {
            let counts = &mut invocation.outcome.counts;
            counts.own_events = changed.own;
            counts.ignored_events = changed.ignored;
            if changed.functions.is_empty() {
                return Ok(());
            }
        }
        let store = self.store().await?.clone();
        self.look_at_switch(&store, invocation.outcome).await;
        if let Request::Resource(resource) = request {
            return Box::pin(self.resource(store, resource, invocation)).await;
        }
        let wanted = wanted::read(&self.settings, &self.access).await?;
        let mut targets = wanted.project.targets()?;
        let mut selection = wanted.selected()?;
        if let Request::Changed(changed) = request {
            selection.only = Some(literals(&changed.functions)?);
            targets = narrowed(targets, &changed.functions);
        }
        let session = Session::open(self.access.clone(), targets, store).await?;
        let attach = Attach {
            selection,
            wanted,
            owner: None,
        };
        Box::pin(self.attach(&session, attach, invocation)).await
    }

    /// Notes whether a switch stops all writes: once set, it is set for the whole invocation.
    async fn look_at_switch(&self, store: &Store, outcome: &mut Outcome) {
        if outcome.is_stopped {
            return;
        }
        let looked = tokio::time::timeout(LOOK, self.is_stopped(store)).await;
        let looked = looked.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not answer")));
        outcome.is_stopped = looked.unwrap_or_else(|error| {
            let problem = format!("the switch counts as set, because it is unreadable: {error:#}");
            outcome.skipped.push(problem);
            true
        });
    }

    async fn is_stopped(&self, store: &Store) -> anyhow::Result<bool> {
        Ok(store.kept(beside::STOP).await?.is_some()
            || wanted::is_stopped(&self.settings, &self.access).await?)
    }

    async fn attach(
        &self,
        session: &Session,
        attach: Attach,
        invocation: &mut Invocation<'_>,
    ) -> anyhow::Result<()> {
        let runs = session.store.outlines().await?;
        let writes = decide::writes(&runs, SystemTime::now());
        let known = decide::known(runs);
        let wanted = attach.wanted;
        let is_asked = attach.owner.is_some();
        let variables = Variables::resolve(&wanted.settings, &session.config().await).await;
        let attachment = Attachment {
            layers: wanted.layers,
            settings: variables.context("the settings of the wanted state cannot be used")?,
            overwrite: BTreeSet::new(),
            allowed: Allowed {
                managed: self.settings.include_managed || is_asked,
                ..Allowed::default()
            },
            extras: Extras::default(),
        };
        let (mut plan, vault) = session
            .plan_attach(&attach.selection, attachment, invocation.lines)
            .await?;
        plan.owner = attach.owner;
        skip(&plan, attach.selection.only.is_none(), invocation.outcome);
        let rules = self.rules(invocation.outcome, &known, &writes);
        let decisions = self.decisions(&plan, |it, own| {
            if is_asked {
                rules.asked(it, own, Decision::Attach)
            } else {
                rules.decide(it, own)
            }
        });
        let write = Write {
            plan,
            vault,
            decisions,
        };
        Box::pin(self.write(session, write, invocation)).await
    }

    fn rules<'a>(
        &self,
        outcome: &Outcome,
        known: &'a BTreeSet<String>,
        writes: &'a BTreeMap<String, usize>,
    ) -> Rules<'a> {
        Rules {
            mode: if outcome.is_stopped {
                Mode::Report
            } else {
                self.settings.mode
            },
            known,
            writes,
            max_writes: self.settings.max_writes,
        }
    }

    fn decisions(&self, plan: &Plan, decide: impl Fn(&Planned, bool) -> Decision) -> Vec<Decision> {
        (plan.functions.iter())
            .map(|planned| decide(planned, self.settings.is_own(&planned.name)))
            .collect()
    }
}

/// What to attach.
struct Attach {
    selection: Selection,
    wanted: Wanted,
    /// The resource that asks for just these functions.
    owner: Option<String>,
}

/// What of the plan is not known.
fn skip(plan: &Plan, is_everything: bool, outcome: &mut Outcome) {
    let before = outcome.skipped.len();
    let skipped = plan.skipped.iter().filter(|it| it.is_failure);
    (outcome.skipped).extend(skipped.map(|it| format!("{}: {}", it.place(), it.reason)));
    // The next time the place may be there again.
    outcome.is_passing |= outcome.skipped.len() > before;
    if is_everything {
        let missing = plan.missing.iter();
        (outcome.skipped).extend(missing.map(|it| format!("not found: {it}")));
    }
}

fn literals(arns: &BTreeSet<String>) -> anyhow::Result<Vec<Literal>> {
    let patterns = Selection::of_arns(arns)?.functions;
    Ok(patterns.iter().filter_map(Pattern::literal).collect())
}

/// Of the targets, the accounts and regions of these functions: an event must not cost a call in each.
fn narrowed(targets: Targets, arns: &BTreeSet<String>) -> Targets {
    let places: Vec<Place> = arns.iter().filter_map(|arn| place_of(arn)).collect();
    let accounts = match targets.accounts {
        Accounts::Listed(accounts) => {
            let is_named = |account: &String| places.iter().any(|it| it.account == *account);
            Accounts::Listed(accounts.into_iter().filter(is_named).collect())
        }
        other => other,
    };
    let regions = match targets.regions {
        Regions::Listed(regions) => {
            let is_named = |region: &String| places.iter().any(|it| it.region == *region);
            Regions::Listed(regions.into_iter().filter(is_named).collect())
        }
        other => other,
    };
    Targets {
        accounts,
        regions,
        ..targets
    }
}

/// The account and region of an ARN.
fn place_of(arn: &str) -> Option<Place> {
    let arn = backstop_config::Arn::parse(arn)?;
    Some(Place {
        account: arn.account.to_owned(),
        region: arn.region.to_owned(),
    })
}
