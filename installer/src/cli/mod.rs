//! The command line: options, their defaults and their help, and nothing else.
//!
//! Must not: read files or the environment, connect to anything, or hold a secret: tokens and
//! headers come from files or the environment, never from an argument that `ps` shows.

mod allow;
mod apply;
mod archive;
mod archive_template;
mod attach;
mod controller;
mod detach;
mod doctor;
mod drill;
mod extras;
mod generate;
mod init;
mod intent;
mod layer;
mod plan;
mod replay;
mod resume;
mod runs;
mod state;
mod status;
mod targets;
mod transform;
mod undo;
mod waves;

use clap::{Parser, Subcommand};

pub use allow::AllowArgs;
pub use apply::{ApplyArgs, ApplyOptions};
pub use archive::{ArchiveArgs, ArchiveCommand, FilterArgs, ReadArgs, ReadCommand, SourceArgs};
pub use archive_template::{ArchiveTemplateArgs, TemplateFormat};
pub use attach::AttachArgs;
pub use controller::{ControllerArgs, ControllerCommand, ControllerStatusArgs};
pub use detach::DetachArgs;
pub use doctor::DoctorArgs;
pub use drill::{DrillArgs, DrillSubject};
pub use extras::{ExtraArgs, GrantArgs};
pub use generate::{CompletionsArgs, ManArgs};
pub use init::InitArgs;
pub use intent::IntentArgs;
pub use layer::{BuildArgs, LayerArgs, LayerCommand, ListArgs, PruneArgs, PublishArgs};
pub use plan::PlanArgs;
pub use replay::ReplayArgs;
pub use resume::ResumeArgs;
pub use runs::RunsArgs;
pub use state::{AccessArgs, ConnectionArgs, StateArgs};
pub use status::StatusArgs;
pub use targets::{SelectArgs, TargetArgs};
pub use transform::TransformArgs;
pub use undo::UndoArgs;
pub use waves::WaveArgs;

pub use crate::output::{Colour, OutputArgs, OutputFormat};
pub use crate::usage::UsageError;
pub use backstop_demo::DemoArgs;

/// Attach the Backstop extension to Lambda functions across accounts and regions, undo that
/// exactly, and replay the records that it archived while the primary was down
#[derive(Debug, Parser)]
#[command(name = "backstop", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,

    /// How it prints.
    #[command(flatten)]
    pub printing: OutputArgs,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 partial failure, 4 changes or drift
(when asked), 5 refused by preflight, 130 interrupted";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented `backstop.toml`
    Init(Box<InitArgs>),
    /// Build, publish, list and prune the layer
    Layer(LayerArgs),
    /// Show what attach would change
    Plan(Box<PlanArgs>),
    /// Carry out a plan
    Apply(ApplyArgs),
    /// Attach the layer and its settings to functions
    Attach(Box<AttachArgs>),
    /// Detach the layer and its settings from functions
    Detach(Box<DetachArgs>),
    /// Undo a run
    Undo(UndoArgs),
    /// Resume a run
    Resume(ResumeArgs),
    /// List the runs, or show the functions of one
    Runs(RunsArgs),
    /// Show which functions have the layer, its release, and what has drifted
    Status(Box<StatusArgs>),
    /// Show what the controller function did
    Controller(ControllerArgs),
    /// Check whether one function's records would arrive, and what prevents it
    Doctor(Box<DoctorArgs>),
    /// List, show and count the records in the archive, or make a template of one
    Archive(Box<ArchiveArgs>),
    /// Send the records in the archive to a primary
    Replay(Box<ReplayArgs>),
    /// Show what the transforms would do to the records of an archive
    Transform(TransformArgs),
    /// Let one function's primary fail for a few invocations, restore, replay, and count
    Drill(Box<DrillArgs>),
    /// Run the real extension through an outage on this machine, replay, and count
    Demo(DemoArgs),
    /// Write shell completions to stdout
    Completions(CompletionsArgs),
    /// Write the manual: one page to stdout, or one for each command into a directory
    Man(ManArgs),
}
