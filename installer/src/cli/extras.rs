//! The options of what is done besides changing functions.

use clap::Args;

use crate::plan::Extras;

/// What is done besides.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Besides")]
pub struct ExtraArgs {
    /// Publish a version of each selected function that has none with the layer and settings as they are
    #[arg(long, display_order = 660)]
    pub publish_version: bool,

    /// Publish one, and move this alias to it where the function has it
    #[arg(long, value_name = "NAME", display_order = 661)]
    pub move_alias: Option<String>,
}

/// What roles are granted.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Besides")]
pub struct GrantArgs {
    /// Grant the functions' execution roles what the fallbacks need, in an inline policy of their own
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
