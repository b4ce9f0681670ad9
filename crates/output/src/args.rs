//! The options of every command: the format of its result, progress and colour.

use clap::{Args, ValueEnum};

use crate::Output;

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// One object, with a `schemaVersion`
    Json,
}

/// When a result is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal with colours, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How a command prints.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    // Below each command's own options.
    /// Format of the result on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        display_order = 900
    )]
    pub output: OutputFormat,

    /// Print no progress on stderr
    #[arg(long, short, global = true, display_order = 901)]
    pub quiet: bool,

    /// When to colour the result
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

impl OutputArgs {
    /// What prints like this.
    pub fn open(self) -> Output {
        Output::new(self.output, self.quiet, self.color)
    }
}
