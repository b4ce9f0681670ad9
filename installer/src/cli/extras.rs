//! Options for versions, aliases and grants.

use clap::Args;

use crate::plan::Extras;

/// Versions, aliases and grants.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Extras")]
pub struct ExtraArgs {
    /// Publish a version of each selected function whose newest version lacks the current layer and
    /// settings
    #[arg(long, display_order = 660)]
    pub publish_version: bool,

    /// Publish a version, and move this alias to it if the function has the alias
    #[arg(long, value_name = "NAME", display_order = 661)]
    pub move_alias: Option<String>,
}

/// What roles are granted.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Extras")]
pub struct GrantArgs {
    /// Grant the functions' execution roles the permissions that the fallbacks need, in an inline
    /// policy
    #[arg(long, display_order = 662)]
    pub grant: bool,
}

impl ExtraArgs {
    /// As a value.
    pub fn extras(&self, grant: bool) -> Extras {
        Extras {
            publish_version: self.publish_version || self.move_alias.is_some(),
            move_alias: self.move_alias.clone(),
            grant,
        }
    }
}
