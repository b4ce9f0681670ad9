//! The commands `completions` and `man`, and the names of functions that completions offer.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::files::{self, Readers};
use crate::journal::usual_directory;
use crate::output::Output;
use crate::plan::Plan;

const NAME: &str = "backstop";
/// What offers functions in each shell.
const BASH: &str = include_str!("completions.bash");
const ZSH: &str = include_str!("completions.zsh");
const FISH: &str = include_str!("completions.fish");
/// As clap describes a function's place for zsh.
const ZSH_PLACES: [&str; 3] = ["'*::functions -- ", "':function -- ", "'::function -- "];

pub(super) fn run_completions(args: &CompletionsArgs, output: Output) -> anyhow::Result<ExitCode> {
    let script = match args.shell {
        Some(shell) => script(shell)?,
        None => names(),
    };
    output.bytes(script.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Completions of options, and of functions where the shell's are known.
fn script(shell: Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8(script).context("the completions are not text")?;
    Ok(match shell {
        Shell::Bash => script + BASH,
        Shell::Fish => script + FISH,
        Shell::Zsh => {
            let mut text = String::new();
            for line in script.lines() {
                let is_place = ZSH_PLACES
                    .iter()
                    .any(|it| line.trim_start().starts_with(it));
                let line = if is_place {
                    line.replace(":_default'", ":_backstop_function_names'")
                } else {
                    line.to_owned()
                };
                // Before what calls the completion when the file is loaded as a function.
                if line.starts_with("if [ \"$funcstack[1]\"") {
                    text.push_str(ZSH);
                }
                text.push_str(&line);
                text.push('\n');
            }
            text
        }
        _ => script,
    })
}

fn file() -> Option<PathBuf> {
    Some(usual_directory()?.join("functions.txt"))
}

/// Keeps the functions of a plan. A machine on which that fails offers none.
pub(super) fn keep_names(plan: &Plan) {
    let mut names: Vec<&str> = plan.functions.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(path) = file().filter(|_| !names.is_empty()) {
        let made = path
            .parent()
            .is_some_and(|it| fs::create_dir_all(it).is_ok());
        if made {
            files::put(&path, (names.join("\n") + "\n").as_bytes(), Readers::Owner).ok();
        }
    }
}

/// The functions of the last plan. A shell expands what it gets: anything that is not a name is left out.
fn names() -> String {
    let text = file().and_then(|path| fs::read_to_string(path).ok());
    let is_name = |line: &&str| {
        let is_part = |one: char| one.is_ascii_alphanumeric() || "-_".contains(one);
        !line.is_empty() && line.chars().all(is_part)
    };
    let text = text.unwrap_or_default();
    let names = text.lines().filter(is_name);
    names.fold(String::new(), |all, name| all + name + "\n")
}

pub(super) fn run_man(args: &ManArgs, output: Output) -> anyhow::Result<ExitCode> {
    let command = Cli::command();
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        output.bytes(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory))
        .with_context(|| format!("cannot write to {}", directory.display()))?;
    output.progress(&format!("Wrote the pages to {}", directory.display()));
    Ok(ExitCode::SUCCESS)
}
