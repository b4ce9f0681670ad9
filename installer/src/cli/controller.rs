//! The options of the commands on the controller.

use clap::{Args, Subcommand};

use super::{ConnectionArgs, StateArgs};

/// Show what the controller function did
#[derive(Debug, Args)]
pub struct ControllerArgs {
    /// What to show.
    #[command(subcommand)]
    pub command: ControllerCommand,
}

/// The commands on the controller.
#[derive(Debug, Subcommand)]
pub enum ControllerCommand {
    /// Show the controller's mode, its switch, and its last results
    Status(ControllerStatusArgs),
}

/// Show the controller's mode, its switch, and its last results
///
/// Reads the controller's state in S3, and asks no function.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the last plan worked, 1 error, 2 usage error, 3 the controller \
                  reports failures, or has no result yet"
)]
pub struct ControllerStatusArgs {
    /// Connection to AWS.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Where the controller keeps its runs.
    #[command(flatten)]
    pub state: StateArgs,
}
