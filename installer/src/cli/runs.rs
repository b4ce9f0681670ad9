//! The options of the commands on runs.

use clap::Args;

use super::attachment::CHANGE_CODES;
use super::{AccessArgs, ApplyOptions, ConnectionArgs, StateArgs};

/// Put back what was there before a run: layers in their order, variables, all else it touched
///
/// What others changed since stays as it is, and is reported. Undo is itself a run, and can be undone.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct UndoArgs {
    /// The run, as `backstop runs` lists it
    #[arg(value_name = "RUN", required_unless_present = "last")]
    pub run: Option<String>,

    /// The newest run that undid none and was not undone
    #[arg(long, conflicts_with = "run", display_order = 499)]
    pub last: bool,

    /// Show what would be put back, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// How.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// How to get there.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// Go on with a run that was interrupted, or that left something
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct ResumeArgs {
    /// The run, as `backstop runs` lists it
    #[arg(value_name = "RUN")]
    pub run: String,

    /// How.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// How to get there.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

/// List the runs, or show the functions of one
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Show what became of each function of this run
    #[arg(value_name = "RUN")]
    pub run: Option<String>,

    /// Show every function of the run on a line of its own
    #[arg(long, requires = "run", display_order = 500)]
    pub full: bool,

    /// How to get to runs in S3.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}
