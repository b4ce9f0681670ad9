//! The demo: the real extension through an outage of its primary, on this machine alone.
//!
//! The library of `backstop demo`, and of the binary `backstop-demo`, which `scripts/demo` builds because
//! it needs none of the command line's AWS clients.
//!
//! In the order of the story: `args` are the options, `outage` says when the primary is down, `stage`
//! sets up what the extension talks to, `view` shows how it goes, `reconcile` looks for every record,
//! `timeline` samples the run, `report` counts, `story` words the result, and `page` draws it.
//!
//! Invariants: nothing but the fault differs from a healthy run; what is replayed is replayed by
//! the very function behind `backstop replay`. Must not: touch AWS, or leave anything behind that
//! `--keep` did not ask for.

mod args;
mod http;
mod outage;
mod page;
mod reconcile;
mod report;
mod stage;
mod story;
mod timeline;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use backstop_common::carried;
use backstop_common::files::{self, Readers};
use backstop_output::{self as output, Output};
use backstop_replay::{self as replay, Selection};
use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Fault, Invocation, Outcome, ShutdownReason, ShutdownReport};

pub use args::{DemoArgs, FallbackName, StrategyName};
pub use outage::Outage;
use reconcile::reconcile;
pub use reconcile::{Findings, LedgerLine};
pub use report::{AddedTime, Summary};
use stage::Stage;
pub use timeline::Sample;
use timeline::Timeline;
pub use view::View;

/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;
/// The function fails once in this many invocations, because the platform's records differ then.
const FAILS_EVERY: u32 = 10;

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The extension's executable; looked for when `None`.
    pub extension: Option<PathBuf>,
    /// How the primary fails.
    pub fault: Fault,
    /// When.
    pub outage: Outage,
    /// How often the function is invoked.
    pub invocations: u32,
    /// Lines in one invocation.
    pub lines: u32,
    /// About how long a line is.
    pub line_bytes: u32,
    /// How long the function runs.
    pub handler: Duration,
    /// How long the environment is frozen between invocations.
    pub gap: Duration,
    /// `BACKSTOP_FLUSH_STRATEGY`.
    pub flush_strategy: String,
    /// `BACKSTOP_MAX_ADDED_MS`.
    pub max_added: Duration,
    /// The function's memory.
    pub memory_mb: u32,
    /// `BACKSTOP_FALLBACK`.
    pub fallbacks: String,
    /// Where to leave the archive, the report and the extension's stderr.
    pub keep: Option<PathBuf>,
    /// Where to write the page.
    pub page: Option<PathBuf>,
}

/// What the invocations came to.
#[derive(Debug, Default)]
struct Simulation {
    emitted_lines: u64,
    /// Whether the primary was down, and what sending added.
    added: Vec<(bool, Duration)>,
    timeline: Vec<Sample>,
    /// An invocation did not end in time because of the extension.
    overran: bool,
}

