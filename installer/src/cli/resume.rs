//! The options of `resume`.

use clap::Args;

use super::apply::CHANGE_CODES;
use super::{AccessArgs, ApplyOptions, StateArgs};

/// Resume a run that was interrupted or partly failed
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct ResumeArgs {
    /// Run ID, as `backstop runs` lists it
    #[arg(value_name = "RUN")]
    pub run: String,

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
