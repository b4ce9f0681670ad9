//! The commands `plan`, `attach`, `detach` and `apply`, and the session that they share.

use std::process::ExitCode;

use backstop_fleet::session::{Attachment, Session as Work};

use super::reporter::Reporter;
use super::runs::{State, open_store};
use super::{PARTIAL, REFUSED, confirmed};
use crate::apply::Summary;
use crate::aws::Access;
use crate::change::Vault;
use crate::cli::{
    ApplyArgs, ApplyOptions, AttachArgs, DetachArgs, IntentArgs, PlanArgs, StateArgs, TargetArgs,
    UsageError,
};
use crate::fleet::Targets;
use crate::journal::{Progress, Run, Store};
use crate::layer::Manifest;
use crate::output::{Output, plural};
use crate::plan::{self, Action, Allowed, Explanations, Extras, Plan, Rollout, Verdict, View};
use crate::project::Project;
use crate::select::Selection;
use crate::settings::Settings;

/// Changes or drift are there, and that was asked.
pub(super) const CHANGES: u8 = 4;

pub(super) async fn run_plan(args: PlanArgs, output: Output) -> anyhow::Result<ExitCode> {
    if let Some(reasons) = &args.explain {
        output.result(&Explanations::of(&reasons.0))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rollout = args.waves.rollout(&Rollout::default())?;
    let session = Session::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection(&session.project)?;
    let allowed = args.allow.allowed();
    let extras = args.extras.extras(args.grant.grant);
    let (mut plan, _) = if args.detach {
        session.plan_detach(&selection, allowed, extras).await?
    } else {
        session
            .plan_attach(&selection, &args.intent, allowed, extras)
            .await?
    };
    plan.rollout = rollout;
    if let Some(path) = &args.out {
        plan::write(&plan, path)?;
        output.progress(&format!(
            "To apply this plan: backstop apply {}",
            path.display()
        ));
    }
    output.result(&View {
        plan: &plan,
        is_full: args.full,
    })?;
    if args.out.is_none() && !plan.is_idle() {
        let next = "add --out plan.json, then run backstop apply plan.json";
        output.hint("To carry out exactly this", next);
    }
    let is_unknown = session.warns_of_unknown_runs(&plan).await?;
    Ok(if !plan.is_whole() || is_unknown {
        ExitCode::from(PARTIAL)
    } else if args.detailed_exitcode && !plan.is_idle() {
        ExitCode::from(CHANGES)
    } else {
        ExitCode::SUCCESS
    })
}

pub(super) async fn run_attach(args: AttachArgs, output: Output) -> anyhow::Result<ExitCode> {
    args.apply_options.waves.rollout(&Rollout::default())?;
    let session = Session::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection(&session.project)?;
    let allowed = args.allow.allowed();
    let extras = args.extras.extras(args.grant.grant);
    let (plan, vault) = (session.plan_attach(&selection, &args.intent, allowed, extras)).await?;
    session
        .change(plan, &vault, args.dry_run, args.strict, &args.apply_options)
        .await
}

pub(super) async fn run_detach(args: DetachArgs, output: Output) -> anyhow::Result<ExitCode> {
    args.apply_options.waves.rollout(&Rollout::default())?;
    let session = Session::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection(&session.project)?;
    let (allowed, extras) = (args.allow.allowed(), args.extras.extras(false));
    let (plan, vault) = session.plan_detach(&selection, allowed, extras).await?;
    session
        .change(plan, &vault, args.dry_run, args.strict, &args.apply_options)
        .await
}

pub(super) async fn run_apply(args: ApplyArgs, output: Output) -> anyhow::Result<ExitCode> {
    let plan = plan::read(&args.plan)?;
    let state = State::open(&args.access.connection, &args.state, output).await?;
    let session = state.session(&plan.targets, args.access.rate).await?;
    let vault = session.vault(&plan).await?;
    session
        .change(plan, &vault, false, false, &args.apply_options)
        .await
}

/// All that a command on functions works with.
pub(super) struct Session {
    pub(super) output: Output,
    pub(super) project: Project,
    pub(super) work: Work,
}

impl Session {
    pub(super) async fn open(
        args: &TargetArgs,
        state: &StateArgs,
        output: Output,
    ) -> anyhow::Result<Self> {
        let project = args.connection.project()?;
        let (access, targets) = (args.connection.access(&project), args.targets(&project)?);
        let store = open_store(state, &project, &access, output).await?;
        Self::with(project, access, targets, store, output).await
    }

    pub(super) async fn with(
        project: Project,
        access: Access,
        targets: Targets,
        store: Store,
        output: Output,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            work: Work::open(access, targets, store).await?,
            output,
            project,
        })
    }

    async fn plan_attach(
        &self,
        selection: &Selection,
        intent: &IntentArgs,
        allowed: Allowed,
        extras: Extras,
    ) -> anyhow::Result<(Plan, Vault)> {
        let config = self.work.config().await;
        let wanted = Attachment {
            settings: Settings::resolve(&intent.explicit(&self.project)?, &config).await?,
            layers: layers(intent, &self.project)?,
            overwrite: intent.overwrite.iter().cloned().collect(),
            allowed,
            extras,
        };
        let reporter = Reporter::new(self.output);
        let planned = self.work.plan_attach(selection, wanted, &reporter).await;
        reporter.clear();
        let (plan, vault) = planned?;
        super::generate::keep_names(&plan);
        Ok((plan, vault))
    }

    async fn plan_detach(
        &self,
        selection: &Selection,
        allowed: Allowed,
        extras: Extras,
    ) -> anyhow::Result<(Plan, Vault)> {
        let reporter = Reporter::new(self.output);
        let planned = (self.work.plan_detach(selection, allowed, extras, &reporter)).await;
        reporter.clear();
        let (plan, vault) = planned?;
        super::generate::keep_names(&plan);
        Ok((plan, vault))
    }

    /// To put back what a run changed.
    pub(super) async fn plan_undo(&self, id: &str, run: &Run) -> anyhow::Result<(Plan, Vault)> {
        let reporter = Reporter::new(self.output);
        let planned = self.work.plan_undo(id, run, &reporter).await;
        reporter.clear();
        planned
    }

    /// Every run that can be read, with a warning for each other one.
    pub(super) async fn runs(&self) -> anyhow::Result<Vec<Run>> {
        self.work.runs(&Reporter::new(self.output)).await
    }

    /// The secrets that a plan has digests of.
    pub(super) async fn vault(&self, plan: &Plan) -> anyhow::Result<Vault> {
        self.work.vault(plan, &Reporter::new(self.output)).await
    }

    /// Shows the plan, asks, begins a run and carries it out.
    pub(super) async fn change(
        &self,
        plan: Plan,
        vault: &Vault,
        dry_run: bool,
        strict: bool,
        apply_options: &ApplyOptions,
    ) -> anyhow::Result<ExitCode> {
        let is_unknown = self.warns_of_unknown_runs(&plan).await?;
        let code = Box::pin(self.change_known(plan, vault, dry_run, strict, apply_options)).await?;
        // A pipeline that lacks its state must not be taken for one that did its work.
        Ok(if is_unknown && code == ExitCode::SUCCESS {
            ExitCode::from(PARTIAL)
        } else {
            code
        })
    }

    async fn change_known(
        &self,
        mut plan: Plan,
        vault: &Vault,
        dry_run: bool,
        strict: bool,
        apply_options: &ApplyOptions,
    ) -> anyhow::Result<ExitCode> {
        plan.rollout = apply_options.waves.rollout(&plan.rollout)?;
        let view = View {
            plan: &plan,
            is_full: apply_options.full,
        };
        let is_strict = strict && plan.with(Verdict::Refused).next().is_some();
        let refused = plan.refused().count();
        let is_refused = is_strict || refused > 0 && refused == plan.functions.len();
        if dry_run || is_refused {
            self.output.result(&view)?;
            return Ok(if is_refused {
                ExitCode::from(REFUSED)
            } else if plan.is_whole() {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(PARTIAL)
            });
        }
        self.output.shown(&view);
        if plan.is_idle() {
            // Do not start a run that changes nothing.
            let summary = Summary::new("", &plan);
            self.report(&summary, apply_options.full)?;
            return Ok(super::execution::code(&summary));
        }
        if !apply_options.yes && !confirmed(&question(&plan))? {
            self.output.progress("Nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        self.hint_at_shared_state();
        let journal = self.work.store.create(&plan).await?;
        self.execute(&plan, vault, journal, &Progress::default(), apply_options)
            .await
    }
}

/// The layer versions that were given.
fn layers(intent: &IntentArgs, project: &Project) -> anyhow::Result<Vec<String>> {
    let mut arns = intent.layer.clone();
    if arns.is_empty() && intent.layers.is_none() {
        arns.clone_from(&project.layer.arns);
    }
    let manifest = intent.layers.as_ref().or(project.layer.manifest.as_ref());
    if let Some(path) = manifest.filter(|_| intent.layer.is_empty()) {
        let manifest = Manifest::read(path)?;
        arns.extend(manifest.entries().map(|entry| entry.arn.to_owned()));
    }
    if arns.is_empty() {
        let problem = "no layer is given: use --layers with the manifest that `backstop layer \
            publish` writes, or --layer ARN";
        return Err(UsageError(problem.to_owned()).into());
    }
    Ok(arns)
}

/// What is asked before anything is changed.
fn question(plan: &Plan) -> String {
    let what = match plan.action {
        Action::Attach => "Attach to",
        Action::Detach => "Detach from",
        Action::Undo { .. } => "Restore",
        Action::Drill => "Fail the primary of",
    };
    let changes = plan.with(Verdict::Change).count() as u64;
    let roles = plural(plan.grants.len() as u64, "role");
    match (changes, plan.grants.len()) {
        (0, 1..) => format!("Write the policies of {roles}?"),
        (_, 0) => format!("{what} {}?", plural(changes, "function")),
        _ => format!(
            "{what} {}, and write the policies of {roles}?",
            plural(changes, "function")
        ),
    }
}