/// The command: runs the demo, prints its result, and gives the exit code.
pub async fn command(
    args: DemoArgs,
    output: Output,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<ExitCode> {
    let options = Options::from(args);
    let view = View::new(output, options.invocations);
    let summary = tokio::select! {
        summary = run(&options, &view) => Some(summary),
        // Dropping the demo kills the extension and closes every port.
        () = interrupted => None,
    };
    view.clear();
    let Some(summary) = summary.transpose()? else {
        output.progress("Interrupted");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    output.result(&summary)?;
    Ok(if summary.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the demo.
pub async fn run(options: &Options, view: &View) -> anyhow::Result<Summary> {
    if let Some(directory) = &options.keep {
        check_empty(directory)?;
    }
    let extension = carried::extension(options.extension.as_deref())?;
    view.phase(&format!("Starting {}", extension.display()));
    let stage = Stage::set(&extension, options).await?;
    let run = invoke(&stage, options, view).await?;

    view.phase("Shutting down the environment");
    let reason = if run.overran {
        ShutdownReason::Timeout
    } else {
        ShutdownReason::Spindown
    };
    let shutdown = stage.environment.shutdown(reason).await?;
    stage.firehose.flush().await?;
    stage.intake.set_fault(None).await?;
    let before = stage.at_primary();
    let primary_requests = stage.intake.requests();
    let archive = stage.in_archive()?;

    view.phase(&format!(
        "Replaying {} from the archive",
        output::plural(archive.records.len() as u64, "record")
    ));
    let replayed = Box::pin(replay::replay(
        Selection::all(stage.archive()),
        stage.target()?,
        replay::Options::default(),
        &(),
    ))
    .await
    .context("the replay failed")?;

    let ledger = shutdown.ledger.clone().map(serde_json::from_value);
    let ledger: Option<LedgerLine> = ledger
        .transpose()
        .context("the extension's ledger line does not have the documented form")?;
    let findings = reconcile(
        run.emitted_lines,
        ledger.as_ref(),
        &before,
        &archive,
        &stage.at_primary(),
    );
    let summary = Summary::new(report::Parts {
        options,
        run,
        stage: &stage,
        shutdown: &shutdown,
        ledger,
        findings,
        primary_requests,
        replayed,
    });
    keep(options, &summary, &shutdown)?;
    if let Some(path) = &options.page {
        let page = page::of(&summary)?;
        files::put(path, page.as_bytes(), Readers::All)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(summary)
}

async fn invoke(stage: &Stage, options: &Options, view: &View) -> anyhow::Result<Simulation> {
    let outage = options.outage.invocations(options.invocations);
    let mut traffic = Traffic::new(options.line_bytes as usize);
    let mut run = Simulation::default();
    let mut timeline = Timeline::new(options.invocations);
    for number in 0..options.invocations {
        if number > 0 {
            stage.environment.idle(options.gap).await;
        }
        let is_down = outage.contains(&number);
        if number == 0 && !is_down {
            view.phase("The primary is up");
        }
        if number == outage.start && is_down {
            stage.intake.set_fault(Some(options.fault)).await?;
            view.phase(&format!(
                "Invocation {}: the primary goes down ({})",
                number + 1,
                options.fault
            ));
        }
        if number == outage.end && number > outage.start {
            stage.intake.set_fault(None).await?;
            view.phase(&format!(
                "Invocation {}: the primary is up again",
                number + 1
            ));
        }
        let outcome = if (number + 1) % FAILS_EVERY == 0 {
            Outcome::Error
        } else {
            Outcome::Success
        };
        let invocation = Invocation {
            lines: traffic.records(options.lines as usize),
            duration: options.handler,
            outcome,
        };
        let report = stage.environment.invoke(invocation).await?;
        run.emitted_lines = traffic.position();
        run.added.push((is_down, report.added));
        if let Some(sample) = timeline.look(stage, number + 1, is_down, report.added) {
            view.show(stage, sample);
        }
        if report.overran {
            run.overran = true;
            view.phase(&format!(
                "Invocation {}: the extension did not return before the function's timeout",
                number + 1
            ));
            break;
        }
    }
    run.timeline = timeline.samples;
    Ok(run)
}

/// What an earlier demo left must not be counted as this one's.
fn check_empty(directory: &Path) -> anyhow::Result<()> {
    // Where it is not there yet it is made; what else is wrong shows then.
    if let Ok(mut entries) = std::fs::read_dir(directory) {
        anyhow::ensure!(
            entries.next().is_none(),
            "{} is not empty: give --keep a new or empty directory",
            directory.display()
        );
    }
    Ok(())
}

/// Leaves the report and the extension's words beside the archive.
fn keep(options: &Options, summary: &Summary, shutdown: &ShutdownReport) -> anyhow::Result<()> {
    let Some(directory) = &options.keep else {
        return Ok(());
    };
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    };
    write("report.json", output::json(summary, true)? + "\n")?;
    write("stderr.log", shutdown.stderr.join("\n") + "\n")
}
