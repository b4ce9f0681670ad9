//! The command `controller status`.

use std::process::ExitCode;

use super::PARTIAL;
use super::runs::open_store;
use crate::cli::{ControllerCommand, ControllerStatusArgs};
use crate::controller::ControllerStatus;
use crate::output::Output;

pub(super) async fn run(command: ControllerCommand, output: Output) -> anyhow::Result<ExitCode> {
    match command {
        ControllerCommand::Status(args) => status(args, output).await,
    }
}

async fn status(args: ControllerStatusArgs, output: Output) -> anyhow::Result<ExitCode> {
    let project = args.connection.project()?;
    let access = args.connection.access(&project);
    let store = open_store(&args.state, &project, &access, output).await?;
    let status = ControllerStatus::read(&store).await?;
    output.result(&status)?;
    Ok(if status.is_healthy() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PARTIAL)
    })
}
