//! The options of `undo`.

use clap::Args;

use super::apply::CHANGE_CODES;
use super::{AccessArgs, ApplyOptions, StateArgs};

/// Undo a run: restore layers in their order, variables, and everything else that it changed
///
/// Keeps and reports changes that others made since. Undo is itself a run, and can be undone.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct UndoArgs {
    /// Run ID, as `backstop runs` lists it
    #[arg(value_name = "RUN", required_unless_present = "last")]
    pub run: Option<String>,

    /// Undo the newest run that is neither an undo nor undone
    #[arg(long, conflicts_with = "run", display_order = 499)]
    pub last: bool,

    /// Show what undo would restore, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Confirmation, waiting and waves.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Connection and rate.
    #[command(flatten)]
    pub access: AccessArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}
