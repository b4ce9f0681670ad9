//! The options of `backstop status`.

use clap::Args;

use super::{SelectArgs, StateArgs, TargetArgs};

/// Show which functions have the layer, its release, and what has drifted
///
/// Checks every function unless you name some. Drift is judged against the runs in --state; functions attached
/// by other runs are listed separately. Shows no values of variables.
#[derive(Debug, Args)]
#[command(after_help = STATUS_CODES)]
pub struct StatusArgs {
    /// Exit with 4 if a function drifted, or lacks the layer but could have it
    #[arg(long, display_order = 500)]
    pub detailed_exitcode: bool,

    /// Show only functions that drifted
    #[arg(long, display_order = 501)]
    pub drift_only: bool,

    /// Show every function's name
    #[arg(long, display_order = 502)]
    pub full: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const STATUS_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 some accounts or regions could not be read, 4 with
--detailed-exitcode: a function drifted or lacks the layer";
