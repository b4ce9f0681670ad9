//! The options of the commands about the command line itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Write a shell's completions to stdout
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Write the manual: the page of `backstop` to stdout, or one for each command into a directory
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub struct ManArgs {
    /// Where the pages are written; made where it is not there
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  backstop completions bash > ~/.local/share/bash-completion/completions/backstop
  backstop completions zsh > ~/.zfunc/_backstop
  backstop completions fish > ~/.config/fish/completions/backstop.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  backstop man | man -l -
  backstop man --directory ~/.local/share/man/man1";
