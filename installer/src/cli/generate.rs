//! The options of `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Write shell completions to stdout
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// Shell to write completions for; in bash, zsh and fish also of functions, from the last plan
    #[arg(value_name = "SHELL", required_unless_present = "functions")]
    pub shell: Option<Shell>,

    /// Print the functions of the last plan, one per line: for the completions
    #[arg(long, hide = true, conflicts_with = "shell")]
    pub functions: bool,
}

/// Write the manual: one page to stdout, or one for each command into a directory
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub struct ManArgs {
    /// Directory for the pages, created if missing
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  backstop completions bash \\
      > ~/.local/share/bash-completion/completions/backstop
  backstop completions zsh > ~/.zfunc/_backstop
  backstop completions fish > ~/.config/fish/completions/backstop.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  backstop man | man -l -
  backstop man --directory ~/.local/share/man/man1";
