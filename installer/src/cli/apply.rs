//! The options of `apply`, and those of every command that changes functions.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{AccessArgs, StateArgs, WaveArgs};

pub(super) const CHANGE_CODES: &str = "Exit codes: 0 done, 1 error, 2 usage, 3 something failed, 5 \
    every function was refused, 130 interrupted";

/// How to go about changes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Execution")]
pub struct ApplyOptions {
    /// Skip the confirmation
    #[arg(long, short, display_order = 670)]
    pub yes: bool,

    /// Seconds to wait for a function that another update is changing
    #[arg(long, value_name = "SECONDS", value_parser = super::targets::seconds, default_value = "300", display_order = 671)]
    pub wait: Duration,

    /// Show every function's name instead of a few of each group
    #[arg(long, display_order = 672)]
    pub full: bool,

    /// Waves.
    #[command(flatten)]
    pub waves: WaveArgs,
}

/// Carry out a plan from `backstop plan --out`, and nothing else
///
/// If someone changed a function since the plan was made, apply keeps their change and merges the
/// plan's into it.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct ApplyArgs {
    /// Plan file from `backstop plan --out`
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,

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
