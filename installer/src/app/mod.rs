//! Runs what was asked for, and maps how it ended to an exit code.
//!
//! Invariant: the codes are a contract: 0 done, 1 error, 2 usage, 3 partial failure, 4 changes or
//! drift, 5 refused by preflight, 130 interrupted. Must not: hold any command's logic.

mod archive_template;
mod attachment;
mod execution;
mod generate;
mod init;
mod inspect;
mod interrupt;
mod layer;
mod runs;
mod transform;
mod usage;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use backstop_archive::Filter;
use backstop_config::ProcessEnvironment;
use clap::Parser as _;
use interrupt::{interrupted, interrupted_twice};
use tokio::sync::watch;

use crate::aws::Access;
use crate::cli::{ArchiveCommand, Cli, Command, DemoArgs, ReplayArgs, UsageError};
use crate::demo;
use crate::output::{Bar, Output, plural};
use crate::replay::{self, Archive, ArchiveOptions, Observer, Target, TargetOptions};
use crate::secrets;

const USAGE: u8 = 2;
const PARTIAL: u8 = 3;
const REFUSED: u8 = 5;
const INTERRUPTED: u8 = 130;

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            usage::print(&error);
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            Output::error(&error);
            if error.is::<UsageError>() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let output = Output::new(cli.output, cli.quiet, cli.color);
    runtime.spawn(interrupt::end_while_looking(output));
    match cli.command {
        Command::Init(args) => init::run(*args, output),
        Command::Layer(args) => runtime.block_on(layer::run(args.command, output)),
        Command::Plan(args) => runtime.block_on(attachment::run_plan(*args, output)),
        Command::Apply(args) => runtime.block_on(attachment::run_apply(args, output)),
        Command::Attach(args) => runtime.block_on(attachment::run_attach(*args, output)),
        Command::Detach(args) => runtime.block_on(attachment::run_detach(*args, output)),
        Command::Undo(args) => runtime.block_on(runs::run_undo(args, output)),
        Command::Resume(args) => runtime.block_on(runs::run_resume(args, output)),
        Command::Runs(args) => runtime.block_on(runs::run_runs(args, output)),
        Command::Status(args) => runtime.block_on(inspect::run_status(*args, output)),
        Command::Doctor(args) => runtime.block_on(inspect::run_doctor(*args, output)),
        Command::Archive(args) => match args.command {
            ArchiveCommand::Template(args) => archive_template::run(*args, output),
        },
        Command::Replay(args) => runtime.block_on(run_replay(args, output)),
        Command::Transform(args) => transform::run_transform(&args, output),
        Command::Demo(args) => runtime.block_on(run_demo(args, output)),
        Command::Completions(args) => generate::run_completions(&args, output),
        Command::Man(args) => generate::run_man(&args, output),
    }
}

async fn run_replay(args: ReplayArgs, output: Output) -> anyhow::Result<ExitCode> {
    let (url, is_typed) = match (&args.to, &args.url_file) {
        (_, Some(path)) => (secrets::address(path)?, false),
        (to, None) => (to.clone().unwrap_or_default(), true),
    };
    let mut target = Target::resolve(
        &TargetOptions {
            url: &url,
            is_typed,
            format: args.format.as_str(),
            format_options: args.format_options.as_deref(),
            token_file: args.token_file.as_deref(),
            header_file: args.header_file.as_deref(),
        },
        &ProcessEnvironment,
    )?;
    let access = Access {
        endpoint_url: args.endpoint_url,
        profile: args.profile,
        region: args.region,
    };
    access.check().await?;
    // Where nothing is sent, nothing needs a token.
    if !args.dry_run {
        target = target.with_secrets(&access).await?;
    }
    if is_typed && url.contains('?') {
        output.progress(
            "Warning: other users of this machine can read the query of --to in the process list. \
             If it holds a key, pass the address with --url-file.",
        );
    }
    let options = ArchiveOptions {
        expected_owner: args.expected_bucket_owner,
        requester_pays: args.request_payer.is_some(),
    };
    let archive = Archive::new(access.s3().await?, args.from, options);
    let options = replay::Options {
        filter: Filter {
            functions: args.function,
            reasons: args.reason,
            since: args.since,
            until: args.until,
        },
        dry_run: args.dry_run,
        concurrency: usize::from(args.concurrency),
        batch_records: args.batch_records as usize,
    };
    let shown = archive.shown();
    output.progress(&if options.dry_run {
        format!("Reading {shown}")
    } else {
        format!("Replaying {shown} to {}", target.shown_url())
    });
    let progress = ReplayProgress(Bar::new(
        output.draws(),
        "{bar:20} {bytes}/{total_bytes}  {msg}  {left}",
    ));
    let (interrupt, stop) = watch::channel(false);
    let summary = tokio::select! {
        summary = replay::run(archive, target, options, &progress, stop) => summary,
        () = interrupted_twice(&interrupt, output) => return Ok(ExitCode::from(INTERRUPTED)),
    };
    progress.0.clear();
    let summary = summary?;
    if summary.is_empty() {
        output.progress(&format!(
            "No object is below {shown}: check the bucket and the prefix"
        ));
    }
    output.result(&summary)?;
    Ok(if summary.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if summary.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}

struct ReplayProgress(Bar);

impl Observer for ReplayProgress {
    fn listed(&self, bytes: u64) {
        self.0.lengthen(bytes);
    }

    fn object_done(&self, bytes: u64, total: &replay::Summary) {
        let done = total.sent + total.would_send;
        self.0.advance_by(bytes, &plural(done, "record"));
    }
}

async fn run_demo(args: DemoArgs, output: Output) -> anyhow::Result<ExitCode> {
    let fallbacks: Vec<&str> = args.fallback.iter().map(|name| name.as_str()).collect();
    let options = demo::Options {
        extension: args.extension,
        fault: args.fault,
        outage: args.outage,
        invocations: args.invocations,
        lines: args.lines,
        line_bytes: args.line_bytes,
        handler: Duration::from_millis(args.handler_ms),
        gap: Duration::from_millis(args.gap_ms),
        flush_strategy: args.flush_strategy.as_str().to_owned(),
        max_added: Duration::from_millis(args.max_added_ms),
        memory_mb: args.memory_mb,
        fallbacks: fallbacks.join(","),
        keep: args.keep,
        page: args.report,
    };
    let view = demo::View::new(output, options.invocations);
    let summary = tokio::select! {
        summary = demo::run(&options, &view) => Some(summary),
        // Dropping the demo kills the extension and closes every port.
        () = interrupted() => None,
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

/// Whether there is somebody to ask.
fn has_terminal() -> bool {
    std::io::stderr().is_terminal() && std::io::stdin().is_terminal()
}

/// Asks on a terminal; without one, `--yes` is required.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !has_terminal() {
        let problem = "cannot ask for confirmation without a terminal: give --yes, or --dry-run to \
            see the plan";
        return Err(UsageError(problem.to_owned()).into());
    }
    Output::prompt(&format!("{question} Type `yes` to continue: "))?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(answer.trim() == "yes")
}
