//! The options of `attach`.

use clap::Args;

use super::apply::CHANGE_CODES;
use super::{
    AllowArgs, ApplyOptions, ExtraArgs, GrantArgs, IntentArgs, SelectArgs, StateArgs, TargetArgs,
};

/// Attach the layer and its settings to functions: plan, ask, apply
#[derive(Debug, Args)]
#[command(after_help = CHANGE_CODES)]
pub struct AttachArgs {
    /// Show the plan, and change nothing
    #[arg(long, display_order = 500)]
    pub dry_run: bool,

    /// Change nothing if any function is refused
    #[arg(long, display_order = 501)]
    pub strict: bool,

    /// Which functions.
    #[command(flatten)]
    pub select: SelectArgs,

    /// The layer and the settings.
    #[command(flatten)]
    pub intent: IntentArgs,

    /// Overrides.
    #[command(flatten)]
    pub allow: AllowArgs,

    /// Versions, aliases and grants.
    #[command(flatten)]
    pub extras: ExtraArgs,

    /// Grants to execution roles.
    #[command(flatten)]
    pub grant: GrantArgs,

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
