//! Plans, writes and records the result.
//!
//! Invariants: nothing is written before its run is in the state; what fails to be read stops the writes,
//! and is in the result; the result is kept whatever happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use backstop_common::time::now;
use backstop_fleet::apply::{self, Summary};
use backstop_fleet::aws::Access;
use backstop_fleet::change::Vault;
use backstop_fleet::fleet::{Accounts, Place, Regions, Targets};
use backstop_fleet::journal::{History, Progress, Store};
use backstop_fleet::plan::{Allowed, Extras, Observer, Plan, Planned, Rollout};
use backstop_fleet::select::{Literal, Pattern, Selection};
use backstop_fleet::session::{Attachment, Execution, Session};
use backstop_fleet::settings::Settings as Variables;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use crate::decide::{self, Decision, Rules};
use crate::event::{Request, Resource};
use crate::result::{Failure, Outcome, Trigger};
use crate::settings::{Mode, Settings};
use crate::wanted::{self, Wanted};

/// The result of the last invocation, in the state.
pub const LAST: &str = "controller/last.json";
/// The result of the last plan over everything.
pub const LAST_PLAN: &str = "controller/last-plan.json";
/// An object that stops all writes.
pub const STOP: &str = "controller/stop";
/// Nothing is begun this long before the invocation's end: a function that was begun is finished.
const RESERVE: Duration = Duration::from_secs(45);
/// How long to wait for a function that is being updated.
const WAIT: Duration = Duration::from_secs(30);

