//! Runs what was asked for, and maps how it ended to an exit code.
//!
//! Invariant: the codes are a contract: 0 done, 1 error, 2 usage, 3 partial failure, 4 changes or
//! drift, 5 refused by preflight, 130 interrupted. Must not: hold any command's logic.

mod archive;
mod archive_template;
mod attachment;
mod controller;
mod drill;
mod execution;
mod generate;
mod init;
mod inspect;
mod interrupt;
mod layer;
mod replay;
mod replay_queue;
mod reporter;
mod runs;
mod transform;
mod usage;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use interrupt::interrupted;

use crate::cli::{ArchiveCommand, Cli, Command, DemoArgs, UsageError};
use crate::options::with_options;
use crate::output::Output;

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
            let is_usage = error.is::<UsageError>();
            Output::error(&anyhow::anyhow!(with_options(&format!("{error:#}"))));
            if is_usage {
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
    let output = cli.printing.open();
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
        Command::Controller(args) => runtime.block_on(controller::run(args.command, output)),
        Command::Doctor(args) => runtime.block_on(inspect::run_doctor(*args, output)),
        Command::Archive(args) => match args.command {
            ArchiveCommand::Template(args) => archive_template::run(*args, output),
            ArchiveCommand::Read(command) => runtime.block_on(archive::run(*command, output)),
        },
        Command::Replay(args) => runtime.block_on(replay::run_replay(*args, output)),
        Command::Transform(args) => transform::run_transform(&args, output),
        Command::Drill(args) => runtime.block_on(drill::run(*args, output)),
        Command::Demo(args) => runtime.block_on(run_demo(args, output)),
        Command::Completions(args) => generate::run_completions(&args, output),
        Command::Man(args) => generate::run_man(&args, output),
    }
}

async fn run_demo(args: DemoArgs, output: Output) -> anyhow::Result<ExitCode> {
    let code = backstop_demo::command(args, output, interrupted()).await?;
    output.hint("To set up your own functions", "backstop init");
    Ok(code)
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
