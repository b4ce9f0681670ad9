//! The options of `backstop archive`.

use clap::{Args, Subcommand};

use super::ArchiveTemplateArgs;

/// Work with the archive
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ArchiveCommand,
}

/// What is done with the archive.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Print a `CloudFormation` template of the archive: bucket, delivery stream, role and policies
    Template(Box<ArchiveTemplateArgs>),
}
