//! The options of `backstop doctor`.

use clap::Args;

use super::{StateArgs, TargetArgs};
use crate::select::Pattern;

/// Check whether one function's records would arrive, and what prevents it
///
/// Changes nothing, and sends nothing unless you give --send. A check that cannot run names the
/// missing permission.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_CODES)]
pub struct DoctorArgs {
    /// Name or ARN of the function; an ARN sets the account and region
    #[arg(value_name = "FUNCTION")]
    pub function: Pattern,

    /// Send one test record from this machine to the primary, with the function's settings
    #[arg(long)]
    pub send: bool,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const DOCTOR_CODES: &str = "Exit codes: 0 no problem (there may be warnings and unknowns), 1 a \
    problem or an error, 2 usage";
