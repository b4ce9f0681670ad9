//! The options of `detach`.

use clap::Args;

use super::apply::CHANGE_CODES;
use super::{AllowArgs, ApplyOptions, ExtraArgs, SelectArgs, StateArgs, TargetArgs};

/// Detach the layer and its settings from functions: plan, ask, apply
///
/// If a recorded run attached the function, detach restores what the function had before. Otherwise
/// it removes every Backstop layer and every variable `BACKSTOP_…`.
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct DetachArgs {
    /// Show the plan, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Change nothing if any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// Versions, aliases and grants.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// Confirmation, waiting and waves.
    #[command(flatten)]
    pub apply_options: ApplyOptions,

    /// Accounts and regions.
    #[command(flatten)]
    pub targets: TargetArgs,

    /// Where runs are kept.
    #[command(flatten)]
    pub state: StateArgs,
}
