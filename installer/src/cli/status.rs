//! The options of `backstop status`.

use clap::Args;

use super::{SelectArgs, StateArgs, TargetArgs};

/// Show which functions have the layer, which release of it, and what has changed since
///
/// Checks every function unless you name some. Drift is judged against the runs in --state; functions attached
/// by other runs are listed separately. No value of a variable is shown.
#[derive(Debug, Args)]
#[command(after_help = STATUS_CODES)]
pub struct StatusArgs {
    /// Exit with 4 where anything drifted, or could have the layer and has not
    #[arg(long, display_order = 500)]
    pub detailed_exitcode: bool,

    /// Show the functions that drifted, and no others
    #[arg(long, display_order = 501)]
    pub drift_only: bool,

    /// Show every function's name
    #[arg(long, display_order = 502)]
    pub full: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const STATUS_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 not every account and region could be looked at, 4 with
--detailed-exitcode: something drifted, or has no layer";
