//! The options of `runs`.

use clap::Args;

use super::{ConnectionArgs, StateArgs};

/// List the runs, or show the functions of one
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Run ID, to show the state of each of its functions
    #[arg(value_name = "RUN")]
    pub run: Option<String>,

    /// Show each function of the run on its own line
    #[arg(long, requires = "run", display_order = 500)]
    pub full: bool,

    /// Connection to runs in S3.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}
