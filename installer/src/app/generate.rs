//! The commands `completions` and `man`.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::output::Output;

const NAME: &str = "backstop";

pub(super) fn run_completions(args: &CompletionsArgs, output: Output) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    output.bytes(&script)?;
    Ok(ExitCode::SUCCESS)
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
