//! The commands `runs`, `resume` and `undo`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::Context as _;

use super::attachment::Session;
use crate::aws::Access;
use crate::cli::{ApplyOptions, ConnectionArgs, ResumeArgs, RunsArgs, StateArgs, UndoArgs};
use crate::fleet::Targets;
use crate::journal::{Detail, Runs, Store, last};
use crate::output::{Output, plural};
use crate::plan::{Action, Plan, Planned, Reason};
use crate::project::Project;

pub(super) async fn run_runs(args: RunsArgs, output: Output) -> anyhow::Result<ExitCode> {
    let state = State::open(&args.connection, &args.state, output).await?;
    if let Some(run) = &args.run {
        output.result(&Detail::of(&state.store.read(run).await?, args.full))?;
        let command = format!("backstop undo {run} --dry-run");
        output.hint("To see what undoing it would restore", &command);
        return Ok(ExitCode::SUCCESS);
    }
    let (runs, not_begun) = Runs::of(&state.store).await?;
    if not_begun > 0 {
        output.progress(&format!(
            "{} stopped before changing anything",
            plural(not_begun as u64, "run")
        ));
    }
    output.result(&runs)?;
    output.hint("To see the functions of a run", "backstop runs RUN");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run_undo(args: UndoArgs, output: Output) -> anyhow::Result<ExitCode> {
    let state = State::open(&args.access.connection, &args.state, output).await?;
    let id = match args.run {
        Some(run) => run,
        None => state.last().await?,
    };
    // Held to the end: nobody goes on with the run meanwhile. What changes nothing holds nothing.
    let (run, held) = if args.dry_run {
        (state.store.read(&id).await?, None)
    } else {
        let (run, held) = state.store.resume(&id).await?;
        (run, Some(held))
    };
    let undone = async {
        let session = state
            .session(&run.header.plan.targets, args.access.rate)
            .await?;
        let (plan, vault) = session.plan_undo(&id, &run).await?;
        if let Some(held) = held.as_ref().filter(|_| plan.is_idle()) {
            session.work.forget_unmade(&run, &plan, held).await?;
        }
        session
            .change(plan, &vault, args.dry_run, false, &args.apply_options)
            .await
    };
    let undone = Box::pin(undone).await;
    if let Some(held) = held {
        held.close().await;
    }
    undone
}

pub(super) async fn run_resume(args: ResumeArgs, output: Output) -> anyhow::Result<ExitCode> {
    let state = State::open(&args.access.connection, &args.state, output).await?;
    let plan = state.store.outline(&args.run).await?.header.plan;
    if plan.action == Action::Drill {
        output.progress(&format!(
            "Run {} is a drill, whose invocations cannot be resumed: restoring the function",
            args.run
        ));
        let restore = UndoArgs {
            run: Some(args.run),
            last: false,
            dry_run: false,
            apply_options: ApplyOptions {
                yes: true,
                ..args.apply_options
            },
            access: args.access,
            state: args.state,
        };
        return Box::pin(run_undo(restore, output)).await;
    }
    let targets = plan.targets;
    let session = state.session(&targets, args.access.rate).await?;
    // From here on nobody else goes on with it.
    let (mut run, journal) = session.work.store.resume(&args.run).await?;
    run.drop_finished();
    let vault = match session.vault(&run.header.plan).await {
        Ok(vault) => vault,
        Err(error) => {
            journal.close().await;
            return Err(error);
        }
    };
    session
        .execute(
            &run.header.plan,
            &vault,
            journal,
            &run.progress,
            &args.apply_options,
        )
        .await
}

/// The runs, and how to get to them and to the places that they name.
pub(super) struct State {
    store: Store,
    project: Project,
    access: Access,
    output: Output,
}

impl State {
    pub(super) async fn open(
        connection: &ConnectionArgs,
        state: &StateArgs,
        output: Output,
    ) -> anyhow::Result<Self> {
        let project = connection.project()?;
        let access = connection.access(&project);
        Ok(Self {
            store: open_store(state, &project, &access, output).await?,
            project,
            access,
            output,
        })
    }

    /// In the places of a plan or a run.
    pub(super) async fn session(
        self,
        targets: &Targets,
        rate: Option<f64>,
    ) -> anyhow::Result<Session> {
        let mut targets = targets.clone();
        targets.rates.others = rate.unwrap_or(targets.rates.others);
        Session::with(self.project, self.access, targets, self.store, self.output).await
    }

    /// The run that `--last` means.
    async fn last(&self) -> anyhow::Result<String> {
        let runs = self.store.runs().await?;
        let run =
            last(&runs).with_context(|| format!("{} has no run to undo", self.store.shown()))?;
        let (id, at) = (&run.header.run, &run.header.started_at);
        self.output
            .progress(&format!("The last run is {id}, started at {at}"));
        Ok(id.clone())
    }
}

impl Session {
    /// Says so where functions have the layer from runs that are not in this state, and would keep values
    /// that differ from what is asked for: these runs' own values look like somebody else's.
    pub(super) async fn warns_of_unknown_runs(&self, plan: &Plan) -> anyhow::Result<bool> {
        if plan.action != Action::Attach {
            return Ok(false);
        }
        let is_there = |it: &&Planned| matches!(it.reason, Reason::Already | Reason::Outdated);
        let keeping = plan.functions.iter().map(|it| &**it).filter(is_there);
        let keeping: Vec<&Planned> = keeping.filter(|it| !it.kept.is_empty()).collect();
        if keeping.is_empty() {
            return Ok(false);
        }
        let known = self.work.store.history().await?.changes;
        let unknown = keeping.iter().filter(|it| !known.contains_key(&it.arn));
        let unknown: Vec<&&Planned> = unknown.collect();
        if unknown.is_empty() {
            return Ok(false);
        }
        let names: BTreeSet<&str> = (unknown.iter())
            .flat_map(|it| it.kept.iter().map(String::as_str))
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        Output::error(&anyhow::anyhow!(
            "{} got the layer from runs that are not in {}; they would keep their own values of \
             {}\ngive the --state of those runs, or --overwrite NAME to replace a value",
            plural(unknown.len() as u64, "function"),
            self.work.store.shown(),
            names.join(", ")
        ));
        Ok(true)
    }

    /// A pipeline's machine is gone with its directories.
    pub(super) fn hint_at_shared_state(&self) {
        let is_pipeline = std::env::var_os("CI").is_some_and(|it| !it.is_empty());
        if is_pipeline && self.work.store.is_local() {
            self.output.progress(&format!(
                "Warning: this run is recorded in {} on this machine only; in a pipeline, give \
                 --state s3://BUCKET/PREFIX, or you cannot undo it later",
                self.work.store.shown()
            ));
        }
    }
}

/// Opens the runs where the options, the environment or the file say.
pub(super) async fn open_store(
    args: &StateArgs,
    project: &Project,
    access: &Access,
    output: Output,
) -> anyhow::Result<Store> {
    let location = args.location(project)?;
    let store = Store::open(location.as_ref(), access, args.kms_key(project)).await?;
    if let Some(warning) = &store.warning {
        output.progress(warning);
    }
    Ok(store)
}
