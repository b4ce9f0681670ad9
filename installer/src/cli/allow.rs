//! The options that override what is refused.

use clap::Args;

use crate::plan::Allowed;

/// Overrides of what is refused.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Overrides")]
pub struct AllowArgs {
    /// Include functions that `CloudFormation` or Terraform manages and may revert
    #[arg(long, display_order = 650)]
    pub include_managed: bool,

    /// Include functions in state Inactive
    #[arg(long, display_order = 651)]
    pub include_inactive: bool,

    /// Include functions with another vendor's telemetry extension
    #[arg(long, display_order = 652)]
    pub beside_others: bool,
}

impl AllowArgs {
    /// As a value.
    pub fn allowed(self) -> Allowed {
        Allowed {
            managed: self.include_managed,
            inactive: self.include_inactive,
            beside_others: self.beside_others,
        }
    }
}