/// The controller, for the life of an execution environment.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    access: Access,
    /// It remembers what it has read: journals of finished runs never change.
    store: OnceCell<Store>,
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
        if let Err(error) = Box::pin(self.work(request, deadline, &lines, &mut outcome)).await {
            outcome.error = Some(format!("{error:#}"));
        }
        (outcome.skipped).extend(lines.0.into_inner().unwrap_or_default());
        outcome.at = now();
        if let Err(error) = self.keep(&outcome).await {
            let problem = format!("the result cannot be kept: {error:#}");
            outcome.error = Some(match outcome.error.take() {
                Some(earlier) => format!("{earlier}\n{problem}"),
                None => problem,
            });
        }
        outcome
    }

    async fn keep(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let store = self.store().await?;
        let text = serde_json::to_vec(outcome)?;
        if outcome.trigger == Trigger::Plan {
            store.keep(LAST_PLAN, text.clone()).await?;
        }
        store.keep(LAST, text).await
    }

    async fn store(&self) -> anyhow::Result<&Store> {
        let open = || async {
            let key = self.settings.state_kms_key.clone();
            Store::open(Some(&self.settings.state), &self.access, key).await
        };
        self.store.get_or_try_init(open).await
    }

    async fn work(
        &self,
        request: &Request,
        deadline: Instant,
        lines: &Lines,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        if let Request::Changed(changed) = request {
            outcome.counts.own_events = changed.own;
            outcome.counts.ignored_events = changed.ignored;
            if changed.functions.is_empty() {
                return Ok(());
            }
        }
        let store = self.store().await?.clone();
        outcome.is_stopped = match self.is_stopped(&store).await {
            Ok(is_stopped) => is_stopped,
            Err(error) => {
                let problem =
                    format!("the switch counts as set, because it is unreadable: {error:#}");
                outcome.skipped.push(problem);
                true
            }
        };
        let wanted = wanted::read(&self.settings, &self.access).await?;
        let targets = wanted.project.targets()?;
        match request {
            Request::Everything => {
                let selection = wanted.selected()?;
                let session = Session::open(self.access.clone(), targets, store).await?;
                let attach = Attach {
                    selection,
                    wanted,
                    is_asked: false,
                };
                Box::pin(self.attach(&session, attach, deadline, lines, outcome)).await
            }
            Request::Changed(changed) => {
                let selection = Selection {
                    only: Some(literals(&changed.functions)?),
                    ..wanted.selected()?
                };
                let targets = narrowed(targets, &changed.functions);
                let session = Session::open(self.access.clone(), targets, store).await?;
                let attach = Attach {
                    selection,
                    wanted,
                    is_asked: false,
                };
                Box::pin(self.attach(&session, attach, deadline, lines, outcome)).await
            }
            Request::Resource(resource) => {
                let named = resource.attach.union(&resource.detach).cloned().collect();
                let targets = narrowed(targets, &named);
                let session = Session::open(self.access.clone(), targets, store).await?;
                Box::pin(self.resource(&session, resource, wanted, deadline, lines, outcome)).await
            }
        }
    }

    async fn is_stopped(&self, store: &Store) -> anyhow::Result<bool> {
        Ok(store.kept(STOP).await?.is_some()
            || wanted::is_stopped(&self.settings, &self.access).await?)
    }

    async fn resource(
        &self,
        session: &Session,
        resource: &Resource,
        wanted: Wanted,
        deadline: Instant,
        lines: &Lines,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        // Of a resource that attached nothing there is nothing to take back.
        let known = History::of_all(&session.store.runs().await?).changes;
        let detach: BTreeSet<String> = (resource.detach.iter())
            .filter(|arn| known.contains_key(*arn))
            .cloned()
            .collect();
        if resource.attach.is_empty() && detach.is_empty() {
            return Ok(());
        }
        if outcome.is_stopped {
            bail!("the switch stops all writes: remove it, and repeat the deployment");
        }
        if self.settings.mode == Mode::Report {
            bail!("the mode is report, which writes nothing: set it to attach or enforce");
        }
        if !resource.attach.is_empty() {
            let attach = Attach {
                selection: named(&resource.attach)?,
                wanted,
                is_asked: true,
            };
            Box::pin(self.attach(session, attach, deadline, lines, outcome)).await?;
        }
        if !detach.is_empty() {
            let allowed = Allowed {
                managed: true,
                inactive: true,
                beside_others: true,
            };
            let selection = named(&detach)?;
            let (plan, vault) = session
                .plan_detach(&selection, allowed, Extras::default(), lines)
                .await?;
            // A function that is gone has nothing to take back.
            let (none, unwritten) = (BTreeSet::new(), BTreeMap::new());
            let rules = self.rules(outcome, &none, &unwritten);
            let decisions = self.decisions(&plan, |it, own| rules.asked(it, own, Decision::Detach));
            skip(&plan, false, outcome);
            Box::pin(self.write(session, plan, &vault, decisions, deadline, lines, outcome))
                .await?;
        }
        Ok(())
    }

    async fn attach(
        &self,
        session: &Session,
        attach: Attach,
        deadline: Instant,
        lines: &Lines,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        let runs = session.store.runs().await?;
        let known = decide::known(&runs);
        let writes = decide::writes(&runs, SystemTime::now());
        drop(runs);
        let wanted = attach.wanted;
        let variables = Variables::resolve(&wanted.settings, &session.config().await).await;
        let attachment = Attachment {
            layers: wanted.layers,
            settings: variables.context("the settings of the wanted state cannot be used")?,
            overwrite: BTreeSet::new(),
            allowed: Allowed {
                managed: self.settings.include_managed || attach.is_asked,
                ..Allowed::default()
            },
            extras: Extras::default(),
        };
        let (plan, vault) = session
            .plan_attach(&attach.selection, attachment, lines)
            .await?;
        skip(&plan, attach.selection.only.is_none(), outcome);
        let rules = self.rules(outcome, &known, &writes);
        let decisions = self.decisions(&plan, |it, own| {
            if attach.is_asked {
                rules.asked(it, own, Decision::Attach)
            } else {
                rules.decide(it, own)
            }
        });
        Box::pin(self.write(session, plan, &vault, decisions, deadline, lines, outcome)).await
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

    /// Carries out what was decided, and counts every function.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a part of one invocation"
    )]
    async fn write(
        &self,
        session: &Session,
        mut plan: Plan,
        vault: &Vault,
        decisions: Vec<Decision>,
        deadline: Instant,
        lines: &Lines,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        let mut write = Vec::new();
        for (planned, decision) in std::mem::take(&mut plan.functions)
            .into_iter()
            .zip(decisions)
        {
            if decision.writes() {
                plan.functions.push(planned);
                write.push(decision);
            } else {
                outcome.add(&planned, decision, None);
            }
        }
        // The journal is about what is written, and the controller writes no grants.
        plan.grants.clear();
        plan.missing.clear();
        if plan.functions.is_empty() {
            return Ok(());
        }
        let journal = session.store.create(&plan).await?;
        let run = journal.run.clone();
        outcome.runs.push(run.clone());
        let (stop, stopped) = watch::channel(false);
        let progress = Progress::default();
        let options = apply::Options {
            wait: WAIT,
            rollout: Rollout::default(),
        };
        let execution = Execution {
            vault,
            journal: &journal,
            progress: &progress,
            options,
            stop: stopped,
        };
        let last = deadline.checked_sub(RESERVE).unwrap_or(deadline);
        let summary = {
            let executed = session.execute(&plan, execution, lines);
            tokio::pin!(executed);
            tokio::select! {
                summary = &mut executed => summary,
                () = tokio::time::sleep_until(last) => {
                    // What is begun is finished.
                    stop.send(true).ok();
                    executed.await
                }
            }
        };
        journal.close().await;
        let summary = summary.with_context(|| format!("run {run} was stopped"))?;
        let done = session.store.read(&run).await?.progress;
        for (planned, decision) in plan.functions.iter().zip(write) {
            let (decision, failure) = became(planned, decision, &summary, &done);
            outcome.add(planned, decision, failure.as_ref());
        }
        Ok(())
    }
}

