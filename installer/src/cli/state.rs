//! The options that say where runs are kept, and how to get there.

use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::aws::Access;
use crate::journal::Location;
use crate::project::{FILE_NAME, Project};

/// Names a directory where nothing is typed.
const DIRECTORY: &str = "BACKSTOP_STATE_DIR";

/// Where runs are kept.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Where to keep runs: a directory, or `s3://BUCKET/PREFIX` to share them between machines
    /// [default: `$XDG_STATE_HOME/backstop`, or `~/.local/state/backstop`]
    #[arg(
        long,
        visible_alias = "state-dir",
        value_name = "DIR|S3-URL",
        env = "BACKSTOP_STATE",
        display_order = 820
    )]
    pub state: Option<Location>,

    /// KMS key that encrypts runs in S3 [default: the bucket's encryption]
    #[arg(
        long,
        value_name = "KEY",
        env = "BACKSTOP_STATE_KMS_KEY_ID",
        display_order = 821
    )]
    pub state_kms_key_id: Option<String>,
}

/// How to get to AWS.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Targets")]
pub struct ConnectionArgs {
    /// File with options and settings [default: backstop.toml, if it exists]
    #[arg(long, value_name = "FILE", display_order = 800)]
    pub config: Option<PathBuf>,

    /// Profile of the AWS configuration, including SSO profiles
    #[arg(long, value_name = "NAME", display_order = 801)]
    pub profile: Option<String>,

    /// Endpoint to use for all services instead of AWS's
    #[arg(long, value_name = "URL", display_order = 814)]
    pub endpoint_url: Option<String>,
}

/// How to get to places that a plan or a run names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Targets")]
pub struct AccessArgs {
    /// Connection to AWS.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Lambda calls per second in each account and region [default: as planned]
    #[arg(long, value_name = "N", value_parser = super::targets::rate, display_order = 811)]
    pub rate: Option<f64>,
}

impl StateArgs {
    /// Where runs are: as it was typed, or else as the environment or the file says.
    pub fn location(&self, project: &Project) -> Result<Option<Location>, UsageError> {
        if let Some(typed) = &self.state {
            return Ok(Some(typed.clone()));
        }
        let directory = std::env::var_os(DIRECTORY).filter(|it| !it.is_empty());
        if let Some(directory) = directory {
            return Ok(Some(Location::Directory(directory.into())));
        }
        let Some(state) = &project.state else {
            return Ok(None);
        };
        let location: Location = (state.parse())
            .map_err(|problem| UsageError(format!("state in {FILE_NAME}: {problem}")))?;
        Ok(Some(location.below(&project.directory)))
    }

    /// The key that runs in S3 are encrypted with.
    pub fn kms_key(&self, project: &Project) -> Option<String> {
        (self.state_kms_key_id.clone()).or_else(|| project.state_kms_key_id.clone())
    }
}

impl ConnectionArgs {
    /// The file's words.
    pub fn project(&self) -> anyhow::Result<Project> {
        Project::read(self.config.as_deref())
    }

    /// How to reach AWS.
    pub fn access(&self, project: &Project) -> Access {
        Access {
            endpoint_url: self.endpoint_url.clone(),
            profile: (self.profile.clone()).or_else(|| project.targets.profile.clone()),
            ..Access::default()
        }
    }
}
