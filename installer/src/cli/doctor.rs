//! The options of `backstop doctor`.

use clap::Args;

use super::{StateArgs, TargetArgs};
use crate::select::Pattern;

/// Check one function from all sides: would its records arrive, and what stands in the way?
///
/// Changes nothing, and sends nothing unless you ask for it. A check that cannot be made names the permission that is missing.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_CODES)]
pub struct DoctorArgs {
    /// The function's name or ARN; an ARN is looked for in its own account and region
    #[arg(value_name = "FUNCTION")]
    pub function: Pattern,

    /// Send one test record to the primary, with the function's own settings, from this machine
    #[arg(long)]
    pub send: bool,

    /// Where.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}

const DOCTOR_CODES: &str = "\
Exit codes: 0 no problem (warnings and unknowns there may be), 1 a problem or an error, 2 usage";