/// What to attach.
struct Attach {
    selection: Selection,
    wanted: Wanted,
    /// Whether a resource asks for just these functions.
    is_asked: bool,
}

fn became(
    planned: &Planned,
    decision: Decision,
    summary: &Summary,
    done: &Progress,
) -> (Decision, Option<Failure>) {
    let mut left = summary.left.iter();
    if let Some(left) = left.find(|it| it.name == planned.name && it.place == planned.place) {
        return (decision, Some(Failure::Failed(left.reason.clone())));
    }
    if done.is_done(&planned.arn) {
        return (decision, None);
    }
    if summary.is_interrupted {
        return (decision, Some(Failure::NotBegun));
    }
    // Somebody made the same change meanwhile.
    (Decision::Unchanged, None)
}

/// What of the plan is not known.
fn skip(plan: &Plan, is_everything: bool, outcome: &mut Outcome) {
    let skipped = plan.skipped.iter().filter(|it| it.is_failure);
    (outcome.skipped).extend(skipped.map(|it| format!("{}: {}", it.place(), it.reason)));
    if is_everything {
        let missing = plan.missing.iter();
        (outcome.skipped).extend(missing.map(|it| format!("not found: {it}")));
    }
}

fn literals(arns: &BTreeSet<String>) -> anyhow::Result<Vec<Literal>> {
    let patterns = named(arns)?.functions;
    Ok(patterns.iter().filter_map(Pattern::literal).collect())
}

/// Just these functions.
fn named(arns: &BTreeSet<String>) -> anyhow::Result<Selection> {
    let patterns = arns.iter().map(|arn| arn.parse());
    Ok(Selection {
        functions: (patterns.collect::<Result<_, String>>()).map_err(anyhow::Error::msg)?,
        ..Selection::default()
    })
}

/// Of the targets, the accounts and regions of these functions: an event must not cost a call in each.
fn narrowed(targets: Targets, arns: &BTreeSet<String>) -> Targets {
    let places: Vec<(&str, &str)> = (arns.iter())
        .filter_map(|arn| {
            let mut parts = arn.split(':').skip(3);
            Some((parts.next()?, parts.next()?))
        })
        .collect();
    let accounts = match targets.accounts {
        Accounts::Listed(accounts) => {
            let is_named = |account: &String| places.iter().any(|(_, it)| it == account);
            Accounts::Listed(accounts.into_iter().filter(is_named).collect())
        }
        other => other,
    };
    let regions = match targets.regions {
        Regions::Listed(regions) => {
            let is_named = |region: &String| places.iter().any(|(it, _)| it == region);
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
