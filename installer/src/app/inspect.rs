//! The commands that look at functions and change nothing.

use std::process::ExitCode;

use super::PARTIAL;
use super::fleet::{CHANGES, Desk};
use crate::cli::StatusArgs;
use crate::journal::History;
use crate::output::Output;
use crate::status;

pub(super) async fn run_status(args: StatusArgs, output: Output) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(&args.targets, &args.state, output).await?;
    let selection = args.select.selection_or_all(&desk.project);
    let history = History::load(&desk.store)?;
    desk.tell_where();
    let status = status::look(&desk.fleet, &selection, &history.changes).await;
    let code = if !status.is_whole() {
        ExitCode::from(PARTIAL)
    } else if args.detailed_exitcode && !status.is_as_wanted() {
        ExitCode::from(CHANGES)
    } else {
        ExitCode::SUCCESS
    };
    output.result(&status::View::new(status, args.drift_only))?;
    Ok(code)
}
