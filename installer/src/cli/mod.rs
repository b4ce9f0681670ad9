//! What can be typed: options, their defaults and their help, and nothing else.
//!
//! Must not: read files or the environment, connect to anything, or hold a secret: tokens and
//! headers come from files or the environment, never from an argument that `ps` shows.

mod attachment;
mod demo;
mod doctor;
mod extras;
mod generate;
mod layer;
mod replay;
mod runs;
mod state;
mod status;
mod targets;
mod waves;

use clap::{Parser, Subcommand};

pub use attachment::{
    AllowArgs, ApplyArgs, ApplyOptions, AttachArgs, DetachArgs, IntentArgs, PlanArgs,
};
pub use demo::{DemoArgs, FallbackName, StrategyName};
pub use doctor::DoctorArgs;
pub use extras::{ExtraArgs, GrantArgs};
pub use generate::{CompletionsArgs, ManArgs};
pub use layer::{BuildArgs, LayerArgs, LayerCommand, ListArgs, PruneArgs, PublishArgs};
pub use replay::ReplayArgs;
pub use runs::{ResumeArgs, RunsArgs, UndoArgs};
pub use state::{AccessArgs, ConnectionArgs, StateArgs};
pub use status::StatusArgs;
pub use targets::{SelectArgs, TargetArgs};
pub use waves::WaveArgs;

pub use crate::output::{Colour, OutputFormat};
pub use crate::usage::UsageError;

/// Nothing a Lambda function logs is lost: attach the extension to functions over accounts and regions,
/// undo that exactly, and replay what was archived while the primary was down
#[derive(Debug, Parser)]
#[command(name = "backstop", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,

    // Below each command's own options.
    /// How the result is printed on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        display_order = 900
    )]
    pub output: OutputFormat,

    /// No progress on stderr
    #[arg(long, short, global = true, display_order = 901)]
    pub quiet: bool,

    /// Whether the result is coloured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        display_order = 902
    )]
    pub color: Colour,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 partial failure, 4 changes or drift (when asked), 5 refused
by preflight, 130 interrupted";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the layer, publish it, and see what is published
    Layer(LayerArgs),
    /// Show what attaching to functions would change
    Plan(Box<PlanArgs>),
    /// Do what a plan says
    Apply(ApplyArgs),
    /// Attach the layer and its settings to functions
    Attach(Box<AttachArgs>),
    /// Take the layer and its settings off functions
    Detach(Box<DetachArgs>),
    /// Put back what was there before a run
    Undo(UndoArgs),
    /// Go on with a run
    Resume(ResumeArgs),
    /// List the runs, or show the functions of one
    Runs(RunsArgs),
    /// Show which functions have the layer, which release of it, and what has changed since
    Status(Box<StatusArgs>),
    /// Check one function from all sides: would its records arrive, and what stands in the way?
    Doctor(Box<DoctorArgs>),
    /// Send what is in the archive to a primary
    Replay(ReplayArgs),
    /// Run the real extension through an outage on this machine, replay, and count
    Demo(DemoArgs),
    /// Write a shell's completions to stdout
    Completions(CompletionsArgs),
    /// Write the manual: one page to stdout, or one for each command into a directory
    Man(ManArgs),
}
